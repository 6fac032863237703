package wire

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// converse files what Tess and another wrote to each other: the first message
// starts the thread, and each lands in one of Tess's mailboxes.
func (h *house) converse(thread, other threading.ID, mailboxes ...threading.SpecialUse) {
	h.Helper()
	for i, mailbox := range mailboxes {
		header, text := []byte(fmt.Sprintf("Subject: Callback\r\nMessage-ID: <%d.%d@msg.example.com>\r\n\r\n", thread, i)), "Shall we meet?\r\n"
		content, err := mimetree.Read(header, strings.NewReader(text))
		h.done("read", err)
		at := time.Unix(1_780_000_000+int64(i), 0)
		f := threading.Filing{
			Message: threading.Message{ID: h.store.IDs().Next(), ThreadID: thread, WriterID: other, FiledAt: at},
			Body:    threading.Body{ID: h.store.IDs().Next(), Size: int64(len(text)), Data: []byte(text), Content: content},
			Copies:  []threading.Copy{{MemberID: h.tess.ID, Mailbox: mailbox, Header: header}},
		}
		if mailbox == threading.UseSent {
			f.Message.WriterID = h.tess.ID
		}
		if i == 0 {
			f.NewThread = &threading.NewThread{Thread: threading.Thread{ID: thread, Subject: "Callback", StartedBy: f.Message.WriterID, Status: threading.ThreadOpen}, Participants: []threading.ID{h.tess.ID, other}}
		}
		_, err = h.store.File(context.Background(), f)
		h.done("file", err)
	}
}

var toldIDs = regexp.MustCompile(`^\* \d+ FETCH \(.*EMAILID \((\w+)\) THREADID \((\w+)\)\)`)

// objectIDs are the EMAILID and THREADID of all messages of a mailbox.
func (h *house) objectIDs(p *peer, mailbox string) (emails, threads []string) {
	h.Helper()
	h.say(p, "a EXAMINE "+mailbox, "a OK")
	if _, err := p.Write([]byte("a UID FETCH 1:* (EMAILID THREADID)\r\n")); err != nil {
		h.Fatal(err)
	}
	for {
		line := h.hear(p, "")
		if strings.HasPrefix(line, "a OK") {
			return emails, threads
		}
		m := toldIDs.FindStringSubmatch(line)
		if m == nil {
			h.Fatalf("heard %q", line)
		}
		emails, threads = append(emails, m[1]), append(threads, m[2])
	}
}

// A conversation has one THREADID (RFC 8474 section 5.2), whichever mailbox its
// messages are in and whatever way they came there.
func TestAConversationHasOneThreadID(t *testing.T) {
	h := newHouse(t)
	sam, err := h.store.AddMember(context.Background(), threading.Member{Handle: "sam", Name: "Sam"}, []string{"sam@mail.example"})
	h.done("add", err)
	h.converse(1001, sam.ID, threading.UseInbox, threading.UseSent, threading.UseInbox, threading.UseSent)
	h.converse(1002, sam.ID, threading.UseSent, threading.UseInbox)
	p := h.signIn("INBOX")

	emails, threads := h.objectIDs(p, "INBOX")
	if len(threads) != 3 || threads[0] != threads[1] || threads[0] == threads[2] {
		t.Fatalf("in INBOX: %v", threads)
	}
	one, two := threads[0], threads[2]
	sentEmails, sent := h.objectIDs(p, "Sent")
	if want := []string{one, one, two}; fmt.Sprint(sent) != fmt.Sprint(want) {
		t.Errorf("in Sent: %v, want %v", sent, want)
	}

	h.say(p, "a CREATE Archives/2026", "a OK")
	for _, command := range []string{"SELECT INBOX", "MOVE 1 Archives", "MOVE 2 Archives/2026", "SELECT Sent", "COPY 2:3 Archives", "SELECT Archives/2026", "COPY 1 Archives", "SELECT Archives", "MOVE 1 Archives/2026"} {
		h.say(p, "a "+command, "a OK")
	}
	for _, c := range []struct {
		mailbox         string
		emails, threads []string
	}{
		{"INBOX", emails[1:2], []string{one}},
		{"Sent", sentEmails, []string{one, one, two}},
		{"Archives", []string{sentEmails[1], sentEmails[2], emails[2]}, []string{one, two, two}},
		{"Archives/2026", []string{emails[2], emails[0]}, []string{two, one}},
	} {
		gotEmails, got := h.objectIDs(p, c.mailbox)
		if fmt.Sprint(got) != fmt.Sprint(c.threads) || fmt.Sprint(gotEmails) != fmt.Sprint(c.emails) {
			t.Errorf("in %s: THREADID %v, want %v; EMAILID %v, want %v", c.mailbox, got, c.threads, gotEmails, c.emails)
		}
	}
	h.say(p, "a SELECT Archives", "a OK")
	if got := h.say(p, "a SEARCH THREADID "+two, "* SEARCH"); got != "* SEARCH 2 3\r\n" {
		t.Errorf("SEARCH THREADID finds %q", got)
	}
}

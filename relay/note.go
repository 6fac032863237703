package relay

import (
	"bytes"
	"context"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// Note is a message of the platform's own to a member.
type Note struct {
	To      threading.Member
	Subject string
	Text    string // lines end in LF
	// Once, if set, makes a note that is sent twice one message.
	Once string
}

// NoteFrom is the local part that notes come from. It can be nobody's handle
// (RFC 2142), and what is answered to it goes to the operator; as long as there
// is none, it is refused with a sentence.
const NoteFrom = "support"

// Note files a note, in a thread of its own whose writer is nobody, and alerts
// its reader as to any other message. What is wrong with it is a *Refusal.
func (p *Pipeline) Note(ctx context.Context, n Note) (threading.Filed, error) {
	if err := checkNote(n); err != nil {
		return threading.Filed{}, err
	}
	ids, now := p.o.Store.IDs(), p.o.Now()
	thread := threading.Thread{
		ID: ids.Next(), Subject: subjectBase(n.Subject), StartedBy: threading.Platform, Status: threading.ThreadOpen, CreatedAt: now, LastAt: now,
	}
	message := threading.Message{ID: ids.Next(), ThreadID: thread.ID, WriterID: threading.Platform, FiledAt: now}
	header, body, err := p.writeNote(n, message.ID)
	if err != nil {
		return threading.Filed{}, err
	}
	bw := p.o.Store.NewBody(ctx)
	defer bw.Discard()
	if _, err := bw.Write(body); err != nil {
		return threading.Filed{}, fmt.Errorf("store a note: %w", err)
	}
	stored, err := bw.Finish()
	if err != nil {
		return threading.Filed{}, fmt.Errorf("store a note: %w", err)
	}
	if stored.Content, err = mimetree.Read(header, bytes.NewReader(body)); err != nil {
		return threading.Filed{}, fmt.Errorf("index a note: %w", err)
	}
	message.BodyID = stored.ID
	f := threading.Filing{
		NewThread: &threading.NewThread{Thread: thread, Participants: []threading.ID{n.To.ID}},
		Message:   message, Body: stored,
		Copies: []threading.Copy{{MemberID: n.To.ID, Mailbox: threading.UseInbox, Header: header, Notify: true}},
	}
	if n.Once != "" {
		f.Dedupe = p.o.Store.Keyring().Hash("note", n.To.ID.String(), n.Once)
	}
	filed, err := p.o.Store.File(ctx, f)
	if err != nil {
		return threading.Filed{}, fmt.Errorf("file a note: %w", err)
	}
	p.o.Logger.Info("a note was filed", "member", n.To.Handle, "duplicate", filed[0].Duplicate)
	return filed[0], nil
}

func checkNote(n Note) error {
	switch {
	case n.To.Status != threading.MemberActive:
		return errNoSuchMember
	case strings.TrimSpace(n.Text) == "":
		return refuse(554, 5, 6, 0, "The message is empty: write something first.")
	case len(n.Text) > MaxContactText:
		return refuse(552, 5, 3, 4, "The message is too long: at most %d octets are allowed.", MaxContactText)
	case len(n.Subject) > MaxContactSubject:
		return refuse(552, 5, 3, 4, "The subject is too long: at most %d octets are allowed.", MaxContactSubject)
	case !utf8.ValidString(n.Subject), strings.ContainsAny(n.Subject, "\r\n\x00"):
		return refuse(554, 5, 6, 0, "The subject must be one line of text.")
	}
	return nil
}

// writeNote writes a note as a message.
func (p *Pipeline) writeNote(n Note, id threading.ID) (header, body []byte, err error) {
	var w headerWriter
	w.addresses("From", mail.Address{Name: p.o.Brand, Address: NoteFrom + "@" + p.o.Domain})
	w.addresses("To", p.contactAddress(n.To))
	w.unstructured("Subject", n.Subject)
	w.field("Date", p.o.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	w.messageIDs("Message-ID", p.messageIDOf(id))
	w.field("Auto-Submitted", "auto-generated") // RFC 3834 section 5
	w.field("MIME-Version", "1.0")
	w.field("Content-Type", "text/plain; charset=utf-8")
	w.field("Content-Transfer-Encoding", "quoted-printable")
	w.WriteString("\r\n")
	var b bytes.Buffer
	err = writeQuoted(&b, strings.ReplaceAll(strings.ToValidUTF8(n.Text, "\uFFFD"), "\r\n", "\n"))
	return w.Bytes(), b.Bytes(), err
}

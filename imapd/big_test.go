package imapd

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// big is a member with a mailbox of many messages.
type big struct {
	testing.TB
	store *store.Store
	path  string
	tess  threading.Member
	inbox threading.Mailbox

	threads map[threading.ID]bool // that there are
}

func newBig(t testing.TB, messages int) *big {
	t.Helper()
	return newBigWith(t, messages, store.Options{})
}

// newBigWith sets options of the store that are not the test's own.
func newBigWith(t testing.TB, messages int, o store.Options) *big {
	t.Helper()
	b := &big{TB: t, threads: map[threading.ID]bool{}, path: filepath.Join(t.TempDir(), "stagedoor.db")}
	k, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	o.DSN, o.Keyring, o.IDs = "sqlite:"+b.path, k, threading.NewIDSource()
	if b.store, err = store.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	if b.tess, err = b.store.AddMember(t.Context(), threading.Member{Handle: "tess", Name: "Tess"}, []string{"tess@mail.example"}); err != nil {
		t.Fatal(err)
	}
	if b.inbox, err = b.store.Mailbox(t.Context(), b.tess.ID, threading.Inbox); err != nil {
		t.Fatal(err)
	}
	b.fill(messages)
	return b
}

// session is a session with INBOX open.
func (b *big) session() *Session {
	b.Helper()
	s := New(Options{Store: b.store, MaxMessageSize: 1 << 20}).NewSession(netip.Addr{})
	s.member, s.checked, s.feed = b.tess, time.Now(), b.store.Subscribe(b.tess.ID)
	b.Cleanup(s.Close)
	if _, err := s.Select(threading.Inbox, SelectOptions{}); err != nil {
		b.Fatal(err)
	}
	return s
}

var bigWords = strings.Fields("the stage light curtain audition rehearsal costume director monday tuesday evening theatre please confirm whether you could come with the script and bring some friend")

// message is the i-th message: of about 2.5 KB, as the relay writes them, in a
// thread of four.
func (b *big) message(i int) ([]byte, string) {
	thread := i / 4
	var refs string
	for r := thread * 4; r < i; r++ {
		refs += fmt.Sprintf(" <m%d@msg.example.com>", r)
	}
	if refs != "" {
		refs = "References:" + refs + "\r\n"
	}
	header := fmt.Appendf(nil, "From: =?utf-8?q?Sam_Cast=C3=AFng_%d?= via Backstage <t-%d@msg.example.com>\r\nTo: \"Tess\" <tess@msg.example.com>\r\nSubject: %sCallback %d for Ophelia\r\nDate: %s\r\nMessage-ID: <m%d@msg.example.com>\r\n%sX-Production: Production %d\r\nX-Role: Role %d\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
		i%50, i%50, strings.Repeat("Re: ", min(1, i%4)), thread, time.Unix(1_750_000_000+int64(i*7919%1_000_000), 0).UTC().Format(time.RFC1123Z), i, refs, i%97, i%31)
	var body strings.Builder
	for k := range 300 {
		body.WriteString(bigWords[(i*7+k*(1+i%5))%len(bigWords)])
		body.WriteByte(" \n"[k%12/11])
	}
	fmt.Fprintf(&body, "number n%dn\r\n", i)
	return header, body.String()
}

// fill files the messages from 0 to n-1, a thousand in a transaction.
func (b *big) fill(n int) {
	for from := 0; from < n; from += 1000 {
		var numbers []int
		for i := from; i < min(n, from+1000); i++ {
			numbers = append(numbers, i)
		}
		b.file(numbers...)
	}
}

// file files these messages in one transaction, in that order.
func (b *big) file(numbers ...int) {
	b.Helper()
	filings := make([]threading.Filing, len(numbers))
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for k := w; k < len(numbers); k += 2 {
				i := numbers[k]
				header, text := b.message(i)
				f := &filings[k]
				thread := threading.ID(1000 + i/4)
				f.Message = threading.Message{ID: b.store.IDs().Next(), ThreadID: thread, WriterID: b.tess.ID, FiledAt: time.Unix(1_760_000_000+int64(i), 0)}
				f.Body = b.body(header, text)
				f.Copies = []threading.Copy{{MemberID: b.tess.ID, Mailbox: threading.UseInbox, Header: header}}
			}
		})
	}
	wg.Wait()
	for k := range filings {
		f := &filings[k]
		if thread := f.Message.ThreadID; !b.threads[thread] {
			b.threads[thread] = true
			f.NewThread = &threading.NewThread{Thread: threading.Thread{ID: thread, Subject: "Callback", StartedBy: b.tess.ID, Status: threading.ThreadOpen}, Participants: []threading.ID{b.tess.ID}}
		}
	}
	if _, err := b.store.File(b.Context(), filings...); err != nil {
		b.Fatal(err)
	}
}

func (b *big) body(header []byte, text string) threading.Body {
	c, err := mimetree.Read(header, strings.NewReader(text))
	if err != nil {
		b.Error(err)
	}
	return threading.Body{ID: b.store.IDs().Next(), Size: int64(len(text)), Data: []byte(text), Content: c}
}

func (b *big) pack() {
	b.Helper()
	if err := b.store.Pack(b.Context(), b.tess.ID, b.inbox.ID); err != nil {
		b.Fatal(err)
	}
}

// beside puts messages of other members beside: as many as STAGEDOOR_BESIDE
// says, in thousands.
func (b *big) beside() {
	b.Helper()
	thousands, _ := strconv.Atoi(os.Getenv("STAGEDOOR_BESIDE"))
	if thousands == 0 {
		return
	}
	db, err := sql.Open("sqlite", "file:"+b.path+"?_pragma=busy_timeout(600000)&_pragma=synchronous(OFF)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for k := 1; k <= thousands; k++ {
		for _, q := range []string{
			"INSERT INTO bodies SELECT id - ?1, size, structure, signature, text, preview FROM bodies WHERE id IN (SELECT body_id FROM entries WHERE member_id = ?2 AND uid BETWEEN ?3 * 1000 + 1 AND ?3 * 1000 + 1000)",
			"INSERT INTO items SELECT member_id + 1 + ?1 % 1000, id - ?1, thread_id, message_id, body_id - ?1, body_size, header FROM items WHERE member_id = ?2 AND id IN (SELECT item_id FROM entries WHERE member_id = ?2 AND uid BETWEEN ?3 * 1000 + 1 AND ?3 * 1000 + 1000)",
			"INSERT INTO entries SELECT member_id + 1 + ?1 % 1000, mailbox_id, uid + ?1 * 1000, item_id - ?1, thread_id, body_id - ?1, header_size, body_size, flags, keywords, modseq, saved_at, placed_at FROM entries WHERE member_id = ?2 AND uid BETWEEN ?3 * 1000 + 1 AND ?3 * 1000 + 1000",
		} {
			if _, err := db.Exec(q, k<<40, b.tess.ID, k%90); err != nil {
				b.Fatal(err)
			}
		}
	}
}

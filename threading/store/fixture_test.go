package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// clock is Options.Now of the tests. It begins at the real time, because IDs
// carry that.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// fixture is a store on a file of its own.
type fixture struct {
	*Store
	t     testing.TB
	ctx   context.Context
	clock *clock
	path  string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	x := &fixture{t: t, ctx: t.Context(), clock: &clock{at: time.Now().Truncate(time.Millisecond).UTC()}, path: filepath.Join(t.TempDir(), "stagedoor.db")}
	if err := os.WriteFile(x.path, fresh(t), 0o600); err != nil {
		t.Fatal(err)
	}
	x.Store = x.open(false)
	return x
}

// fresh is the file of a store that nothing was written to: under the race
// detector the migrations take longer than most tests.
func fresh(t testing.TB) []byte {
	t.Helper()
	freshly.Lock()
	defer freshly.Unlock()
	if freshly.file == nil {
		path := filepath.Join(t.TempDir(), "fresh.db")
		s, err := Open(t.Context(), Options{DSN: "sqlite:" + path, Keyring: fixtureKeyring(t), IDs: threading.NewIDSource()})
		if err == nil {
			err = s.Close()
		}
		if err == nil {
			freshly.file, err = os.ReadFile(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return freshly.file
}

var freshly struct {
	sync.Mutex
	file []byte
}

func fixtureKeyring(t testing.TB) *seal.Keyring {
	t.Helper()
	k, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// open opens the fixture's file once more. The store is closed with the test.
func (x *fixture) open(follow bool) *Store {
	x.t.Helper()
	s, err := Open(x.ctx, Options{DSN: "sqlite:" + x.path, Keyring: fixtureKeyring(x.t), IDs: threading.NewIDSource(), Now: x.clock.Now, Follow: follow})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = s.Close() })
	return s
}

// realAddress is the real address of the fixture's member with that handle.
func realAddress(handle string) string { return handle + "@mail.example" }

func (x *fixture) member(handle string) threading.Member {
	x.t.Helper()
	m, err := x.AddMember(x.ctx, threading.Member{Handle: handle, Name: "Name of " + handle}, []string{realAddress(handle)})
	if err != nil {
		x.t.Fatal(err)
	}
	return m
}

// change makes a member what m says.
func (x *fixture) change(m threading.Member) {
	x.t.Helper()
	_, err := x.ChangeMember(x.ctx, m.Handle, func(now *threading.Member) error {
		*now = m
		return nil
	})
	x.do(err)
}

func (x *fixture) body(text string) threading.Body {
	return threading.Body{ID: x.IDs().Next(), Size: int64(len(text)), Data: []byte(text), Content: threading.Content{Structure: []byte{1}, Text: threading.Fold(text)}}
}

// start is the filing of a first message: INBOX of the reader, with a
// notification, and Sent of the writer.
func (x *fixture) start(writer, reader threading.Member, text string) threading.Filing {
	thread, now := x.IDs().Next(), x.clock.Now()
	f := x.reply(thread, writer, reader, text)
	f.NewThread = &threading.NewThread{
		Thread:       threading.Thread{ID: thread, Subject: "Ophelia", StartedBy: writer.ID, Status: threading.ThreadOpen, CreatedAt: now, LastAt: now},
		Participants: []threading.ID{writer.ID, reader.ID},
		Aliases: []threading.Alias{
			{ID: x.IDs().Next(), ThreadID: thread, ViewerID: writer.ID, OtherID: reader.ID},
			{ID: x.IDs().Next(), ThreadID: thread, ViewerID: reader.ID, OtherID: writer.ID},
		},
	}
	return f
}

// reply is the filing of a further message.
func (x *fixture) reply(thread threading.ID, writer, reader threading.Member, text string) threading.Filing {
	return threading.Filing{
		Message: threading.Message{ID: x.IDs().Next(), ThreadID: thread, WriterID: writer.ID, FiledAt: x.clock.Now()},
		Body:    x.body(text),
		Copies: []threading.Copy{
			{MemberID: reader.ID, Mailbox: threading.UseInbox, Header: []byte("Subject: for the reader\r\n\r\n"), Notify: true},
			{MemberID: writer.ID, Mailbox: threading.UseSent, Header: []byte("Subject: for the writer\r\n\r\n"), Flags: threading.FlagSeen},
		},
	}
}

func (x *fixture) file(filings ...threading.Filing) []threading.Filed {
	x.t.Helper()
	filed, err := x.File(x.ctx, filings...)
	if err != nil {
		x.t.Fatal(err)
	}
	return filed
}

func (x *fixture) mailbox(m threading.Member, name string) threading.Mailbox {
	x.t.Helper()
	mb, err := x.Mailbox(x.ctx, m.ID, name)
	if err != nil {
		x.t.Fatalf("mailbox %s: %v", name, err)
	}
	return mb
}

// put appends a message and returns its UID.
func (x *fixture) put(mb threading.Mailbox, text string, flags threading.Flags, keywords ...string) uint32 {
	x.t.Helper()
	_, uid, err := x.Append(x.ctx, mb.MemberID, mb.ID, NewItem{Header: []byte("Subject: x\r\n\r\n"), Body: x.body(text), Flags: flags, Keywords: keywords})
	if err != nil {
		x.t.Fatal(err)
	}
	return uid
}

// putMany fills a mailbox with n entries of one item, in one transaction.
func (x *fixture) putMany(mb threading.Mailbox, n int) {
	x.t.Helper()
	first := x.put(mb, "one of many", 0)
	e := x.entries(mb)[0]
	err := x.c.commit(x.ctx, func(t *tx) error {
		for i := 1; i < n; i++ {
			e := e
			e.UID = first + uint32(i)
			if err := t.addEntry(mb.MemberID, mb.ID, e); err != nil {
				return err
			}
		}
		_, err := t.exec("UPDATE mailboxes SET uidnext = uidnext + ? WHERE member_id = ? AND id = ?", n-1, mb.MemberID, mb.ID)
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *fixture) entries(mb threading.Mailbox) []threading.Entry {
	x.t.Helper()
	var list []threading.Entry
	err := x.Entries(x.ctx, mb.MemberID, mb.ID, everyUID, func(e threading.Entry) error {
		list = append(list, e)
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return list
}

// count counts rows, also of tables that no method lists.
func (x *fixture) count(from string, args ...any) int {
	x.t.Helper()
	var n int
	if err := x.read.QueryRow("SELECT COUNT(*) FROM "+from, args...).Scan(&n); err != nil {
		x.t.Fatal(err)
	}
	return n
}

// second drops a result that a test does not look at.
func second[T any](_ T, err error) error { return err }

// show writes an entry's flags in one line.
func show(e threading.Entry) string { return fmt.Sprintf("%d %05b %v", e.UID, e.Flags, e.Keywords) }

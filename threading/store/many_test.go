package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// statements counts what a change executes.
func (x *fixture) statements(change func() error) (n int) {
	x.t.Helper()
	x.c.executed.Store(0)
	if err := change(); err != nil {
		x.t.Fatal(err)
	}
	return int(x.c.executed.Load())
}

// many is how many messages are many: 2,000, or what STAGEDOOR_MESSAGES says.
func many(t *testing.T) int {
	t.Helper()
	text := os.Getenv("STAGEDOOR_MESSAGES")
	if text == "" {
		return 2000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("STAGEDOOR_MESSAGES: %v", err)
	}
	return n
}

// What is done to all of a mailbox takes as many statements for 2,000 messages
// as for 20, and one notice: flags 7 or 8, COPY 8, MOVE 10, EXPUNGE 8. (A silent
// STORE reads the flags as they were before, slice entries at a time.) What the
// client hears is in imapd/wire, TestChangesOfManyAreAnsweredInFewLines.
func TestChangesOfManyTakeFewStatements(t *testing.T) {
	counts := map[string][2]int{}
	for i, size := range []int{20, many(t)} {
		x := newFixture(t)
		mb := x.mailbox(x.member("tess"), threading.Inbox)
		x.putMany(mb, size)
		if _, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, threading.UIDSet{{First: 5, Last: 9}}, threading.FlagsAdd, 0, []string{"Old"}); err != nil {
			t.Fatal(err)
		}
		sub := x.Subscribe(mb.MemberID)
		defer sub.Close()
		archive := x.mailbox(threading.Member{ID: mb.MemberID}, "Archives")
		flags := func(op threading.FlagOp, f threading.Flags, words ...string) func() error {
			return func() error { return second(x.StoreFlags(x.ctx, mb.MemberID, mb.ID, everyUID, op, f, words)) }
		}
		for _, c := range []struct {
			name   string
			change func() error
		}{
			{"mark all read", flags(threading.FlagsAdd, threading.FlagSeen)},
			{"label all", flags(threading.FlagsAdd, 0, "$Label1", "Work")},
			{"replace all flags", flags(threading.FlagsReplace, threading.FlagFlagged|threading.FlagDeleted, "$Label1")},
			{"copy all", func() error { return second(x.Copy(x.ctx, mb.MemberID, mb.ID, everyUID, "Archives", false)) }},
			{"archive all", func() error {
				return second(x.Copy(x.ctx, mb.MemberID, mb.ID, threading.UIDSet{{First: 1, Last: uint32(size) - 4}}, "Archives", true))
			}},
			{"expunge the rest", func() error { return second(x.Expunge(x.ctx, mb.MemberID, mb.ID, nil)) }},
			{"expunge all", func() error {
				gone, err := x.Expunge(x.ctx, mb.MemberID, archive.ID, everyUID)
				if len(gone) != 2*size-4 {
					t.Errorf("%d of %d are gone from the archive", len(gone), 2*size-4)
				}
				return err
			}},
		} {
			woken(sub.C, 0)
			n := counts[c.name]
			began := time.Now()
			n[i] = x.statements(c.change)
			counts[c.name] = n
			t.Logf("%s of %d messages: %d statements, %v", c.name, size, n[i], time.Since(began).Round(time.Millisecond))
			if !woken(sub.C, 0) || woken(sub.C, 0) {
				t.Errorf("%s: not one notice", c.name)
			}
		}
		if left, there := len(x.entries(mb)), len(x.entries(archive)); left != 0 || there != 0 {
			t.Errorf("%d are left, %d in the archive", left, there)
		}
		x.checkOctets(mb.MemberID)
	}
	for name, n := range counts {
		if n[0] != n[1] || n[1] > 12 {
			t.Errorf("%s: %d statements for 20 messages and %d for many", name, n[0], n[1])
		}
	}
}

// checkOctets compares a member's usage with what is in the mailboxes.
func (x *fixture) checkOctets(member threading.ID) {
	x.t.Helper()
	var want int64
	if err := x.read.QueryRow("SELECT COALESCE(SUM(header_size + body_size), 0) FROM entries WHERE member_id = ?", member).Scan(&want); err != nil {
		x.t.Fatal(err)
	}
	got, _, err := x.Usage(x.ctx, member)
	if err != nil || got != want {
		x.t.Errorf("%d octets are counted, %d are there; %v", got, want, err)
	}
}

func TestUsageFollowsTheMailboxes(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	check := func(when string) {
		t.Helper()
		for _, m := range []threading.Member{sam, tess} {
			x.checkOctets(m.ID)
		}
		if t.Failed() {
			t.Fatal(when)
		}
	}
	f := x.start(sam, tess, "hello")
	f.Copies[1].ClientID = []byte("0123456789abcdef")
	_, _, err := x.Append(x.ctx, sam.ID, x.mailbox(sam, "Sent").ID, NewItem{Header: []byte("Subject: my own copy\r\n\r\n"), Body: x.body("hello"), ClientID: f.Copies[1].ClientID})
	if err != nil {
		t.Fatal(err)
	}
	check("appended")
	x.file(f)
	check("filed, which takes over the client's copy")
	note := x.start(sam, sam, "a note to myself")
	note.NewThread.Participants, note.NewThread.Aliases = note.NewThread.Participants[:1], nil
	x.file(note, x.start(sam, tess, "two at once"))
	check("filed twice for one member")
	if _, err := x.CreateMailbox(x.ctx, tess.ID, "Old", threading.UseNone); err != nil {
		t.Fatal(err)
	}
	inbox := x.mailbox(tess, threading.Inbox)
	for _, move := range []bool{false, true} {
		if _, err := x.Copy(x.ctx, tess.ID, inbox.ID, everyUID, "Old", move); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprint("copied, moved: ", move))
	}
	if err := x.DeleteMailbox(x.ctx, tess.ID, "Old"); err != nil {
		t.Fatal(err)
	}
	check("deleted")
	if used, _, _ := x.Usage(x.ctx, tess.ID); used != 0 {
		t.Errorf("%d octets of nothing", used)
	}
}

func TestQuota(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	inbox := x.mailbox(tess, threading.Inbox)
	x.o.Quota = 200
	item := NewItem{Header: []byte("Subject: x\r\n\r\n"), Body: x.body(strings.Repeat("x", 86))} // 100 octets
	put := func() error {
		item.Body.ID = x.IDs().Next()
		_, _, err := x.Append(x.ctx, tess.ID, inbox.ID, item)
		return err
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	if err := put(); err != nil {
		t.Errorf("what just fits: %v", err)
	}
	if err := put(); !errors.Is(err, ErrQuota) {
		t.Errorf("what does not fit: %v", err)
	}
	if _, err := x.Copy(x.ctx, tess.ID, inbox.ID, everyUID, "Archives", false); !errors.Is(err, ErrQuota) {
		t.Errorf("a copy that does not fit: %v", err)
	}
	if _, err := x.Copy(x.ctx, tess.ID, inbox.ID, everyUID, "Archives", true); err != nil {
		t.Errorf("moving: %v", err)
	}
	x.file(x.start(sam, tess, "it arrives all the same"))
	x.checkOctets(tess.ID)
	if used, quota, err := x.Usage(x.ctx, tess.ID); err != nil || used <= quota || quota != 200 {
		t.Errorf("%d octets of %d, %v", used, quota, err)
	}
}

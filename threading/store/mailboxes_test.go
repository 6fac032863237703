package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// create makes mailboxes by name.
func (x *fixture) create(m threading.Member, names ...string) {
	x.t.Helper()
	for _, name := range names {
		if _, err := x.CreateMailbox(x.ctx, m.ID, name, threading.UseNone); err != nil {
			x.t.Fatalf("create %q: %v", name, err)
		}
	}
}

// own are the names of the mailboxes that not every member has.
func (x *fixture) own(m threading.Member) []string {
	x.t.Helper()
	list, err := x.Mailboxes(x.ctx, m.ID)
	if err != nil {
		x.t.Fatal(err)
	}
	var names []string
	for _, b := range list {
		if !isStandard(b) {
			names = append(names, b.Name)
		}
	}
	return names
}

func TestCreateMailbox(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
		err  error
	}{
		{"plays", []string{"plays"}, nil},
		{"plays/", []string{"plays"}, nil},
		{"a/b/c", []string{"a", "a/b", "a/b/c"}, nil},
		{"Archives/2026", []string{"Archives/2026"}, nil},
		{"inbox/later", []string{"INBOX/later"}, nil},
		{"Inboxes", []string{"Inboxes"}, nil},
		{"Bühne/Ödön", []string{"Bühne", "Bühne/Ödön"}, nil},
		{"a_b'c\"d", []string{"a_b'c\"d"}, nil},
		{"InBox", nil, ErrExists},
		{"Sent", nil, ErrExists},
		{"", nil, ErrMailboxName},
		{"/", nil, ErrMailboxName},
		{"/a", nil, ErrMailboxName},
		{"a//b", nil, ErrMailboxName},
		{"a\x00b", nil, ErrMailboxName},
		{"a\r\nb", nil, ErrMailboxName},
		{"a%", nil, ErrMailboxName},
		{"a*", nil, ErrMailboxName},
		{"a\xff", nil, ErrMailboxName},
		{strings.Repeat("a", threading.MaxMailboxName), []string{strings.Repeat("a", threading.MaxMailboxName)}, nil},
		{strings.Repeat("a", threading.MaxMailboxName+1), nil, ErrMailboxName},
	} {
		x := newFixture(t)
		m := x.member("tess")
		made, err := x.CreateMailbox(x.ctx, m.ID, c.name, threading.UseNone)
		if !errors.Is(err, c.err) {
			t.Errorf("create %q: %v, want %v", c.name, err, c.err)
		}
		if got := x.own(m); !slices.Equal(got, c.want) {
			t.Errorf("create %q: there are %q, want %q", c.name, got, c.want)
		}
		if err == nil {
			if found := x.mailbox(m, c.name); found != made {
				t.Errorf("create %q: made %+v, found %+v", c.name, made, found)
			}
		}
		_ = x.Close()
	}
}

func TestAMailboxMadeAgainHasAnotherUIDValidity(t *testing.T) {
	x := newFixture(t)
	m := x.member("tess")
	seen := map[uint32]bool{}
	for range 5 { // all in the same second
		x.create(m, "plays")
		mb := x.mailbox(m, "plays")
		if seen[mb.UIDValidity] {
			t.Fatalf("UIDVALIDITY %d again", mb.UIDValidity)
		}
		seen[mb.UIDValidity] = true
		x.put(mb, "hello", 0)
		if err := x.DeleteMailbox(x.ctx, m.ID, "plays"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMailboxLimit(t *testing.T) {
	x := newFixture(t)
	m := x.member("tess")
	x.create(m, "top")
	for i := len(threading.StandardMailboxes) + 1; i < threading.MaxMailboxes-1; i++ {
		if err := x.c.commit(x.ctx, func(t *tx) error {
			return t.addMailbox(x.newMailbox(m.ID, fmt.Sprint("top/", i), threading.UseNone))
		}); err != nil {
			t.Fatal(err)
		}
	}
	create := func(name string) error {
		return second(x.CreateMailbox(x.ctx, m.ID, name, threading.UseNone))
	}
	if err := create("a/b"); !errors.Is(err, ErrLimit) {
		t.Errorf("two more where one fits: %v", err)
	}
	if err := create("top/last"); err != nil {
		t.Errorf("the last one, below a level that is there: %v", err)
	}
	if err := create("top/last/one"); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	if err := create("top/last"); !errors.Is(err, ErrExists) {
		t.Errorf("one that is there: %v", err)
	}
	if n := x.count("mailboxes WHERE member_id = ?", m.ID); n != threading.MaxMailboxes {
		t.Errorf("%d mailboxes", n)
	}
}

func TestRenameMailbox(t *testing.T) {
	long := strings.Repeat("x", threading.MaxMailboxName-3)
	for _, c := range []struct {
		name, from, to string
		have, want     []string
		err            error
	}{
		{"alone", "a", "b", []string{"a"}, []string{"b"}, nil},
		{"with children", "a", "z", []string{"a/b/c", "a0", "a-b"}, []string{"a-b", "a0", "z", "z/b", "z/b/c"}, nil},
		{"to a deeper level", "a", "x/y/z", []string{"a/b"}, []string{"x", "x/y", "x/y/z", "x/y/z/b"}, nil},
		{"up", "a/b", "b", []string{"a/b/c"}, []string{"a", "b", "b/c"}, nil},
		{"umlauts", "Bühne", "Szene", []string{"Bühne/Höhe", "Bühnen/x"}, []string{"Bühnen", "Bühnen/x", "Szene", "Szene/Höhe"}, nil},
		{"into umlauts", "a", "Ödön 🎭", []string{"a/b", "a/ç"}, []string{"Ödön 🎭", "Ödön 🎭/b", "Ödön 🎭/ç"}, nil},
		{"wildcards of LIKE and GLOB", "a_b", "c", []string{"a_b/x", "axb/x", "a_b?[x]"}, []string{"a_b?[x]", "axb", "axb/x", "c", "c/x"}, nil},
		{"case", "plays", "Plays", []string{"plays/x", "PLAYS/x"}, []string{"PLAYS", "PLAYS/x", "Plays", "Plays/x"}, nil},
		{"below INBOX", "a", "inbox/a", []string{"a/b"}, []string{"INBOX/a", "INBOX/a/b"}, nil},
		{"unknown", "b", "c", []string{"a"}, []string{"a"}, ErrNotFound},
		{"taken", "a", "b", []string{"a", "b"}, []string{"a", "b"}, ErrExists},
		{"to itself", "a", "a", []string{"a"}, []string{"a"}, ErrExists},
		{"into itself", "a", "a/b", []string{"a"}, []string{"a"}, ErrMailboxName},
		{"a bad name", "a", "b//c", []string{"a"}, []string{"a"}, ErrMailboxName},
		{"a child too long", "a", long, []string{"a/bcd"}, []string{"a", "a/bcd"}, ErrMailboxName},
		{"standard", "Sent", "b", nil, nil, ErrStandardMailbox},
		{"onto standard", "a", "Sent", []string{"a"}, []string{"a"}, ErrExists},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newFixture(t)
			m, other := x.member("tess"), x.member("sam")
			x.create(m, c.have...)
			x.create(other, "a/b/c", "Bühne/x")
			mine := x.own(other)
			before, _ := x.Mailbox(x.ctx, m.ID, c.from)
			if err := x.RenameMailbox(x.ctx, m.ID, c.from, c.to); !errors.Is(err, c.err) {
				t.Fatalf("rename: %v, want %v", err, c.err)
			}
			if got := x.own(m); !slices.Equal(got, c.want) {
				t.Errorf("there are %q, want %q", got, c.want)
			}
			if c.err == nil && x.mailbox(m, c.to).ID != before.ID {
				t.Error("it is another mailbox now")
			}
			if got := x.own(other); !slices.Equal(got, mine) {
				t.Errorf("another member's mailboxes are %q now", got)
			}
		})
	}
}

func TestAMailboxOfSpecialUseIsRenamedAsOthers(t *testing.T) {
	x := newFixture(t)
	m := x.member("tess")
	if _, err := x.CreateMailbox(x.ctx, m.ID, "work/junk", threading.UseJunk); err != nil {
		t.Fatal(err)
	}
	if err := x.RenameMailbox(x.ctx, m.ID, "work", "job"); err != nil {
		t.Fatal(err)
	}
	if err := x.RenameMailbox(x.ctx, m.ID, "job/junk", "job/waste"); err != nil {
		t.Fatal(err)
	}
	if got := x.own(m); !slices.Equal(got, []string{"job", "job/waste"}) {
		t.Fatalf("there are %q", got)
	}
	if mb := x.mailbox(m, "job/waste"); mb.Use != threading.UseJunk {
		t.Errorf("its use is %q", mb.Use)
	}
}

func TestRenameInbox(t *testing.T) {
	x := newFixture(t)
	m := x.member("tess")
	inbox := x.mailbox(m, threading.Inbox)
	x.create(m, "INBOX/below")
	x.put(inbox, "one", threading.FlagSeen)
	x.put(inbox, "two", 0, "$Important")
	if err := x.RenameMailbox(x.ctx, m.ID, "inbox", "old/mail"); err != nil {
		t.Fatal(err)
	}
	moved := x.entries(x.mailbox(m, "old/mail"))
	if len(moved) != 2 || moved[0].Flags != threading.FlagSeen || !slices.Equal(moved[1].Keywords, []string{"$Important"}) {
		t.Errorf("moved %+v", moved)
	}
	after := x.mailbox(m, threading.Inbox)
	if n := len(x.entries(inbox)); n != 0 || after.ID != inbox.ID || after.UIDNext != 3 {
		t.Errorf("INBOX has %d messages: %+v", n, after)
	}
	if got := x.own(m); !slices.Equal(got, []string{"INBOX/below", "old", "old/mail"}) {
		t.Errorf("there are %q", got)
	}
}

func TestDeleteMailbox(t *testing.T) {
	x := newFixture(t)
	m := x.member("tess")
	x.create(m, "a/b", "a0")
	mb := x.mailbox(m, "a/b")
	x.put(mb, "hello", threading.FlagDeleted)
	x.put(mb, "hello", 0)
	if _, err := x.Expunge(x.ctx, m.ID, mb.ID, nil); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		want error
	}{{"a", ErrHasChildren}, {"a/b", nil}, {"a/b", ErrNotFound}, {"a", nil}, {"INBOX", ErrStandardMailbox}, {"Archives", ErrStandardMailbox}, {"//", ErrNotFound}} {
		if err := x.DeleteMailbox(x.ctx, m.ID, step.name); !errors.Is(err, step.want) {
			t.Errorf("delete %q: %v, want %v", step.name, err, step.want)
		}
	}
	if n := x.count("entries") + x.count("tombstones"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if _, err := x.MailboxStatus(x.ctx, m.ID, mb.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("status of a deleted mailbox: %v", err)
	}
}

func TestSubscriptions(t *testing.T) {
	x := newFixture(t)
	m := x.member("tess")
	x.create(m, "plays")
	if x.mailbox(m, "plays").Subscribed {
		t.Error("a new mailbox is subscribed")
	}
	for _, on := range []bool{true, false} {
		if err := x.SetSubscribed(x.ctx, m.ID, "plays", on); err != nil || x.mailbox(m, "plays").Subscribed != on {
			t.Errorf("set to %v: %v", on, err)
		}
	}
	if err := x.SetSubscribed(x.ctx, m.ID, "nothing", true); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown mailbox: %v", err)
	}
}

func TestMailboxStatus(t *testing.T) {
	x := newFixture(t)
	m := x.member("tess")
	mb := x.mailbox(m, threading.Inbox)
	status := func() threading.MailboxStatus {
		t.Helper()
		st, err := x.MailboxStatus(x.ctx, m.ID, mb.ID)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	empty := status()
	if empty.Mailbox != mb || empty.Messages != 0 || empty.Size != 0 || empty.HighestModSeq == 0 {
		t.Errorf("empty: %+v", empty)
	}
	x.put(mb, "hello", threading.FlagSeen)
	x.put(mb, "hello", threading.FlagDeleted)
	x.put(mb, "hello", 0)
	st := status()
	if st.Messages != 3 || st.Unseen != 2 || st.Deleted != 1 || st.Size != 3*int64(len("Subject: x\r\n\r\nhello")) || st.UIDNext != 4 || st.HighestModSeq <= empty.HighestModSeq {
		t.Errorf("three: %+v", st)
	}
	if _, err := x.Expunge(x.ctx, m.ID, mb.ID, nil); err != nil {
		t.Fatal(err)
	}
	if after := status(); after.Messages != 2 || after.HighestModSeq <= st.HighestModSeq {
		t.Errorf("after an expunge: %+v", after)
	}
	if _, err := x.MailboxStatus(x.ctx, x.member("sam").ID, mb.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another member's mailbox: %v", err)
	}
}

func TestHoldings(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	first := x.file(x.start(sam, tess, "one"))[0]
	x.file(x.reply(first.ThreadID, sam, tess, "two"))
	list, err := x.Holdings(x.ctx, tess.ID)
	if err != nil || len(list) != len(threading.StandardMailboxes) || list[0].Name != threading.Inbox {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, want := range []int{0: 2, 1: 0} {
		if len(list[i].Entries) != want {
			t.Errorf("%s holds %d, want %d", list[i].Name, len(list[i].Entries), want)
		}
	}
	if e := list[0].Entries; e[0].UID != 1 || e[1].UID != 2 || e[0].ItemID == e[1].ItemID {
		t.Errorf("%+v", e)
	}
	if list, err := x.Holdings(x.ctx, 12345); err != nil || len(list) != 0 {
		t.Errorf("of nobody: %+v, %v", list, err)
	}
}

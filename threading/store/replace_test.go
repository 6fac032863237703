package store

import (
	"errors"
	"slices"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// A change under UNCHANGEDSINCE leaves out what another changed since.
func TestStoreFlagsUnchanged(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	x.putMany(mb, 5)
	_, before, err := x.UIDs(x.ctx, mb.MemberID, mb.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, threading.UIDSet{{First: 2, Last: 3}}, threading.FlagsAdd, threading.FlagSeen, nil); err != nil {
		t.Fatal(err)
	}
	list, modified, err := x.StoreFlagsUnchanged(x.ctx, mb.MemberID, mb.ID, threading.UIDSet{{First: 1, Last: 4}}, before, threading.FlagsAdd, threading.FlagFlagged, []string{"work"})
	if err != nil || !slices.Equal(modified, threading.UIDSet{{First: 2, Last: 3}}) || len(list) != 2 || list[0].UID != 1 || list[1].UID != 4 {
		t.Errorf("changed %v, modified %v, %v", list, modified, err)
	}
	if _, modified, err = x.StoreFlagsUnchanged(x.ctx, mb.MemberID, mb.ID, threading.UIDSet{{First: 1, Last: 9}}, 0, threading.FlagsAdd, threading.FlagFlagged, nil); err != nil || !slices.Equal(modified, threading.UIDSet{{First: 1, Last: 5}}) {
		t.Errorf("modified since zero: %v, %v", modified, err)
	}
	for i, want := range []string{"1 00100 [work]", "2 00001 []", "3 00001 []", "4 00100 [work]", "5 00000 []"} {
		if got := show(x.entries(mb)[i]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if m, err := x.HighestModSeq(x.ctx, mb.MemberID, mb.ID); err != nil || m != list[0].ModSeq {
		t.Errorf("the highest mod-sequence is %d, want %d; %v", m, list[0].ModSeq, err)
	}
}

// Several messages are stored all or none, and what they replace goes with
// them.
func TestReplaceIsOneStep(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	drafts, inbox := x.mailbox(tess, "Drafts"), x.mailbox(tess, threading.Inbox)
	item := func(text string) NewItem {
		body := x.NewBody(x.ctx)
		_, _ = body.Write([]byte(text))
		b, err := body.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return NewItem{Header: []byte("Subject: x\r\n\r\n"), Body: b}
	}
	_, uids, err := x.AppendAll(x.ctx, tess.ID, drafts.ID, []NewItem{item("one"), item("two")})
	if err != nil || !slices.Equal(uids, []uint32{1, 2}) {
		t.Fatal(uids, err)
	}
	if _, _, _, err := x.Replace(x.ctx, tess.ID, drafts.ID, 7, inbox.ID, []NewItem{item("for nothing")}); !errors.Is(err, ErrNotFound) {
		t.Errorf("replaced what is not there: %v", err)
	}
	many := item("too many keywords")
	for range threading.MaxKeywords + 1 {
		many.Keywords = append(many.Keywords, "k")
	}
	if _, _, err := x.AppendAll(x.ctx, tess.ID, inbox.ID, []NewItem{item("fine"), many}); !errors.Is(err, ErrLimit) {
		t.Errorf("stored: %v", err)
	}
	if n := len(x.entries(inbox)); n != 0 {
		t.Errorf("%d in INBOX", n)
	}
	_, uids, removed, err := x.Replace(x.ctx, tess.ID, drafts.ID, 1, inbox.ID, []NewItem{item("instead")})
	if err != nil || !removed || !slices.Equal(uids, []uint32{1}) {
		t.Errorf("%v %v %v", uids, removed, err)
	}
	if list := x.entries(drafts); len(list) != 1 || list[0].UID != 2 {
		t.Errorf("left in Drafts: %v", list)
	}
}

func TestUIDSetSubtract(t *testing.T) {
	set := func(uids ...uint32) threading.UIDSet { return threading.UIDsOf(uids) }
	for _, c := range [][3]threading.UIDSet{
		{set(1, 2, 3, 4, 5), set(3), set(1, 2, 4, 5)},
		{set(1, 2, 3), set(1, 2, 3), nil},
		{set(1, 2, 3, 7, 8), set(2, 3, 4, 5, 6, 7), set(1, 8)},
		{set(5, 6), set(1, 2, 9), set(5, 6)},
		{set(1, 5, 9), nil, set(1, 5, 9)},
		{{{First: 1, Last: 1<<32 - 1}}, {{First: 4, Last: 1<<32 - 1}}, set(1, 2, 3)},
		{{{First: 1, Last: 10}}, set(1, 3, 10), set(2, 4, 5, 6, 7, 8, 9)},
	} {
		if got := c[0].Subtract(c[1]); !slices.Equal(got, c[2]) {
			t.Errorf("%v without %v is %v, want %v", c[0], c[1], got, c[2])
		}
	}
}

package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

func TestStoreFlags(t *testing.T) {
	const seen, flagged, deleted = threading.FlagSeen, threading.FlagFlagged, threading.FlagDeleted
	for _, c := range []struct {
		name     string
		op       threading.FlagOp
		flags    threading.Flags
		keywords []string
		want     string // UID, flags and keywords of each entry
		changed  []uint32
	}{
		{"add", threading.FlagsAdd, seen, nil, "1 00001 [] 2 00001 [] 3 00101 [Work]", []uint32{1, 3}},
		{"add what all have", threading.FlagsAdd, 0, nil, "1 00000 [] 2 00001 [] 3 00100 [Work]", nil},
		{"remove", threading.FlagsRemove, seen | flagged, nil, "1 00000 [] 2 00000 [] 3 00000 [Work]", []uint32{2, 3}},
		{"remove what none has", threading.FlagsRemove, deleted, nil, "1 00000 [] 2 00001 [] 3 00100 [Work]", nil},
		{"replace", threading.FlagsReplace, seen, nil, "1 00001 [] 2 00001 [] 3 00001 []", []uint32{1, 3}},
		{"replace by nothing", threading.FlagsReplace, 0, nil, "1 00000 [] 2 00000 [] 3 00000 []", []uint32{2, 3}},
		{"add a keyword", threading.FlagsAdd, 0, []string{"WORK"}, "1 00000 [WORK] 2 00001 [WORK] 3 00100 [Work]", []uint32{1, 2}},
		{"add flag and keywords", threading.FlagsAdd, seen, []string{"b", "a", "B"}, "1 00001 [a b] 2 00001 [a b] 3 00101 [Work a b]", []uint32{1, 2, 3}},
		{"remove a keyword", threading.FlagsRemove, 0, []string{"work"}, "1 00000 [] 2 00001 [] 3 00100 []", []uint32{3}},
		{"replace by a keyword", threading.FlagsReplace, flagged, []string{"Work"}, "1 00100 [Work] 2 00100 [Work] 3 00100 [Work]", []uint32{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newFixture(t)
			mb := x.mailbox(x.member("tess"), threading.Inbox)
			x.put(mb, "1", 0)
			x.put(mb, "2", seen)
			x.put(mb, "3", flagged, "Work")
			_, before, err := x.UIDs(x.ctx, mb.MemberID, mb.ID)
			if err != nil {
				t.Fatal(err)
			}
			list, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, everyUID, c.op, c.flags, c.keywords)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range list {
				got = append(got, show(e))
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
			if stored := x.entries(mb); fmt.Sprint(stored) != fmt.Sprint(list) {
				t.Errorf("returned %v\nstored   %v", list, stored)
			}
			ch, err := x.Changes(x.ctx, mb.MemberID, mb.ID, before)
			if err != nil {
				t.Fatal(err)
			}
			var changed []uint32
			for _, e := range ch.Entries {
				changed = append(changed, e.UID)
			}
			if !slices.Equal(changed, c.changed) {
				t.Errorf("changed are %v, want %v", changed, c.changed)
			}
			if moved := ch.ModSeq > before; moved != (len(c.changed) > 0) {
				t.Errorf("the mod-sequence went from %d to %d", before, ch.ModSeq)
			}
		})
	}
}

func TestOneStoreHasOneModSeq(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	x.putMany(mb, 1000)
	_, before, _ := x.UIDs(x.ctx, mb.MemberID, mb.ID)
	for i, c := range []struct {
		set      threading.UIDSet
		keywords []string
		n        int
	}{{everyUID, nil, 1000}, {everyUID, []string{"$Work"}, 1000}, {threading.UIDSet{{First: 2, Last: 3}, {First: 999, Last: 5000}}, []string{"$Play"}, 4}} {
		if _, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, c.set, threading.FlagsAdd, threading.FlagSeen, c.keywords); err != nil {
			t.Fatal(err)
		}
		ch, err := x.Changes(x.ctx, mb.MemberID, mb.ID, before)
		if err != nil {
			t.Fatal(err)
		}
		if len(ch.Entries) != c.n || ch.ModSeq != before+1 {
			t.Errorf("case %d: %d changed, mod-sequence from %d to %d", i, len(ch.Entries), before, ch.ModSeq)
		}
		for _, e := range ch.Entries {
			if e.ModSeq != before+1 {
				t.Fatalf("case %d: UID %d has mod-sequence %d, want %d", i, e.UID, e.ModSeq, before+1)
			}
		}
		before = ch.ModSeq
	}
}

func TestTooManyKeywords(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	x.put(mb, "x", 0, "one")
	x.put(mb, "y", 0)
	many := make([]string, threading.MaxKeywords)
	for i := range many {
		many[i] = fmt.Sprint("k", i)
	}
	if _, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, everyUID, threading.FlagsAdd, threading.FlagSeen, many); !errors.Is(err, ErrLimit) {
		t.Fatalf("one too many: %v", err)
	}
	for _, e := range x.entries(mb) {
		if e.Flags != 0 || len(e.Keywords) > 1 {
			t.Errorf("a refused change is stored: %s", show(e))
		}
	}
	if _, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, threading.UIDsOf([]uint32{2}), threading.FlagsAdd, 0, many); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
}

func TestExpunge(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	for i := range 10 {
		x.put(mb, "x", threading.Flags(i%2)*threading.FlagDeleted) // the even UIDs
	}
	_, since, _ := x.UIDs(x.ctx, mb.MemberID, mb.ID)
	for i, step := range []struct {
		set  threading.UIDSet
		want []uint32
	}{
		{threading.UIDSet{{First: 1, Last: 5}, {First: 8, Last: 8}}, []uint32{2, 4, 8}},
		{threading.UIDSet{}, nil},
		{threading.UIDSet{{First: 1, Last: 5}}, nil},
		{nil, []uint32{6, 10}},
		{nil, nil},
	} {
		got, err := x.Expunge(x.ctx, mb.MemberID, mb.ID, step.set)
		if err != nil || !slices.Equal(got, step.want) {
			t.Fatalf("step %d: expunged %v, %v; want %v", i, got, err, step.want)
		}
	}
	ch, err := x.Changes(x.ctx, mb.MemberID, mb.ID, since)
	if err != nil || !slices.Equal(ch.Expunged, []uint32{2, 4, 6, 8, 10}) || len(ch.Entries) != 0 || ch.ModSeq != since+2 {
		t.Errorf("changes %+v, %v", ch, err)
	}
	if uid := x.put(mb, "next", 0); uid != 11 {
		t.Errorf("the next UID is %d", uid)
	}
}

func TestCopyAndMove(t *testing.T) {
	x := newFixture(t)
	m := x.member("tess")
	inbox, archives := x.mailbox(m, threading.Inbox), x.mailbox(m, "Archives")
	x.put(archives, "there before", 0)
	x.put(inbox, "1", threading.FlagSeen)
	x.put(inbox, "2", 0, "$Work")
	x.put(inbox, "3", threading.FlagDeleted)
	from := x.entries(inbox)

	res, err := x.Copy(x.ctx, m.ID, inbox.ID, threading.UIDSet{{First: 1, Last: 1}, {First: 3, Last: 99}}, "Archives", false)
	if err != nil || res.UIDValidity != archives.UIDValidity || !slices.Equal(res.From, []uint32{1, 3}) || !slices.Equal(res.To, []uint32{2, 3}) {
		t.Fatalf("copy: %+v, %v", res, err)
	}
	_, since, _ := x.UIDs(x.ctx, m.ID, inbox.ID)
	res, err = x.Copy(x.ctx, m.ID, inbox.ID, threading.UIDsOf([]uint32{2}), "Archives", true)
	if err != nil || !slices.Equal(res.From, []uint32{2}) || !slices.Equal(res.To, []uint32{4}) {
		t.Fatalf("move: %+v, %v", res, err)
	}
	ch, err := x.Changes(x.ctx, m.ID, inbox.ID, since)
	if err != nil || !slices.Equal(ch.Expunged, []uint32{2}) || len(ch.Entries) != 0 {
		t.Errorf("what the source tells of a move: %+v, %v", ch, err)
	}
	to := x.entries(archives)
	for i, pair := range [][2]int{{1, 0}, {2, 2}, {3, 1}} {
		got, want := to[pair[0]], from[pair[1]]
		if got.ItemID != want.ItemID || got.Flags != want.Flags || !slices.Equal(got.Keywords, want.Keywords) || !got.SavedAt.Equal(want.SavedAt) || got.Size() != want.Size() || got.ModSeq <= want.ModSeq {
			t.Errorf("copy %d is %+v, was %+v", i, got, want)
		}
	}
	if last := to[3].ModSeq; last != ch.ModSeq {
		t.Errorf("the two sides of a move have mod-sequences %d and %d", last, ch.ModSeq)
	}

	// Within one mailbox a move gives new UIDs.
	res, err = x.Copy(x.ctx, m.ID, inbox.ID, everyUID, "inbox", true)
	if err != nil || !slices.Equal(res.From, []uint32{1, 3}) || !slices.Equal(res.To, []uint32{4, 5}) {
		t.Errorf("move to itself: %+v, %v", res, err)
	}
	if res, err := x.Copy(x.ctx, m.ID, inbox.ID, threading.UIDsOf([]uint32{77}), "Archives", true); err != nil || res.From != nil || res.UIDValidity == 0 {
		t.Errorf("nothing to copy: %+v, %v", res, err)
	}
	if _, err := x.Copy(x.ctx, m.ID, inbox.ID, everyUID, "nowhere", false); !errors.Is(err, ErrNotFound) {
		t.Errorf("to no mailbox: %v", err)
	}
	if _, _, err := x.Append(x.ctx, m.ID, 5, NewItem{Header: []byte("\r\n"), Body: x.body("x")}); !errors.Is(err, ErrNotFound) {
		t.Errorf("append to no mailbox: %v", err)
	}
}

package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// newAllFixture is a store whose members may have All.
func newAllFixture(t *testing.T) *fixture {
	x := newFixture(t)
	x.o.All = true
	return x
}

func (x *fixture) all(m threading.Member) threading.Mailbox {
	x.t.Helper()
	if err := x.EnsureAll(x.ctx, m.ID); err != nil {
		x.t.Fatal(err)
	}
	return x.mailbox(m, "All")
}

// checkAll compares All with the other mailboxes. Where a message was in two of
// them, which have flags of their own, All has those that were set last: mixed
// notes such items.
func (x *fixture) checkAll(m threading.Member, mixed map[threading.ID]bool, when string) {
	x.t.Helper()
	all := x.all(m)
	type state struct {
		flags    threading.Flags
		keywords string
	}
	elsewhere := map[threading.ID][]state{} // of each item
	boxes, err := x.Mailboxes(x.ctx, m.ID)
	if err != nil {
		x.t.Fatal(err)
	}
	var octets int64
	for _, mb := range boxes {
		for _, e := range x.entries(mb) {
			if mb.ID == all.ID {
				continue
			}
			octets += e.Size()
			if e.ThreadID != 0 {
				elsewhere[e.ItemID] = append(elsewhere[e.ItemID], state{e.Flags &^ threading.FlagDeleted, fmt.Sprint(e.Keywords)})
			}
		}
	}
	last := threading.ID(0)
	for _, e := range x.entries(all) {
		others := elsewhere[e.ItemID]
		switch s := (state{e.Flags &^ threading.FlagDeleted, fmt.Sprint(e.Keywords)}); {
		case others == nil:
			x.t.Errorf("%s: UID %d of All is nowhere else, or there twice", when, e.UID)
		case len(others) > 1:
			mixed[e.ItemID] = true
		case others[0] != s && !mixed[e.ItemID]:
			x.t.Errorf("%s: UID %d of All has %v, its message %v", when, e.UID, s, others[0])
		}
		if e.ItemID < last {
			x.t.Errorf("%s: UID %d of All is older than the one before", when, e.UID)
		}
		last = e.ItemID
		delete(elsewhere, e.ItemID)
	}
	if len(elsewhere) > 0 {
		x.t.Errorf("%s: %d messages are not in All", when, len(elsewhere))
	}
	if used, _, err := x.Usage(x.ctx, m.ID); err != nil || used != octets {
		x.t.Errorf("%s: %d octets are counted, %d are there, %v", when, used, octets, err)
	}
	if x.t.Failed() {
		x.t.FailNow()
	}
}

func TestAllShowsBothSides(t *testing.T) {
	x := newAllFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	thread := x.file(x.start(sam, tess, "can you come?"))[0].ThreadID
	x.file(x.reply(thread, tess, sam, "yes"))
	x.put(x.mailbox(tess, "Drafts"), "a draft", threading.FlagDraft)
	all := x.all(tess)
	if all.Use != threading.UseAll || !all.Subscribed {
		t.Errorf("mailbox %+v", all)
	}
	x.checkAll(tess, nil, "made")
	x.file(x.reply(thread, sam, tess, "good"), x.reply(thread, tess, sam, "fine"))
	x.checkAll(tess, nil, "filed")
	var got []string
	for _, e := range x.entries(all) {
		got = append(got, show(e))
	}
	if want := []string{"1 00000 []", "2 00001 []", "3 00000 []", "4 00001 []"}; !slices.Equal(got, want) {
		t.Errorf("All has %v, want %v", got, want)
	}
	if n := x.count("mailboxes WHERE member_id = ? AND special_use = 'All'", sam.ID); n != 0 {
		t.Error("a member who never asked for it has All")
	}
	inbox := x.mailbox(tess, threading.Inbox)
	for what, err := range map[string]error{
		"append":     func() error { _, _, err := x.Append(x.ctx, tess.ID, all.ID, NewItem{Body: x.body("x")}); return err }(),
		"copy to it": second(x.Copy(x.ctx, tess.ID, inbox.ID, everyUID, "All", false)),
		"move to it": second(x.Copy(x.ctx, tess.ID, inbox.ID, everyUID, "All", true)),
		"move away":  second(x.Copy(x.ctx, tess.ID, all.ID, everyUID, "Trash", true)),
		"expunge": func() error {
			if _, err := x.StoreFlags(x.ctx, tess.ID, all.ID, everyUID, threading.FlagsAdd, threading.FlagDeleted, nil); err != nil {
				return err
			}
			return second(x.Expunge(x.ctx, tess.ID, all.ID, nil))
		}(),
	} {
		if !errors.Is(err, ErrAllMailbox) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := x.DeleteMailbox(x.ctx, tess.ID, "All"); !errors.Is(err, ErrStandardMailbox) {
		t.Errorf("delete: %v", err)
	}
	if err := x.RenameMailbox(x.ctx, tess.ID, "All", "Every"); !errors.Is(err, ErrStandardMailbox) {
		t.Errorf("rename: %v", err)
	}
	x.checkAll(tess, nil, "refused")
	if got := x.entries(inbox); got[0].Flags != 0 {
		t.Errorf("\\Deleted in All reached INBOX: %s", show(got[0]))
	}
}

// Whatever is done in whichever mailbox, All shows it, and its own changes can
// be followed.
func TestAllFollowsTheOthers(t *testing.T) {
	for seed := range uint64(6) {
		x := newAllFixture(t)
		r := rand.New(rand.NewPCG(seed, 7))
		sam, tess := x.member("sam"), x.member("tess")
		thread := x.file(x.start(sam, tess, "first"))[0].ThreadID
		if _, err := x.CreateMailbox(x.ctx, tess.ID, "Old", threading.UseNone); err != nil {
			t.Fatal(err)
		}
		all := x.all(tess)
		seen := map[uint32]string{} // what a client that follows All knows
		var since uint64
		mixed := map[threading.ID]bool{}
		names := []string{"INBOX", "Sent", "Archives", "Trash", "Old"}
		for step := range 120 {
			name := names[r.IntN(len(names))]
			mb := x.mailbox(tess, name)
			first := 1 + uint32(r.IntN(int(mb.UIDNext)))
			set := threading.UIDSet{{First: first, Last: first + uint32(r.IntN(4))}}
			var err error
			what := ""
			switch r.IntN(9) {
			case 0, 1:
				what = "file"
				x.file(x.reply(thread, sam, tess, "more"), x.reply(thread, tess, sam, "answer"))
			case 2:
				what = "move"
				_, err = x.Copy(x.ctx, tess.ID, mb.ID, set, names[r.IntN(len(names))], true)
			case 3:
				what = "copy"
				_, err = x.Copy(x.ctx, tess.ID, mb.ID, set, names[r.IntN(len(names))], false)
			case 4:
				what = "flags"
				_, err = x.StoreFlags(x.ctx, tess.ID, mb.ID, set, threading.FlagOp(r.IntN(3)), threading.Flags(r.IntN(32)), nil)
			case 5:
				what = "keywords"
				_, err = x.StoreFlags(x.ctx, tess.ID, mb.ID, set, threading.FlagsAdd, 0, []string{fmt.Sprint("k", r.IntN(3))})
			case 6:
				what = "flags in All"
				_, err = x.StoreFlags(x.ctx, tess.ID, all.ID, set, threading.FlagOp(r.IntN(3)), threading.Flags(r.IntN(32)), nil)
			case 7:
				what = "expunge"
				_, err = x.StoreFlags(x.ctx, tess.ID, mb.ID, set, threading.FlagsAdd, threading.FlagDeleted, nil)
				if err == nil {
					_, err = x.Expunge(x.ctx, tess.ID, mb.ID, nil)
				}
			case 8:
				what = "delete a mailbox"
				if err = x.DeleteMailbox(x.ctx, tess.ID, "Old"); err == nil {
					_, err = x.CreateMailbox(x.ctx, tess.ID, "Old", threading.UseNone)
				}
			}
			if err != nil {
				t.Fatalf("%s in %s: %v", what, name, err)
			}
			x.checkAll(tess, mixed, fmt.Sprintf("seed %d, step %d, %s in %s", seed, step, what, name))
			ch, err := x.Changes(x.ctx, tess.ID, all.ID, since)
			if err != nil {
				t.Fatal(err)
			}
			for _, uid := range ch.Expunged {
				delete(seen, uid)
			}
			for _, e := range ch.Entries {
				seen[e.UID] = show(e)
			}
			since = ch.ModSeq
			now := map[uint32]string{}
			for _, e := range x.entries(all) {
				now[e.UID] = show(e)
			}
			if !maps.Equal(seen, now) {
				t.Fatalf("seed %d, step %d, %s in %s: who follows All knows\n%v, there is\n%v", seed, step, what, name, seen, now)
			}
		}
	}
}

func TestAllIsSwitchedOffAndOnAgain(t *testing.T) {
	x := newAllFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	if _, err := x.CreateMailbox(x.ctx, tess.ID, "All", threading.UseNone); err != nil {
		t.Fatal(err)
	}
	x.file(x.start(sam, tess, "hello"))
	if err := x.EnsureAll(x.ctx, tess.ID); err != nil {
		t.Fatal(err)
	}
	first := x.mailbox(tess, "All Mail") // the member's own keeps its name
	other := x.open(false)               // a command: it leaves All, and files into it
	f := x.start(sam, tess, "by a command")
	if _, err := other.File(x.ctx, f); err != nil {
		t.Fatal(err)
	}
	if n := len(x.entries(first)); n != 2 {
		t.Errorf("All has %d messages", n)
	}
	x.open(true) // the daemon, without All
	if _, err := x.Mailbox(x.ctx, tess.ID, "All Mail"); !errors.Is(err, ErrNotFound) {
		t.Errorf("All is still there: %v", err)
	}
	if n := x.count("entries WHERE mailbox_id = ?", first.ID); n != 0 {
		t.Errorf("%d entries are left", n)
	}
	x.file(x.start(sam, tess, "meanwhile"))
	if err := x.EnsureAll(x.ctx, tess.ID); err != nil {
		t.Fatal(err)
	}
	again := x.mailbox(tess, "All Mail")
	if again.UIDValidity <= first.UIDValidity || len(x.entries(again)) != 3 {
		t.Errorf("UIDVALIDITY %d after %d, %d messages", again.UIDValidity, first.UIDValidity, len(x.entries(again)))
	}
	x.o.All = false
	if err := x.EnsureAll(x.ctx, sam.ID); err != nil || x.count("mailboxes WHERE member_id = ? AND special_use = 'All'", sam.ID) != 0 {
		t.Errorf("All is made although it is switched off: %v", err)
	}
}

// A member without All pays nothing for it.
func TestAllCostsNothingWhereItIsNot(t *testing.T) {
	var counts [2]int
	for i := range counts {
		x := newAllFixture(t)
		sam, tess := x.member("sam"), x.member("tess")
		if i == 1 {
			x.o.All = false
		}
		counts[i] = x.statements(func() error { return second(x.File(x.ctx, x.start(sam, tess, "hello"))) })
	}
	if counts[0] != counts[1] {
		t.Errorf("filing takes %d statements where members may have All, %d where not", counts[0], counts[1])
	}
}

package store

import (
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// woken reports whether a notice comes within the time.
func woken(c <-chan struct{}, within time.Duration) bool {
	select {
	case <-c:
		return true
	default:
	}
	select {
	case <-c:
		return true
	case <-time.After(within):
		return false
	}
}

func TestFeedWakesAfterTheCommit(t *testing.T) {
	x := newFixture(t)
	sam, tess, ann := x.member("sam"), x.member("tess"), x.member("ann")
	inbox := x.mailbox(tess, threading.Inbox)
	one, two, others := x.Subscribe(tess.ID), x.Subscribe(tess.ID), x.Subscribe(ann.ID)
	defer others.Close()
	defer two.Close()
	_, now, err := x.UIDs(x.ctx, tess.ID, inbox.ID)
	if err != nil || one.ModSeq() != now {
		t.Fatalf("a new subscription is at mod-sequence %d, the mailbox at %d, %v", one.ModSeq(), now, err)
	}
	x.file(x.start(sam, tess, "hello"))
	// File has returned, so the notice is there and what it tells can be read.
	for i, sub := range []*Subscription{one, two} {
		if !woken(sub.C, 0) {
			t.Errorf("subscription %d is not woken", i)
		}
		if ch, err := x.Changes(x.ctx, tess.ID, inbox.ID, now); err != nil || len(ch.Entries) != 1 || sub.ModSeq() != ch.ModSeq {
			t.Errorf("subscription %d is at mod-sequence %d, the changes are %+v, %v", i, sub.ModSeq(), ch, err)
		}
	}
	if woken(others.C, 0) {
		t.Error("another member's subscription is woken")
	}
	if !woken(x.QueueWake(), 0) {
		t.Error("the queue's workers are not woken")
	}
	for range 10 {
		x.put(inbox, "x", 0)
	}
	if !woken(one.C, 0) || woken(one.C, 0) {
		t.Error("ten changes are not one notice")
	}
	one.Close()
	one.Close()
	x.put(inbox, "x", 0)
	if woken(one.C, 0) || !woken(two.C, 0) {
		t.Error("Close ends another subscription than its own")
	}
	// What changes nothing wakes nobody.
	if _, err := x.StoreFlags(x.ctx, tess.ID, inbox.ID, everyUID, threading.FlagsRemove, threading.FlagDraft, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := x.File(x.ctx, x.reply(5, sam, tess, "fails")); err == nil {
		t.Fatal("filed into no thread")
	}
	if woken(two.C, 0) || woken(x.QueueWake(), 0) {
		t.Error("woken without a change")
	}
}

func TestFeedModSeqOnlyRises(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	sub := x.Subscribe(mb.MemberID)
	defer sub.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			if _, _, err := x.Append(x.ctx, mb.MemberID, mb.ID, NewItem{Header: []byte("\r\n"), Body: x.body("x")}); err != nil {
				t.Error(err)
			}
			x.Subscribe(mb.MemberID).Close() // reads the counter anew
		}
	}()
	for last := uint64(0); ; {
		now := sub.ModSeq()
		if now < last {
			t.Fatalf("mod-sequence %d after %d", now, last)
		}
		last = now
		select {
		case <-done:
			if _, want, _ := x.UIDs(x.ctx, mb.MemberID, mb.ID); sub.ModSeq() != want {
				t.Errorf("at the end %d, want %d", sub.ModSeq(), want)
			}
			return
		default:
		}
	}
}

func TestAFollowerHearsOtherProcesses(t *testing.T) {
	t.Parallel()
	x := newFixture(t) // a command, beside the daemon
	sam, tess := x.member("sam"), x.member("tess")
	daemon := x.open(true)
	sub := daemon.Subscribe(tess.ID)
	defer sub.Close()
	time.Sleep(pollEvery + pollEvery/5) // what was announced before it came
	woken(sub.C, 0)
	woken(daemon.QueueWake(), 0)
	before := sub.ModSeq()

	x.file(x.start(sam, tess, "hello"))
	const patience = 20 * pollEvery
	if !woken(sub.C, patience) {
		t.Error("the daemon's subscriber is not woken")
	}
	if !woken(daemon.QueueWake(), patience) {
		t.Error("the daemon's queue is not woken")
	}
	if sub.ModSeq() <= before {
		t.Errorf("the daemon's mod-sequence went from %d to %d", before, sub.ModSeq())
	}
	if _, err := x.RetryNow(x.ctx, 0); err != nil {
		t.Fatal(err)
	}
	if !woken(daemon.QueueWake(), patience) {
		t.Error("the daemon's queue does not hear of RetryNow")
	}
	for end := time.Now().Add(patience); x.count("feed") > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was told stays in the feed")
		}
	}
	// Its own changes are told at once and leave nothing to tell.
	if _, err := daemon.File(x.ctx, x.start(sam, tess, "hello")); err != nil {
		t.Fatal(err)
	}
	if !woken(sub.C, 0) || x.count("feed") != 0 {
		t.Error("the daemon's own change went the long way")
	}
}

package store

import (
	"errors"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

func (x *fixture) sweep() {
	x.t.Helper()
	if err := x.Sweep(x.ctx); err != nil {
		x.t.Fatal(err)
	}
}

func TestSweepTakesOrphansAfterADay(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	inbox := x.mailbox(tess, threading.Inbox)
	x.file(x.start(sam, tess, "kept: both have it, and it is queued"))
	gone := x.write(inbox, noise(2*inline+5))
	unfinished := x.NewBody(x.ctx)
	if _, err := unfinished.Write(noise(2 * inline)); err != nil {
		t.Fatal(err)
	}
	if err := x.EnqueueOperator(x.ctx, []byte("\r\n"), x.body("kept: it is queued")); err != nil {
		t.Fatal(err)
	}
	// tess's client deletes all that she has, sam's nothing.
	if _, err := x.StoreFlags(x.ctx, tess.ID, inbox.ID, everyUID, threading.FlagsAdd, threading.FlagDeleted, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Expunge(x.ctx, tess.ID, inbox.ID, nil); err != nil {
		t.Fatal(err)
	}
	type counts struct{ items, bodies, chunks int }
	now := func() counts { return counts{x.count("items"), x.count("bodies"), x.count("body_chunks")} }
	all := counts{3, 3, 1 + 3 + 1 + 1}
	if got := now(); got != all {
		t.Fatalf("before: %+v, want %+v", got, all)
	}
	x.clock.advance(orphanAge - time.Minute)
	x.sweep()
	if got := now(); got != all {
		t.Errorf("within a day: %+v, want %+v", got, all)
	}
	x.clock.advance(2 * time.Minute)
	x.sweep()
	if got, want := now(), (counts{2, 2, 2}); got != want {
		t.Errorf("after a day: %+v, want %+v", got, want)
	}
	if _, err := x.OpenBody(x.ctx, gone.ID, 0, -1); !errors.Is(err, ErrNotFound) {
		t.Errorf("the orphan's body: %v", err)
	}
	// The queue's row kept the item; once it is done, nothing does.
	list, err := x.Lease(x.ctx, 5, time.Minute)
	if err != nil || len(list) != 2 {
		t.Fatalf("leased %+v, %v", list, err)
	}
	if _, err := x.Item(x.ctx, tess.ID, list[0].ItemID); err != nil {
		t.Errorf("the item of a queued notification: %v", err)
	}
	if err := x.Done(x.ctx, list[0].ID, list[1].ID); err != nil {
		t.Fatal(err)
	}
	x.sweep()
	if got, want := now(), (counts{1, 1, 1}); got != want {
		t.Errorf("after delivery: %+v, want %+v", got, want)
	}
}

func TestSweepTakesMoreThanOneBatch(t *testing.T) {
	x := newFixture(t)
	const n = 2*sweepBatch + 3
	err := x.c.commit(x.ctx, func(t *tx) error {
		for range n {
			if err := t.addBody(newBodyRow(x.body("nobody's"))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	x.clock.advance(orphanAge + time.Minute)
	x.sweep()
	if left := x.count("bodies") + x.count("body_chunks"); left != 0 {
		t.Errorf("%d rows are left", left)
	}
}

func TestSweepTakesOldNotes(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	f := x.start(sam, tess, "hello")
	f.Dedupe, f.Copies[1].ClientID = []byte("0123456789abcdef"), clientID
	x.file(f)
	if err := x.Record(x.ctx, "automatic", 0, "note"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		at                        time.Duration
		dedupe, clientIDs, record int
	}{
		{threading.DedupeFor - time.Minute, 1, 1, 1},
		{threading.DedupeFor + time.Minute, 0, 1, 1},
		{clientIDAge + time.Minute, 0, 0, 1},
		{recordAge + time.Minute, 0, 0, 0},
	} {
		x.clock.advance(f.Message.FiledAt.Add(step.at).Sub(x.clock.Now()))
		x.sweep()
		if d, c, r := x.count("dedupe"), x.count("client_ids"), x.count("records"); d != step.dedupe || c != step.clientIDs || r != step.record {
			t.Errorf("after %v: %d, %d, %d rows", step.at, d, c, r)
		}
	}
}

func TestSweepKeepsTheNewestTombstones(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	const n = 2*keptTombstones + 100
	err := x.c.commit(x.ctx, func(t *tx) error {
		for i := range n {
			if _, err := t.exec("INSERT INTO tombstones (member_id, mailbox_id, uid, modseq) VALUES (?, ?, ?, ?)", mb.MemberID, mb.ID, i+1, 100+i); err != nil {
				return err
			}
		}
		_, err := t.exec("UPDATE member_state SET modseq = ?", 100+n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	x.sweep()
	if left := x.count("tombstones"); left != keptTombstones {
		t.Errorf("%d tombstones are left", left)
	}
	ch, err := x.Changes(x.ctx, mb.MemberID, mb.ID, 100+n-51)
	if err != nil || len(ch.Expunged) != 50 || ch.Expunged[49] != n || ch.Incomplete {
		t.Errorf("%d expunged, incomplete: %v, %v", len(ch.Expunged), ch.Incomplete, err)
	}
	swept := uint64(100 + n - keptTombstones - 1) // the last that is gone
	for _, since := range []uint64{swept - 1, swept} {
		ch, err := x.Changes(x.ctx, mb.MemberID, mb.ID, since)
		if err != nil || len(ch.Expunged) != keptTombstones || ch.Incomplete != (since < swept) {
			t.Errorf("since %d: %d expunged, incomplete: %v, %v", since, len(ch.Expunged), ch.Incomplete, err)
		}
	}
	st, err := x.MailboxStatus(x.ctx, mb.MemberID, mb.ID)
	if err != nil || st.HighestModSeq != 100+n-1 {
		t.Errorf("highest mod-sequence %d, %v", st.HighestModSeq, err)
	}
}

// A sweep that finds nothing must hold up nobody: it looks outside of the
// committer.
func TestSweepLooksWithoutWriting(t *testing.T) {
	x := newFixture(t)
	x.putMany(x.mailbox(x.member("tess"), threading.Inbox), 3)
	x.clock.advance(orphanAge + time.Minute)
	entered, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = x.c.commit(x.ctx, func(*tx) error {
			close(entered)
			<-release
			return nil
		})
	}()
	<-entered
	defer close(release)
	done := make(chan error, 1)
	go func() { done <- x.Sweep(x.ctx) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("a sweep with nothing to do waits for the committer")
	}
}

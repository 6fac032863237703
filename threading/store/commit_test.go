package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// block keeps the committer busy until the function it returns is called, so
// that the jobs that come meanwhile share one commit.
func (x *fixture) block() (release func()) {
	x.t.Helper()
	entered, gate := make(chan struct{}), make(chan struct{})
	go func() {
		_ = x.c.commit(context.Background(), func(*tx) error {
			close(entered)
			<-gate
			return nil
		})
	}()
	<-entered
	return sync.OnceFunc(func() { close(gate) })
}

// waiting waits until n jobs wait for the committer.
func (x *fixture) waiting(n int) {
	x.t.Helper()
	for end := time.Now().Add(5 * time.Second); len(x.c.jobs) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("%d jobs wait, want %d", len(x.c.jobs), n)
		}
	}
}

func TestAFailingJobHarmsNobodyElse(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	ended, end := context.WithCancel(x.ctx)
	release := x.block()
	defer release()
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			f, want, ctx := x.start(sam, tess, "hello"), error(nil), x.ctx
			switch {
			case i%5 == 1: // fails after it has written something
				bad := x.reply(5, sam, tess, "into no thread")
				if _, err := x.File(ctx, f, bad); !errors.Is(err, ErrNotFound) {
					t.Errorf("job %d: %v, want ErrNotFound", i, err)
				}
				return
			case i%5 == 3:
				ctx, want = ended, context.Canceled
			}
			if _, err := x.File(ctx, f); !errors.Is(err, want) {
				t.Errorf("job %d: %v, want %v", i, err, want)
			}
		})
	}
	x.waiting(n)
	end()
	release()
	wg.Wait()
	const good = n * 3 / 5
	list := x.entries(x.mailbox(tess, threading.Inbox))
	if len(list) != good {
		t.Fatalf("%d messages are filed, want %d", len(list), good)
	}
	for i, e := range list {
		if e.UID != uint32(i+1) || i > 0 && e.ModSeq != list[i-1].ModSeq+1 {
			t.Errorf("entry %d has UID %d and mod-sequence %d", i, e.UID, e.ModSeq)
		}
	}
}

func TestACallerWhoGivesUpWhileTheQueueIsFull(t *testing.T) {
	x := newFixture(t)
	release := x.block()
	defer release()
	var wg sync.WaitGroup
	for range maxWaiting {
		wg.Go(func() { _ = x.c.commit(x.ctx, func(*tx) error { return nil }) })
	}
	x.waiting(maxWaiting)
	ctx, cancel := context.WithTimeout(x.ctx, 20*time.Millisecond)
	defer cancel()
	if err := x.Record(ctx, "automatic", 0, "late"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more: %v", err)
	}
	release()
	wg.Wait()
	if n := x.count("records"); n != 0 {
		t.Error("what was given up is written")
	}
}

// While many file at once, whoever looks sees UIDs without a gap, and never
// misses what came with a lower mod-sequence than it knows.
func TestManyFileAndOneLooks(t *testing.T) {
	t.Parallel()
	x := newFixture(t)
	tess := x.member("tess")
	inbox := x.mailbox(tess, threading.Inbox)
	const filers, each = 32, 25
	var writers []threading.Member
	for i := range filers {
		writers = append(writers, x.member(fmt.Sprint("writer", i)))
	}
	var wg sync.WaitGroup
	var busy atomic.Int32
	busy.Store(filers)
	for _, w := range writers {
		wg.Go(func() {
			defer busy.Add(-1)
			thread := threading.ID(0)
			for range each {
				f := x.start(w, tess, "hello")
				if thread != 0 {
					f = x.reply(thread, w, tess, "again")
				}
				filed, err := x.File(x.ctx, f)
				if err != nil {
					t.Error(err)
					return
				}
				thread = filed[0].ThreadID
			}
		})
	}
	var uid uint32
	var since, last uint64
	for done := false; !done; {
		done = busy.Load() == 0 // one more look after the last
		ch, err := x.Changes(x.ctx, tess.ID, inbox.ID, since)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range ch.Entries {
			if e.UID != uid+1 || e.ModSeq <= last || e.ModSeq > ch.ModSeq {
				t.Fatalf("UID %d, mod-sequence %d after UID %d, %d; looked up to %d", e.UID, e.ModSeq, uid, last, ch.ModSeq)
			}
			uid, last = e.UID, e.ModSeq
		}
		since = ch.ModSeq
	}
	wg.Wait()
	if uid != filers*each {
		t.Errorf("%d messages were seen, want %d", uid, filers*each)
	}
	if n := x.count("queue"); n != filers*each {
		t.Errorf("%d rows in the queue", n)
	}
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	release := x.block()
	const n = 50
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, _, err := x.Append(x.ctx, mb.MemberID, mb.ID, NewItem{Header: []byte("\r\n"), Body: x.body("x")}); err != nil {
				t.Errorf("accepted before Close: %v", err)
			}
		})
	}
	x.waiting(n)
	closed := make(chan error, 1)
	go func() { closed <- x.Close() }()
	for { // until Close has shut the door
		x.c.mu.RLock()
		shut := x.c.closed
		x.c.mu.RUnlock()
		if shut {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := x.Record(x.ctx, "automatic", 0, "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	release()
	wg.Wait()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	x.Store = x.open(false)
	if got := len(x.entries(mb)); got != n {
		t.Errorf("%d messages are on disk, want %d", got, n)
	}
}

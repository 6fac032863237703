package store

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// queueRows files n messages with a notification each, a second apart, and
// returns the rows, oldest first.
func (x *fixture) queueRows(n int) []threading.ID {
	x.t.Helper()
	sam, tess := x.member("sam"), x.member("tess")
	thread := x.file(x.start(sam, tess, "hello"))[0].ThreadID
	for range n - 1 {
		x.clock.advance(time.Second)
		x.file(x.reply(thread, sam, tess, "hello"))
	}
	rows, err := x.Queue(x.ctx, n+1)
	if err != nil || len(rows) != n {
		x.t.Fatalf("%d rows in the queue, %v", len(rows), err)
	}
	var ids []threading.ID
	for _, d := range rows {
		ids = append(ids, d.ID)
	}
	return ids
}

func (x *fixture) lease(n int, d time.Duration) []threading.ID {
	x.t.Helper()
	list, err := x.Lease(x.ctx, n, d)
	if err != nil {
		x.t.Fatal(err)
	}
	var ids []threading.ID
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestLeaseAndExpiry(t *testing.T) {
	x := newFixture(t)
	rows := x.queueRows(3)
	if got := x.lease(2, time.Minute); !slices.Equal(got, rows[:2]) {
		t.Fatalf("leased %v, want %v", got, rows[:2])
	}
	if got := x.lease(5, 10*time.Second); !slices.Equal(got, rows[2:]) {
		t.Fatalf("leased %v, want %v", got, rows[2:])
	}
	if got := x.lease(5, time.Minute); got != nil {
		t.Fatalf("leased %v a second time", got)
	}
	due, err := x.NextDue(x.ctx)
	if want := x.clock.Now().Add(10 * time.Second); err != nil || !due.Equal(want) {
		t.Errorf("next due %v, %v; want %v", due, err, want)
	}
	x.clock.advance(10*time.Second - time.Millisecond)
	if got := x.lease(5, time.Minute); got != nil {
		t.Fatalf("leased %v before the lease ran out", got)
	}
	x.clock.advance(time.Millisecond)
	list, err := x.Lease(x.ctx, 5, time.Minute)
	if err != nil || len(list) != 1 || list[0].ID != rows[2] || list[0].Attempts != 2 || !list[0].LeasedTill.Equal(x.clock.Now().Add(time.Minute)) {
		t.Fatalf("leased %+v, %v", list, err)
	}
}

func TestDoneAndRetry(t *testing.T) {
	x := newFixture(t)
	rows := x.queueRows(3)
	leased, err := x.Lease(x.ctx, 3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	due := x.clock.Now().Add(30 * time.Second)
	if err := errors.Join(x.Done(x.ctx, rows[0], rows[1]), x.Retry(x.ctx, leased[2], due, "the server was busy")); err != nil {
		t.Fatal(err)
	}
	list, err := x.Queue(x.ctx, 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("queue %+v, %v", list, err)
	}
	if d := list[0]; d.ID != rows[2] || d.LastError != "the server was busy" || !d.DueAt.Equal(due) || !d.LeasedTill.IsZero() || d.Attempts != 1 {
		t.Errorf("row %+v", d)
	}
	if got := x.lease(5, time.Minute); got != nil {
		t.Fatalf("leased %v before it is due", got)
	}
	x.clock.advance(30 * time.Second)
	if got := x.lease(5, time.Minute); !slices.Equal(got, rows[2:]) {
		t.Fatalf("leased %v, want %v", got, rows[2:])
	}
	if err := x.Done(x.ctx, rows[2]); err != nil {
		t.Fatal(err)
	}
	if _, err := x.NextDue(x.ctx); !errors.Is(err, ErrNotFound) {
		t.Errorf("next due of an empty queue: %v", err)
	}
	if err := errors.Join(x.Done(x.ctx, rows[2]), x.Done(x.ctx), x.Retry(x.ctx, leased[2], due, "late")); err != nil {
		t.Errorf("a row that is gone: %v", err)
	}
}

func TestGiveUp(t *testing.T) {
	x := newFixture(t)
	rows := x.queueRows(2)
	for _, want := range []bool{true, false} { // another node had it as well
		if was, err := x.GiveUp(x.ctx, rows[0], "550 5.1.1"); err != nil || was != want {
			t.Errorf("GiveUp = %v, %v; want %v", was, err, want)
		}
	}
	if list, err := x.Queue(x.ctx, 10); err != nil || len(list) != 1 || list[0].ID != rows[1] {
		t.Errorf("queue %+v, %v", list, err)
	}
	list, err := x.Records(x.ctx, 10)
	if err != nil || len(list) != 1 || list[0].Kind != "undelivered" || list[0].Ref != rows[0] || list[0].Note != "550 5.1.1" {
		t.Errorf("records %+v, %v", list, err)
	}
}

func TestSending(t *testing.T) {
	x := newFixture(t)
	began := x.clock.Now()
	for _, c := range []struct {
		after time.Duration // the note before
		gap   time.Duration
		since time.Duration // after began
	}{
		{0, time.Minute, 0},
		{30 * time.Second, time.Minute, 0},
		{59 * time.Second, time.Minute, 0},
		{time.Minute, time.Minute, 149 * time.Second}, // a break
		{time.Hour, 2 * time.Hour, 149 * time.Second},
		{-time.Hour, time.Minute, 149 * time.Second}, // the clock was wrong
	} {
		x.clock.advance(c.after)
		if since, err := x.Sending(x.ctx, c.gap); err != nil || !since.Equal(began.Add(c.since)) {
			t.Errorf("after %s: since %s, %v; want %s", c.after, since.Sub(began), err, c.since)
		}
	}
}

func TestDropAndRetryNow(t *testing.T) {
	x := newFixture(t)
	rows := x.queueRows(4)
	x.lease(1, time.Minute)
	later := x.clock.Now().Add(time.Hour)
	for _, id := range rows[1:] {
		if err := x.Retry(x.ctx, Delivery{ID: id}, later, "busy"); err != nil {
			t.Fatal(err)
		}
	}
	woken(x.QueueWake(), 0)
	if n, err := x.RetryNow(x.ctx, rows[1]); err != nil || n != 1 {
		t.Errorf("RetryNow = %d, %v", n, err)
	}
	if !woken(x.QueueWake(), 0) {
		t.Error("RetryNow wakes nobody")
	}
	if n, err := x.RetryNow(x.ctx, 0); err != nil || n != 2 { // neither the leased row nor the one that is due
		t.Errorf("RetryNow of all = %d, %v", n, err)
	}
	if _, err := x.RetryNow(x.ctx, 5); !errors.Is(err, ErrNotFound) {
		t.Errorf("RetryNow of no row: %v", err)
	}
	if err := x.Drop(x.ctx, rows[2]); err != nil {
		t.Fatal(err)
	}
	if err := x.Drop(x.ctx, rows[2]); !errors.Is(err, ErrNotFound) {
		t.Errorf("Drop of no row: %v", err)
	}
	got := x.lease(5, time.Minute)
	slices.Sort(got)
	if want := []threading.ID{rows[1], rows[3]}; !slices.Equal(got, want) {
		t.Errorf("leased %v, want %v", got, want)
	}
}

func TestWorkersNeverShareARow(t *testing.T) {
	x := newFixture(t)
	rows := x.queueRows(200)
	var mu sync.Mutex
	var got []threading.ID
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				list, err := x.Lease(x.ctx, 7, time.Minute)
				if err != nil {
					t.Error(err)
				}
				if len(list) == 0 {
					return
				}
				mu.Lock()
				for _, d := range list {
					got = append(got, d.ID)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(got)
	if !slices.Equal(got, rows) {
		t.Errorf("%d rows are leased, of %d", len(got), len(rows))
	}
}

func TestEnqueueOperator(t *testing.T) {
	x := newFixture(t)
	if err := x.EnqueueOperator(x.ctx, []byte("Subject: help\r\n\r\n"), x.body("please")); err != nil {
		t.Fatal(err)
	}
	if !woken(x.QueueWake(), 0) {
		t.Error("nobody is woken")
	}
	list, err := x.Lease(x.ctx, 5, time.Minute)
	if err != nil || len(list) != 1 || list[0].Kind != QueueOperator || string(list[0].Header) != "Subject: help\r\n\r\n" || list[0].MemberID != 0 {
		t.Fatalf("leased %+v, %v", list, err)
	}
	if got := x.readBody(list[0].BodyID, 0, -1); string(got) != "please" {
		t.Errorf("the body is %q", got)
	}
}

func TestQueueState(t *testing.T) {
	x := newFixture(t)
	if q, err := x.QueueState(x.ctx); err != nil || q != (QueueState{}) {
		t.Errorf("of an empty queue: %+v, %v", q, err)
	}
	sam, tess := x.member("sam"), x.member("tess")
	began := x.clock.Now()
	first := x.file(x.start(sam, tess, "one"))[0]
	leased, err := x.Lease(x.ctx, 1, time.Hour)
	if err != nil || len(leased) != 1 {
		t.Fatal(leased, err)
	}
	if err := x.Retry(x.ctx, leased[0], began.Add(2*time.Hour), "4.4.1 no answer"); err != nil {
		t.Fatal(err)
	}
	x.clock.advance(time.Minute)
	x.file(x.reply(first.ThreadID, sam, tess, "two"))
	want := QueueState{Rows: 2, Oldest: began, OldestError: "4.4.1 no answer", Due: began.Add(time.Minute)}
	if q, err := x.QueueState(x.ctx); err != nil || q != want {
		t.Errorf("%+v (%v), want %+v", q, err, want)
	}
}

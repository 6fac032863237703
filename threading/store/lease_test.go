package store

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func (x *fixture) leaseOne(d time.Duration) Delivery {
	x.t.Helper()
	list, err := x.Lease(x.ctx, 1, d)
	if err != nil || len(list) != 1 {
		x.t.Fatalf("leased %+v, %v", list, err)
	}
	return list[0]
}

func (x *fixture) onlyRow() Delivery {
	x.t.Helper()
	list, err := x.Queue(x.ctx, 2)
	if err != nil || len(list) != 1 {
		x.t.Fatalf("queue %+v, %v", list, err)
	}
	return list[0]
}

func TestALateWorkerReleasesNobodysLease(t *testing.T) {
	x := newFixture(t)
	x.queueRows(1)
	late := x.leaseOne(time.Minute)
	x.clock.advance(time.Minute)
	now := x.leaseOne(time.Minute)
	if err := errors.Join(x.Retry(x.ctx, late, x.clock.Now(), "late"), x.GiveBack(x.ctx, late, x.clock.Now(), "")); err != nil {
		t.Fatal(err)
	}
	if held, err := x.Extend(x.ctx, time.Hour, late); err != nil || len(held) != 0 {
		t.Errorf("the late worker extends %+v, %v", held, err)
	}
	if d := x.onlyRow(); !d.LeasedTill.Equal(now.LeasedTill) || d.LastError != "" || d.Attempts != 2 || d.Lease != now.Lease {
		t.Errorf("row %+v, want the lease till %v", d, now.LeasedTill)
	}
	// The operator asks for the row at once: whoever had it before is late too.
	x.clock.advance(time.Minute)
	if _, err := x.RetryNow(x.ctx, now.ID); err != nil {
		t.Fatal(err)
	}
	if err := x.Retry(x.ctx, now, x.clock.Now().Add(time.Hour), "late"); err != nil {
		t.Fatal(err)
	}
	x.leaseOne(time.Minute)
}

func TestALeaseIsExtended(t *testing.T) {
	x := newFixture(t)
	x.queueRows(1)
	d := x.leaseOne(time.Minute)
	for range 5 {
		x.clock.advance(50 * time.Second)
		held, err := x.Extend(x.ctx, time.Minute, d)
		if err != nil || len(held) != 1 || !held[0].LeasedTill.Equal(x.clock.Now().Add(time.Minute)) {
			t.Fatalf("extended %+v, %v", held, err)
		}
		if got := x.lease(1, time.Minute); got != nil {
			t.Fatal("an extended row was taken")
		}
	}
	if err := x.Done(x.ctx, d.ID); err != nil {
		t.Fatal(err)
	}
	if held, err := x.Extend(x.ctx, time.Minute, d); err != nil || len(held) != 0 {
		t.Errorf("a row that is done is extended: %+v, %v", held, err)
	}
}

func TestWhatIsGivenBackWasNotTried(t *testing.T) {
	x := newFixture(t)
	x.queueRows(1)
	for range 3 {
		d := x.leaseOne(time.Minute)
		if d.Attempts != 1 {
			t.Fatalf("attempt %d", d.Attempts)
		}
		if err := x.GiveBack(x.ctx, d, d.DueAt, ""); err != nil {
			t.Fatal(err)
		}
	}
	if d := x.onlyRow(); d.Attempts != 0 || !d.LeasedTill.IsZero() || d.Lease != 0 {
		t.Errorf("row %+v", d)
	}
	// A crash is an attempt: what kills its worker does not go on for ever.
	x.leaseOne(time.Minute)
	x.clock.advance(time.Minute)
	if d := x.leaseOne(time.Minute); d.Attempts != 2 {
		t.Errorf("attempt %d after a crash", d.Attempts)
	}
}

func TestALargeHeldMessageCanBeRead(t *testing.T) {
	raw := bytes.Repeat([]byte("Dear Tess, all of this is one message. "), 30<<20/39)
	back, err := decompress(compress(raw))
	if err != nil || !bytes.Equal(back, raw) {
		t.Fatalf("%d octets of %d, %v", len(back), len(raw), err)
	}
}

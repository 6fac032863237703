package outbound

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{
		-1: time.Minute, 0: time.Minute, 1: 2 * time.Minute, 7: 128 * time.Minute, 8: 4 * time.Hour, 15: 4 * time.Hour, 1000: 4 * time.Hour,
	} {
		differ := map[time.Duration]bool{}
		for range 50 {
			got := backoff(n)
			if got < want*8/10 || got > want*12/10 {
				t.Errorf("after %d tries: %s, want about %s", n, got, want)
			}
			differ[got] = true
		}
		if len(differ) < 10 {
			t.Errorf("after %d tries: no jitter", n)
		}
	}
}

func TestDestinationDownAndUp(t *testing.T) {
	now := time.Now()
	d := &destination{bounds: Bounds{Connections: 5}, limit: 5}
	for i, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		if !d.failed(now, "x") || d.downUntil.Sub(now) != want*time.Minute {
			t.Errorf("failure %d: down for %s, want %d minutes", i, d.downUntil.Sub(now), want)
		}
	}
	if d.idle(now) {
		t.Error("a destination that is down is forgotten")
	}
	d.succeeded(time.Second)
	if !d.downUntil.IsZero() || !d.idle(now.Add(time.Second)) {
		t.Errorf("a destination that answers: %+v", d)
	}
}

// TestTooManyConnections: a server that refuses one more connection while
// others work gets fewer, and in time all again.
func TestTooManyConnections(t *testing.T) {
	d := &destination{bounds: Bounds{Connections: 5}, limit: 5, active: 2}
	if d.failed(time.Now(), "421") || d.limit != 2 {
		t.Errorf("limit %d", d.limit)
	}
	for range 8 {
		d.succeeded(time.Second)
	}
	if d.limit != 3 {
		t.Errorf("after 8 deliveries the limit is %d", d.limit)
	}
	for range 200 {
		d.succeeded(time.Second)
	}
	if d.limit != 5 {
		t.Errorf("the limit grows to %d", d.limit)
	}
}

// TestTurn: rows that find no room come back one after the other, at the rate
// of the destination.
func TestTurn(t *testing.T) {
	now := time.Now()
	d := &destination{bounds: Bounds{Connections: 5}, limit: 5, took: time.Second, parked: make([]parcel, 50)}
	first, second := d.turn(now), d.turn(now)
	if first.Sub(now) != 10200*time.Millisecond || second.Sub(first) != 200*time.Millisecond {
		t.Errorf("%s, then %s", first.Sub(now), second.Sub(first))
	}
}

// TestRate: at 60 a minute ten go at once, then one a second; a pause earns
// ten again.
func TestRate(t *testing.T) {
	now := time.Now()
	d := &destination{bounds: Bounds{Connections: 5, Rate: 60}, limit: 5}
	send := func() (n int) {
		for !now.Before(d.allowed()) && n < 100 {
			d.begin(now)
			n++
		}
		return n
	}
	if n := send(); n != burst {
		t.Errorf("%d go at once", n)
	}
	for i := range 20 {
		now = now.Add(time.Second)
		if n := send(); n != 1 {
			t.Errorf("%d go in second %d", n, i)
		}
	}
	now = now.Add(time.Hour)
	if n := send(); n != burst {
		t.Errorf("%d go after an hour", n)
	}
	if d.pace() != time.Second {
		t.Errorf("one each %s", d.pace())
	}
	if d.bounds.Rate = 0; d.interval() != 0 || now.Before(d.allowed().Add(-time.Hour)) {
		t.Error("without a rate there is one")
	}
}

// TestShare: a slow destination has few rows in memory, a quick one many.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		took time.Duration
		rate int
		want int
	}{{0, 0, 50}, {time.Millisecond, 0, maxParkedShare}, {time.Second, 0, 5}, {2 * time.Minute, 0, 5}, {time.Millisecond, 600, 10}} {
		d := &destination{bounds: Bounds{Connections: 5, Rate: c.rate}, limit: 5, took: c.took}
		if got := d.share(); got != c.want {
			t.Errorf("%s a delivery, %d a minute: %d, want %d", c.took, c.rate, got, c.want)
		}
	}
}

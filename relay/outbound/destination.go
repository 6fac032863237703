package outbound

import (
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// How long a destination that can't be reached is left alone.
const (
	firstDown = time.Minute
	maxDown   = 10 * time.Minute
)

// guessedTime is how long a delivery takes until one was seen: short, since a
// row that comes back too early is only put off again.
const guessedTime = 100 * time.Millisecond

// burst is how many messages may follow one another at once where there is a
// rate.
const burst = 10

// parkedFor is how long what a destination has in memory will take it, about: a
// slow one has few rows there, so that many slow ones leave room for the others.
const parkedFor = time.Second

// destination is a domain, or a server that mail is routed to, and what is
// known of it. The dispatcher owns it.
type destination struct {
	name   string
	bounds Bounds
	parked []parcel
	active int
	limit  int       // connections it stands at the moment
	next   time.Time // when its next message would go if they went at its rate, each in its turn

	good      int           // deliveries since the limit changed
	took      time.Duration // what a delivery takes, on average
	lastTurn  time.Time
	downFor   time.Duration
	downSince time.Time
	downUntil time.Time
	reason    string
}

// succeeded: the destination answers. Its limit grows back slowly.
func (d *destination) succeeded(took time.Duration) {
	d.downFor, d.downUntil = 0, time.Time{}
	if d.took == 0 {
		d.took = took
	}
	d.took += (took - d.took) / 8
	if d.good++; d.good >= 4*d.limit && d.limit < d.bounds.Connections {
		d.limit, d.good = d.limit+1, 0
	}
}

// failed: a connection could not be made or was closed. While others work it
// only had too many of them; otherwise the destination is down. It reports
// which.
func (d *destination) failed(now time.Time, reason string) (down bool) {
	d.good = 0
	if d.active > 0 {
		d.limit = max(1, min(d.limit, d.active))
		return false
	}
	d.downFor = min(max(2*d.downFor, firstDown), maxDown)
	d.downSince, d.downUntil, d.reason = now, now.Add(d.downFor), reason
	return true
}

// isDown reports whether a row has to wait since the destination is down. The
// operator knows better: once it is made due by hand the destination is tried.
func (d *destination) isDown(row store.Delivery, now time.Time) bool {
	if row.Asked && row.DueAt.After(d.downSince) {
		d.downUntil = time.Time{}
	}
	return now.Before(d.downUntil)
}

// interval is the time from one message to the next at the destination's rate;
// zero: it has none.
func (d *destination) interval() time.Duration {
	if d.bounds.Rate == 0 {
		return 0
	}
	return time.Minute / time.Duration(d.bounds.Rate)
}

// allowed is from when on the rate allows the next message.
func (d *destination) allowed() time.Time { return d.next.Add(-(burst - 1) * d.interval()) }

// begin counts a message that is sent now.
func (d *destination) begin(now time.Time) {
	d.active++
	if d.next.Before(now) {
		d.next = now
	}
	d.next = d.next.Add(d.interval())
}

// pace is the time from one message to the next, as the destination takes them
// and its rate allows.
func (d *destination) pace() time.Duration {
	took := d.took
	if took == 0 {
		took = guessedTime
	}
	return max(took/time.Duration(d.limit), d.interval())
}

// share is how many rows may wait in memory for it.
func (d *destination) share() int {
	return min(max(int(parkedFor/max(d.pace(), 1)), d.limit), maxParkedShare)
}

// turn is when a row that finds no room should come back: each a little after
// the one before, at the pace that the destination takes mail.
func (d *destination) turn(now time.Time) time.Time {
	if t := now.Add(time.Duration(len(d.parked)) * d.pace()); d.lastTurn.Before(t) {
		d.lastTurn = t
	}
	d.lastTurn = d.lastTurn.Add(d.pace())
	return d.lastTurn
}

// idle: there is nothing to remember.
func (d *destination) idle(now time.Time) bool {
	if d.active > 0 || len(d.parked) > 0 {
		return false
	}
	if d.downFor > 0 {
		return now.Sub(d.downUntil) > maxDown
	}
	return now.After(d.lastTurn) && now.After(d.next)
}

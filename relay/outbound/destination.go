package outbound

import "time"

// How long a destination that can't be reached is left alone.
const (
	firstDown = time.Minute
	maxDown   = 10 * time.Minute
)

// guessedTime is how long a delivery takes until one was seen: short, since a
// row that comes back too early is only put off again.
const guessedTime = 100 * time.Millisecond

// destination is a domain, or the smarthost, and what is known of it. The
// dispatcher owns it.
type destination struct {
	name   string
	parked []parcel
	active int
	limit  int // connections it stands at the moment

	good      int           // deliveries since the limit changed
	took      time.Duration // what a delivery takes, on average
	lastTurn  time.Time
	downFor   time.Duration
	downUntil time.Time
	reason    string
}

// succeeded: the destination answers. Its limit grows back slowly.
func (d *destination) succeeded(took time.Duration, limit int) {
	d.downFor, d.downUntil = 0, time.Time{}
	if d.took == 0 {
		d.took = took
	}
	d.took += (took - d.took) / 8
	if d.good++; d.good >= 4*d.limit && d.limit < limit {
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
	d.downUntil, d.reason = now.Add(d.downFor), reason
	return true
}

// turn is when a row that finds no room should come back: each a little after
// the one before, at the rate that the destination takes mail.
func (d *destination) turn(now time.Time) time.Time {
	took := d.took
	if took == 0 {
		took = guessedTime
	}
	if t := now.Add(time.Duration(len(d.parked)) * took / time.Duration(d.limit)); d.lastTurn.Before(t) {
		d.lastTurn = t
	}
	d.lastTurn = d.lastTurn.Add(took / time.Duration(d.limit))
	return d.lastTurn
}

// idle: there is nothing to remember.
func (d *destination) idle(now time.Time) bool {
	return d.active == 0 && len(d.parked) == 0 && !now.Before(d.downUntil) && now.After(d.lastTurn) && d.downFor == 0 ||
		d.active == 0 && len(d.parked) == 0 && now.Sub(d.downUntil) > maxDown && d.downFor > 0
}

package outbound

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// Bounds of the dispatcher.
const (
	maxParked = 256 // rows leased and not begun
	// maxParkedShare bounds those of one destination, so that a large provider's
	// backlog leaves room for the others.
	maxParkedShare = 128
	worthwhile     = maxParked / 2         // rows for which a transaction is begun
	minPause       = 20 * time.Millisecond // between two looks at a queue that is being filled
	minLook        = 250 * time.Millisecond
	maxLook        = time.Minute
	storePause     = time.Second // after the store has failed
	noteEvery      = 5 * time.Minute
)

// dispatcher decides what is delivered when. One goroutine runs it.
type dispatcher struct {
	q            *Queue
	destinations map[string]*destination
	parked       int
	active       int
	finished     chan finish

	look     bool      // there may be due rows
	lookedAt time.Time // last
	nextLook time.Time // at the latest

	noted  time.Time // when the store was told last that the queue is sent; zero: not since the start or a pause
	rested bool      // there was a pause, and the store was not told yet that it is over
}

// finish is what a delivery's goroutine reports.
type finish struct {
	destination string
	took        time.Duration
	err         *failure // nil: delivered, or dropped
}

func newDispatcher(q *Queue) *dispatcher {
	return &dispatcher{q: q, destinations: map[string]*destination{}, finished: make(chan finish, q.o.Workers), look: true}
}

// run leases and starts deliveries until ctx ends. work is the context of the
// deliveries.
func (d *dispatcher) run(ctx, work context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		d.note(ctx)
		d.fill(ctx)
		d.start(work)
		timer.Reset(d.pause())
		select {
		case <-ctx.Done():
		case f := <-d.finished:
			d.finish(f)
		case <-d.q.wake:
			if d.q.Paused() {
				d.giveBackParked()
			}
			d.look = true
		case <-d.q.o.Store.QueueWake():
			d.look = true
		case <-timer.C:
			if !d.q.o.Now().Before(d.nextLook) {
				d.look = true
			}
		}
	}
}

// note tells the store that the queue is sent, for whoever sends it next: what
// grew old while it was is not tried for longer because of a restart.
func (d *dispatcher) note(ctx context.Context) {
	now := d.q.o.Now()
	gap := longestBreak
	switch {
	case d.q.Paused():
		d.noted, d.rested = time.Time{}, true
		return
	case now.Sub(d.noted) < noteEvery:
		return
	case d.rested:
		gap = 0 // however short a pause was, what grew old in it is tried for as long
	case !d.noted.IsZero(): // there was no break
		gap = math.MaxInt64
	}
	d.noted = now
	since, err := d.q.o.Store.Sending(ctx, gap)
	if err != nil {
		if ctx.Err() == nil {
			d.q.o.Logger.Error("it could not be noted that the queue is sent: after a restart what is too old is tried for longer", "err", err)
		}
		return
	}
	d.rested = false
	d.q.sendingSince.Store(since.UnixNano())
}

// pause is how long nothing is to be done unless something happens.
func (d *dispatcher) pause() time.Duration {
	now := d.q.o.Now()
	until := d.nextLook
	switch {
	case d.q.Paused():
		return maxLook
	case d.look && d.room() < worthwhile:
		until = now.Add(minPause) // room comes with what is finished and settled
	case d.look:
		until = d.lookedAt.Add(minPause)
	}
	if d.active < d.q.o.Workers {
		for _, dest := range d.destinations { // those that wait for their rate only
			if t := dest.allowed(); len(dest.parked) > 0 && dest.active < dest.limit && t.Before(until) {
				until = t
			}
		}
	}
	return min(max(until.Sub(now), time.Millisecond), maxLook)
}

// room is how many rows may be leased.
func (d *dispatcher) room() int { return maxParked - d.parked - d.q.settler.unsettled() }

// fill leases due rows if there is room for a batch that is worth a
// transaction.
func (d *dispatcher) fill(ctx context.Context) {
	now := d.q.o.Now()
	room := d.room()
	if d.q.Paused() || !d.look || room < worthwhile || now.Sub(d.lookedAt) < minPause {
		return
	}
	d.lookedAt = now
	rows, err := d.q.o.Store.Lease(ctx, room, d.q.o.Lease)
	if err != nil {
		if ctx.Err() == nil {
			d.q.o.Logger.Error("the queue could not be read", "err", err)
		}
		d.look, d.nextLook = false, now.Add(storePause)
		return
	}
	d.q.leases.take(rows)
	for i, row := range rows {
		if ctx.Err() != nil {
			d.giveBack(rows[i:])
			return
		}
		d.park(ctx, row)
	}
	d.forget()
	if len(rows) < room {
		d.look = false
		d.nextLook = d.nextDue(ctx)
	}
}

// nextDue is when to look again although nothing was added. What is still to be
// settled may be due again sooner than the store knows.
func (d *dispatcher) nextDue(ctx context.Context) time.Time {
	now := d.q.o.Now()
	unsettled := d.q.settler.unsettled() > 0
	due, err := d.q.o.Store.NextDue(ctx)
	switch {
	case unsettled:
		return now.Add(minLook)
	case errors.Is(err, store.ErrNotFound):
		return now.Add(maxLook)
	case err != nil:
		return now.Add(storePause)
	}
	return now.Add(min(max(due.Sub(now), minLook), maxLook))
}

// park finds a row's destination and lets it wait its turn there.
func (d *dispatcher) park(ctx context.Context, row store.Delivery) {
	p, f := d.q.address(ctx, row)
	if f != nil {
		d.q.settle(row, f)
		return
	}
	if p.destination == "" { // nobody wants it any more
		d.q.settler.add(verdict{row: row})
		return
	}
	dest := d.destinations[p.destination]
	if dest == nil {
		bounds := d.q.bounds(p.destination)
		dest = &destination{name: p.destination, bounds: bounds, limit: bounds.Connections}
		d.destinations[p.destination] = dest
	}
	now := d.q.o.Now()
	switch {
	case dest.isDown(row, now):
		d.q.postpone(row, dest.downUntil, dest.reason)
	case len(dest.parked) >= d.share(dest):
		d.q.settler.add(verdict{row: row, due: dest.turn(now), untried: true, reason: "its turn has not come: the destination gets no more at the same time, or no more a minute"})
	default:
		dest.parked = append(dest.parked, p)
		d.parked++
	}
}

// share is how many rows of a destination may wait in memory. Where all mail
// goes to one server there is nothing to leave room for.
func (d *dispatcher) share(dest *destination) int {
	if r := d.q.routes; r.smarthost != nil && len(r.domains) == 0 {
		return maxParked
	}
	return dest.share()
}

// start begins as many deliveries as the bounds allow.
func (d *dispatcher) start(work context.Context) {
	if d.q.Paused() {
		return // what is parked goes back
	}
	now := d.q.o.Now()
	for _, dest := range d.destinations {
		for d.active < d.q.o.Workers && dest.active < dest.limit && len(dest.parked) > 0 && !now.Before(dest.allowed()) {
			p := dest.parked[0]
			dest.parked = dest.parked[1:]
			d.parked--
			if !d.q.leases.hold(p.row) {
				d.giveBack([]store.Delivery{p.row}) // it may be another's by now
				d.look = true
				continue
			}
			dest.begin(now)
			d.active++
			go func() {
				began := time.Now()
				f := d.q.deliver(work, p)
				d.finished <- finish{p.destination, time.Since(began), f}
			}()
		}
	}
}

// finish takes note of how a delivery went.
func (d *dispatcher) finish(f finish) {
	d.active--
	dest := d.destinations[f.destination]
	dest.active--
	now := d.q.o.Now()
	if f.err == nil || !f.err.host {
		dest.succeeded(f.took)
		return
	}
	if !dest.failed(now, f.err.text) {
		return
	}
	// The destination is down: none of what waits for it needs to find out anew.
	for _, p := range dest.parked {
		d.q.postpone(p.row, dest.downUntil, dest.reason)
	}
	d.parked -= len(dest.parked)
	dest.parked = nil
}

// forget drops the destinations that have nothing to remember.
func (d *dispatcher) forget() {
	now := d.q.o.Now()
	for name, dest := range d.destinations {
		if dest.idle(now) {
			delete(d.destinations, name)
		}
	}
}

// giveBack releases rows that were not begun: they are due as before.
func (d *dispatcher) giveBack(rows []store.Delivery) {
	for _, row := range rows {
		d.q.settler.add(verdict{row: row, due: d.q.o.Now(), untried: true})
	}
}

// giveBackParked releases all that wait in memory.
func (d *dispatcher) giveBackParked() {
	for _, dest := range d.destinations {
		for _, p := range dest.parked {
			d.giveBack([]store.Delivery{p.row})
		}
		dest.parked = nil
	}
	d.parked = 0
}

// drain gives back what is parked and waits for the deliveries under way: for
// the grace first, then it ends them.
func (d *dispatcher) drain(stop context.CancelFunc) {
	d.giveBackParked()
	grace := time.AfterFunc(d.q.o.Grace, stop)
	defer grace.Stop()
	for ; d.active > 0; d.active-- {
		<-d.finished
	}
}

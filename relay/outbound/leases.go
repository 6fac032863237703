package outbound

import (
	"context"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// leases are the rows in memory, parked or being delivered or not settled yet.
// Their leases are short, so that what a killed process had comes back soon,
// and renewed for as long as this one lives.
type leases struct {
	q *Queue

	mu   sync.Mutex
	rows map[threading.ID]store.Delivery
}

func newLeases(q *Queue) *leases { return &leases{q: q, rows: map[threading.ID]store.Delivery{}} }

func (l *leases) take(rows []store.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range rows {
		l.rows[row.ID] = row
	}
}

// drop forgets rows that are settled. One that was taken anew stays.
func (l *leases) drop(settled []verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range settled {
		if l.rows[v.row.ID].Lease == v.row.Lease {
			delete(l.rows, v.row.ID)
		}
	}
}

// hold reports whether a row is still ours, and long enough to be renewed once
// more.
func (l *leases) hold(row store.Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, held := l.rows[row.ID]
	return held && now.Lease == row.Lease && now.LeasedTill.Sub(l.q.o.Now()) > l.q.o.Lease/4
}

// renewals are how often a lease is renewed before it would run out.
const renewals = 3

// renew renews what is held until ctx ends.
func (l *leases) renew(ctx context.Context) {
	tick := time.NewTicker(l.q.o.Lease / renewals)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.extend(ctx)
		}
	}
}

// extend renews what is held, and forgets what another has taken.
func (l *leases) extend(ctx context.Context) {
	l.mu.Lock()
	rows := make([]store.Delivery, 0, len(l.rows))
	for _, row := range l.rows {
		rows = append(rows, row)
	}
	l.mu.Unlock()
	if len(rows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.q.o.Lease/renewals)
	defer cancel()
	held, err := l.q.o.Store.Extend(ctx, l.q.o.Lease, rows...)
	if err != nil {
		if ctx.Err() == nil {
			l.q.o.Logger.Error("leases of the queue could not be renewed", "err", err)
		}
		return
	}
	till := make(map[threading.ID]store.Delivery, len(held))
	for _, row := range held {
		till[row.ID] = row
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range rows {
		if l.rows[row.ID].Lease != row.Lease {
			continue // settled meanwhile
		}
		if renewed, ok := till[row.ID]; ok {
			l.rows[row.ID] = renewed
		} else {
			delete(l.rows, row.ID)
		}
	}
}

package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// QueueState is the queue as a whole, at one moment.
type QueueState struct {
	Rows int
	// Oldest is when the row was queued that waits for longest; zero: there is
	// none.
	Oldest time.Time
	// OldestError is why that row was not delivered yet: a person's words,
	// never an address.
	OldestError string
	// Due is when the next row is due; one that is leased is due when its lease
	// runs out. Long past: nobody delivers. Zero: there is none.
	Due time.Time
}

// Sending notes that the queue is being sent, and says since when it has been,
// whichever process did it, without a break as long as that given.
func (s *Store) Sending(ctx context.Context, gap time.Duration) (since time.Time, err error) {
	now := s.o.Now()
	err = s.c.commit(ctx, func(t *tx) error {
		since = now
		var began, seen int64
		err := t.row("SELECT since, seen FROM sending WHERE id = 1", nil, &began, &seen)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		// What was noted later than now was so by a clock that was wrong.
		if last := fromMillis(seen); err == nil && now.Sub(last) < gap && !last.After(now) {
			since = fromMillis(began)
		}
		_, err = t.exec("INSERT INTO sending (id, since, seen) VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET since = excluded.since, seen = excluded.seen", millis(since), millis(now))
		return err
	})
	if err != nil {
		return now, fmt.Errorf("note that the queue is sent: %w", err)
	}
	return since, nil
}

// QueueState counts the queue. It reads an index of all rows.
func (s *Store) QueueState(ctx context.Context) (QueueState, error) {
	var q QueueState
	var oldest, due int64
	// IDs are in the order of their age.
	err := s.row(ctx, `SELECT (SELECT COUNT(*) FROM queue), created_at, last_error, (SELECT MIN(due_at) FROM queue) FROM queue ORDER BY id LIMIT 1`, nil,
		&q.Rows, &oldest, &q.OldestError, &due)
	if errors.Is(err, ErrNotFound) {
		return QueueState{}, nil
	} else if err != nil {
		return QueueState{}, fmt.Errorf("count the queue: %w", err)
	}
	q.Oldest, q.Due = fromMillis(oldest), fromMillis(due)
	return q, nil
}

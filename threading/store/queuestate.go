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

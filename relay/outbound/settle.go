package outbound

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// verdict is what becomes of a row.
type verdict struct {
	row store.Delivery
	// due: when it is tried again, because of reason; zero: it is done with.
	due    time.Time
	reason string
	// untried: it goes back as it was; with the reason that it had, where there
	// is none.
	untried bool
	// tell: its reader is told that the message is in the mailbox only.
	tell bool
	// note: what is recorded of a row that was given up; empty: it was not.
	note string
}

// settler writes verdicts to the store. What comes while one batch is being
// committed goes into the next, so that many deliveries share a commit.
type settler struct {
	q *Queue

	mu      sync.Mutex
	cond    *sync.Cond
	pending []verdict
	busy    int // verdicts being written
	closed  bool
	failed  error
}

// Writing back is tried so often: a row that was delivered but stays in the
// queue is a duplicate.
const (
	settleTries   = 5
	settleTimeout = 30 * time.Second
	settleAtOnce  = 16 // retries written at the same time
	maxBatch      = 500
)

func newSettler(q *Queue) *settler {
	s := &settler{q: q}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// add takes a verdict. It does not block; the dispatcher bounds how many there
// can be by counting those that are not written yet.
func (s *settler) add(v verdict) {
	s.mu.Lock()
	s.pending = append(s.pending, v)
	s.mu.Unlock()
	s.cond.Signal()
}

// unsettled is how many verdicts are not written yet.
func (s *settler) unsettled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) + s.busy
}

func (s *settler) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cond.Signal()
}

func (s *settler) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// run writes until close, and then what is left.
func (s *settler) run() {
	for {
		s.mu.Lock()
		for len(s.pending) == 0 && !s.closed {
			s.cond.Wait()
		}
		if len(s.pending) == 0 {
			s.mu.Unlock()
			return
		}
		n := min(len(s.pending), maxBatch)
		batch := s.pending[:n:n]
		s.pending = s.pending[n:]
		s.busy = n
		s.mu.Unlock()

		err := s.write(batch)

		s.mu.Lock()
		s.busy = 0
		if err != nil {
			s.failed = err
		}
		s.mu.Unlock()
		if err != nil {
			s.q.o.Logger.Error("the queue could not be written: rows will be delivered again", "err", err)
		}
	}
}

func (s *settler) write(batch []verdict) error {
	var done []threading.ID
	var errs []error
	var mu sync.Mutex
	var wg sync.WaitGroup
	limit := make(chan struct{}, settleAtOnce)
	for _, v := range batch {
		if v.due.IsZero() && v.note == "" {
			done = append(done, v.row.ID)
			continue
		}
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			if err := s.writeOne(v); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(done) > 0 {
		errs = append(errs, attempt(func(ctx context.Context) error { return s.q.o.Store.Done(ctx, done...) }))
	}
	s.q.leases.drop(batch)
	return errors.Join(errs...)
}

// writeOne writes what becomes of a row that was not delivered.
func (s *settler) writeOne(v verdict) error {
	was := false
	err := attempt(func(ctx context.Context) error {
		switch {
		case v.note != "":
			var err error
			was, err = s.q.o.Store.GiveUp(ctx, v.row.ID, v.note)
			return err
		case v.untried:
			return s.q.o.Store.GiveBack(ctx, v.row, v.due, v.reason)
		}
		return s.q.o.Store.Retry(ctx, v.row, v.due, v.reason)
	})
	if v.tell && was { // once it is gone: nobody tells a second time
		s.tell(v.row)
	}
	return err
}

// tell tells the reader of a message that its writer's wish keeps it from being
// mailed. If that fails, the message is in the mailbox nevertheless.
func (s *settler) tell(row store.Delivery) {
	if err := attempt(func(ctx context.Context) error { return s.q.o.Withheld(ctx, row.MemberID, row.ThreadID) }); err != nil {
		s.q.o.Logger.Error("can't tell a member of a message that is not mailed", "row", row.ID, "error", err)
	}
}

func attempt(write func(context.Context) error) error {
	var err error
	for i := range settleTries {
		if i > 0 {
			time.Sleep(time.Duration(i) * 100 * time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		err = write(ctx)
		cancel()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("write back to the queue: %w", err)
}

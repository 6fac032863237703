package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// What is counted of a member's pace.
const (
	paceThreads  = 0 // members that a conversation was started with
	paceMessages = 1 // messages in conversations
)

// PaceError says that a member has written as much as is allowed for now.
type PaceError struct {
	Threads bool          // started conversations, or else written in them
	Limit   int           // so many
	Within  time.Duration // in such a time
	// After is when there is room for more at the soonest; zero: there never is
	// room for so many at a time.
	After time.Duration
}

func (e *PaceError) Error() string {
	return fmt.Sprintf("more than %d within %s", e.Limit, e.Within)
}

// paceBound is one of a Pace's bounds.
type paceBound struct {
	kind, limit int
	within      time.Duration
}

func boundsOf(p threading.Pace, kind int) []paceBound {
	if kind == paceThreads {
		return []paceBound{{kind, p.ThreadsPerHour, time.Hour}, {kind, p.ThreadsPerDay, 24 * time.Hour}}
	}
	return []paceBound{{kind, p.MessagesPerHour, time.Hour}}
}

func paceSlot(t time.Time) int64 { return t.UnixMilli() / threading.PaceSlot.Milliseconds() }

// since is the first slot that counts.
func (b paceBound) since(now time.Time) int64 { return paceSlot(now.Add(-b.within)) + 1 }

const readPace = "SELECT COALESCE(SUM(n), 0), COALESCE(MIN(slot), 0) FROM pace WHERE member_id = ? AND kind = ? AND slot >= ?"

// exceeded returns what is wrong with so many more, if there were n since the
// slot first.
func (b paceBound) exceeded(n, more int, first int64, now time.Time) error {
	if b.limit <= 0 || n+more <= b.limit {
		return nil
	}
	e := &PaceError{Threads: b.kind == paceThreads, Limit: b.limit, Within: b.within}
	if more <= b.limit {
		leaves := time.UnixMilli(first * threading.PaceSlot.Milliseconds()).Add(b.within)
		e.After = max(0, leaves.Sub(now).Truncate(time.Second)) + time.Second
	}
	return e
}

// WithinPace returns a *PaceError if a member can't write so much more now:
// start conversations with so many members, and so many messages in
// conversations. File makes sure of it; this is to know before the work.
func (s *Store) WithinPace(ctx context.Context, member threading.ID, p threading.Pace, threads, messages int) error {
	now := s.o.Now()
	for kind, more := range []int{paceThreads: threads, paceMessages: messages} {
		if more == 0 {
			continue
		}
		for _, b := range boundsOf(p, kind) {
			if b.limit <= 0 {
				continue
			}
			var n int
			var first int64
			if err := s.row(ctx, readPace, []any{member, kind, b.since(now)}, &n, &first); err != nil {
				return fmt.Errorf("count what the member wrote: %w", err)
			}
			if err := b.exceeded(n, more, first, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepPace counts a filing, and returns a *PaceError if it is one too many.
func (t *tx) keepPace(f *filingRow) error {
	if f.Pace == (threading.Pace{}) {
		return nil
	}
	now, kind, more := f.Message.FiledAt, paceMessages, 1
	if f.NewThread != nil {
		kind, more = paceThreads, max(1, len(f.NewThread.Participants)-1)
	}
	if _, err := t.exec("INSERT INTO pace (member_id, kind, slot, n) VALUES (?, ?, ?, ?) ON CONFLICT (member_id, kind, slot) DO UPDATE SET n = n + excluded.n",
		f.Message.WriterID, kind, paceSlot(now), more); err != nil {
		return fmt.Errorf("count what the member writes: %w", err)
	}
	for _, b := range boundsOf(f.Pace, kind) {
		if b.limit <= 0 {
			continue
		}
		var n int
		var first int64
		if err := t.row(readPace, []any{f.Message.WriterID, kind, b.since(now)}, &n, &first); err != nil {
			return fmt.Errorf("count what the member wrote: %w", err)
		}
		if err := b.exceeded(n-more, more, first, now); err != nil {
			return err
		}
	}
	return nil
}

// Knows reports whether member has written to other: what other writes is no
// first contact then.
func (s *Store) Knows(ctx context.Context, member, other threading.ID) (bool, error) {
	var knows bool
	err := s.row(ctx, "SELECT EXISTS (SELECT 1 FROM correspondents WHERE member_id = ? AND other_id = ?)", []any{member, other}, &knows)
	return knows, err
}

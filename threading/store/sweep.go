package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

const (
	sweepEvery = time.Hour
	sweepFirst = time.Minute
	sweepBatch = 100 // rows a transaction; a row may hold a chunk of a body

	// orphanAge is how old an item without an entry and a body without an item
	// are, since they were made, when they go: until then a large body may still
	// be filed.
	orphanAge   = 24 * time.Hour
	clientIDAge = 30 * 24 * time.Hour
	recordAge   = 90 * 24 * time.Hour
	// tlsResultAge: of a day that is so long over no report is made any more.
	tlsResultAge = 4 * 24 * time.Hour
	// keptTombstones is how many expunged UIDs a mailbox remembers.
	keptTombstones = 10000
)

// groundCrew are the goroutines that a store runs beside the committer.
type groundCrew struct{ wg sync.WaitGroup }

func (g *groundCrew) start(ctx context.Context, s *Store) {
	if !s.o.Follow {
		return // a command is gone before there is anything to sweep
	}
	g.wg.Go(func() { s.follow(ctx) })
	g.wg.Go(func() { s.sweepUntil(ctx) })
	g.wg.Go(func() { s.packUntil(ctx) })
}

func (g *groundCrew) wait() { g.wg.Wait() }

func (s *Store) sweepUntil(ctx context.Context) {
	wait := sweepFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = sweepEvery
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.Warn("can't sweep the database", "error", err)
		}
	}
}

// sweepSteps are what is swept, in order: a body goes after its items, a chunk
// after its body. find selects the keys of rows that may go; what it finds
// can't be wanted again, since only what has an entry is copied and only new
// items are queued. remove deletes the row of one key.
var sweepSteps = []struct {
	find, remove string
	keys         int // columns of the key
	before       func(now time.Time) any
}{
	{`SELECT i.member_id, i.id FROM items i WHERE i.id < ?
		AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.member_id = i.member_id AND e.item_id = i.id)
		AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.member_id = i.member_id AND q.item_id = i.id)
		AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.reporter_id = i.member_id AND r.thread_id = i.thread_id AND r.status = 'open') LIMIT ?`,
		"DELETE FROM items WHERE member_id = ? AND id = ?", 2, idsOlder(orphanAge)},
	{`SELECT b.id FROM bodies b WHERE b.id < ?
		AND NOT EXISTS (SELECT 1 FROM items i WHERE i.body_id = b.id)
		AND NOT EXISTS (SELECT 1 FROM held_copies h WHERE h.body_id = b.id)
		AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.body_id = b.id) LIMIT ?`,
		"DELETE FROM bodies WHERE id = ?", 1, idsOlder(orphanAge)},
	{`SELECT c.body_id, c.seq FROM body_chunks c WHERE c.body_id < ?
		AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.id = c.body_id) LIMIT ?`,
		"DELETE FROM body_chunks WHERE body_id = ? AND seq = ?", 2, idsOlder(orphanAge)},
	{"SELECT hash FROM dedupe WHERE filed_at < ? LIMIT ?", "DELETE FROM dedupe WHERE hash = ?", 1, timesOlder(threading.DedupeFor)},
	{"SELECT member_id, hash FROM client_ids WHERE noted_at < ? LIMIT ?", "DELETE FROM client_ids WHERE member_id = ? AND hash = ?", 2, timesOlder(clientIDAge)},
	{"SELECT id FROM held WHERE expires_at > 0 AND expires_at < ? LIMIT ?", "DELETE FROM held WHERE id = ?", 1, timesOlder(0)},
	{"SELECT id FROM address_requests WHERE expires_at < ? LIMIT ?", "DELETE FROM address_requests WHERE id = ?", 1, timesOlder(0)},
	{"SELECT member_id, kind, slot FROM pace WHERE slot < ? LIMIT ?", "DELETE FROM pace WHERE member_id = ? AND kind = ? AND slot = ?", 3, slotsOlder(24 * time.Hour)},
	{"SELECT hash, writer_id, day FROM texts WHERE day < ? LIMIT ?", "DELETE FROM texts WHERE hash = ? AND writer_id = ? AND day = ?", 3, daysOlder(threading.TextFor)},
	{"SELECT hash FROM sessions WHERE expires_at < ? LIMIT ?", "DELETE FROM sessions WHERE hash = ?", 1, timesOlder(0)},
	{"SELECT id FROM signin_links WHERE expires_at < ? LIMIT ?", "DELETE FROM signin_links WHERE id = ?", 1, timesOlder(0)},
	{"SELECT webhook_id, id FROM webhook_events WHERE dead_at > 0 AND dead_at < ? LIMIT ?", "DELETE FROM webhook_events WHERE webhook_id = ? AND id = ?", 2, timesOlder(keepDead)},
	{"SELECT key FROM api_requests WHERE created_at < ? LIMIT ?", "DELETE FROM api_requests WHERE key = ?", 1, timesOlder(KeepAnswers)},
	{"SELECT hash FROM sts_policies WHERE expires_at < ? LIMIT ?", "DELETE FROM sts_policies WHERE hash = ?", 1, timesOlder(0)},
	{"SELECT hash FROM contact_links WHERE expires_at < ? LIMIT ?", "DELETE FROM contact_links WHERE hash = ?", 1, timesOlder(0)},
	{"SELECT day, domain, hash FROM tls_results WHERE day < ? LIMIT ?", "DELETE FROM tls_results WHERE day = ? AND domain = ? AND hash = ?", 3, timesOlder(tlsResultAge)},
	{"SELECT day, domain FROM tls_reported WHERE day < ? LIMIT ?", "DELETE FROM tls_reported WHERE day = ? AND domain = ?", 2, timesOlder(2 * tlsResultAge)},
	{"SELECT id FROM records WHERE id < ? LIMIT ?", "DELETE FROM records WHERE id = ?", 1, idsOlder(recordAge)},
}

func idsOlder(age time.Duration) func(time.Time) any {
	return func(now time.Time) any { return threading.IDAt(now.Add(-age)) }
}

func timesOlder(age time.Duration) func(time.Time) any {
	return func(now time.Time) any { return millis(now.Add(-age)) }
}

func daysOlder(age time.Duration) func(time.Time) any {
	return func(now time.Time) any { return dayOf(now.Add(-age)) }
}

func slotsOlder(age time.Duration) func(time.Time) any {
	return func(now time.Time) any { return paceSlot(now.Add(-age)) }
}

// Sweep removes what nobody needs any more: items without an entry, bodies
// without an item, and old notes. It looks for them outside of the committer
// and removes them in small transactions, so that nobody waits long.
func (s *Store) Sweep(ctx context.Context) error {
	now := s.o.Now()
	for _, step := range sweepSteps {
		for more := true; more; {
			keys, err := s.sweepable(ctx, step.find, step.keys, step.before(now))
			if err != nil {
				return fmt.Errorf("look for what can be swept: %w", err)
			}
			if len(keys) > 0 {
				err = s.c.commit(ctx, func(t *tx) error { return t.remove(step.remove, keys) })
			}
			if err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			more = len(keys) == sweepBatch
		}
	}
	return s.sweepTombstones(ctx)
}

// sweepable returns the keys, of n columns each, of at most sweepBatch rows.
func (s *Store) sweepable(ctx context.Context, find string, n int, before any) ([][]any, error) {
	var keys [][]any
	err := s.rows(ctx, find, []any{before, sweepBatch}, func(r scanner) error {
		key, dest := make([]any, n), make([]any, n)
		for i := range key {
			dest[i] = &key[i]
		}
		keys = append(keys, key)
		return r.Scan(dest...)
	})
	return keys, err
}

func (t *tx) remove(query string, keys [][]any) error {
	for _, key := range keys {
		if _, err := t.exec(query, key...); err != nil {
			return err
		}
	}
	return nil
}

// sweepTombstones keeps the newest tombstones of each mailbox and notes from
// which mod-sequence on they are complete.
func (s *Store) sweepTombstones(ctx context.Context) error {
	type box struct{ member, mailbox threading.ID }
	var full []box
	err := s.rows(ctx, "SELECT member_id, mailbox_id FROM tombstones GROUP BY member_id, mailbox_id HAVING COUNT(*) > ?", []any{2 * keptTombstones}, func(r scanner) error {
		var b box
		err := r.Scan(&b.member, &b.mailbox)
		full = append(full, b)
		return err
	})
	for _, b := range full {
		if err != nil {
			break
		}
		err = s.c.commit(ctx, func(t *tx) error {
			var upTo uint64
			if err := t.row("SELECT modseq FROM tombstones WHERE member_id = ? AND mailbox_id = ? ORDER BY modseq DESC LIMIT 1 OFFSET ?", []any{b.member, b.mailbox, keptTombstones}, &upTo); err != nil {
				return err
			}
			if _, err := t.exec("UPDATE mailboxes SET expunged_from = ? WHERE member_id = ? AND id = ?", upTo, b.member, b.mailbox); err != nil {
				return err
			}
			_, err := t.exec("DELETE FROM tombstones WHERE member_id = ? AND mailbox_id = ? AND modseq <= ?", b.member, b.mailbox, upTo)
			return err
		})
	}
	return err
}

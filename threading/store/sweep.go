package store

import (
	"context"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

const (
	sweepEvery = time.Hour
	sweepFirst = time.Minute
	sweepBatch = 500 // rows a transaction

	// orphanAge is how long an item without an entry and a body without an item
	// are kept: an open FETCH may still read them, a large body may still be
	// filed.
	orphanAge   = 24 * time.Hour
	clientIDAge = 30 * 24 * time.Hour
	recordAge   = 90 * 24 * time.Hour
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

// Sweep removes what nobody needs any more: items without an entry, bodies
// without an item, and old notes. It works in small transactions, so that
// nobody waits long.
func (s *Store) Sweep(ctx context.Context) error {
	now := s.o.Now()
	orphans := threading.IDAt(now.Add(-orphanAge))
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM items WHERE (member_id, id) IN (SELECT i.member_id, i.id FROM items i WHERE i.id < ?
			AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.member_id = i.member_id AND e.item_id = i.id)
			AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.member_id = i.member_id AND q.item_id = i.id) LIMIT ?)`, []any{orphans, sweepBatch}},
		{`DELETE FROM bodies WHERE id IN (SELECT b.id FROM bodies b WHERE b.id < ?
			AND NOT EXISTS (SELECT 1 FROM items i WHERE i.body_id = b.id)
			AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.body_id = b.id) LIMIT ?)`, []any{orphans, sweepBatch}},
		{`DELETE FROM body_chunks WHERE (body_id, seq) IN (SELECT c.body_id, c.seq FROM body_chunks c WHERE c.body_id < ?
			AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.id = c.body_id) LIMIT ?)`, []any{orphans, sweepBatch}},
		{`DELETE FROM dedupe WHERE hash IN (SELECT hash FROM dedupe WHERE filed_at < ? LIMIT ?)`, []any{millis(now.Add(-threading.DedupeFor)), sweepBatch}},
		{`DELETE FROM client_ids WHERE (member_id, hash) IN (SELECT member_id, hash FROM client_ids WHERE noted_at < ? LIMIT ?)`, []any{millis(now.Add(-clientIDAge)), sweepBatch}},
		{`DELETE FROM records WHERE id IN (SELECT id FROM records WHERE id < ? LIMIT ?)`, []any{threading.IDAt(now.Add(-recordAge)), sweepBatch}},
	} {
		for ctx.Err() == nil {
			var n int64
			err := s.c.commit(ctx, func(t *tx) (err error) {
				n, err = t.exec(step.query, step.args...)
				return err
			})
			if err != nil {
				return err
			}
			if n < sweepBatch {
				break
			}
		}
	}
	return s.sweepTombstones(ctx)
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

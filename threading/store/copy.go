package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// CopyResult says which UIDs became which.
type CopyResult struct {
	UIDValidity uint32   // of the destination
	From, To    []uint32 // pairwise, ascending
}

// Copy copies the entries in the set into the named mailbox, with their flags
// and dates; move removes them here. One transaction, and for each range of the
// set a few statements, however many entries it holds. ErrNotFound if there is
// no such mailbox; ErrAllMailbox if it is All, or is to be moved from there;
// ErrQuota, which moving never meets. What goes into Junk is reported, and its
// thread muted; what comes out again undoes that.
func (s *Store) Copy(ctx context.Context, memberID, mailboxID threading.ID, set threading.UIDSet, dest string, move bool) (CopyResult, error) {
	to, err := s.Mailbox(ctx, memberID, dest)
	if err != nil {
		return CopyResult{}, err
	}
	if to.Use == threading.UseAll {
		return CopyResult{}, ErrAllMailbox
	}
	var res CopyResult
	err = s.c.commit(ctx, func(t *tx) error {
		res = CopyResult{UIDValidity: to.UIDValidity}
		var octets int64
		counts := make([]int, 0, len(set)) // entries in each range
		err := eachRange(set, func(first, last uint32) error {
			before := len(res.From)
			err := t.rows("SELECT uid, header_size + body_size FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? ORDER BY uid",
				[]any{memberID, mailboxID, first, last}, func(r scanner) error {
					var uid uint32
					var size int64
					err := r.Scan(&uid, &size)
					res.From = append(res.From, uid)
					octets += size
					return err
				})
			counts = append(counts, len(res.From)-before)
			return err
		})
		if err != nil || len(res.From) == 0 {
			return err
		}
		if err := t.mayCopy(s.o.Quota, memberID, mailboxID, octets, move); err != nil {
			return err
		}
		var next uint32
		if err := t.row("UPDATE mailboxes SET uidnext = uidnext + ? WHERE member_id = ? AND id = ? RETURNING uidnext", []any{len(res.From), memberID, to.ID}, &next); err != nil {
			return err
		}
		next -= uint32(len(res.From))
		for i := range res.From {
			res.To = append(res.To, next+uint32(i))
		}
		if err := t.copyRanges(memberID, mailboxID, to.ID, set, counts, next, octets, s.o.Now()); err != nil {
			return err
		}
		if err := t.junk(memberID, mailboxID, to, res.To[0], res.To[len(res.To)-1], millis(s.o.Now())); err != nil || !move {
			return err
		}
		return t.removeEntries(memberID, mailboxID, threading.UIDSet{{First: res.From[0], Last: res.From[len(res.From)-1]}}.Intersect(set), 0, octets)
	})
	if err != nil {
		return CopyResult{}, fmt.Errorf("copy to %q: %w", dest, err)
	}
	return res, nil
}

// mayCopy returns why so many octets can't be copied, or moved.
func (t *tx) mayCopy(quota int64, member, from threading.ID, octets int64, move bool) error {
	if !move {
		return t.checkQuota(quota, member, octets)
	}
	if _, err := t.modseq(member); err != nil {
		return err
	}
	if t.alls[member] == from {
		return ErrAllMailbox
	}
	return nil
}

// copyRanges copies the ranges of a set, with so many entries each and octets
// together, to new UIDs from next on.
func (t *tx) copyRanges(member, from, to threading.ID, set threading.UIDSet, counts []int, next uint32, octets int64, now time.Time) error {
	t.grow(member, octets)
	modseq, err := t.modseq(member)
	if err != nil {
		return err
	}
	below := int64(1) << 32
	if from == to {
		below = int64(next) // the copies are not copied again
	}
	for i, r := range set {
		if counts[i] == 0 {
			continue
		}
		if _, err := t.exec(`INSERT INTO entries (member_id, mailbox_id, uid, item_id, thread_id, body_id, header_size, body_size, flags, keywords, modseq, saved_at, placed_at)
			SELECT member_id, ?, ? + ROW_NUMBER() OVER (ORDER BY uid), item_id, thread_id, body_id, header_size, body_size, flags, keywords, ?, saved_at, ?
			FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND uid < ?`,
			to, next-1, modseq, millis(now), member, from, r.First, r.Last, below); err != nil {
			return fmt.Errorf("write the entries: %w", err)
		}
		next += uint32(counts[i])
	}
	t.noteAdded(mailboxKey{member, to}, sum(counts))
	return nil
}

func sum(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

package store

import (
	"context"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
)

// Block keeps what other writes from then on away from member: it is filed
// for its writer and nobody else's copy of it is member's. Blocking twice is
// no error. ErrNotFound if member was removed.
func (s *Store) Block(ctx context.Context, member, other threading.ID) error {
	now := millis(s.o.Now())
	return s.c.commit(ctx, func(t *tx) error {
		if err := t.present(member); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO blocks (member_id, other_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", member, other, now)
		return err
	})
}

// Unblock ends a block. What was written meanwhile does not come any more.
func (s *Store) Unblock(ctx context.Context, member, other threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM blocks WHERE member_id = ? AND other_id = ?", member, other)
		return err
	})
}

// Blocked reports whether member has blocked other.
func (s *Store) Blocked(ctx context.Context, member, other threading.ID) (bool, error) {
	var blocked bool
	err := s.row(ctx, "SELECT EXISTS (SELECT 1 FROM blocks WHERE member_id = ? AND other_id = ?)", []any{member, other}, &blocked)
	return blocked, err
}

// BlockedMembers lists whom a member has blocked, by name.
func (s *Store) BlockedMembers(ctx context.Context, member threading.ID) ([]threading.Member, error) {
	var list []threading.Member
	err := s.rows(ctx, "SELECT "+memberColumns+" FROM blocks k JOIN members m ON m.id = k.other_id WHERE k.member_id = ? ORDER BY m.name, m.id LIMIT 10000", []any{member}, func(r scanner) error {
		m, err := scanMember(r)
		list = append(list, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list who is blocked: %w", err)
	}
	return list, nil
}

// silenced says whether a member gets no copy of what writer writes, and how
// the member is told of the thread.
func (t *tx) silenced(member, writer, thread threading.ID) (blocked bool, alerts threading.Alerts, err error) {
	err = t.row("SELECT EXISTS (SELECT 1 FROM blocks k WHERE k.member_id = m.id AND k.other_id = ?), "+told+" FROM members m WHERE m.id = ?",
		[]any{writer, thread, thread, member}, &blocked, &alerts)
	if err != nil {
		err = fmt.Errorf("look for a block: %w", err)
	}
	return blocked, alerts, err
}

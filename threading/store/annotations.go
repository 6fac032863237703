package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
)

// Bounds of annotations: on one mailbox, on all of a member's, and the octets of
// one's name and value.
const (
	MaxAnnotations       = 50
	MaxMemberAnnotations = 1000
	MaxAnnotationName    = 255
	MaxAnnotation        = 16 << 10
)

// Annotations returns what clients noted on a mailbox, or on the account
// (mailboxID 0), by name in lower case (RFC 5464).
func (s *Store) Annotations(ctx context.Context, memberID, mailboxID threading.ID) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := s.rows(ctx, "SELECT name, value FROM annotations WHERE member_id = ? AND mailbox_id = ?", []any{memberID, mailboxID}, func(r scanner) error {
		var name string
		var value []byte
		err := r.Scan(&name, &value)
		all[name] = value
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the annotations: %w", err)
	}
	return all, nil
}

// SetAnnotations sets annotations, all or none; nil removes one. ErrLimit if
// there would be too many or one is too long; ErrNotFound if the mailbox is
// gone.
func (s *Store) SetAnnotations(ctx context.Context, memberID, mailboxID threading.ID, values map[string][]byte) error {
	for name, value := range values {
		if len(name) > MaxAnnotationName || len(value) > MaxAnnotation {
			return fmt.Errorf("annotate: %w", ErrLimit)
		}
	}
	err := s.c.commit(ctx, func(t *tx) error {
		if mailboxID != 0 {
			if err := t.row("SELECT 1 FROM mailboxes WHERE member_id = ? AND id = ?", []any{memberID, mailboxID}, new(int)); err != nil {
				return err
			}
		}
		for name, value := range values {
			name = strings.ToLower(name)
			var err error
			if value == nil {
				_, err = t.exec("DELETE FROM annotations WHERE member_id = ? AND mailbox_id = ? AND name = ?", memberID, mailboxID, name)
			} else {
				_, err = t.exec("INSERT INTO annotations (member_id, mailbox_id, name, value) VALUES (?, ?, ?, ?) ON CONFLICT (member_id, mailbox_id, name) DO UPDATE SET value = excluded.value",
					memberID, mailboxID, name, value)
			}
			if err != nil {
				return err
			}
		}
		var here, all int
		if err := t.row("SELECT COUNT(CASE WHEN mailbox_id = ? THEN 1 END), COUNT(*) FROM annotations WHERE member_id = ?", []any{mailboxID, memberID}, &here, &all); err != nil {
			return err
		}
		if here > MaxAnnotations || all > MaxMemberAnnotations {
			return ErrLimit
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("annotate: %w", err)
	}
	return nil
}

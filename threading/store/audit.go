package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// AuditEntry is one look of the operator's at what members keep private.
type AuditEntry struct {
	ID      threading.ID
	Actor   string // the operating system's user
	Action  string
	Subject string // a handle, an ID, or how many
	At      time.Time
}

// Audit notes that somebody looked; it is on disk when it returns. It is kept
// for ever: nothing in this program removes it.
func (s *Store) Audit(ctx context.Context, actor, action, subject string) error {
	id := s.o.IDs.Next()
	err := s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO audit (id, actor, action, subject) VALUES (?, ?, ?, ?)", id, actor, action, subject)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the look in the audit log: %w", err)
	}
	return nil
}

// AuditLog lists looks, the newest first.
func (s *Store) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	var list []AuditEntry
	err := s.rows(ctx, "SELECT id, actor, action, subject FROM audit ORDER BY id DESC LIMIT ?", []any{limit}, func(r scanner) error {
		var e AuditEntry
		err := r.Scan(&e.ID, &e.Actor, &e.Action, &e.Subject)
		e.At = e.ID.Time()
		list = append(list, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return list, nil
}

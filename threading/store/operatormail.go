package store

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// OperatorMail notes a message of a writer's to the operator, unless there have
// been limit of them within that time: then within is false. Who wrote is kept
// as a keyed hash.
func (s *Store) OperatorMail(ctx context.Context, writer string, limit int, span time.Duration) (within bool, err error) {
	id, now := s.o.IDs.Next(), s.o.Now()
	ref := int64(binary.BigEndian.Uint64(s.o.Keyring.Hash("operator", writer)) >> 1)
	err = s.c.commit(ctx, func(t *tx) error {
		var n int
		err := t.row("SELECT COUNT(*) FROM records WHERE id > ? AND kind = 'operator' AND ref = ?", []any{threading.IDAt(now.Add(-span)), ref}, &n)
		if within = n < limit; err != nil || !within {
			return err
		}
		_, err = t.exec("INSERT INTO records (id, kind, ref, note, at) VALUES (?, 'operator', ?, '', ?)", id, ref, millis(now))
		return err
	})
	return within, err
}

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

const sealedHeld = "held" // the sealing context of held messages

// Held is a message kept aside: its writer is not proven yet.
type Held struct {
	ID        threading.ID
	MemberID  threading.ID // the member who may be its writer; zero if unknown
	Recipient string       // the local part that it was sent to
	Reason    string
	Raw       []byte // sealed in the store
	HeldAt    time.Time
}

// Hold keeps a message; it is on disk when it returns. The same octets for the
// same recipient are kept once.
func (s *Store) Hold(ctx context.Context, h Held) error {
	id := s.o.IDs.Next()
	hash := s.o.Keyring.Hash(sealedHeld, h.Recipient, string(h.Raw))
	sealed := s.o.Keyring.Seal(sealedHeld, string(compress(h.Raw)))
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO held (id, member_id, hash, recipient, reason, raw, held_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
			id, h.MemberID, hash, h.Recipient, h.Reason, sealed, millis(h.HeldAt))
		return err
	})
}

// HeldMessages lists held messages without Raw, oldest first.
func (s *Store) HeldMessages(ctx context.Context, limit int) ([]Held, error) {
	var list []Held
	err := s.rows(ctx, "SELECT id, member_id, recipient, reason, held_at FROM held ORDER BY id LIMIT ?", []any{limit}, func(r scanner) error {
		var h Held
		var at int64
		err := r.Scan(&h.ID, &h.MemberID, &h.Recipient, &h.Reason, &at)
		h.HeldAt = fromMillis(at)
		list = append(list, h)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list what is held: %w", err)
	}
	return list, nil
}

// Recorded is a note of a message that was not filed.
type Recorded struct {
	ID   threading.ID
	Kind string
	Ref  threading.ID
	Note string
	At   time.Time
}

// Record notes a message that is taken but not filed: automatic mail, a bounce,
// what LMTP may not refuse. It is on disk when it returns. kind is a word; note
// never holds an address.
func (s *Store) Record(ctx context.Context, kind string, ref threading.ID, note string) error {
	id := s.o.IDs.Next()
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO records (id, kind, ref, note, at) VALUES (?, ?, ?, ?, ?)", id, kind, ref, note, millis(s.o.Now()))
		return err
	})
}

// Records lists notes, the newest first.
func (s *Store) Records(ctx context.Context, limit int) ([]Recorded, error) {
	var list []Recorded
	err := s.rows(ctx, "SELECT id, kind, ref, note, at FROM records ORDER BY id DESC LIMIT ?", []any{limit}, func(r scanner) error {
		var x Recorded
		var at int64
		err := r.Scan(&x.ID, &x.Kind, &x.Ref, &x.Note, &at)
		x.At = fromMillis(at)
		list = append(list, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the records: %w", err)
	}
	return list, nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

const sealedHeld = "held" // the sealing context of held messages

// MaxHeld is how many messages are held at a time for one alias, and
// maxHeldMember for one member: so many questions somebody can cause who got
// hold of an alias.
const (
	MaxHeld       = 3
	maxHeldMember = 20
)

// ErrTooManyHeld refuses to hold another message for the alias or the member.
var ErrTooManyHeld = errors.New("too many messages wait for this member's answer")

// Held is a message kept aside: its writer is not proven yet.
type Held struct {
	ID        threading.ID // made by Hold where it is zero
	MemberID  threading.ID // the member who may be its writer; zero if unknown
	AliasID   threading.ID // that it was sent to; zero: none
	Recipient string       // the local part that it was sent to
	Reason    string
	Sender    string // the address in From; sealed in the store
	Proven    bool   // the sender's domain vouches for it
	Raw       []byte // sealed in the store
	HeldAt    time.Time
	ExpiresAt time.Time // zero: never
}

// Hold keeps a message; it is on disk when it returns, and with it the
// question to the member, if there is one. The same octets for the same
// recipient are kept once, and asked about once. ErrTooManyHeld.
func (s *Store) Hold(ctx context.Context, h Held, question *Notice) error {
	if h.ID == 0 {
		h.ID = s.o.IDs.Next()
	}
	hash := s.o.Keyring.Hash(sealedHeld, h.Recipient, string(h.Raw))
	sealed := s.o.Keyring.Seal(sealedHeld, string(compress(h.Raw)))
	var sender []byte
	if h.Sender != "" {
		sender = s.o.Keyring.Seal(sealedAddress, h.Sender)
	}
	var expires int64
	if !h.ExpiresAt.IsZero() {
		expires = millis(h.ExpiresAt)
	}
	ask := s.newNoticeRow(QueueNotice, question)
	return s.observed("held", s.c.commit(ctx, func(t *tx) error {
		var forAlias, forMember int
		if h.AliasID != 0 {
			err := t.row("SELECT COUNT(CASE WHEN alias_id = ? THEN 1 END), COUNT(*) FROM held WHERE member_id = ?", []any{h.AliasID, h.MemberID}, &forAlias, &forMember)
			if err != nil {
				return err
			}
		}
		if forAlias >= MaxHeld || forMember >= maxHeldMember {
			return ErrTooManyHeld
		}
		n, err := t.exec("INSERT INTO held (id, member_id, hash, recipient, reason, raw, held_at, alias_id, sender, proven, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
			h.ID, h.MemberID, hash, h.Recipient, h.Reason, sealed, millis(h.HeldAt), h.AliasID, sender, h.Proven, expires)
		if err != nil || n == 0 {
			return err
		}
		return t.addNotice(ask)
	}))
}

// observed passes an error on and tells of what happened without one.
func (s *Store) observed(event string, err error) error {
	if err == nil {
		s.o.Observe(event)
	}
	return err
}

const heldColumns = "id, member_id, alias_id, recipient, reason, sender, proven, held_at, expires_at"

func (s *Store) scanHeld(r scanner, more ...any) (Held, error) {
	var h Held
	var at, expires int64
	var sender []byte
	dest := append([]any{&h.ID, &h.MemberID, &h.AliasID, &h.Recipient, &h.Reason, &sender, &h.Proven, &at, &expires}, more...)
	if err := r.Scan(dest...); err != nil {
		return h, err
	}
	h.HeldAt = fromMillis(at)
	if expires != 0 {
		h.ExpiresAt = fromMillis(expires)
	}
	var err error
	if sender != nil {
		h.Sender, err = s.o.Keyring.Open(sealedAddress, sender)
	}
	return h, err
}

// HeldMessages lists held messages without Raw, oldest first.
func (s *Store) HeldMessages(ctx context.Context, limit int) ([]Held, error) {
	return s.listHeld(ctx, "1 = 1", limit)
}

// HeldFor lists those, without Raw, that wait until a member says who wrote
// them, oldest first.
func (s *Store) HeldFor(ctx context.Context, member threading.ID, limit int) ([]Held, error) {
	return s.listHeld(ctx, "member_id = ? AND alias_id <> 0", member, limit)
}

func (s *Store) listHeld(ctx context.Context, where string, args ...any) ([]Held, error) {
	var list []Held
	err := s.rows(ctx, "SELECT "+heldColumns+" FROM held WHERE "+where+" ORDER BY id LIMIT ?", args, func(r scanner) error {
		h, err := s.scanHeld(r)
		list = append(list, h)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list what is held: %w", err)
	}
	return list, nil
}

// HeldMessage returns a held message with Raw. ErrNotFound if there is none,
// or its time is over.
func (s *Store) HeldMessage(ctx context.Context, id threading.ID) (Held, error) {
	var h Held
	found := false
	err := s.rows(ctx, "SELECT "+heldColumns+", raw FROM held WHERE id = ?", []any{id}, func(r scanner) error {
		var sealed []byte
		var err error
		if h, err = s.scanHeld(r, &sealed); err != nil {
			return err
		}
		packed, err := s.o.Keyring.Open(sealedHeld, sealed)
		if err != nil {
			return err
		}
		found = true
		h.Raw, err = decompress([]byte(packed))
		return err
	})
	switch {
	case err != nil:
		return Held{}, fmt.Errorf("read a held message: %w", err)
	case !found, !h.ExpiresAt.IsZero() && !s.o.Now().Before(h.ExpiresAt):
		return Held{}, ErrNotFound
	}
	return h, nil
}

// Release forgets a held message. ErrNotFound.
func (s *Store) Release(ctx context.Context, id threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error { return changed(t.exec("DELETE FROM held WHERE id = ?", id)) })
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
	return s.observed(kind, s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO records (id, kind, ref, note, at) VALUES (?, ?, ?, ?, ?)", id, kind, ref, note, millis(s.o.Now()))
		return err
	}))
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

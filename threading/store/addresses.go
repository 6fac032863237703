package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

const sealedAddress = "address" // the sealing context and hash use of real addresses

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

func (s *Store) addressHash(canonical string) []byte {
	return s.o.Keyring.Hash(sealedAddress, canonical)
}

// addressRow is a real address as it is stored.
type addressRow struct {
	id           threading.ID
	hash, sealed []byte
	at           int64
}

func (s *Store) newAddressRow(addr string) (addressRow, error) {
	canonical, err := threading.Canonical(addr)
	if err != nil {
		return addressRow{}, err
	}
	return addressRow{id: s.o.IDs.Next(), hash: s.addressHash(canonical), sealed: s.o.Keyring.Seal(sealedAddress, addr), at: millis(s.o.Now())}, nil
}

func (t *tx) addAddress(member threading.ID, a addressRow, primary bool) error {
	n, err := t.exec("INSERT INTO addresses (id, member_id, hash, sealed, is_primary, verified_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		a.id, member, a.hash, a.sealed, primary, a.at, a.at)
	if err == nil && n == 0 {
		err = fmt.Errorf("the address is registered already: %w", ErrExists)
	}
	return err
}

// Addresses lists a member's real addresses, the primary one first.
func (s *Store) Addresses(ctx context.Context, memberID threading.ID) ([]threading.Address, error) {
	var list []threading.Address
	err := s.rows(ctx, "SELECT id, sealed, is_primary, verified_at, created_at, failed_at, failure FROM addresses WHERE member_id = ? ORDER BY is_primary DESC, id", []any{memberID}, func(r scanner) error {
		a := threading.Address{MemberID: memberID}
		var sealed []byte
		var verified, created, failed int64
		if err := r.Scan(&a.ID, &sealed, &a.Primary, &verified, &created, &failed, &a.Failure); err != nil {
			return err
		}
		if failed != 0 {
			a.FailedAt = fromMillis(failed)
		}
		var err error
		a.Real, err = s.o.Keyring.Open(sealedAddress, sealed)
		a.VerifiedAt, a.CreatedAt = fromMillis(verified), fromMillis(created)
		list = append(list, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the addresses: %w", err)
	}
	return list, nil
}

// AddressFailed notes that mail to an address came back for good: nothing is
// sent to it until AddressWorks. For so long as spared after that it is not
// believed. It returns whose it is, and whether that is news. ErrNotFound if there
// is no such address any more.
func (s *Store) AddressFailed(ctx context.Context, id threading.ID, why string, spared time.Duration) (member threading.ID, news bool, err error) {
	at := s.o.Now()
	now := millis(at)
	err = s.c.commit(ctx, func(t *tx) error {
		if err := t.row("SELECT member_id FROM addresses WHERE id = ?", []any{id}, &member); err != nil {
			return err
		}
		n, err := t.exec("UPDATE addresses SET failed_at = ?, failure = ? WHERE id = ? AND failed_at = 0 AND works_at <= ?", now, why, id, millis(at.Add(-spared)))
		if news = n > 0; err != nil || !news {
			return err
		}
		return t.emit(threading.WebhookEvent{Kind: threading.EventBounce, MemberID: member, RefID: id, Detail: why}, now)
	})
	return member, news, err
}

// AddressWorks lets mail go to a member's address again.
func (s *Store) AddressWorks(ctx context.Context, member, id threading.ID) error {
	now := millis(s.o.Now())
	return s.c.commit(ctx, func(t *tx) error {
		return changed(t.exec("UPDATE addresses SET works_at = CASE failed_at WHEN 0 THEN works_at ELSE ? END, failed_at = 0, failure = '' WHERE member_id = ? AND id = ?", now, member, id))
	})
}

// AddAddress registers another real address. ErrExists if it is anybody's,
// ErrNotFound if the member was removed.
func (s *Store) AddAddress(ctx context.Context, memberID threading.ID, addr string) error {
	a, err := s.newAddressRow(addr)
	if err != nil {
		return err
	}
	return s.c.commit(ctx, func(t *tx) error {
		if err := t.present(memberID); err != nil {
			return err
		}
		return t.addAddress(memberID, a, false)
	})
}

// ErrPrimary refuses to remove the address that notifications go to.
var ErrPrimary = errors.New("this is the primary address: make another one primary first")

// RemoveAddress removes a real address. ErrNotFound, ErrPrimary.
func (s *Store) RemoveAddress(ctx context.Context, memberID threading.ID, addr string) error {
	canonical, err := threading.Canonical(addr)
	if err != nil {
		return err
	}
	hash := s.addressHash(canonical)
	return s.c.commit(ctx, func(t *tx) error {
		var primary bool
		if err := t.row("SELECT is_primary FROM addresses WHERE hash = ? AND member_id = ?", []any{hash, memberID}, &primary); err != nil {
			return err
		}
		if primary {
			return ErrPrimary
		}
		_, err := t.exec("DELETE FROM addresses WHERE hash = ?", hash)
		return err
	})
}

// SetPrimary makes one of the member's real addresses the one that
// notifications go to. ErrNotFound.
func (s *Store) SetPrimary(ctx context.Context, memberID threading.ID, addr string) error {
	canonical, err := threading.Canonical(addr)
	if err != nil {
		return err
	}
	hash := s.addressHash(canonical)
	return s.c.commit(ctx, func(t *tx) error { return t.setPrimary(memberID, hash) })
}

func (t *tx) setPrimary(member threading.ID, hash []byte) error {
	if _, err := t.exec("UPDATE addresses SET is_primary = 0 WHERE member_id = ? AND hash != ?", member, hash); err != nil {
		return err
	}
	return changed(t.exec("UPDATE addresses SET is_primary = 1 WHERE member_id = ? AND hash = ?", member, hash))
}

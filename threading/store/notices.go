package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// Notice is a message of the relay's own to one member.
type Notice struct {
	MemberID threading.ID
	// RequestID: it goes to the address that this request is about; zero: to the
	// member's primary address, whatever the alerts setting.
	RequestID threading.ID
	Header    []byte
	Body      threading.Body // written by NewBody
}

// noticeRow is a notice as it is queued.
type noticeRow struct {
	id     threading.ID
	kind   QueueKind
	notice *Notice
	body   bodyRow
	now    int64
}

func (s *Store) newNoticeRow(kind QueueKind, n *Notice) *noticeRow {
	if n == nil {
		return nil
	}
	return &noticeRow{id: s.o.IDs.Next(), kind: kind, notice: n, body: newBodyRow(n.Body), now: millis(s.o.Now())}
}

// addNotice queues a notice; nil is none.
func (t *tx) addNotice(r *noticeRow) error {
	if r == nil {
		return nil
	}
	if err := t.addBody(r.body); err != nil {
		return err
	}
	t.queued = true
	_, err := t.exec("INSERT INTO queue (id, kind, member_id, item_id, thread_id, header, body_id, attempts, created_at, due_at, leased_till, last_error) VALUES (?, ?, ?, ?, 0, ?, ?, 0, ?, ?, 0, '')",
		r.id, r.kind, r.notice.MemberID, r.notice.RequestID, r.notice.Header, r.body.id, r.now, r.now)
	return err
}

// EnqueueNotice queues a notice; it is on disk when it returns.
func (s *Store) EnqueueNotice(ctx context.Context, n Notice) error {
	row := s.newNoticeRow(QueueNotice, &n)
	return s.c.commit(ctx, func(t *tx) error { return t.addNotice(row) })
}

// AddressRequestFor is how long the link that is mailed to a new address works.
const AddressRequestFor = 3 * 24 * time.Hour

// MaxAddressRequests is how many of a member's links to new addresses work at a
// time: so many strangers somebody can have us write to.
const MaxAddressRequests = 5

// ErrAskedAlready refuses to mail another link to an address while one works.
var ErrAskedAlready = errors.New("a link was mailed to this address already")

// AddressRequest is a real address that waits for its owner's word.
type AddressRequest struct {
	ID        threading.ID
	MemberID  threading.ID
	Address   string
	ExpiresAt time.Time
}

// RequestAddress notes that a member wants an address to be theirs, and queues
// the message that compose makes of the request. ErrAskedAlready, ErrLimit.
func (s *Store) RequestAddress(ctx context.Context, memberID threading.ID, addr string, compose func(AddressRequest) (Notice, error)) error {
	canonical, err := threading.Canonical(addr)
	if err != nil {
		return err
	}
	now := s.o.Now()
	q := AddressRequest{ID: s.o.IDs.Next(), MemberID: memberID, Address: addr, ExpiresAt: now.Add(AddressRequestFor)}
	n, err := compose(q)
	if err != nil {
		return err
	}
	n.MemberID, n.RequestID = memberID, q.ID
	row, hash, sealed := s.newNoticeRow(QueueConfirmation, &n), s.addressHash(canonical), s.o.Keyring.Seal(sealedAddress, addr)
	return s.c.commit(ctx, func(t *tx) error {
		if err := t.present(memberID); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM address_requests WHERE member_id = ? AND expires_at <= ?", memberID, millis(now)); err != nil {
			return err
		}
		var open int
		if err := t.row("SELECT COUNT(*) FROM address_requests WHERE member_id = ? AND hash <> ?", []any{memberID, hash}, &open); err != nil {
			return err
		}
		if open >= MaxAddressRequests {
			return fmt.Errorf("links to new addresses: %w", ErrLimit)
		}
		n, err := t.exec("INSERT INTO address_requests (id, member_id, hash, sealed, expires_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (member_id, hash) DO NOTHING",
			q.ID, memberID, hash, sealed, millis(q.ExpiresAt))
		if err == nil && n == 0 {
			err = ErrAskedAlready
		}
		if err != nil {
			return err
		}
		return t.addNotice(row)
	})
}

// AddressRequest returns a request. ErrNotFound if there is none, or its time
// is over.
func (s *Store) AddressRequest(ctx context.Context, id threading.ID) (AddressRequest, error) {
	q := AddressRequest{ID: id}
	var sealed []byte
	var expires int64
	if err := s.row(ctx, "SELECT member_id, sealed, expires_at FROM address_requests WHERE id = ?", []any{id}, &q.MemberID, &sealed, &expires); err != nil {
		return q, err
	}
	q.ExpiresAt = fromMillis(expires)
	if !s.o.Now().Before(q.ExpiresAt) {
		return q, ErrNotFound
	}
	var err error
	if q.Address, err = s.o.Keyring.Open(sealedAddress, sealed); err != nil {
		return q, fmt.Errorf("read the request for an address: %w", err)
	}
	return q, nil
}

// GrantAddress makes the request's address one of its member's, and forgets
// the request. ErrNotFound, ErrExists if it is registered meanwhile.
func (s *Store) GrantAddress(ctx context.Context, id threading.ID) error {
	q, err := s.AddressRequest(ctx, id)
	if err != nil {
		return err
	}
	a, err := s.newAddressRow(q.Address)
	if err != nil {
		return err
	}
	return s.c.commit(ctx, func(t *tx) error {
		if err := t.row("SELECT 1 FROM members WHERE id = ? AND status = ?", []any{q.MemberID, threading.MemberActive}, new(int)); err != nil {
			return err // a suspended member gets no address more
		}
		if err := changed(t.exec("DELETE FROM address_requests WHERE id = ?", id)); err != nil {
			return err
		}
		return t.addAddress(q.MemberID, a, false)
	})
}

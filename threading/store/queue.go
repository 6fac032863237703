package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// QueueKind is what a queue row sends.
type QueueKind string

// The kinds of queue row.
const (
	QueueNotification QueueKind = "notification" // an item, to its member's primary real address
	QueueOperator     QueueKind = "operator"     // a message to the operator
	QueueNotice       QueueKind = "notice"       // the relay's own message, to its member's primary real address
	QueueDigest       QueueKind = "digest"       // the same, of what came since the last one
	QueueSignIn       QueueKind = "sign-in"      // the same, with a link that signs in
	QueueConfirmation QueueKind = "confirmation" // the relay's own message, to an address that a member wants to add; ItemID is the request
	QueueTLSReport    QueueKind = "tls-report"   // a report about TLS, to where the domain that it is about wants it
)

// Delivery is a queue row.
type Delivery struct {
	ID         threading.ID
	Kind       QueueKind
	MemberID   threading.ID // of a notification
	ItemID     threading.ID
	ThreadID   threading.ID
	Header     []byte // of operator mail: the header block
	BodyID     threading.ID
	Attempts   int
	CreatedAt  time.Time
	DueAt      time.Time
	LeasedTill time.Time
	LastError  string // a person's words, never an address
	TLS        threading.TLS
	// Lease is whose the row is: it ends when another takes the row.
	Lease threading.ID
	Asked bool // RetryNow made it due

	recipient []byte // sealed: see Recipient
}

const queueColumns = "id, kind, member_id, item_id, thread_id, header, body_id, attempts, created_at, due_at, leased_till, last_error, lease, recipient, tls"

func scanDelivery(r scanner) (Delivery, error) {
	var d Delivery
	var created, due, leased int64
	err := r.Scan(&d.ID, &d.Kind, &d.MemberID, &d.ItemID, &d.ThreadID, &d.Header, &d.BodyID, &d.Attempts, &created, &due, &leased, &d.LastError, &d.Lease, &d.recipient, &d.TLS)
	d.CreatedAt, d.DueAt, d.LeasedTill = fromMillis(created), fromMillis(due), fromMillis(leased)
	return d, err
}

// EnqueueOperator queues a message to the operator; it is on disk when it
// returns.
func (s *Store) EnqueueOperator(ctx context.Context, header []byte, body threading.Body) error {
	row, id, now := newBodyRow(body), s.o.IDs.Next(), millis(s.o.Now())
	return s.c.commit(ctx, func(t *tx) error {
		if err := t.addBody(row); err != nil {
			return err
		}
		t.queued = true
		_, err := t.exec("INSERT INTO queue (id, kind, member_id, item_id, thread_id, header, body_id, attempts, created_at, due_at, leased_till, last_error) VALUES (?, ?, 0, 0, 0, ?, ?, 0, ?, ?, 0, '')",
			id, QueueOperator, header, row.id, now, now)
		return err
	})
}

// What finds the next rows: each is answered by the beginning of an index,
// however long the queue is.
const (
	anyDue  = "SELECT 1 FROM queue WHERE due_at <= ? LIMIT 1"
	someDue = "SELECT " + queueColumns + " FROM queue WHERE due_at <= ? ORDER BY due_at LIMIT ?"
	nextDue = "SELECT due_at FROM queue ORDER BY due_at LIMIT 1"
)

// Lease takes up to n due rows for the given time. While a row is leased it is
// due when the lease runs out: nobody else takes it before, and a worker that
// crashes loses it. A worker that needs longer extends the lease. Attempts
// counts this one.
func (s *Store) Lease(ctx context.Context, n int, lease time.Duration) ([]Delivery, error) {
	// Looking is cheap and needs no commit.
	now := s.o.Now()
	if err := s.row(ctx, anyDue, []any{millis(now)}, new(int)); err == ErrNotFound {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look at the queue: %w", err)
	}
	var list []Delivery
	till, owner := millis(now.Add(lease)), s.o.IDs.Next()
	err := s.c.commit(ctx, func(t *tx) error {
		list = nil
		err := t.rows(someDue, []any{millis(now), n}, func(r scanner) error {
			d, err := scanDelivery(r)
			d.Asked = d.Lease == asked
			d.LeasedTill, d.Lease = fromMillis(till), owner
			d.Attempts++
			list = append(list, d)
			return err
		})
		if err != nil {
			return err
		}
		for _, d := range list {
			if _, err := t.exec("UPDATE queue SET due_at = ?, leased_till = ?, lease = ?, attempts = attempts + 1 WHERE id = ?", till, till, owner, d.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lease from the queue: %w", err)
	}
	return list, nil
}

// Extend renews the leases of rows, which then run for the given time from now,
// and returns those rows that are still the caller's.
func (s *Store) Extend(ctx context.Context, lease time.Duration, rows ...Delivery) ([]Delivery, error) {
	var held []Delivery
	till := millis(s.o.Now().Add(lease))
	err := s.c.commit(ctx, func(t *tx) error {
		held = nil
		for _, d := range rows {
			n, err := t.exec("UPDATE queue SET due_at = ?, leased_till = ? WHERE id = ? AND lease = ? AND lease != 0", till, till, d.ID, d.Lease)
			if err != nil {
				return err
			}
			if n > 0 {
				d.LeasedTill = fromMillis(till)
				held = append(held, d)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("extend leases: %w", err)
	}
	return held, nil
}

// Done removes rows: delivered, or not wanted any more. That holds whoever has
// them now.
func (s *Store) Done(ctx context.Context, ids ...threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error {
		for _, id := range ids {
			if _, err := t.exec("DELETE FROM queue WHERE id = ?", id); err != nil {
				return err
			}
		}
		return nil
	})
}

// GiveUp removes a row that will not be delivered and records why, both or
// neither, and says whether it was still there. note never holds an address.
func (s *Store) GiveUp(ctx context.Context, id threading.ID, note string) (was bool, err error) {
	record := s.o.IDs.Next()
	err = s.observed("undelivered", s.c.commit(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM queue WHERE id = ?", id)
		if was = n > 0; err != nil || !was {
			return err
		}
		_, err = t.exec("INSERT INTO records (id, kind, ref, note, at) VALUES (?, 'undelivered', ?, ?, ?)", record, id, note, millis(s.o.Now()))
		return err
	}))
	return was, err
}

// Retry releases a row that was tried, until due, with the reason. A row that
// another has taken meanwhile is left to that one.
func (s *Store) Retry(ctx context.Context, row Delivery, due time.Time, reason string) error {
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE queue SET due_at = ?, leased_till = 0, lease = 0, last_error = ? WHERE id = ? AND lease = ?", millis(due), reason, row.ID, row.Lease)
		return err
	})
}

// GiveBack releases a row that was not tried: it is due then and as often tried
// as it was before the lease. An empty reason leaves the one it had.
func (s *Store) GiveBack(ctx context.Context, row Delivery, due time.Time, reason string) error {
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE queue SET due_at = ?, leased_till = 0, lease = 0, attempts = attempts - 1, last_error = CASE ? WHEN '' THEN last_error ELSE ? END WHERE id = ? AND lease = ? AND lease != 0",
			millis(due), reason, reason, row.ID, row.Lease)
		return err
	})
}

// Queue lists rows, oldest first.
func (s *Store) Queue(ctx context.Context, limit int) ([]Delivery, error) {
	var list []Delivery
	err := s.rows(ctx, "SELECT "+queueColumns+" FROM queue ORDER BY id LIMIT ?", []any{limit}, func(r scanner) error {
		d, err := scanDelivery(r)
		list = append(list, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the queue: %w", err)
	}
	return list, nil
}

// asked is the lease of a row that RetryNow made due: nobody's.
const asked threading.ID = 1

// RetryNow makes a row (zero: all that are not leased) due at once, and says how
// many. ErrNotFound if there is no such row.
func (s *Store) RetryNow(ctx context.Context, id threading.ID) (int, error) {
	var n int64
	err := s.c.commit(ctx, func(t *tx) error {
		now := millis(s.o.Now())
		var err error
		t.queued = true
		if id == 0 {
			n, err = t.exec("UPDATE queue SET due_at = ?, leased_till = 0, lease = ? WHERE leased_till <= ? AND due_at > ?", now, asked, now, now)
			return err
		}
		n, err = t.exec("UPDATE queue SET due_at = ?, leased_till = 0, lease = ? WHERE id = ? AND leased_till <= ?", now, asked, id, now)
		return changed(n, err)
	})
	return int(n), err
}

// Drop removes a row. ErrNotFound.
func (s *Store) Drop(ctx context.Context, id threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error { return changed(t.exec("DELETE FROM queue WHERE id = ?", id)) })
}

// NextDue returns when the next row is due. ErrNotFound if the queue is empty.
func (s *Store) NextDue(ctx context.Context) (time.Time, error) {
	var due int64
	err := s.row(ctx, nextDue, nil, &due)
	return fromMillis(due), err
}

// QueueWake receives when rows were added or made due; notices coalesce.
func (s *Store) QueueWake() <-chan struct{} { return s.wake }

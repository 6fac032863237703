package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// The hash uses and seals of what TLS reports are made of.
const (
	sealedTLSDomain = "tls-domain"
	sealedTLSResult = "tls-result"
	sealedRecipient = "recipient"
)

// TLSResult is how connections to a domain's servers went on one day.
type TLSResult struct {
	Domain string
	Detail string // what happened, as package tlsrpt writes it; each differs
	Count  int64
}

// TLSDay is one domain on one day of UTC.
type TLSDay struct {
	Day  time.Time // its first moment
	hash []byte    // of the domain
}

// Key is the same for all days of a domain, and does not tell which it is.
func (d TLSDay) Key() string { return string(d.hash) }

// utcDay is the first moment of t's day.
func utcDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// CountTLS adds to what is counted of the day of at. What comes after that
// day's report of the domain was made is dropped. The domains of real addresses
// are found by keyed hash, and what names them is sealed.
func (s *Store) CountTLS(ctx context.Context, at time.Time, results []TLSResult) error {
	type row struct {
		domain, hash, sealed []byte
		count                int64
	}
	day, k := millis(utcDay(at)), s.o.Keyring
	rows := make([]row, len(results))
	for i, r := range results {
		rows[i] = row{k.Hash(sealedTLSDomain, r.Domain), k.Hash(sealedTLSResult, r.Domain, r.Detail), k.Seal(sealedTLSResult, r.Domain+"\n"+r.Detail), r.Count}
	}
	return s.c.commit(ctx, func(t *tx) error {
		for _, r := range rows {
			_, err := t.exec(`INSERT INTO tls_results (day, domain, hash, sealed, count)
				SELECT ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM tls_reported WHERE day = ? AND domain = ?)
				ON CONFLICT (day, domain, hash) DO UPDATE SET count = count + excluded.count`,
				day, r.domain, r.hash, r.sealed, r.count, day, r.domain)
			if err != nil {
				return fmt.Errorf("count TLS results: %w", err)
			}
		}
		return nil
	})
}

// TLSDays lists domains whose days are over by until and of which no report was
// made, the oldest first, from the one after another on (its zero value: from
// the first).
func (s *Store) TLSDays(ctx context.Context, until time.Time, after TLSDay, limit int) ([]TLSDay, error) {
	var list []TLSDay
	err := s.rows(ctx, `SELECT DISTINCT r.day, r.domain FROM tls_results r WHERE r.day < ? AND (r.day > ? OR r.day = ? AND r.domain > ?)
		AND NOT EXISTS (SELECT 1 FROM tls_reported d WHERE d.day = r.day AND d.domain = r.domain) ORDER BY r.day, r.domain LIMIT ?`,
		[]any{millis(utcDay(until)), millis(after.Day), millis(after.Day), after.hash, limit}, func(r scanner) error {
			var d TLSDay
			var day int64
			err := r.Scan(&day, &d.hash)
			d.Day = fromMillis(day)
			list = append(list, d)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for TLS reports that are due: %w", err)
	}
	return list, nil
}

// TLSResults lists what was counted of a domain on a day, at most limit
// results, those that came most often first.
func (s *Store) TLSResults(ctx context.Context, d TLSDay, limit int) ([]TLSResult, error) {
	var list []TLSResult
	err := s.rows(ctx, "SELECT sealed, count FROM tls_results WHERE day = ? AND domain = ? ORDER BY count DESC, hash LIMIT ?", []any{millis(d.Day), d.hash, limit}, func(r scanner) error {
		var sealed []byte
		var x TLSResult
		if err := r.Scan(&sealed, &x.Count); err != nil {
			return err
		}
		text, err := s.o.Keyring.Open(sealedTLSResult, sealed)
		if err != nil {
			return err
		}
		x.Domain, x.Detail, _ = strings.Cut(text, "\n")
		list = append(list, x)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read TLS results: %w", err)
	}
	return list, nil
}

// TLSReport is a report to one of the places where a domain wants it.
type TLSReport struct {
	Recipient string         // an address, or an https URL
	Header    []byte         // of mail
	Body      threading.Body // written by NewBody
}

// FileTLSReport notes that a domain's report of a day was made, forgets what it
// was made of, and queues it, in one transaction: it is sent once whatever
// crashes, and whoever else makes one. Without reports nobody wants it.
// ErrExists: another process was faster.
func (s *Store) FileTLSReport(ctx context.Context, d TLSDay, reports []TLSReport) error {
	type row struct {
		id        threading.ID
		recipient []byte
		header    []byte
		body      bodyRow
	}
	now := millis(s.o.Now())
	rows := make([]row, len(reports))
	for i, r := range reports {
		rows[i] = row{s.o.IDs.Next(), s.o.Keyring.Seal(sealedRecipient, r.Recipient), r.Header, newBodyRow(r.Body)}
	}
	return s.c.commit(ctx, func(t *tx) error {
		n, err := t.exec("INSERT INTO tls_reported (day, domain) VALUES (?, ?) ON CONFLICT DO NOTHING", millis(d.Day), d.hash)
		if err == nil && n == 0 {
			err = ErrExists
		}
		if err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM tls_results WHERE day = ? AND domain = ?", millis(d.Day), d.hash); err != nil {
			return err
		}
		for _, r := range rows {
			if err := t.addBody(r.body); err != nil {
				return err
			}
			t.queued = true
			_, err := t.exec("INSERT INTO queue (id, kind, member_id, item_id, thread_id, header, body_id, attempts, created_at, due_at, leased_till, last_error, recipient) VALUES (?, ?, 0, 0, 0, ?, ?, 0, ?, ?, 0, '', ?)",
				r.id, QueueTLSReport, r.header, r.body.id, now, now, r.recipient)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Recipient is where a row goes that has a recipient of its own.
func (s *Store) Recipient(d Delivery) (string, error) {
	to, err := s.o.Keyring.Open(sealedRecipient, d.recipient)
	if err != nil {
		return "", fmt.Errorf("read the recipient: %w", err)
	}
	return to, nil
}

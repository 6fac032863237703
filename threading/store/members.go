package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

const memberColumns = "m.id, COALESCE(m.handle, ''), m.name, m.status, m.alerts, m.digest_at, m.timezone, m.created_at, m.first_contact, m.language"

func scanMember(r scanner, more ...any) (threading.Member, error) {
	var m threading.Member
	var created int64
	err := r.Scan(append([]any{&m.ID, &m.Handle, &m.Name, &m.Status, &m.Alerts, &m.DigestAt, &m.Timezone, &created, &m.FirstContact, &m.Language}, more...)...)
	m.CreatedAt = fromMillis(created)
	return m, err
}

// AddMember creates a member with its standard mailboxes. addresses are real
// addresses, the first is the primary one. ID and CreatedAt are set here; what
// else is empty gets its default (active, immediate, 08:00, UTC). ErrExists,
// wrapped, says what is taken; no error repeats an address.
func (s *Store) AddMember(ctx context.Context, m threading.Member, addresses []string) (threading.Member, error) {
	r, err := s.newMemberRow(m, addresses)
	if err != nil {
		return m, err
	}
	if err := s.c.commit(ctx, func(t *tx) error { return t.addMember(&r) }); err != nil {
		return r.Member, fmt.Errorf("add the member: %w", err)
	}
	return r.Member, nil
}

// looksLike returns ErrExists, wrapped, if the handle can be taken for that of
// another member.
func (t *tx) looksLike(handle, skeleton string) error {
	var other string
	err := t.row("SELECT handle FROM members WHERE skeleton = ? AND handle <> ? LIMIT 1", []any{skeleton, handle}, &other)
	if errors.Is(err, ErrNotFound) || t.c.lookAlikes {
		return nil
	} else if err != nil {
		return fmt.Errorf("look for handles like it: %w", err)
	}
	return fmt.Errorf("the handle %s can be taken for %s, another member's: %w", handle, other, ErrExists)
}

// Member returns the member with that ID, removed ones too. ErrNotFound.
func (s *Store) Member(ctx context.Context, id threading.ID) (threading.Member, error) {
	return scanOne(scanMember(s.queryRow(ctx, "SELECT "+memberColumns+" FROM members m WHERE m.id = ?", id)))
}

// MemberByHandle returns the member with that handle. ErrNotFound.
func (s *Store) MemberByHandle(ctx context.Context, handle string) (threading.Member, error) {
	return scanOne(scanMember(s.queryRow(ctx, "SELECT "+memberColumns+" FROM members m WHERE m.handle = ?", handle)))
}

// MemberByAddress returns the member with that real address, in any spelling
// that threading.Canonical brings together. ErrNotFound.
func (s *Store) MemberByAddress(ctx context.Context, addr string) (threading.Member, error) {
	canonical, err := threading.Canonical(addr)
	if err != nil {
		return threading.Member{}, ErrNotFound
	}
	return scanOne(scanMember(s.queryRow(ctx,
		"SELECT "+memberColumns+" FROM addresses a JOIN members m ON m.id = a.member_id WHERE a.hash = ?", s.addressHash(canonical))))
}

// MemberByAddressID returns the member whose address has that ID. ErrNotFound.
func (s *Store) MemberByAddressID(ctx context.Context, id threading.ID) (threading.Member, error) {
	return scanOne(scanMember(s.queryRow(ctx, "SELECT "+memberColumns+" FROM addresses a JOIN members m ON m.id = a.member_id WHERE a.id = ?", id)))
}

// Members lists members that are not removed by handle, after the given one, at
// most limit.
func (s *Store) Members(ctx context.Context, after string, limit int) ([]threading.Member, error) {
	var list []threading.Member
	err := s.rows(ctx, "SELECT "+memberColumns+" FROM members m WHERE m.handle > ? ORDER BY m.handle LIMIT ?", []any{after, limit}, func(r scanner) error {
		m, err := scanMember(r)
		list = append(list, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the members: %w", err)
	}
	return list, nil
}

// ChangeMember changes Name, Status, Alerts, DigestAt, Timezone, FirstContact
// and Language as f says, which sees the member as they are within the same transaction. f may run more than
// once; an error of its own ends it all. ErrNotFound.
func (s *Store) ChangeMember(ctx context.Context, handle string, f func(*threading.Member) error) (threading.Member, error) {
	var m threading.Member
	now := s.o.Now()
	err := s.c.commit(ctx, func(t *tx) (err error) {
		if m, err = scanOne(scanMember(txRow{t, "SELECT " + memberColumns + " FROM members m WHERE m.handle = ?", []any{handle}})); err != nil {
			return err
		}
		if err := f(&m); err != nil {
			return err
		}
		if err := threading.CheckName(m.Name); err != nil {
			return fmt.Errorf("the name %w", err)
		}
		return t.setMember(m, now)
	})
	return m, err
}

func (t *tx) setMember(m threading.Member, now time.Time) error {
	plan, err := t.digestPlan(m.ID)
	if err != nil {
		return err
	}
	if err := changed(t.exec("UPDATE members SET name = ?, status = ?, alerts = ?, digest_at = ?, timezone = ?, first_contact = ?, language = ? WHERE id = ? AND handle IS NOT NULL",
		m.Name, m.Status, m.Alerts, m.DigestAt, m.Timezone, cmp.Or(m.FirstContact, threading.FirstContactAnyone), m.Language, m.ID)); err != nil {
		return err
	}
	if m.Alerts == threading.AlertsNever && plan.Alerts != m.Alerts {
		if err := t.endThreadAlerts(m.ID, now); err != nil {
			return err
		}
	}
	return t.replan(m.ID, plan, now)
}

// present returns ErrNotFound if the member was removed: nothing of theirs may
// be written after what they had was erased.
func (t *tx) present(member threading.ID) error {
	return t.row("SELECT 1 FROM members WHERE id = ? AND handle IS NOT NULL", []any{member}, new(int))
}

// SetCredential replaces the credential of that kind and label. ErrNotFound if
// the member was removed.
func (s *Store) SetCredential(ctx context.Context, c threading.Credential) error {
	id := s.o.IDs.Next()
	return s.c.commit(ctx, func(t *tx) error {
		if err := t.present(c.MemberID); err != nil {
			return err
		}
		return t.setCredential(id, c, millis(s.o.Now()))
	})
}

func (t *tx) setCredential(id threading.ID, c threading.Credential, now int64) error {
	_, err := t.exec(`INSERT INTO credentials (id, member_id, kind, label, verifier, created_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, 0)
		ON CONFLICT (member_id, kind, label) DO UPDATE SET verifier = excluded.verifier, created_at = excluded.created_at, last_used_at = 0`,
		id, c.MemberID, c.Kind, c.Label, c.Verifier, now)
	return err
}

// MaxAppPasswords is how many app passwords a member has at most.
const MaxAppPasswords = 20

// AddAppPassword adds an app password. ErrExists if there is one with that
// label, ErrLimit if there are too many, ErrNotFound if the member was removed.
func (s *Store) AddAppPassword(ctx context.Context, member threading.ID, label, verifier string) error {
	if err := threading.CheckName(label); err != nil {
		return fmt.Errorf("the label %w", err)
	}
	id := s.o.IDs.Next()
	return s.c.commit(ctx, func(t *tx) error {
		if err := t.present(member); err != nil {
			return err
		}
		var n int
		if err := t.row("SELECT COUNT(*) FROM credentials WHERE member_id = ? AND kind = ?", []any{member, threading.CredentialApp}, &n); err != nil {
			return err
		}
		if n >= MaxAppPasswords {
			return fmt.Errorf("app passwords: %w", ErrLimit)
		}
		_, err := t.exec("INSERT INTO credentials (id, member_id, kind, label, verifier, created_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, 0)",
			id, member, threading.CredentialApp, label, verifier, millis(s.o.Now()))
		if isUnique(err) {
			return fmt.Errorf("an app password with this label: %w", ErrExists)
		}
		return err
	})
}

// RemoveAppPassword removes an app password. ErrNotFound.
func (s *Store) RemoveAppPassword(ctx context.Context, member, id threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error {
		return changed(t.exec("DELETE FROM credentials WHERE member_id = ? AND id = ? AND kind = ?", member, id, threading.CredentialApp))
	})
}

// Credentials lists a member's credentials.
func (s *Store) Credentials(ctx context.Context, memberID threading.ID) ([]threading.Credential, error) {
	var list []threading.Credential
	err := s.rows(ctx, "SELECT id, member_id, kind, label, verifier, created_at, last_used_at FROM credentials WHERE member_id = ? ORDER BY id", []any{memberID}, func(r scanner) error {
		var c threading.Credential
		var created, used int64
		err := r.Scan(&c.ID, &c.MemberID, &c.Kind, &c.Label, &c.Verifier, &created, &used)
		c.CreatedAt, c.LastUsedAt = fromMillis(created), fromMillis(used)
		list = append(list, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the credentials: %w", err)
	}
	return list, nil
}

// TouchCredential notes that a credential was used, at most once an hour.
func (s *Store) TouchCredential(ctx context.Context, c threading.Credential) error {
	now := s.o.Now()
	if now.Sub(c.LastUsedAt) < time.Hour {
		return nil
	}
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE credentials SET last_used_at = ? WHERE id = ?", millis(now), c.ID)
		return err
	})
}

// scanOne turns "no rows" into ErrNotFound.
func scanOne[T any](v T, err error) (T, error) {
	if isNoRows(err) {
		err = ErrNotFound
	}
	return v, err
}

// changed turns "no row changed" into ErrNotFound.
func changed(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

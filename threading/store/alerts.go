package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// told says how a member m is told of a thread, whose ID it takes twice: as
// the thread's own setting says, else as the member's. What is muted is not told.
const told = `CASE WHEN EXISTS (SELECT 1 FROM mutes u WHERE u.member_id = m.id AND u.thread_id = ?) THEN 'never'
	ELSE COALESCE((SELECT NULLIF(a.alerts, '') FROM thread_alerts a WHERE a.member_id = m.id AND a.thread_id = ?), m.alerts) END`

// fromBlocked: the writer of an item of a member m's is blocked by now.
const fromBlocked = `EXISTS (SELECT 1 FROM items i JOIN messages g ON g.thread_id = i.thread_id AND g.id = i.message_id
	JOIN blocks k ON k.member_id = i.member_id AND k.other_id = g.writer_id WHERE i.member_id = m.id AND i.id = ?)`

// AlertsFor returns how a member is told of an item in a thread: never, if they
// have blocked its writer meanwhile. ErrNotFound.
func (s *Store) AlertsFor(ctx context.Context, member, thread, item threading.ID) (threading.Alerts, error) {
	var alerts threading.Alerts
	err := s.row(ctx, "SELECT CASE WHEN "+fromBlocked+" THEN 'never' ELSE "+told+" END FROM members m WHERE m.id = ?", []any{item, thread, thread, member}, &alerts)
	return alerts, err
}

// ThreadAlerts returns the setting that a member's thread has of its own;
// threading.AlertsUsual if it has none.
func (s *Store) ThreadAlerts(ctx context.Context, member, thread threading.ID) (threading.Alerts, error) {
	var muted bool
	if err := s.row(ctx, "SELECT EXISTS (SELECT 1 FROM mutes WHERE member_id = ? AND thread_id = ?)", []any{member, thread}, &muted); err != nil {
		return "", fmt.Errorf("read the thread's alerts: %w", err)
	}
	if muted {
		return threading.AlertsNever, nil
	}
	alerts := threading.AlertsUsual
	err := s.row(ctx, "SELECT alerts FROM thread_alerts WHERE member_id = ? AND thread_id = ?", []any{member, thread}, &alerts)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("read the thread's alerts: %w", err)
	}
	return alerts, nil
}

// Told reports whether a member is told of any thread at all.
func (s *Store) Told(ctx context.Context, member threading.ID) (bool, error) {
	var told bool
	err := s.row(ctx, "SELECT m.alerts <> ? OR EXISTS (SELECT 1 FROM thread_alerts a WHERE a.member_id = m.id AND a.alerts <> '') FROM members m WHERE m.id = ?", []any{threading.AlertsNever, member}, &told)
	if err != nil {
		err = fmt.Errorf("read the alerts: %w", err)
	}
	return told, err
}

// maxThreadAlerts bounds what AlertsOfThreads returns.
const maxThreadAlerts = 10000

// AlertsOfThreads returns the settings of those of a member's threads that have
// one of their own, by thread: the newest, if there are very many.
func (s *Store) AlertsOfThreads(ctx context.Context, member threading.ID) (map[threading.ID]threading.Alerts, error) {
	own := map[threading.ID]threading.Alerts{}
	err := s.rows(ctx, `SELECT thread_id, alerts FROM thread_alerts WHERE member_id = ? AND alerts <> '' AND thread_id NOT IN (SELECT thread_id FROM mutes WHERE member_id = ?)
		UNION ALL SELECT thread_id, 'never' FROM mutes WHERE member_id = ? ORDER BY thread_id DESC LIMIT ?`, []any{member, member, member, maxThreadAlerts}, func(r scanner) error {
		var thread threading.ID
		var alerts threading.Alerts
		err := r.Scan(&thread, &alerts)
		own[thread] = alerts
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the alerts of threads: %w", err)
	}
	return own, nil
}

// SetThreadAlerts changes how one of a thread's participants is told of it;
// threading.AlertsUsual: as of all threads. ErrNotFound if the member takes no
// part in it.
func (s *Store) SetThreadAlerts(ctx context.Context, member, thread threading.ID, alerts threading.Alerts) error {
	now := s.o.Now()
	return s.c.commit(ctx, func(t *tx) error {
		plan, err := t.digestPlan(member)
		if err != nil {
			return err
		}
		if err := t.row("SELECT 1 FROM participants WHERE thread_id = ? AND member_id = ?", []any{thread, member}, new(int)); err != nil {
			return err
		}
		own := alerts
		if alerts == threading.AlertsNever {
			own = threading.AlertsUsual
			_, err = t.exec("INSERT INTO mutes (member_id, thread_id, created_at) VALUES (?, ?, ?) ON CONFLICT (member_id, thread_id) DO UPDATE SET junk = 0", member, thread, millis(now))
		} else {
			_, err = t.exec("DELETE FROM mutes WHERE member_id = ? AND thread_id = ?", member, thread)
		}
		if err != nil {
			return fmt.Errorf("mute the thread: %w", err)
		}
		if own != threading.AlertsUsual {
			_, err = t.exec(`INSERT INTO thread_alerts (member_id, thread_id, alerts, from_id) VALUES (?, ?, ?, ?)
				ON CONFLICT (member_id, thread_id) DO UPDATE SET alerts = excluded.alerts, from_id = excluded.from_id WHERE thread_alerts.alerts <> excluded.alerts`,
				member, thread, own, threading.IDAt(now))
		} else {
			_, err = t.exec("UPDATE thread_alerts SET alerts = ?, from_id = ? WHERE member_id = ? AND thread_id = ? AND alerts <> ?", own, threading.IDAt(now), member, thread, own)
		}
		if err != nil {
			return fmt.Errorf("change the thread's alerts: %w", err)
		}
		return t.replan(member, plan, now)
	})
}

// SetAlerts changes when a member is told of messages, and nothing else. Who
// is to be told of none any more is told of none: the settings of single threads
// end. ErrNotFound.
func (s *Store) SetAlerts(ctx context.Context, id threading.ID, alerts threading.Alerts) error {
	now := s.o.Now()
	return s.c.commit(ctx, func(t *tx) error {
		plan, err := t.digestPlan(id)
		if err != nil {
			return err
		}
		if err := changed(t.exec("UPDATE members SET alerts = ? WHERE id = ? AND handle IS NOT NULL", alerts, id)); err != nil {
			return err
		}
		if alerts == threading.AlertsNever {
			if err := t.endThreadAlerts(id, now); err != nil {
				return err
			}
		}
		return t.replan(id, plan, now)
	})
}

// endThreadAlerts ends the settings of single threads.
func (t *tx) endThreadAlerts(member threading.ID, now time.Time) error {
	_, err := t.exec("UPDATE thread_alerts SET alerts = ?, from_id = ? WHERE member_id = ? AND alerts <> ?", threading.AlertsUsual, threading.IDAt(now), member, threading.AlertsUsual)
	return err
}

// Read reports whether a member has seen an item in a mail client, or deleted it.
func (s *Store) Read(ctx context.Context, member, item threading.ID) (bool, error) {
	var read bool
	err := s.row(ctx, "SELECT NOT EXISTS (SELECT 1 FROM entries WHERE member_id = ? AND item_id = ? AND flags & ? = 0)", []any{member, item, threading.FlagSeen}, &read)
	if err != nil {
		err = fmt.Errorf("look whether a message was read: %w", err)
	}
	return read, err
}

// digestPlan is what decides when a member's next digest is due.
type digestPlan struct {
	threading.Member // as far as a digest is concerned
	threads          bool
	last             int64
}

// wants reports whether any thread of the member's is told once a day.
func (p digestPlan) wants() bool { return p.Alerts == threading.AlertsDaily || p.threads }

// digestPlan reads the plan of a member who was not removed. ErrNotFound.
func (t *tx) digestPlan(member threading.ID) (digestPlan, error) {
	var p digestPlan
	err := t.row("SELECT alerts, digest_at, timezone, digest_last, EXISTS (SELECT 1 FROM thread_alerts a WHERE a.member_id = members.id AND a.alerts = ?) FROM members WHERE id = ? AND handle IS NOT NULL",
		[]any{threading.AlertsDaily, member}, &p.Alerts, &p.DigestAt, &p.Timezone, &p.last, &p.threads)
	return p, err
}

// replan sets when the member's next digest is due, if what that depends on
// has changed. Who begins to want one was told of everything so far.
func (t *tx) replan(member threading.ID, was digestPlan, now time.Time) error {
	is, err := t.digestPlan(member)
	if err != nil {
		return err
	}
	if is.Alerts != was.Alerts {
		if _, err := t.exec("UPDATE members SET alerts_from = ? WHERE id = ?", threading.IDAt(now), member); err != nil {
			return err
		}
	}
	if is.wants() == was.wants() && is.DigestAt == was.DigestAt && is.Timezone == was.Timezone {
		return nil
	}
	if !was.wants() {
		if _, err := t.exec("UPDATE members SET digest_since = ? WHERE id = ?", millis(now), member); err != nil {
			return err
		}
	}
	var due, last time.Time
	if is.last > 0 {
		last = fromMillis(is.last)
	}
	if is.wants() {
		due = is.DigestAfter(now, last)
	}
	_, err = t.exec("UPDATE members SET digest_due = ? WHERE id = ?", digestDue(due), member)
	return err
}

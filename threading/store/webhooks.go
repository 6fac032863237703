package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// MaxWebhooks is how many webhooks there are at most.
const MaxWebhooks = 20

// keepDead is how long an event that was given up is kept.
const keepDead = 30 * 24 * time.Hour

const sealedSecret = "webhook" // the sealing context of webhooks' secrets

// AddWebhook adds a webhook; ID and CreatedAt are set here. ErrLimit.
func (s *Store) AddWebhook(ctx context.Context, w threading.Webhook) (threading.Webhook, error) {
	w.ID, w.CreatedAt = s.o.IDs.Next(), s.o.Now().UTC().Truncate(time.Millisecond)
	sealed := s.o.Keyring.Seal(sealedSecret, string(w.Secret))
	err := s.c.commit(ctx, func(t *tx) error {
		var n int
		if err := t.row("SELECT COUNT(*) FROM webhooks", nil, &n); err != nil {
			return err
		}
		if n >= MaxWebhooks {
			return fmt.Errorf("webhooks: %w", ErrLimit)
		}
		t.emitted = true
		_, err := t.exec("INSERT INTO webhooks (id, url, events, secret, created_at) VALUES (?, ?, ?, ?, ?)", w.ID, w.URL, w.Events, sealed, millis(w.CreatedAt))
		return err
	})
	return w, err
}

// Webhooks lists the webhooks, the oldest first.
func (s *Store) Webhooks(ctx context.Context) ([]threading.Webhook, error) {
	var list []threading.Webhook
	err := s.rows(ctx, "SELECT id, url, events, secret, created_at FROM webhooks ORDER BY id", nil, func(r scanner) error {
		var w threading.Webhook
		var sealed []byte
		var created int64
		if err := r.Scan(&w.ID, &w.URL, &w.Events, &sealed, &created); err != nil {
			return err
		}
		secret, err := s.o.Keyring.Open(sealedSecret, sealed)
		w.Secret, w.CreatedAt = []byte(secret), fromMillis(created)
		list = append(list, w)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the webhooks: %w", err)
	}
	return list, nil
}

// Webhook returns a webhook. ErrNotFound.
func (s *Store) Webhook(ctx context.Context, id threading.ID) (threading.Webhook, error) {
	list, err := s.Webhooks(ctx)
	for _, w := range list {
		if w.ID == id {
			return w, nil
		}
	}
	if err == nil {
		err = ErrNotFound
	}
	return threading.Webhook{}, err
}

// RemoveWebhook removes a webhook with what it was still to be told. ErrNotFound.
func (s *Store) RemoveWebhook(ctx context.Context, id threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error {
		if err := changed(t.exec("DELETE FROM webhooks WHERE id = ?", id)); err != nil {
			return err
		}
		t.emitted = true
		_, err := t.exec("DELETE FROM webhook_events WHERE webhook_id = ?", id)
		return err
	})
}

// emit has every webhook that wants to told of an event, in the transaction that
// makes it. Events of one thread, and those of one member that belong to none,
// are in a lane: in it, IDs are in the order of the commits.
func (t *tx) emit(e threading.WebhookEvent, now int64) error {
	lane := e.ThreadID
	if lane == 0 {
		lane = e.MemberID
	}
	n, err := t.exec(`INSERT INTO webhook_events (webhook_id, id, lane, kind, member_id, other_id, thread_id, ref_id, detail, attempts, created_at, due_at, lease, dead_at, last_error)
		SELECT w.id, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, CASE WHEN EXISTS (SELECT 1 FROM webhook_events p WHERE p.webhook_id = w.id AND p.lane = ? AND p.dead_at = 0) THEN 0 ELSE ? END, 0, 0, ''
		FROM webhooks w WHERE w.events & ? <> 0`,
		t.c.ids.Next(), lane, e.Kind, e.MemberID, e.OtherID, e.ThreadID, e.RefID, e.Detail, now, lane, now, e.Kind)
	if err != nil {
		return fmt.Errorf("note the event for webhooks: %w", err)
	}
	t.emitted = t.emitted || n > 0
	return nil
}

const webhookEventColumns = "webhook_id, id, kind, member_id, other_id, thread_id, ref_id, detail, attempts, created_at, due_at, dead_at, last_error, lease"

func scanWebhookEvent(r scanner) (threading.WebhookEvent, error) {
	var e threading.WebhookEvent
	var created, due, dead int64
	err := r.Scan(&e.WebhookID, &e.ID, &e.Kind, &e.MemberID, &e.OtherID, &e.ThreadID, &e.RefID, &e.Detail, &e.Attempts, &created, &due, &dead, &e.LastError, &e.Lease)
	e.CreatedAt, e.DueAt, e.DeadAt = fromMillis(created), fromMillis(due), fromMillis(dead)
	return e, err
}

// LeaseWebhookEvents takes up to n events that are due for a webhook, for the
// given time: after it they are due again. Of each lane it is the first one.
func (s *Store) LeaseWebhookEvents(ctx context.Context, webhook threading.ID, n int, lease time.Duration) ([]threading.WebhookEvent, error) {
	now := s.o.Now()
	if due, err := s.NextWebhookEvent(ctx, webhook); err != nil || due.IsZero() || due.After(now) {
		return nil, err // looking needs no commit
	}
	var list []threading.WebhookEvent
	owner := s.o.IDs.Next()
	err := s.c.commit(ctx, func(t *tx) error {
		list = nil
		err := t.rows("SELECT "+webhookEventColumns+" FROM webhook_events WHERE webhook_id = ? AND due_at > 0 AND due_at <= ? ORDER BY due_at, id LIMIT ?", []any{webhook, millis(now), n}, func(r scanner) error {
			e, err := scanWebhookEvent(r)
			e.Attempts++
			e.Lease = owner
			list = append(list, e)
			return err
		})
		for _, e := range list {
			if err != nil {
				return err
			}
			_, err = t.exec("UPDATE webhook_events SET due_at = ?, lease = ?, attempts = attempts + 1 WHERE webhook_id = ? AND id = ?", millis(now.Add(lease)), owner, e.WebhookID, e.ID)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lease events for a webhook: %w", err)
	}
	return list, nil
}

// NextWebhookEvent returns when the next event is due for a webhook; zero: none
// waits.
func (s *Store) NextWebhookEvent(ctx context.Context, webhook threading.ID) (time.Time, error) {
	var due int64
	if err := s.row(ctx, "SELECT COALESCE(MIN(due_at), 0) FROM webhook_events WHERE webhook_id = ? AND due_at > 0", []any{webhook}, &due); err != nil {
		return time.Time{}, fmt.Errorf("look for events: %w", err)
	}
	return fromMillis(due), nil
}

// WebhookEventDone removes an event that was delivered; the next one of its lane
// is due.
func (s *Store) WebhookEventDone(ctx context.Context, e threading.WebhookEvent) error {
	return s.settleWebhookEvent(ctx, e, func(t *tx) error {
		_, err := t.exec("DELETE FROM webhook_events WHERE webhook_id = ? AND id = ?", e.WebhookID, e.ID)
		return err
	})
}

// WebhookEventDead gives an event up. It is kept for a month, and the next one of
// its lane is due.
func (s *Store) WebhookEventDead(ctx context.Context, e threading.WebhookEvent, reason string) error {
	now := millis(s.o.Now())
	return s.settleWebhookEvent(ctx, e, func(t *tx) error {
		_, err := t.exec("UPDATE webhook_events SET due_at = 0, lease = 0, dead_at = ?, last_error = ? WHERE webhook_id = ? AND id = ?", now, reason, e.WebhookID, e.ID)
		return err
	})
}

func (s *Store) settleWebhookEvent(ctx context.Context, e threading.WebhookEvent, f func(*tx) error) error {
	now := millis(s.o.Now())
	return s.c.commit(ctx, func(t *tx) error {
		var lane threading.ID
		if err := t.row("SELECT lane FROM webhook_events WHERE webhook_id = ? AND id = ? AND lease = ?", []any{e.WebhookID, e.ID, e.Lease}, &lane); err == ErrNotFound {
			return nil // another has it by now, or the webhook was removed
		} else if err != nil {
			return err
		}
		if err := f(t); err != nil {
			return err
		}
		t.emitted = true
		_, err := t.exec("UPDATE webhook_events SET due_at = ? WHERE webhook_id = ? AND due_at = 0 AND id = (SELECT MIN(id) FROM webhook_events WHERE webhook_id = ? AND lane = ? AND dead_at = 0)", now, e.WebhookID, e.WebhookID, lane)
		return err
	})
}

// RetryWebhookEvent has an event that was leased tried again at a time.
func (s *Store) RetryWebhookEvent(ctx context.Context, e threading.WebhookEvent, due time.Time, reason string) error {
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE webhook_events SET due_at = ?, lease = 0, last_error = ? WHERE webhook_id = ? AND id = ? AND lease = ?", millis(due), reason, e.WebhookID, e.ID, e.Lease)
		return err
	})
}

// ReviveWebhookEvents has events that were given up told again: one, or all of
// a webhook's (zero). They are in their places in their lanes again, of which
// only the first is due. It says how many.
func (s *Store) ReviveWebhookEvents(ctx context.Context, webhook, event threading.ID) (int, error) {
	var n int64
	now := millis(s.o.Now())
	err := s.c.commit(ctx, func(t *tx) (err error) {
		t.emitted = true
		if n, err = t.exec("UPDATE webhook_events SET due_at = 0, created_at = ?, dead_at = 0, attempts = 0 WHERE webhook_id = ? AND dead_at > 0 AND ? IN (0, id)", now, webhook, event); err != nil {
			return err
		}
		// What is leased is on its way: the lane waits for it.
		const first = "(SELECT MIN(f.id) FROM webhook_events f WHERE f.webhook_id = e.webhook_id AND f.lane = e.lane AND f.dead_at = 0)"
		if _, err = t.exec("UPDATE webhook_events AS e SET due_at = 0 WHERE webhook_id = ? AND dead_at = 0 AND due_at > 0 AND lease = 0 AND id <> "+first, webhook); err != nil {
			return err
		}
		_, err = t.exec(`UPDATE webhook_events AS e SET due_at = ? WHERE webhook_id = ? AND dead_at = 0 AND due_at = 0 AND id = `+first+`
			AND NOT EXISTS (SELECT 1 FROM webhook_events l WHERE l.webhook_id = e.webhook_id AND l.lane = e.lane AND l.lease <> 0)`, now, webhook)
		return err
	})
	return int(n), err
}

// WebhookEvents lists what a webhook is still to be told, or with dead what was
// given up, the oldest first, after the given one, at most limit.
func (s *Store) WebhookEvents(ctx context.Context, webhook threading.ID, dead bool, after threading.ID, limit int) ([]threading.WebhookEvent, error) {
	var list []threading.WebhookEvent
	err := s.rows(ctx, "SELECT "+webhookEventColumns+" FROM webhook_events WHERE webhook_id = ? AND (dead_at > 0) = ? AND id > ? ORDER BY id LIMIT ?", []any{webhook, dead, after, limit}, func(r scanner) error {
		e, err := scanWebhookEvent(r)
		list = append(list, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list a webhook's events: %w", err)
	}
	return list, nil
}

// WebhookState is all webhooks' events at one moment.
type WebhookState struct {
	Waiting int
	Oldest  time.Time // when the oldest that waits was made; zero: none waits
	Dead    int
}

// WebhookState counts the events. It reads all of them.
func (s *Store) WebhookState(ctx context.Context) (WebhookState, error) {
	var w WebhookState
	var oldest int64
	err := s.row(ctx, "SELECT COUNT(*), COALESCE(MIN(created_at), 0), (SELECT COUNT(*) FROM webhook_events WHERE dead_at > 0) FROM webhook_events WHERE dead_at = 0", nil, &w.Waiting, &oldest, &w.Dead)
	w.Oldest = fromMillis(oldest)
	if err != nil {
		err = fmt.Errorf("count the webhooks' events: %w", err)
	}
	return w, err
}

// WebhookWake receives when there are new events, or webhooks changed; notices
// coalesce.
func (s *Store) WebhookWake() <-chan struct{} { return s.hooks }

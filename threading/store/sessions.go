package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// How long a session on the web lasts: unused, and in all; how often its use
// is noted; how many a member has (the oldest ends).
const (
	SessionIdle   = 14 * 24 * time.Hour
	SessionFor    = 90 * 24 * time.Hour
	sessionNoted  = time.Hour
	maxSessions   = 50
	maxAgent      = 200 // octets of Session.Agent
	SignInLinkFor = 15 * time.Minute
	// So many sign-in links of one member work at a time: that one requester asked
	// for, and that all did.
	maxLinks    = 3
	maxAllLinks = 10
)

const sealedSession = "session" // the hash use of cookies

// Session is a browser in which a member is signed in.
type Session struct {
	ID        threading.ID
	MemberID  threading.ID
	Agent     string
	CreatedAt time.Time
	SeenAt    time.Time // to the hour
}

func (s *Store) sessionHash(cookie string) []byte { return s.o.Keyring.Hash(sealedSession, cookie) }

// NewSession signs a member in and returns the cookie's value, which is not
// kept: 130 random bits. ErrNotFound if the member was removed.
func (s *Store) NewSession(ctx context.Context, member threading.ID, agent string) (cookie string, err error) {
	cookie = rand.Text()
	id, now := s.o.IDs.Next(), s.o.Now()
	if len(agent) > maxAgent {
		agent = strings.ToValidUTF8(agent[:maxAgent], "") // not half a character
	}
	err = s.c.commit(ctx, func(t *tx) error {
		if err := t.present(member); err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO sessions (hash, id, member_id, agent, created_at, seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			s.sessionHash(cookie), id, member, agent, millis(now), millis(now), millis(now.Add(SessionIdle))); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM sessions WHERE member_id = ? AND hash NOT IN (SELECT hash FROM sessions WHERE member_id = ? ORDER BY created_at DESC LIMIT ?)", member, member, maxSessions)
		return err
	})
	return cookie, err
}

// Session returns the session of a cookie, and prolongs it. ErrNotFound.
func (s *Store) Session(ctx context.Context, cookie string) (Session, error) {
	var x Session
	var created, seen, expires int64
	hash, now := s.sessionHash(cookie), s.o.Now()
	err := s.row(ctx, "SELECT id, member_id, agent, created_at, seen_at, expires_at FROM sessions WHERE hash = ?", []any{hash}, &x.ID, &x.MemberID, &x.Agent, &created, &seen, &expires)
	if err != nil {
		return x, err
	}
	x.CreatedAt, x.SeenAt = fromMillis(created), fromMillis(seen)
	if now.After(fromMillis(expires)) {
		return x, ErrNotFound
	}
	if now.Sub(x.SeenAt) < sessionNoted {
		return x, nil
	}
	until := now.Add(SessionIdle)
	if end := x.CreatedAt.Add(SessionFor); until.After(end) {
		until = end
	}
	return x, s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE sessions SET seen_at = ?, expires_at = ? WHERE hash = ?", millis(now), millis(until), hash)
		return err
	})
}

// Sessions lists where a member is signed in, the newest first.
func (s *Store) Sessions(ctx context.Context, member threading.ID) ([]Session, error) {
	var list []Session
	err := s.rows(ctx, "SELECT id, agent, created_at, seen_at FROM sessions WHERE member_id = ? AND expires_at > ? ORDER BY created_at DESC", []any{member, millis(s.o.Now())}, func(r scanner) error {
		x := Session{MemberID: member}
		var created, seen int64
		err := r.Scan(&x.ID, &x.Agent, &created, &seen)
		x.CreatedAt, x.SeenAt = fromMillis(created), fromMillis(seen)
		list = append(list, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	return list, nil
}

// EndSession ends one of a member's sessions; zero: all but keep. Ending what
// has ended is no error.
func (s *Store) EndSession(ctx context.Context, member, id, keep threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM sessions WHERE member_id = ? AND (id = ? OR ? = 0) AND id <> ?", member, id, id, keep)
		return err
	})
}

// ErrTooManyLinks refuses a requester another sign-in link while some still work.
var ErrTooManyLinks = errors.New("links to sign in were mailed already: please look for them, or try again in a quarter of an hour")

// NewSignInLink notes a link that signs the member in once within
// SignInLinkFor, and queues the message that compose makes of it; nil: none.
// requester is who asks, such as a network: each has links of its own. Empty: the
// member, whose are not counted with the others'. ErrTooManyLinks, ErrNotFound.
func (s *Store) NewSignInLink(ctx context.Context, member threading.ID, requester string, compose func(id threading.ID) (Notice, error)) (threading.ID, error) {
	id, now := s.o.IDs.Next(), s.o.Now()
	mail, by := func(*tx) error { return nil }, []byte{}
	if requester != "" {
		by = s.o.Keyring.Hash("requester", requester)
	}
	if compose != nil {
		n, err := compose(id)
		if err != nil {
			return 0, err
		}
		n.MemberID = member
		row := s.newNoticeRow(QueueSignIn, &n)
		mail = func(t *tx) error { return t.addNotice(row) }
	}
	return id, s.c.commit(ctx, func(t *tx) error {
		if err := t.present(member); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM signin_links WHERE member_id = ? AND expires_at <= ?", member, millis(now)); err != nil {
			return err
		}
		var own, all int
		if err := t.row("SELECT COUNT(CASE WHEN requester = ? THEN 1 END), COUNT(CASE WHEN requester <> ? THEN 1 END) FROM signin_links WHERE member_id = ?", []any{by, []byte{}, member}, &own, &all); err != nil {
			return err
		}
		if own >= maxLinks || requester != "" && all >= maxAllLinks {
			return ErrTooManyLinks
		}
		if _, err := t.exec("INSERT INTO signin_links (id, member_id, expires_at, requester) VALUES (?, ?, ?, ?)", id, member, millis(now.Add(SignInLinkFor)), by); err != nil {
			return err
		}
		return mail(t)
	})
}

// SignInLink says whether a link still works. ErrNotFound.
func (s *Store) SignInLink(ctx context.Context, id threading.ID) error {
	return s.row(ctx, "SELECT 1 FROM signin_links WHERE id = ? AND expires_at > ?", []any{id, millis(s.o.Now())}, new(int))
}

// UseSignInLink takes a link and returns whom it signs in. ErrNotFound if it
// was used or its time is over.
func (s *Store) UseSignInLink(ctx context.Context, id threading.ID) (member threading.ID, err error) {
	now := millis(s.o.Now())
	err = s.c.commit(ctx, func(t *tx) error {
		return t.row("DELETE FROM signin_links WHERE id = ? AND expires_at > ? RETURNING member_id", []any{id, now}, &member)
	})
	return member, err
}

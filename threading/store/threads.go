package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
)

const sealedForeign = "foreign-id" // the sealing context of writers' own Message-IDs

// Alias returns a reply alias. ErrNotFound.
func (s *Store) Alias(ctx context.Context, id threading.ID) (threading.Alias, error) {
	a := threading.Alias{ID: id}
	err := s.row(ctx, "SELECT thread_id, viewer_id, other_id FROM aliases WHERE id = ?", []any{id}, &a.ThreadID, &a.ViewerID, &a.OtherID)
	return a, err
}

// Thread returns a thread with its participants, aliases and message chain.
// ErrNotFound.
func (s *Store) Thread(ctx context.Context, id threading.ID) (threading.ThreadView, error) {
	v, err := s.threadHead(ctx, id)
	if err != nil {
		return v, err
	}
	if err := s.threadPeople(ctx, &v); err != nil {
		return v, err
	}
	return v, s.threadChain(ctx, &v)
}

const threadColumns = `t.id, t.subject, t.production_id, t.role_id, t.started_by, t.status, t.created_at, t.last_at,
	COALESCE(p.id, 0), COALESCE(p.slug, ''), COALESCE(p.title, ''), COALESCE(p.owner_id, 0), COALESCE(p.closed_at, 0), COALESCE(r.id, 0), COALESCE(r.slug, ''), COALESCE(r.title, '')
	FROM threads t LEFT JOIN productions p ON p.id = t.production_id LEFT JOIN roles r ON r.id = t.role_id`

// scanThread reads a row of threadColumns, after what more is for.
func scanThread(r scanner, more ...any) (threading.ThreadView, error) {
	var v threading.ThreadView
	var created, last, closed int64
	t := &v.Thread
	err := r.Scan(append(more, &t.ID, &t.Subject, &t.ProductionID, &t.RoleID, &t.StartedBy, &t.Status, &created, &last,
		&v.Production.ID, &v.Production.Slug, &v.Production.Title, &v.Production.OwnerID, &closed, &v.Role.ID, &v.Role.Slug, &v.Role.Title)...)
	t.CreatedAt, t.LastAt = fromMillis(created), fromMillis(last)
	v.Production.ClosedAt = fromMillis(closed)
	v.Role.ProductionID = t.ProductionID
	return v, err
}

func (s *Store) threadHead(ctx context.Context, id threading.ID) (threading.ThreadView, error) {
	return scanOne(scanThread(s.queryRow(ctx, "SELECT "+threadColumns+" WHERE t.id = ?", id)))
}

// threadPeople reads the participants and the aliases.
func (s *Store) threadPeople(ctx context.Context, v *threading.ThreadView) error {
	err := s.rows(ctx, "SELECT "+memberColumns+" FROM participants x JOIN members m ON m.id = x.member_id WHERE x.thread_id = ? ORDER BY m.id", []any{v.Thread.ID}, func(r scanner) error {
		m, err := scanMember(r)
		v.Participants = append(v.Participants, m)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the participants: %w", err)
	}
	err = s.rows(ctx, "SELECT id, viewer_id, other_id FROM aliases WHERE thread_id = ?", []any{v.Thread.ID}, func(r scanner) error {
		a := threading.Alias{ThreadID: v.Thread.ID}
		err := r.Scan(&a.ID, &a.ViewerID, &a.OtherID)
		v.Aliases = append(v.Aliases, a)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the aliases: %w", err)
	}
	return nil
}

// threadChain reads the first message and the last ones.
func (s *Store) threadChain(ctx context.Context, v *threading.ThreadView) error {
	var chain []threading.ChainLink // newest first
	read := func(r scanner) error {
		var c threading.ChainLink
		var sealed []byte
		err := r.Scan(&c.MessageID, &c.WriterID, &sealed, &c.Held)
		if err == nil && len(sealed) > 0 {
			c.ForeignID, err = s.o.Keyring.Open(sealedForeign, sealed)
		}
		chain = append(chain, c)
		return err
	}
	const columns = "SELECT id, writer_id, foreign_id, held FROM messages WHERE thread_id = ? ORDER BY id"
	if err := s.rows(ctx, columns+" DESC LIMIT ?", []any{v.Thread.ID, threading.ChainLen}, read); err != nil {
		return fmt.Errorf("read the thread's messages: %w", err)
	}
	if len(chain) == threading.ChainLen {
		chain = chain[:threading.ChainLen-1]
		if err := s.rows(ctx, columns+" LIMIT 1", []any{v.Thread.ID}, read); err != nil {
			return fmt.Errorf("read the thread's first message: %w", err)
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		v.Chain = append(v.Chain, chain[i])
	}
	return nil
}

// ThreadOf returns the thread that a message of ours belongs to. ErrNotFound.
func (s *Store) ThreadOf(ctx context.Context, messageID threading.ID) (threading.ID, error) {
	var id threading.ID
	err := s.row(ctx, "SELECT thread_id FROM messages WHERE id = ?", []any{messageID}, &id)
	return id, err
}

// WriterOf returns who wrote a message. ErrNotFound.
func (s *Store) WriterOf(ctx context.Context, thread, message threading.ID) (threading.ID, error) {
	var id threading.ID
	err := s.row(ctx, "SELECT writer_id FROM messages WHERE thread_id = ? AND id = ?", []any{thread, message}, &id)
	return id, err
}

// Threads lists threads with their participants, the most recent message
// first, at most limit. It goes on after the given thread, as that was when it
// was listed; zero: from the newest.
func (s *Store) Threads(ctx context.Context, after threading.Thread, limit int) ([]threading.ThreadView, error) {
	end, id := int64(1<<63-1), threading.ID(1<<63-1)
	if after.ID != 0 {
		end, id = millis(after.LastAt), after.ID
	}
	var list []threading.ThreadView
	err := s.rows(ctx, "SELECT "+threadColumns+" WHERE (t.last_at, t.id) < (?, ?) ORDER BY t.last_at DESC, t.id DESC LIMIT ?", []any{end, id, limit}, func(r scanner) error {
		v, err := scanThread(r)
		list = append(list, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the threads: %w", err)
	}
	return list, s.peopleOf(ctx, list)
}

// peopleOf reads the participants and aliases of threads.
func (s *Store) peopleOf(ctx context.Context, list []threading.ThreadView) error {
	for i := range list {
		if err := s.threadPeople(ctx, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// ThreadFilter chooses threads. What is zero does not matter.
type ThreadFilter struct {
	Member threading.ID // who takes part, and has or wrote a message of it
	Status threading.ThreadStatus
	Before threading.ID // older than this thread
	Limit  int
}

// ThreadsByAge lists threads with their participants, the youngest first. Unlike
// in Threads, a new message moves none.
func (s *Store) ThreadsByAge(ctx context.Context, f ThreadFilter) ([]threading.ThreadView, error) {
	if f.Before == 0 {
		f.Before = 1<<63 - 1
	}
	query, args := "SELECT "+threadColumns+" WHERE t.id < ? AND ? IN ('', t.status)", []any{f.Before, f.Status}
	if f.Member != 0 {
		// Of what a blocked member started, who blocked them has nothing.
		query += ` AND t.id IN (SELECT x.thread_id FROM participants x WHERE x.member_id = ?) AND EXISTS (SELECT 1 FROM messages m WHERE m.thread_id = t.id
			AND (m.writer_id = ? OR EXISTS (SELECT 1 FROM items i WHERE i.body_id IN (m.body_id, m.other_body_id) AND i.member_id = ?)))`
		args = append(args, f.Member, f.Member, f.Member)
	}
	var list []threading.ThreadView
	err := s.rows(ctx, query+" ORDER BY t.id DESC LIMIT ?", append(args, f.Limit), func(r scanner) error {
		v, err := scanThread(r)
		list = append(list, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the threads: %w", err)
	}
	return list, s.peopleOf(ctx, list)
}

// CloseThread closes a thread: replies are refused from now on. ErrNotFound.
func (s *Store) CloseThread(ctx context.Context, id threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error {
		return changed(t.exec("UPDATE threads SET status = ? WHERE id = ?", threading.ThreadClosed, id))
	})
}

// RequiresTLS reports whether a writer asked of any message in a thread that it
// goes by verified TLS all the way.
func (s *Store) RequiresTLS(ctx context.Context, threadID threading.ID) (bool, error) {
	err := s.row(ctx, "SELECT 1 FROM messages WHERE thread_id = ? AND tls = ? AND held = 0 LIMIT 1", []any{threadID, threading.TLSRequired}, new(int))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

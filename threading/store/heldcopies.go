package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// HeldLetter is a message that is filed for its writer, and for nobody else
// until the operator has looked at it.
type HeldLetter struct {
	MessageID, ThreadID, WriterID threading.ID
	Reason                        string
	HeldAt                        time.Time
	Copies                        []threading.Item // of each who would get it
}

// holdCopy keeps the copy of a member other than the writer for the operator,
// unless the member has blocked the writer: then it does not come later either.
func (t *tx) holdCopy(f *filingRow, i int, thread threading.ID) (held bool, err error) {
	c, body := &f.Copies[i], f.bodyOf(i)
	if blocked, _, err := t.silenced(c.MemberID, f.Message.WriterID, thread); err != nil || blocked {
		return false, err
	}
	_, err = t.exec("INSERT INTO held_copies (id, member_id, writer_id, thread_id, message_id, reason, header, body_id, body_size, notify, held_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		f.items[i], c.MemberID, f.Message.WriterID, thread, f.Message.ID, f.Hold, c.Header, body.id, body.size, c.Notify, millis(f.Message.FiledAt))
	if err != nil {
		return false, fmt.Errorf("hold a copy: %w", err)
	}
	return true, nil
}

// heldBehind is why a message waits that nothing else was found in.
const heldBehind = "An earlier message of the same writer in this conversation waits."

// holdBehind holds a message of a writer of whom something waits in the
// conversation already: else its reader would get the answer to what they don't
// know, or the same text in a second try.
func (t *tx) holdBehind(f *filingRow) error {
	if f.Hold != "" || f.NewThread != nil {
		return nil
	}
	waits, err := t.waits(f.Message.WriterID, f.Message.ThreadID)
	if waits {
		f.Hold = heldBehind
	}
	return err
}

// waits reports whether anything of a writer's is held in a thread.
func (t *tx) waits(writer, thread threading.ID) (bool, error) {
	err := t.row("SELECT 1 FROM held_copies WHERE writer_id = ? AND thread_id = ? LIMIT 1", []any{writer, thread}, new(int))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

const heldLetterColumns = "id, member_id, writer_id, thread_id, message_id, reason, header, body_id, body_size, notify, held_at"

// heldCopy is a row of held_copies.
type heldCopy struct {
	HeldLetter // without Copies
	item       threading.Item
	notify     bool
}

func scanHeldCopy(r scanner) (heldCopy, error) {
	var c heldCopy
	var at int64
	it := &c.item
	err := r.Scan(&it.ID, &it.MemberID, &c.WriterID, &c.ThreadID, &c.MessageID, &c.Reason, &it.Header, &it.BodyID, &it.BodySize, &c.notify, &at)
	it.ThreadID, it.MessageID, c.HeldAt = c.ThreadID, c.MessageID, fromMillis(at)
	return c, err
}

// HeldLetters lists what is held for the operator, the oldest first.
func (s *Store) HeldLetters(ctx context.Context, limit int) ([]HeldLetter, error) {
	return s.heldLetters(ctx, "message_id IN (SELECT DISTINCT message_id FROM held_copies ORDER BY message_id LIMIT ?)", limit)
}

// HeldLetter returns what is held of one message. ErrNotFound.
func (s *Store) HeldLetter(ctx context.Context, message threading.ID) (HeldLetter, error) {
	list, err := s.heldLetters(ctx, "message_id = ?", message)
	if err != nil {
		return HeldLetter{}, err
	} else if len(list) == 0 {
		return HeldLetter{}, ErrNotFound
	}
	return list[0], nil
}

func (s *Store) heldLetters(ctx context.Context, where string, arg any) ([]HeldLetter, error) {
	var list []HeldLetter
	err := s.rows(ctx, "SELECT "+heldLetterColumns+" FROM held_copies WHERE "+where+" ORDER BY message_id, id", []any{arg}, func(r scanner) error {
		c, err := scanHeldCopy(r)
		if n := len(list); n == 0 || list[n-1].MessageID != c.MessageID {
			list = append(list, c.HeldLetter)
		}
		last := &list[len(list)-1]
		last.Copies = append(last.Copies, c.item)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list what is held for the operator: %w", err)
	}
	return list, nil
}

// HeldState says how many messages are held for the operator, and since when the
// oldest is.
type HeldState struct {
	Messages int
	Oldest   time.Time // zero: none is
}

// HeldState looks at what is held for the operator.
func (s *Store) HeldState(ctx context.Context) (HeldState, error) {
	var h HeldState
	var at int64
	err := s.row(ctx, "SELECT COUNT(DISTINCT message_id), COALESCE(MIN(held_at), 0) FROM held_copies", nil, &h.Messages, &at)
	if h.Messages > 0 {
		h.Oldest = fromMillis(at)
	}
	return h, err
}

// ReleaseLetter files what is held of a message as if it had just come: who has
// blocked the writer meanwhile, or was removed, gets nothing, and notifications
// wait for notifyAfter. What waited only behind it comes with it. ErrNotFound.
func (s *Store) ReleaseLetter(ctx context.Context, message threading.ID, notifyAfter time.Duration) error {
	now := s.o.Now()
	return s.observed("filed", s.c.commit(ctx, func(t *tx) error {
		copies, err := t.takeHeld("message_id = ?", message)
		if err == nil && len(copies) == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		thread, writer := copies[0].ThreadID, copies[0].WriterID
		err = t.row("SELECT 1 FROM held_copies WHERE writer_id = ? AND thread_id = ? AND reason != ? LIMIT 1", []any{writer, thread, heldBehind}, new(int))
		if errors.Is(err, ErrNotFound) {
			var behind []heldCopy
			behind, err = t.takeHeld("writer_id = ? AND thread_id = ?", writer, thread)
			copies = append(copies, behind...)
		}
		if err != nil {
			return err
		}
		for _, c := range copies {
			if err := t.release(c, now, notifyAfter, s.o.IDs.Next); err != nil {
				return err
			}
		}
		_, err = t.exec("UPDATE threads SET last_at = ? WHERE id = ?", millis(now), thread)
		return err
	}))
}

// takeHeld takes copies out of those that are held, by message.
func (t *tx) takeHeld(where string, args ...any) ([]heldCopy, error) {
	var copies []heldCopy
	err := t.rows("DELETE FROM held_copies WHERE "+where+" RETURNING "+heldLetterColumns, args, func(r scanner) error {
		c, err := scanHeldCopy(r)
		copies = append(copies, c)
		return err
	})
	slices.SortStableFunc(copies, func(a, b heldCopy) int { return cmp.Compare(a.MessageID, b.MessageID) })
	return copies, err
}

// release files one copy, as an item that begins now.
func (t *tx) release(c heldCopy, now time.Time, notifyAfter time.Duration, nextID func() threading.ID) error {
	f := &filingRow{
		Filing: threading.Filing{
			Message:     threading.Message{ID: c.MessageID, ThreadID: c.ThreadID, WriterID: c.WriterID, FiledAt: now},
			Copies:      []threading.Copy{{MemberID: c.item.MemberID, Mailbox: threading.UseInbox, Header: c.item.Header, Notify: c.notify}},
			NotifyAfter: notifyAfter,
		},
		body: bodyRow{id: c.item.BodyID, size: c.item.BodySize}, items: []threading.ID{nextID()}, queue: []threading.ID{nextID()},
	}
	if err := t.row("UPDATE messages SET held = 0 WHERE thread_id = ? AND id = ? RETURNING tls", []any{c.ThreadID, c.MessageID}, &f.Message.TLS); err != nil {
		return fmt.Errorf("read a held message: %w", err)
	}
	return t.addCopy(f, 0, c.ThreadID)
}

// DropLetter forgets what is held of a message. Its writer keeps it in Sent.
// ErrNotFound.
func (s *Store) DropLetter(ctx context.Context, message threading.ID) error {
	return s.c.commit(ctx, func(t *tx) error {
		return changed(t.exec("DELETE FROM held_copies WHERE message_id = ?", message))
	})
}

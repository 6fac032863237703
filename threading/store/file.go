package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// ErrSpent refuses a filing under whose Single another was filed.
var ErrSpent = errors.New("another message was filed of what is good for one")

// filingRow is a Filing with everything compressed, sealed and numbered before
// the committer gets it.
type filingRow struct {
	threading.Filing
	body    bodyRow
	other   bodyRow // zero: there is none
	foreign []byte
	items   []threading.ID // one for each copy
	queue   []threading.ID
}

// bodyOf is what a copy has of the two bodies.
func (f *filingRow) bodyOf(i int) *bodyRow {
	if f.Copies[i].Other {
		return &f.other
	}
	return &f.body
}

// File writes the filings in one transaction, all or none, and returns when
// they are on disk. A filing whose Dedupe was filed within
// threading.DedupeFor writes nothing and returns the first filing. Filings may
// share a body. A member who has been removed meanwhile, or has blocked the
// writer, gets no copy; one who is not told of the thread at once, no
// notification. ErrSpent; a *PaceError if the writer has written too much.
func (s *Store) File(ctx context.Context, filings ...threading.Filing) ([]threading.Filed, error) {
	rows := make([]filingRow, len(filings))
	for i, f := range filings {
		r := filingRow{Filing: f}
		if i > 0 && filings[i-1].Body.ID == f.Body.ID {
			r.body = rows[i-1].body
		} else {
			r.body = newBodyRow(f.Body)
		}
		switch {
		case f.Other == nil:
		case i > 0 && filings[i-1].Other != nil && filings[i-1].Other.ID == f.Other.ID:
			r.other = rows[i-1].other
		default:
			r.other = newBodyRow(*f.Other)
		}
		if f.Message.ForeignID != "" {
			r.foreign = s.o.Keyring.Seal(sealedForeign, f.Message.ForeignID)
		}
		for range f.Copies {
			r.items = append(r.items, s.o.IDs.Next())
			r.queue = append(r.queue, s.o.IDs.Next())
		}
		rows[i] = r
	}
	filed := make([]threading.Filed, len(rows))
	err := s.c.commit(ctx, func(t *tx) error {
		for i := range rows {
			var err error
			if filed[i], err = t.file(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range filed {
		switch {
		case f.Duplicate:
			s.o.Observe("duplicate")
		case f.Held:
			s.o.Observe("held")
		default:
			s.o.Observe("filed")
		}
	}
	return filed, nil
}

// WasFiled reports whether a filing of this Dedupe was filed within
// threading.DedupeFor.
func (s *Store) WasFiled(ctx context.Context, dedupe []byte) (bool, error) {
	var was bool
	err := s.row(ctx, "SELECT EXISTS (SELECT 1 FROM dedupe WHERE hash = ? AND filed_at >= ?)", []any{dedupe, millis(s.o.Now().Add(-threading.DedupeFor))}, &was)
	return was, err
}

func (t *tx) file(f *filingRow) (threading.Filed, error) {
	m := f.Message
	if f.NewThread != nil {
		m.ThreadID = f.NewThread.Thread.ID
	}
	filed := threading.Filed{ThreadID: m.ThreadID, MessageID: m.ID}
	if f.Dedupe != nil {
		if first, err := t.noteFiled(f.Dedupe, m); err != nil {
			return filed, err
		} else if !first {
			filed.Duplicate = true
			return filed, t.row("SELECT thread_id, message_id FROM dedupe WHERE hash = ?", []any{f.Dedupe}, &filed.ThreadID, &filed.MessageID)
		}
		if f.Single != nil {
			if first, err := t.noteFiled(f.Single, m); err != nil {
				return filed, err
			} else if !first {
				return filed, ErrSpent
			}
		}
	}
	if err := t.keepPace(f); err != nil {
		return filed, err
	}
	noticed, err := t.keepText(f)
	if err == nil {
		err = t.holdBehind(f)
	}
	if err != nil {
		return filed, err
	}
	if f.NewThread != nil {
		if err := t.addThread(f.NewThread); err != nil {
			return filed, fmt.Errorf("start the thread: %w", err)
		}
	} else if err := changed(t.exec("UPDATE threads SET last_at = CASE WHEN ? THEN last_at ELSE ? END WHERE id = ?", f.Hold != "", millis(m.FiledAt), m.ThreadID)); err != nil {
		return filed, fmt.Errorf("the thread: %w", err)
	}
	if err := t.addBody(f.body); err != nil {
		return filed, fmt.Errorf("write the body: %w", err)
	}
	if f.Other != nil {
		if err := t.addBody(f.other); err != nil {
			return filed, fmt.Errorf("write the body: %w", err)
		}
	}
	if _, err := t.exec("INSERT INTO messages (thread_id, id, writer_id, body_id, other_body_id, foreign_id, filed_at, tls, held) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		m.ThreadID, m.ID, m.WriterID, f.body.id, f.other.id, f.foreign, millis(m.FiledAt), m.TLS, f.Hold != ""); err != nil {
		return filed, fmt.Errorf("write the message: %w", err)
	}
	if !f.Automatic {
		if _, err := t.exec("INSERT INTO correspondents (member_id, other_id) SELECT ?, member_id FROM participants WHERE thread_id = ? AND member_id <> ? ON CONFLICT DO NOTHING",
			m.WriterID, m.ThreadID, m.WriterID); err != nil {
			return filed, fmt.Errorf("note whom the writer knows: %w", err)
		}
	}
	if filed.Held, err = t.addCopies(f, m.ThreadID); err != nil {
		return filed, err
	}
	if noticed != "" {
		if err := t.reportText(f, noticed); err != nil {
			return filed, err
		}
	}
	if f.Mark != nil {
		return filed, t.mark(f, m.ThreadID)
	}
	return filed, nil
}

// noteFiled notes a message under a hash, and reports whether it is the first
// there. A row that is too old is taken over.
func (t *tx) noteFiled(hash []byte, m threading.Message) (bool, error) {
	n, err := t.exec(`INSERT INTO dedupe (hash, thread_id, message_id, filed_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET thread_id = excluded.thread_id, message_id = excluded.message_id, filed_at = excluded.filed_at
		WHERE dedupe.filed_at < ?`, hash, m.ThreadID, m.ID, millis(m.FiledAt), millis(m.FiledAt.Add(-threading.DedupeFor)))
	if err != nil {
		return false, fmt.Errorf("note the message: %w", err)
	}
	return n > 0, nil
}

func (t *tx) addThread(n *threading.NewThread) error {
	th := n.Thread
	if _, err := t.exec("INSERT INTO threads (id, subject, production_id, role_id, started_by, status, created_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		th.ID, th.Subject, th.ProductionID, th.RoleID, th.StartedBy, th.Status, millis(th.CreatedAt), millis(th.LastAt)); err != nil {
		return err
	}
	for _, p := range n.Participants {
		if _, err := t.exec("INSERT INTO participants (thread_id, member_id) VALUES (?, ?)", th.ID, p); err != nil {
			return err
		}
	}
	for _, a := range n.Aliases {
		if _, err := t.exec("INSERT INTO aliases (id, thread_id, viewer_id, other_id) VALUES (?, ?, ?, ?)", a.ID, th.ID, a.ViewerID, a.OtherID); err != nil {
			return err
		}
	}
	return nil
}

// addCopies files the copies, or holds those that are not the writer's own, and
// reports whether any is held.
func (t *tx) addCopies(f *filingRow, thread threading.ID) (held bool, err error) {
	for i, c := range f.Copies {
		if f.Hold == "" || c.MemberID == f.Message.WriterID {
			err = t.addCopy(f, i, thread)
		} else {
			var is bool
			is, err = t.holdCopy(f, i, thread)
			held = held || is
		}
		if err != nil {
			return held, err
		}
	}
	return held, nil
}

// addCopy puts one member's copy into the mailbox, and queues its notification.
func (t *tx) addCopy(f *filingRow, i int, thread threading.ID) error {
	c := &f.Copies[i]
	notify, alerts := c.Notify, threading.Alerts("")
	if c.MemberID != f.Message.WriterID {
		var blocked bool
		var err error
		if blocked, alerts, err = t.silenced(c.MemberID, f.Message.WriterID, thread); err != nil || blocked {
			return err
		}
		notify = notify && alerts == threading.AlertsImmediate
	}
	var mailbox threading.ID
	var uid uint32
	err := t.row("UPDATE mailboxes SET uidnext = uidnext + 1 WHERE member_id = ? AND special_use = ? RETURNING id, uidnext - 1", []any{c.MemberID, c.Mailbox}, &mailbox, &uid)
	if errors.Is(err, ErrNotFound) {
		return nil // removed meanwhile
	} else if err != nil {
		return fmt.Errorf("number the copy: %w", err)
	}
	body := f.bodyOf(i)
	flags, keywords := c.Flags, c.Keywords
	if c.ClientID != nil {
		if flags, keywords, err = t.takeOver(c, mailbox, uid, f.Message.FiledAt, flags, keywords); err != nil {
			return fmt.Errorf("look for the client's own copy: %w", err)
		}
	}
	e := threading.Entry{UID: uid, Flags: flags, Keywords: keywords, SavedAt: f.Message.FiledAt, ItemID: f.items[i], ThreadID: thread,
		BodyID: body.id, HeaderSize: int64(len(c.Header)), BodySize: body.size, PlacedAt: f.Message.FiledAt}
	if err := t.addItem(c.MemberID, f.Message.ID, e, c.Header); err != nil {
		return err
	}
	if err := t.addEntry(c.MemberID, mailbox, e); err != nil {
		return err
	}
	if err := t.showInAll(c.MemberID, e); err != nil {
		return err
	}
	if c.MemberID != f.Message.WriterID {
		err := t.emit(threading.WebhookEvent{
			Kind: threading.EventMessage, MemberID: c.MemberID, OtherID: f.Message.WriterID, ThreadID: thread, RefID: f.Message.ID, Detail: string(alerts),
		}, millis(f.Message.FiledAt))
		if err != nil {
			return err
		}
	}
	if !notify {
		return nil
	}
	t.queued = true
	_, err = t.exec("INSERT INTO queue (id, kind, member_id, item_id, thread_id, header, body_id, attempts, created_at, due_at, leased_till, last_error, tls) VALUES (?, ?, ?, ?, ?, NULL, ?, 0, ?, ?, 0, '', ?)",
		f.queue[i], QueueNotification, c.MemberID, f.items[i], thread, body.id, millis(f.Message.FiledAt), millis(f.Message.FiledAt.Add(f.NotifyAfter)), f.Message.TLS)
	if err != nil {
		return fmt.Errorf("queue the notification: %w", err)
	}
	return nil
}

// takeOver removes the copy that the member's client appended to Sent before
// it submitted the message, and returns the flags that it had as well.
func (t *tx) takeOver(c *threading.Copy, mailbox threading.ID, uid uint32, at time.Time, flags threading.Flags, keywords []string) (threading.Flags, []string, error) {
	var oldMailbox threading.ID
	var oldUID uint32
	err := t.row("SELECT mailbox_id, uid FROM client_ids WHERE member_id = ? AND hash = ? AND submitted = 0", []any{c.MemberID, c.ClientID}, &oldMailbox, &oldUID)
	if err == nil {
		var had threading.Flags
		var words string
		var size int64
		err = t.row("SELECT flags, keywords, header_size + body_size FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid = ?", []any{c.MemberID, oldMailbox, oldUID}, &had, &words, &size)
		if err == nil {
			flags, keywords = threading.FlagsAdd.Apply(flags, keywords, had, strings.Fields(words))
			err = t.removeEntries(c.MemberID, oldMailbox, threading.UIDSet{{First: oldUID, Last: oldUID}}, 0, size)
		}
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return flags, keywords, err
	}
	return flags, keywords, t.noteClientID(c.MemberID, c.ClientID, mailbox, uid, true, at)
}

func (t *tx) noteClientID(member threading.ID, hash []byte, mailbox threading.ID, uid uint32, submitted bool, at time.Time) error {
	_, err := t.exec(`INSERT INTO client_ids (member_id, hash, mailbox_id, uid, submitted, noted_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (member_id, hash) DO UPDATE SET mailbox_id = excluded.mailbox_id, uid = excluded.uid, submitted = excluded.submitted, noted_at = excluded.noted_at`,
		member, hash, mailbox, uid, submitted, millis(at))
	return err
}

func (t *tx) addItem(member, message threading.ID, e threading.Entry, header []byte) error {
	_, err := t.exec("INSERT INTO items (member_id, id, thread_id, message_id, body_id, body_size, header) VALUES (?, ?, ?, ?, ?, ?, ?)",
		member, e.ItemID, e.ThreadID, message, e.BodyID, e.BodySize, header)
	if err != nil {
		return fmt.Errorf("write the item: %w", err)
	}
	return nil
}

// addEntry writes an entry under a new mod-sequence. Its keywords need not be
// sorted, nor each there once.
func (t *tx) addEntry(member, mailbox threading.ID, e threading.Entry) error {
	t.grow(member, e.Size())
	modseq, err := t.modseq(member)
	if err != nil {
		return fmt.Errorf("count the change: %w", err)
	}
	e.Flags, e.Keywords = threading.FlagsReplace.Apply(0, nil, e.Flags, e.Keywords)
	_, err = t.exec("INSERT INTO entries (member_id, mailbox_id, uid, item_id, thread_id, body_id, header_size, body_size, flags, keywords, modseq, saved_at, placed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		member, mailbox, e.UID, e.ItemID, e.ThreadID, e.BodyID, e.HeaderSize, e.BodySize, e.Flags, strings.Join(e.Keywords, " "), modseq, millis(e.SavedAt), millis(e.PlacedAt))
	if err != nil {
		return fmt.Errorf("write the entry: %w", err)
	}
	t.noteAdded(mailboxKey{member, mailbox}, 1)
	return t.know(member, e.Keywords)
}

// noteAdded counts entries for the index's packer.
func (t *tx) noteAdded(k mailboxKey, n int) {
	if t.added == nil {
		t.added = map[mailboxKey]int{}
	}
	t.added[k] += n
}

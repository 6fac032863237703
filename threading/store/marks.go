package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// copiedWithin is how long after a message got its ID its copies have theirs.
const copiedWithin = 10 * time.Minute

// mark sets flags on the writer's own copies of the message that a filing
// answers or forwards. That there are none is no error.
func (t *tx) mark(f *filingRow, thread threading.ID) error {
	m := f.Mark
	writer, message := f.Message.WriterID, m.MessageID
	if message == 0 {
		err := t.row("SELECT id FROM messages WHERE thread_id = ? AND writer_id != ? AND id < ? ORDER BY id DESC LIMIT 1", []any{thread, writer, f.Message.ID}, &message)
		if errors.Is(err, ErrNotFound) {
			return nil
		} else if err != nil {
			return fmt.Errorf("look for what is answered: %w", err)
		}
	}
	type place struct {
		mailbox threading.ID
		entry   threading.Entry
	}
	var places []place
	// IDs sort by age: a message's copies are near it among the member's.
	err := t.rows("SELECT e.mailbox_id, "+entryColumns+" FROM items i JOIN entries e ON e.member_id = i.member_id AND e.item_id = i.id WHERE i.member_id = ? AND i.id > ? AND i.id < ? AND i.message_id = ?",
		[]any{writer, message, threading.IDAt(message.Time().Add(copiedWithin)), message}, func(r scanner) error {
			var p place
			var err error
			p.entry, err = scanEntry(prefixed{r, &p.mailbox})
			places = append(places, p)
			return err
		})
	for _, p := range places {
		if err != nil {
			break
		}
		var modseq uint64
		if modseq, err = t.nextModSeq(writer); err != nil {
			break
		}
		var n int64
		n, err = t.storeKeywords(writer, p.mailbox, threading.UIDSet{{First: p.entry.UID, Last: p.entry.UID}}, []threading.Entry{p.entry}, threading.FlagsAdd, m.Flags, m.Keywords, modseq)
		if errors.Is(err, ErrLimit) {
			err = nil // it has as many keywords as there may be
		} else if err == nil && n > 0 {
			_, err = t.modseq(writer)
		}
	}
	if err != nil {
		return fmt.Errorf("mark what is answered: %w", err)
	}
	return nil
}

// prefixed is a row with a column before those that are scanned.
type prefixed struct {
	scanner
	first any
}

// Scan implements scanner.
func (p prefixed) Scan(dest ...any) error {
	return p.scanner.Scan(append([]any{p.first}, dest...)...)
}

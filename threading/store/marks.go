package store

import (
	"errors"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
)

// answeredAmong is how far back in a thread what an answer answers is looked
// for when nothing names it: a monologue must not cost more with each message.
const answeredAmong = 50

// copiesOfMessage are a member's entries of a message, found by its body: a body
// has a few copies, a member many items. The plus keeps the planner from going
// through the member's.
const copiesOfMessage = "SELECT e.mailbox_id, " + entryColumns + " FROM entries e " +
	"WHERE e.member_id = ? AND e.item_id IN (SELECT id FROM items WHERE body_id IN (?, ?) AND +member_id = ? AND message_id = ?)"

// mark sets flags on the writer's own copies of the message that a filing
// answers or forwards. That there are none is no error.
func (t *tx) mark(f *filingRow, thread threading.ID) error {
	m := f.Mark
	writer, message := f.Message.WriterID, m.MessageID
	if message == 0 {
		err := t.row("SELECT id FROM (SELECT id, writer_id FROM messages WHERE thread_id = ? AND id < ? AND held = 0 ORDER BY id DESC LIMIT ?) AS late WHERE writer_id != ? ORDER BY id DESC LIMIT 1",
			[]any{thread, f.Message.ID, answeredAmong, writer}, &message)
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
	var body, other threading.ID
	if err := t.row("SELECT body_id, other_body_id FROM messages WHERE id = ?", []any{message}, &body, &other); errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("look for what is answered: %w", err)
	}
	err := t.rows(copiesOfMessage, []any{writer, body, other, writer, message}, func(r scanner) error {
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

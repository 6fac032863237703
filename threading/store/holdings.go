package store

import (
	"context"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
)

// Holding is a mailbox with all that is in it, by ascending UID.
type Holding struct {
	threading.Mailbox
	Entries []threading.Entry
}

const (
	readMailboxes  = "SELECT " + mailboxColumns + " FROM mailboxes WHERE member_id = ? ORDER BY special_use != 'Inbox', name"
	readAllEntries = "SELECT " + entryColumns + " FROM entries e WHERE e.member_id = ? AND e.mailbox_id = ? ORDER BY e.uid"
)

// Holdings returns all of a member's mailboxes, INBOX first, as they are at one
// moment: a message that is moved meanwhile is in it once. It holds about 100
// octets for each message. An item that the member expunges afterwards may be
// gone when it is read.
func (s *Store) Holdings(ctx context.Context, memberID threading.ID) ([]Holding, error) {
	var list []Holding
	err := s.snapshot(ctx, []string{readMailboxes, readAllEntries}, func(r *reader) error {
		list = nil
		err := r.rows(readMailboxes, []any{memberID}, func(row scanner) error {
			mb, err := scanMailbox(row)
			list = append(list, Holding{Mailbox: mb})
			return err
		})
		for i := 0; i < len(list) && err == nil; i++ {
			h := &list[i]
			err = r.rows(readAllEntries, []any{memberID, h.ID}, func(row scanner) error {
				e, err := scanEntry(row)
				h.Entries = append(h.Entries, e)
				return err
			})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the mailboxes: %w", err)
	}
	return list, nil
}

package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
)

// The mailbox All (RFC 6154's \All) shows what the relay filed for a member,
// what the member wrote and what others did, once each and wherever else it is.
// Its entries are like others: numbered as they are committed, with
// mod-sequences and tombstones. They are made with the first, go with the last
// other entry of their item, share its flags but \Deleted, and take up nothing
// of the quota. A member has All from the first time that EnsureAll is called;
// whether it is there comes with the mod-sequence, so that whoever has none
// pays for none.

// ErrAllMailbox refuses to put something into All, or to take it out.
var ErrAllMailbox = errors.New("this mailbox shows what is in others: put messages there, and delete them there")

// allNames are what All is called; the first that is free.
var allNames = []string{"All", "All Mail", "All Conversations"}

// EnsureAll makes a member's mailbox All and fills it, if the store is to have
// one (Options.All) and there is none.
func (s *Store) EnsureAll(ctx context.Context, memberID threading.ID) error {
	var all threading.ID
	if !s.o.All {
		return nil
	}
	const look = "SELECT all_id FROM member_state WHERE member_id = ?"
	if err := s.row(ctx, look, []any{memberID}, &all); err != nil || all != 0 {
		return err
	}
	err := s.c.commit(ctx, func(t *tx) error {
		if err := t.row(look, []any{memberID}, &all); err != nil || all != 0 {
			return err
		}
		for _, name := range allNames {
			mb := s.newMailbox(memberID, name, threading.UseAll)
			mb.UIDValidity = s.newUIDValidity()
			if err := t.addMailbox(mb); !errors.Is(err, ErrExists) {
				if err != nil {
					return err
				}
				return t.fillAll(memberID, mb.ID)
			}
		}
		return ErrExists
	})
	if err != nil {
		return fmt.Errorf("make the mailbox of all conversations: %w", err)
	}
	return nil
}

// fillAll shows what there is already, in the order in which it was filed.
func (t *tx) fillAll(member, all threading.ID) error {
	modseq, err := t.modseq(member)
	if err != nil {
		return err
	}
	n, err := t.exec(`INSERT INTO entries (member_id, mailbox_id, uid, item_id, thread_id, body_id, header_size, body_size, flags, keywords, modseq, saved_at, placed_at)
		SELECT member_id, ?, ROW_NUMBER() OVER (ORDER BY item_id), item_id, thread_id, body_id, header_size, body_size, flags & ~?, keywords, ?, saved_at, placed_at
		FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY item_id ORDER BY mailbox_id, uid) AS n FROM entries WHERE member_id = ? AND thread_id != 0) WHERE n = 1`,
		all, threading.FlagDeleted, modseq, member)
	if err == nil {
		_, err = t.exec("UPDATE mailboxes SET uidnext = ? WHERE member_id = ? AND id = ?", n+1, member, all)
	}
	if err == nil {
		_, err = t.exec("UPDATE member_state SET all_id = ? WHERE member_id = ?", all, member)
	}
	t.noteAdded(mailboxKey{member, all}, int(n))
	return err
}

// dropAlls removes the mailboxes All: the store is to have none any more.
func (s *Store) dropAlls(ctx context.Context) error {
	var members []threading.ID
	err := s.rows(ctx, "SELECT member_id FROM member_state WHERE all_id != 0", nil, func(r scanner) error {
		var id threading.ID
		err := r.Scan(&id)
		members = append(members, id)
		return err
	})
	for _, member := range members {
		if err != nil {
			break
		}
		err = s.c.commit(ctx, func(t *tx) error {
			var all threading.ID
			if err := t.row("UPDATE member_state SET modseq = modseq + 1 WHERE member_id = ? RETURNING all_id", []any{member}, &all); err != nil {
				return err
			}
			if err := t.eraseMailbox(member, all); err != nil {
				return err
			}
			_, err := t.exec("UPDATE member_state SET all_id = 0 WHERE member_id = ?", member)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("remove the mailboxes of all conversations: %w", err)
	}
	return nil
}

// showInAll adds an entry that was filed to All. The job has its mod-sequence.
func (t *tx) showInAll(member threading.ID, e threading.Entry) error {
	all := t.alls[member]
	if all == 0 {
		return nil
	}
	if err := t.row("UPDATE mailboxes SET uidnext = uidnext + 1 WHERE member_id = ? AND id = ? RETURNING uidnext - 1", []any{member, all}, &e.UID); err != nil {
		return fmt.Errorf("number the entry in All: %w", err)
	}
	t.grow(member, -e.Size()) // addEntry counts it
	return t.addEntry(member, all, e)
}

// mirrorFlags gives the flags that entries of a mailbox got with this job to
// those of the same items in All; of All's to those in all other mailboxes.
func (t *tx) mirrorFlags(member, mailbox threading.ID, modseq uint64) error {
	all := t.alls[member]
	if all == 0 {
		return nil
	}
	where := "mailbox_id = ?"
	if mailbox == all {
		where = "mailbox_id != ?"
	}
	_, err := t.exec(`UPDATE entries SET (flags, keywords, modseq) = (
			SELECT (x.flags & ~?) | (entries.flags & ?), x.keywords, x.modseq FROM entries x
			WHERE x.member_id = entries.member_id AND x.item_id = entries.item_id AND x.mailbox_id = ? AND x.modseq = ? LIMIT 1)
		WHERE member_id = ? AND item_id IN (SELECT item_id FROM entries WHERE member_id = ? AND mailbox_id = ? AND modseq = ? AND thread_id != 0) AND `+where,
		threading.FlagDeleted, threading.FlagDeleted, mailbox, modseq, member, member, mailbox, modseq, all)
	if err != nil {
		return fmt.Errorf("show the flags in All: %w", err)
	}
	return nil
}

// leaving notes the items of entries that are about to be removed: those of a
// set that have the flags.
func (t *tx) leaving(member, mailbox threading.ID, set threading.UIDSet, flags threading.Flags) error {
	if t.alls[member] == 0 {
		return nil
	}
	return eachRange(set, func(first, last uint32) error {
		_, err := t.exec("INSERT OR IGNORE INTO temp.leaving (item_id) SELECT item_id FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND flags & ? = ? AND thread_id != 0",
			member, mailbox, first, last, flags, flags)
		return err
	})
}

// leaveAll removes from All what was noted and is nowhere else any more.
func (t *tx) leaveAll(member threading.ID, modseq uint64) error {
	all := t.alls[member]
	if all == 0 {
		return nil
	}
	const gone = ` WHERE member_id = ? AND mailbox_id = ? AND item_id IN (SELECT item_id FROM temp.leaving)
		AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.member_id = entries.member_id AND e.item_id = entries.item_id AND e.mailbox_id != entries.mailbox_id)`
	_, err := t.exec("INSERT INTO tombstones (member_id, mailbox_id, uid, modseq) SELECT member_id, mailbox_id, uid, ? FROM entries"+gone, modseq, member, all)
	if err == nil {
		_, err = t.exec("DELETE FROM entries"+gone, member, all)
	}
	if err == nil {
		_, err = t.exec("DELETE FROM temp.leaving")
	}
	if err != nil {
		return fmt.Errorf("remove from All: %w", err)
	}
	return nil
}

package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
)

// eachRange calls f for each range of a set.
func eachRange(set threading.UIDSet, f func(first, last uint32) error) error {
	for _, r := range set {
		if err := f(r.First, r.Last); err != nil {
			return err
		}
	}
	return nil
}

// everyUID is the set of all.
var everyUID = threading.UIDSet{{First: 1, Last: 1<<32 - 1}}

// StoreFlags changes flags in one transaction, under one mod-sequence, and
// returns the entries of the set as they are then. An entry that has these
// flags already keeps its mod-sequence.
func (s *Store) StoreFlags(ctx context.Context, memberID, mailboxID threading.ID, set threading.UIDSet, op threading.FlagOp, flags threading.Flags, keywords []string) ([]threading.Entry, error) {
	list, _, err := s.storeFlags(ctx, memberID, mailboxID, set, nil, op, flags, keywords)
	return list, err
}

// StoreFlagsUnchanged is StoreFlags for those entries of the set that have not
// changed after a mod-sequence; it returns the UIDs of the others as well (RFC
// 7162 section 3.1.3).
func (s *Store) StoreFlagsUnchanged(ctx context.Context, memberID, mailboxID threading.ID, set threading.UIDSet, since uint64, op threading.FlagOp, flags threading.Flags, keywords []string) (list []threading.Entry, modified threading.UIDSet, err error) {
	return s.storeFlags(ctx, memberID, mailboxID, set, &since, op, flags, keywords)
}

func (s *Store) storeFlags(ctx context.Context, memberID, mailboxID threading.ID, whole threading.UIDSet, since *uint64, op threading.FlagOp, flags threading.Flags, keywords []string) (list []threading.Entry, modified threading.UIDSet, err error) {
	err = s.c.commit(ctx, func(t *tx) error {
		list, modified = list[:0], nil
		set := whole
		if since != nil {
			if err := t.changedAfter(memberID, mailboxID, set, *since, func(uid uint32) { modified.AddUID(uid) }); err != nil {
				return err
			}
			set = set.Subtract(modified)
		}
		modseq, err := t.nextModSeq(memberID)
		if err != nil {
			return err
		}
		touched := int64(0)
		if len(keywords) == 0 && op != threading.FlagsReplace {
			touched, err = t.storeSystemFlags(memberID, mailboxID, set, op, flags, modseq)
		}
		if err != nil {
			return err
		}
		err = eachRange(set, func(first, last uint32) error {
			return t.rows("SELECT "+entryColumns+" FROM entries e WHERE e.member_id = ? AND e.mailbox_id = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid",
				[]any{memberID, mailboxID, first, last}, func(r scanner) error {
					e, err := scanEntry(r)
					list = append(list, e)
					return err
				})
		})
		if err != nil {
			return err
		}
		if len(keywords) > 0 || op == threading.FlagsReplace {
			if touched, err = t.storeKeywords(memberID, mailboxID, set, list, op, flags, keywords, modseq); err != nil {
				return err
			}
		}
		if touched == 0 {
			return nil
		}
		if _, err = t.modseq(memberID); err != nil {
			return err
		}
		return t.mirrorFlags(memberID, mailboxID, modseq)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("change the flags: %w", err)
	}
	return list, modified, nil
}

// changedAfter calls f for the UIDs of the set, ascending, that changed after a
// mod-sequence.
func (t *tx) changedAfter(member, mailbox threading.ID, set threading.UIDSet, since uint64, f func(uint32)) error {
	return eachRange(set, func(first, last uint32) error {
		return t.rows("SELECT uid FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND modseq > ? ORDER BY uid", []any{member, mailbox, first, last, since}, func(r scanner) error {
			var uid uint32
			err := r.Scan(&uid)
			f(uid)
			return err
		})
	})
}

// nextModSeq is the mod-sequence that the job will get if it changes anything.
func (t *tx) nextModSeq(member threading.ID) (uint64, error) {
	if m, ok := t.modseqs[member]; ok {
		return m, nil
	}
	var m uint64
	err := t.row("SELECT modseq + 1 FROM member_state WHERE member_id = ?", []any{member}, &m)
	return m, err
}

// storeSystemFlags adds or removes system flags by one statement for a range.
func (t *tx) storeSystemFlags(member, mailbox threading.ID, set threading.UIDSet, op threading.FlagOp, flags threading.Flags, modseq uint64) (touched int64, err error) {
	change, all := "flags | ?", flags // what an entry that needs no change has of these flags
	if op == threading.FlagsRemove {
		change, all = "flags & ~?", 0
	}
	err = eachRange(set, func(first, last uint32) error {
		n, err := t.exec("UPDATE entries SET flags = "+change+", modseq = ? WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND flags & ? != ?",
			flags, modseq, member, mailbox, first, last, flags, all)
		touched += n
		return err
	})
	return touched, err
}

// storeKeywords changes flags and keywords. Entries that have the same get the
// same: where they are many, each kind takes one statement for a range.
func (t *tx) storeKeywords(member, mailbox threading.ID, set threading.UIDSet, list []threading.Entry, op threading.FlagOp, flags threading.Flags, keywords []string, modseq uint64) (touched int64, err error) {
	type state struct {
		flags    threading.Flags
		keywords string
	}
	type change struct {
		to       threading.Flags
		keywords []string
	}
	changes := map[state]change{}
	for i := range list {
		e := &list[i]
		was := state{e.Flags, strings.Join(e.Keywords, " ")}
		c, known := changes[was]
		if !known {
			c.to, c.keywords = op.Apply(e.Flags, e.Keywords, flags, keywords)
			if len(c.keywords) > threading.MaxKeywords {
				return touched, ErrLimit
			}
			changes[was] = c
		}
		if words := strings.Join(c.keywords, " "); c.to != was.flags || words != was.keywords {
			e.Flags, e.Keywords, e.ModSeq = c.to, c.keywords, modseq
		}
	}
	for was, c := range changes { // doing it twice changes nothing: the order does not matter
		words := strings.Join(c.keywords, " ")
		if c.to == was.flags && words == was.keywords {
			continue
		}
		err := eachRange(set, func(first, last uint32) error {
			n, err := t.exec("UPDATE entries SET flags = ?, keywords = ?, modseq = ? WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND flags = ? AND keywords = ?",
				c.to, words, modseq, member, mailbox, first, last, was.flags, was.keywords)
			touched += n
			return err
		})
		if err != nil {
			return touched, err
		}
	}
	if touched == 0 {
		return 0, nil
	}
	var had []string // perhaps from before keywords were remembered
	for was := range changes {
		had = append(had, strings.Fields(was.keywords)...)
	}
	if op != threading.FlagsRemove {
		had = append(had, keywords...)
	}
	return touched, t.know(member, had)
}

// Expunge removes the entries that have \Deleted (of the set; nil: of all) and
// returns their UIDs, ascending. ErrAllMailbox.
func (s *Store) Expunge(ctx context.Context, memberID, mailboxID threading.ID, set threading.UIDSet) ([]uint32, error) {
	if set == nil {
		set = everyUID
	}
	var uids []uint32
	err := s.c.commit(ctx, func(t *tx) error {
		uids = uids[:0]
		var octets int64
		err := eachRange(set, func(first, last uint32) error {
			return t.rows("SELECT uid, header_size + body_size FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND flags & ? != 0 ORDER BY uid",
				[]any{memberID, mailboxID, first, last, threading.FlagDeleted}, func(r scanner) error {
					var uid uint32
					var size int64
					err := r.Scan(&uid, &size)
					uids = append(uids, uid)
					octets += size
					return err
				})
		})
		if err != nil || len(uids) == 0 {
			return err
		}
		modseq, err := t.modseq(memberID)
		if err != nil {
			return err
		}
		if t.alls[memberID] == mailboxID {
			return ErrAllMailbox
		}
		if err := t.leaving(memberID, mailboxID, set, threading.FlagDeleted); err != nil {
			return err
		}
		if err := t.removeEntries(memberID, mailboxID, set, threading.FlagDeleted, octets); err != nil {
			return err
		}
		return t.leaveAll(memberID, modseq)
	})
	if err != nil {
		return nil, fmt.Errorf("expunge: %w", err)
	}
	return uids, nil
}

// removeEntries removes the entries of a set that have all of the flags, which
// take up these octets, and leaves tombstones under the job's mod-sequence. It
// takes two statements for a range, however many it holds.
func (t *tx) removeEntries(member, mailbox threading.ID, set threading.UIDSet, flags threading.Flags, octets int64) error {
	t.grow(member, -octets)
	modseq, err := t.modseq(member)
	if err != nil {
		return err
	}
	return eachRange(set, func(first, last uint32) error {
		if _, err := t.exec("INSERT INTO tombstones (member_id, mailbox_id, uid, modseq) SELECT member_id, mailbox_id, uid, ? FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND flags & ? = ?",
			modseq, member, mailbox, first, last, flags, flags); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND flags & ? = ?", member, mailbox, first, last, flags, flags)
		return err
	})
}

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
	var list []threading.Entry
	err := s.c.commit(ctx, func(t *tx) error {
		list = list[:0]
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
			if touched, err = t.storeKeywords(memberID, mailboxID, list, op, flags, keywords, modseq); err != nil {
				return err
			}
		}
		if touched == 0 {
			return nil
		}
		_, err = t.modseq(memberID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("change the flags: %w", err)
	}
	return list, nil
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

// storeKeywords changes flags and keywords entry by entry.
func (t *tx) storeKeywords(member, mailbox threading.ID, list []threading.Entry, op threading.FlagOp, flags threading.Flags, keywords []string, modseq uint64) (touched int64, err error) {
	for i := range list {
		e := &list[i]
		f, k := op.Apply(e.Flags, e.Keywords, flags, keywords)
		if len(k) > threading.MaxKeywords {
			return touched, ErrLimit
		}
		words := strings.Join(k, " ")
		if f == e.Flags && words == strings.Join(e.Keywords, " ") {
			continue
		}
		n, err := t.exec("UPDATE entries SET flags = ?, keywords = ?, modseq = ? WHERE member_id = ? AND mailbox_id = ? AND uid = ?", f, words, modseq, member, mailbox, e.UID)
		if err != nil {
			return touched, err
		}
		e.Flags, e.Keywords, e.ModSeq = f, k, modseq
		touched += n
	}
	return touched, nil
}

// Expunge removes the entries that have \Deleted (of the set; nil: of all) and
// returns their UIDs, ascending.
func (s *Store) Expunge(ctx context.Context, memberID, mailboxID threading.ID, set threading.UIDSet) ([]uint32, error) {
	if set == nil {
		set = everyUID
	}
	var uids []uint32
	err := s.c.commit(ctx, func(t *tx) error {
		uids = uids[:0]
		err := eachRange(set, func(first, last uint32) error {
			return t.rows("SELECT uid FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ? AND flags & ? != 0 ORDER BY uid",
				[]any{memberID, mailboxID, first, last, threading.FlagDeleted}, func(r scanner) error {
					var uid uint32
					err := r.Scan(&uid)
					uids = append(uids, uid)
					return err
				})
		})
		if err != nil {
			return err
		}
		return t.removeEntries(memberID, mailboxID, uids)
	})
	if err != nil {
		return nil, fmt.Errorf("expunge: %w", err)
	}
	return uids, nil
}

// removeEntries removes entries and leaves tombstones, under the job's
// mod-sequence.
func (t *tx) removeEntries(member, mailbox threading.ID, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	modseq, err := t.modseq(member)
	if err != nil {
		return err
	}
	// A run of UIDs is removed by one statement: UIDs between them are not there.
	return eachRange(threading.UIDsOf(uids), func(first, last uint32) error {
		if _, err := t.exec("INSERT INTO tombstones (member_id, mailbox_id, uid, modseq) SELECT member_id, mailbox_id, uid, ? FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ?",
			modseq, member, mailbox, first, last); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ?", member, mailbox, first, last)
		return err
	})
}

// CopyResult says which UIDs became which.
type CopyResult struct {
	UIDValidity uint32   // of the destination
	From, To    []uint32 // pairwise, ascending
}

// Copy copies the entries in the set into the named mailbox, with their flags
// and dates; move removes them here. One transaction. ErrNotFound if there is
// no such mailbox. What goes into Junk is reported, and its thread muted; what
// comes out again undoes that.
func (s *Store) Copy(ctx context.Context, memberID, mailboxID threading.ID, set threading.UIDSet, dest string, move bool) (CopyResult, error) {
	to, err := s.Mailbox(ctx, memberID, dest)
	if err != nil {
		return CopyResult{}, err
	}
	var res CopyResult
	err = s.c.commit(ctx, func(t *tx) error {
		res = CopyResult{UIDValidity: to.UIDValidity}
		var list []threading.Entry
		err := eachRange(set, func(first, last uint32) error {
			return t.rows("SELECT "+entryColumns+" FROM entries e WHERE e.member_id = ? AND e.mailbox_id = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid",
				[]any{memberID, mailboxID, first, last}, func(r scanner) error {
					e, err := scanEntry(r)
					list = append(list, e)
					return err
				})
		})
		if err != nil || len(list) == 0 {
			return err
		}
		var uid uint32
		if err := t.row("UPDATE mailboxes SET uidnext = uidnext + ? WHERE member_id = ? AND id = ? RETURNING uidnext", []any{len(list), memberID, to.ID}, &uid); err != nil {
			return err
		}
		uid -= uint32(len(list))
		for _, e := range list {
			res.From, res.To = append(res.From, e.UID), append(res.To, uid)
			e.UID = uid
			uid++
			if err := t.addEntry(memberID, to.ID, e); err != nil {
				return err
			}
		}
		if err := t.junk(memberID, mailboxID, to, res.To[0], res.To[len(res.To)-1], millis(s.o.Now())); err != nil {
			return err
		}
		if move {
			return t.removeEntries(memberID, mailboxID, res.From)
		}
		return nil
	})
	if err != nil {
		return CopyResult{}, fmt.Errorf("copy to %q: %w", dest, err)
	}
	return res, nil
}

// NewItem is what a client appends.
type NewItem struct {
	Header   []byte
	Body     threading.Body
	Flags    threading.Flags
	Keywords []string
	SavedAt  time.Time // zero: now
	// ClientID is the keyed hash of its Message-ID; nil if it has none. If the
	// mailbox is Sent and the member has submitted the same message, nothing is
	// stored: the flags are added to the copy that is there and its UID is
	// returned.
	ClientID []byte
}

// Append puts a client's message into a mailbox. ErrNotFound; ErrLimit if it
// has more than threading.MaxKeywords.
func (s *Store) Append(ctx context.Context, memberID, mailboxID threading.ID, it NewItem) (uidValidity, uid uint32, err error) {
	if len(it.Keywords) > threading.MaxKeywords {
		return 0, 0, fmt.Errorf("append: keywords: %w", ErrLimit)
	}
	body := newBodyRow(it.Body)
	now := s.o.Now()
	if it.SavedAt.IsZero() {
		it.SavedAt = now
	}
	e := threading.Entry{Flags: it.Flags, Keywords: it.Keywords, SavedAt: it.SavedAt, ItemID: s.o.IDs.Next(), BodyID: body.id, HeaderSize: int64(len(it.Header)), BodySize: body.size}
	err = s.c.commit(ctx, func(t *tx) error {
		var use threading.SpecialUse
		if err := t.row("SELECT special_use, uidvalidity FROM mailboxes WHERE member_id = ? AND id = ?", []any{memberID, mailboxID}, &use, &uidValidity); err != nil {
			return err
		}
		if use == threading.UseSent && it.ClientID != nil {
			var err error
			if uid, err = t.submitted(memberID, mailboxID, it); err == nil || !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		if err := t.row("UPDATE mailboxes SET uidnext = uidnext + 1 WHERE member_id = ? AND id = ? RETURNING uidnext - 1", []any{memberID, mailboxID}, &uid); err != nil {
			return err
		}
		if use == threading.UseSent && it.ClientID != nil {
			if err := t.noteClientID(memberID, it.ClientID, mailboxID, uid, false, now); err != nil {
				return err
			}
		}
		if err := t.addBody(body); err != nil {
			return err
		}
		e.UID = uid
		if err := t.addItem(memberID, 0, e, it.Header); err != nil {
			return err
		}
		return t.addEntry(memberID, mailboxID, e)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("append: %w", err)
	}
	return uidValidity, uid, nil
}

// submitted finds the copy in Sent of a message that the member submitted, and
// adds the flags that the client wants to it.
func (t *tx) submitted(member, mailbox threading.ID, it NewItem) (uint32, error) {
	var uid uint32
	err := t.row("SELECT uid FROM client_ids WHERE member_id = ? AND hash = ? AND submitted = 1 AND mailbox_id = ?", []any{member, it.ClientID, mailbox}, &uid)
	if err != nil {
		return 0, err
	}
	e, err := scanOne(t.entry(member, mailbox, uid))
	if err != nil {
		return 0, err // it was moved or deleted: the client's copy is stored
	}
	modseq, err := t.nextModSeq(member)
	if err != nil {
		return 0, err
	}
	n, err := t.storeKeywords(member, mailbox, []threading.Entry{e}, threading.FlagsAdd, it.Flags, it.Keywords, modseq)
	if err == nil && n > 0 {
		_, err = t.modseq(member)
	}
	return uid, err
}

func (t *tx) entry(member, mailbox threading.ID, uid uint32) (threading.Entry, error) {
	st, err := t.stmt("SELECT " + entryColumns + " FROM entries e WHERE e.member_id = ? AND e.mailbox_id = ? AND e.uid = ?")
	if err != nil {
		return threading.Entry{}, err
	}
	return scanEntry(st.QueryRow(member, mailbox, uid))
}

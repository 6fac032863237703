package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

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

// ErrQuota: the member's quota is used up.
var ErrQuota = errors.New("the quota is used up")

// Append puts a client's message into a mailbox. ErrNotFound, ErrQuota,
// ErrAllMailbox;
// ErrLimit if it has more than threading.MaxKeywords.
func (s *Store) Append(ctx context.Context, memberID, mailboxID threading.ID, it NewItem) (uidValidity, uid uint32, err error) {
	uidValidity, uids, err := s.AppendAll(ctx, memberID, mailboxID, []NewItem{it})
	if err != nil {
		return 0, 0, err
	}
	return uidValidity, uids[0], nil
}

// AppendAll is Append for several messages: all or none (RFC 3502).
func (s *Store) AppendAll(ctx context.Context, memberID, mailboxID threading.ID, items []NewItem) (uidValidity uint32, uids []uint32, err error) {
	uidValidity, uids, _, err = s.Replace(ctx, memberID, 0, 0, mailboxID, items)
	return uidValidity, uids, err
}

// Replace is AppendAll that removes an entry of a mailbox in the same
// transaction (RFC 8508); zero: none. ErrNotFound if it isn't there, and then
// nothing is stored; removed: it is gone.
func (s *Store) Replace(ctx context.Context, memberID, oldMailbox threading.ID, oldUID uint32, mailboxID threading.ID, items []NewItem) (uidValidity uint32, uids []uint32, removed bool, err error) {
	now := s.o.Now()
	bodies := make([]bodyRow, len(items))
	for i := range items {
		if len(items[i].Keywords) > threading.MaxKeywords {
			return 0, nil, false, fmt.Errorf("append: keywords: %w", ErrLimit)
		}
		bodies[i] = newBodyRow(items[i].Body)
		if items[i].SavedAt.IsZero() {
			items[i].SavedAt = now
		}
	}
	err = s.c.commit(ctx, func(t *tx) error {
		uids, removed = uids[:0], false
		var use threading.SpecialUse
		if err := t.row("SELECT special_use, uidvalidity FROM mailboxes WHERE member_id = ? AND id = ?", []any{memberID, mailboxID}, &use, &uidValidity); err != nil {
			return err
		}
		if use == threading.UseAll {
			return ErrAllMailbox
		}
		if oldMailbox != 0 {
			if err := t.removeOne(memberID, oldMailbox, oldUID); err != nil {
				return err
			}
			removed = true
		}
		for i, it := range items {
			uid, err := t.appendOne(memberID, mailboxID, use, it, bodies[i], s.o.IDs.Next(), s.o.Quota, now)
			if err != nil {
				return err
			}
			uids = append(uids, uid)
		}
		return nil
	})
	if err != nil {
		return 0, nil, false, fmt.Errorf("append: %w", err)
	}
	return uidValidity, uids, removed, nil
}

// removeOne removes an entry, whatever its flags. ErrNotFound, ErrAllMailbox.
func (t *tx) removeOne(member, mailbox threading.ID, uid uint32) error {
	e, err := scanOne(t.entry(member, mailbox, uid))
	if err != nil {
		return err
	}
	modseq, err := t.modseq(member)
	if err != nil {
		return err
	}
	if t.alls[member] == mailbox {
		return ErrAllMailbox
	}
	set := threading.UIDSet{{First: uid, Last: uid}}
	if err := t.leaving(member, mailbox, set, 0); err != nil {
		return err
	}
	if err := t.removeEntries(member, mailbox, set, 0, e.Size()); err != nil {
		return err
	}
	return t.leaveAll(member, modseq)
}

// appendOne stores one message and returns its UID.
func (t *tx) appendOne(member, mailbox threading.ID, use threading.SpecialUse, it NewItem, body bodyRow, id threading.ID, quota int64, now time.Time) (uid uint32, err error) {
	if use == threading.UseSent && it.ClientID != nil {
		if uid, err = t.submitted(member, mailbox, it); err == nil || !errors.Is(err, ErrNotFound) {
			return uid, err
		}
	}
	e := threading.Entry{Flags: it.Flags, Keywords: it.Keywords, SavedAt: it.SavedAt, ItemID: id, BodyID: body.id, HeaderSize: int64(len(it.Header)), BodySize: body.size, PlacedAt: now}
	if err := t.checkQuota(quota, member, e.Size()); err != nil {
		return 0, err
	}
	if err := t.row("UPDATE mailboxes SET uidnext = uidnext + 1 WHERE member_id = ? AND id = ? RETURNING uidnext - 1", []any{member, mailbox}, &uid); err != nil {
		return 0, err
	}
	if use == threading.UseSent && it.ClientID != nil {
		if err := t.noteClientID(member, it.ClientID, mailbox, uid, false, now); err != nil {
			return 0, err
		}
	}
	if err := t.addBody(body); err != nil {
		return 0, err
	}
	e.UID = uid
	if err := t.addItem(member, 0, e, it.Header); err != nil {
		return 0, err
	}
	return uid, t.addEntry(member, mailbox, e)
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
	n, err := t.storeKeywords(member, mailbox, threading.UIDSet{{First: uid, Last: uid}}, []threading.Entry{e}, threading.FlagsAdd, it.Flags, it.Keywords, modseq)
	if err != nil || n == 0 {
		return uid, err
	}
	if _, err = t.modseq(member); err != nil {
		return uid, err
	}
	return uid, t.mirrorFlags(member, mailbox, modseq)
}

func (t *tx) entry(member, mailbox threading.ID, uid uint32) (threading.Entry, error) {
	st, err := t.stmt("SELECT " + entryColumns + " FROM entries e WHERE e.member_id = ? AND e.mailbox_id = ? AND e.uid = ?")
	if err != nil {
		return threading.Entry{}, err
	}
	return scanEntry(st.QueryRow(member, mailbox, uid))
}

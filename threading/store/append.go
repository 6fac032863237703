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
	if len(it.Keywords) > threading.MaxKeywords {
		return 0, 0, fmt.Errorf("append: keywords: %w", ErrLimit)
	}
	body := newBodyRow(it.Body)
	now := s.o.Now()
	if it.SavedAt.IsZero() {
		it.SavedAt = now
	}
	e := threading.Entry{Flags: it.Flags, Keywords: it.Keywords, SavedAt: it.SavedAt, ItemID: s.o.IDs.Next(), BodyID: body.id, HeaderSize: int64(len(it.Header)), BodySize: body.size, PlacedAt: now}
	err = s.c.commit(ctx, func(t *tx) error {
		var use threading.SpecialUse
		if err := t.row("SELECT special_use, uidvalidity FROM mailboxes WHERE member_id = ? AND id = ?", []any{memberID, mailboxID}, &use, &uidValidity); err != nil {
			return err
		}
		if use == threading.UseAll {
			return ErrAllMailbox
		}
		if use == threading.UseSent && it.ClientID != nil {
			var err error
			if uid, err = t.submitted(memberID, mailboxID, it); err == nil || !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		if err := t.checkQuota(s.o.Quota, memberID, e.Size()); err != nil {
			return err
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

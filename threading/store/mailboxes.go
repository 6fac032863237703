package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/threading"
)

const mailboxColumns = "id, member_id, name, special_use, uidvalidity, uidnext, subscribed, recent_from"

func scanMailbox(r scanner) (threading.Mailbox, error) {
	var m threading.Mailbox
	err := r.Scan(&m.ID, &m.MemberID, &m.Name, &m.Use, &m.UIDValidity, &m.UIDNext, &m.Subscribed, &m.RecentFrom)
	return m, err
}

// Errors that say why a mailbox can't be changed so.
var (
	ErrStandardMailbox = errors.New("this mailbox is part of every account and can't be renamed or deleted")
	ErrHasChildren     = errors.New("there are mailboxes below this one: delete them first")
	ErrMailboxName     = errors.New("a mailbox name has levels parted by /, none of them empty, no control characters, and at most 500 octets")
)

// mailboxName returns the name as it is stored: INBOX in upper case, also where
// it is the first level, no separator at the end.
func mailboxName(name string) (string, error) {
	name = strings.TrimSuffix(name, "/")
	if len(name) >= 5 && strings.EqualFold(name[:5], threading.Inbox) && (len(name) == 5 || name[5] == '/') {
		name = threading.Inbox + name[5:]
	}
	if name == "" || len(name) > threading.MaxMailboxName || !utf8.ValidString(name) || strings.Contains("/"+name, "//") ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.ContainsAny(name, "*%") {
		return "", ErrMailboxName
	}
	return name, nil
}

// newMailbox is a mailbox that is not stored yet, subscribed if it has a use.
func (s *Store) newMailbox(member threading.ID, name string, use threading.SpecialUse) threading.Mailbox {
	return threading.Mailbox{ID: s.o.IDs.Next(), MemberID: member, Name: name, Use: use, UIDValidity: s.uidValidity(), UIDNext: 1, RecentFrom: 1, Subscribed: use != threading.UseNone}
}

// uidValidityEpoch is the year 2020 in seconds since 1970.
const uidValidityEpoch = 1577836800

// uidValidity is the time in seconds since 2020.
func (s *Store) uidValidity() uint32 { return uint32(s.o.Now().Unix() - uidValidityEpoch) }

// newUIDValidity is uidValidity, but greater each time: a mailbox that is made
// again under its old name must differ, within a second too (RFC 9051 section
// 2.3.1.1).
func (s *Store) newUIDValidity() uint32 {
	for {
		last := s.validity.Load()
		next := max(s.uidValidity(), last+1)
		if s.validity.CompareAndSwap(last, next) {
			return next
		}
	}
}

func (t *tx) addMailbox(m threading.Mailbox) error {
	modseq, err := t.modseq(m.MemberID)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO mailboxes (member_id, id, name, special_use, uidvalidity, uidnext, subscribed, expunged_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		m.MemberID, m.ID, m.Name, m.Use, m.UIDValidity, m.UIDNext, m.Subscribed, modseq)
	if isUnique(err) {
		return ErrExists
	}
	return err
}

// Mailboxes lists a member's mailboxes by name, INBOX first.
func (s *Store) Mailboxes(ctx context.Context, memberID threading.ID) ([]threading.Mailbox, error) {
	var list []threading.Mailbox
	err := s.rows(ctx, "SELECT "+mailboxColumns+" FROM mailboxes WHERE member_id = ? ORDER BY special_use != 'Inbox', name", []any{memberID}, func(r scanner) error {
		m, err := scanMailbox(r)
		list = append(list, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the mailboxes: %w", err)
	}
	return list, nil
}

// Mailbox finds a mailbox by name. ErrNotFound.
func (s *Store) Mailbox(ctx context.Context, memberID threading.ID, name string) (threading.Mailbox, error) {
	name, err := mailboxName(name)
	if err != nil {
		return threading.Mailbox{}, ErrNotFound
	}
	return scanOne(scanMailbox(s.queryRow(ctx, "SELECT "+mailboxColumns+" FROM mailboxes WHERE member_id = ? AND name = ?", memberID, name)))
}

// MailboxStatus returns a mailbox with its counts, all of one moment.
// ErrNotFound.
func (s *Store) MailboxStatus(ctx context.Context, memberID, mailboxID threading.ID) (threading.MailboxStatus, error) {
	var st threading.MailboxStatus
	m := &st.Mailbox
	err := s.row(ctx, `SELECT `+mailboxColumns+`,
		n.messages, n.unseen, n.deleted, n.deleted_size, n.size, MAX(n.modseq, COALESCE((SELECT MAX(modseq) FROM tombstones x WHERE x.member_id = b.member_id AND x.mailbox_id = b.id), 0), b.expunged_from)
		FROM mailboxes b, (SELECT COUNT(*) AS messages, COALESCE(SUM(flags & 1 = 0), 0) AS unseen, COALESCE(SUM(flags & 8 != 0), 0) AS deleted,
			COALESCE(SUM(CASE WHEN flags & 8 != 0 THEN header_size + body_size ELSE 0 END), 0) AS deleted_size,
			COALESCE(SUM(header_size + body_size), 0) AS size, COALESCE(MAX(modseq), 0) AS modseq FROM entries WHERE member_id = ? AND mailbox_id = ?) n
		WHERE b.member_id = ? AND b.id = ?`, []any{memberID, mailboxID, memberID, mailboxID},
		&m.ID, &m.MemberID, &m.Name, &m.Use, &m.UIDValidity, &m.UIDNext, &m.Subscribed, &m.RecentFrom, &st.Messages, &st.Unseen, &st.Deleted, &st.DeletedSize, &st.Size, &st.HighestModSeq)
	return st, err
}

// MailboxStatuses returns all mailboxes of a member with their counts, each of
// one moment.
func (s *Store) MailboxStatuses(ctx context.Context, memberID threading.ID) ([]threading.MailboxStatus, error) {
	list, err := s.Mailboxes(ctx, memberID)
	if err != nil {
		return nil, err
	}
	out := make([]threading.MailboxStatus, 0, len(list))
	for _, m := range list {
		st, err := s.MailboxStatus(ctx, memberID, m.ID)
		if errors.Is(err, ErrNotFound) {
			continue // it was deleted in between
		} else if err != nil {
			return nil, fmt.Errorf("count the mailboxes: %w", err)
		}
		out = append(out, st)
	}
	return out, nil
}

// HighestModSeq is the mod-sequence of the last change in a mailbox (RFC 7162
// section 3.1.2.1), at least 1. ErrNotFound.
func (s *Store) HighestModSeq(ctx context.Context, memberID, mailboxID threading.ID) (modseq uint64, err error) {
	err = s.row(ctx, `SELECT MAX(b.expunged_from, 1, COALESCE((SELECT MAX(modseq) FROM tombstones WHERE member_id = b.member_id AND mailbox_id = b.id), 0),
		COALESCE((SELECT MAX(modseq) FROM entries WHERE member_id = b.member_id AND mailbox_id = b.id), 0))
		FROM mailboxes b WHERE b.member_id = ? AND b.id = ?`, []any{memberID, mailboxID}, &modseq)
	return modseq, err
}

// SetRecentFrom notes that clients were told of the messages below a UID. It
// never goes back.
func (s *Store) SetRecentFrom(ctx context.Context, memberID, mailboxID threading.ID, uid uint32) error {
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE mailboxes SET recent_from = ? WHERE member_id = ? AND id = ? AND recent_from < ?", uid, memberID, mailboxID, uid)
		return err
	})
}

// CountFrom is how many messages have a UID of at least from.
func (s *Store) CountFrom(ctx context.Context, memberID, mailboxID threading.ID, from uint32) (n uint32, err error) {
	err = s.row(ctx, "SELECT COUNT(*) FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid >= ?", []any{memberID, mailboxID, from}, &n)
	return n, err
}

// CreateMailbox creates a mailbox and the levels above it that are missing.
// ErrExists, ErrLimit, ErrMailboxName.
func (s *Store) CreateMailbox(ctx context.Context, memberID threading.ID, name string, use threading.SpecialUse) (threading.Mailbox, error) {
	name, err := mailboxName(name)
	if err != nil {
		return threading.Mailbox{}, err
	}
	var made threading.Mailbox
	err = s.c.commit(ctx, func(t *tx) error {
		var n int
		if err := t.row("SELECT COUNT(*) FROM mailboxes WHERE member_id = ?", []any{memberID}, &n); err != nil {
			return err
		}
		for i := range len(name) + 1 {
			if i < len(name) && name[i] != '/' {
				continue
			}
			err := t.row("SELECT 1 FROM mailboxes WHERE member_id = ? AND name = ?", []any{memberID, name[:i]}, new(int))
			if err == nil && i < len(name) {
				continue
			} else if err == nil {
				return ErrExists
			} else if !errors.Is(err, ErrNotFound) {
				return err
			}
			if n++; n > threading.MaxMailboxes {
				return ErrLimit
			}
			level := s.newMailbox(memberID, name[:i], threading.UseNone)
			level.UIDValidity = s.newUIDValidity()
			gone, err := t.exec("DELETE FROM subscriptions WHERE member_id = ? AND name = ?", memberID, level.Name)
			if err != nil {
				return err
			}
			level.Subscribed = level.Subscribed || gone > 0 // to one of that name that was deleted
			if i == len(name) {
				level.Use, made = use, level
			}
			if err := t.addMailbox(level); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}

// RenameMailbox renames a mailbox and all below it; levels above the new name
// that are missing are made. The content of INBOX moves to the new mailbox and
// INBOX stays (RFC 9051 section 6.3.6). ErrNotFound, ErrExists,
// ErrStandardMailbox, ErrMailboxName.
func (s *Store) RenameMailbox(ctx context.Context, memberID threading.ID, from, to string) error {
	from, err := mailboxName(from)
	if err != nil {
		return ErrNotFound
	}
	if to, err = mailboxName(to); err != nil {
		return err
	}
	mb, err := s.Mailbox(ctx, memberID, from)
	if err != nil {
		return err
	}
	if mb.Use == threading.UseInbox {
		if _, err := s.CreateMailbox(ctx, memberID, to, threading.UseNone); err != nil {
			return err
		}
		_, err := s.Copy(ctx, memberID, mb.ID, threading.UIDSet{{First: 1, Last: 1<<32 - 1}}, to, true)
		return err
	}
	if isStandard(mb) {
		return ErrStandardMailbox
	}
	if strings.HasPrefix(to, from+"/") {
		return ErrMailboxName
	}
	if to == from {
		return ErrExists
	}
	if i := strings.LastIndexByte(to, '/'); i > 0 {
		if _, err := s.CreateMailbox(ctx, memberID, to[:i], threading.UseNone); err != nil && !errors.Is(err, ErrExists) {
			return err
		}
	}
	return s.c.commit(ctx, func(t *tx) error { return t.renameTree(memberID, from, to) })
}

// renameTree renames a mailbox and all below it.
func (t *tx) renameTree(member threading.ID, from, to string) error {
	// '0' follows '/' in ASCII: the range is all names that begin with from + "/".
	const tree = " WHERE member_id = ? AND (name = ? OR name > ? AND name < ?)"
	var longest int
	err := t.row("SELECT COALESCE(MAX(LENGTH(CAST(name AS BLOB))), 0) FROM mailboxes"+tree, []any{member, from, from + "/", from + "0"}, &longest)
	if err != nil {
		return err
	}
	if longest-len(from)+len(to) > threading.MaxMailboxName {
		return ErrMailboxName
	}
	if _, err := t.modseq(member); err != nil {
		return err
	}
	err = changed(t.exec("UPDATE mailboxes SET name = ? || SUBSTR(name, ?)"+tree, to, utf8.RuneCountInString(from)+1, member, from, from+"/", from+"0"))
	if isUnique(err) {
		return ErrExists
	}
	return err
}

// DeleteMailbox deletes a mailbox and what is in it. ErrNotFound,
// ErrStandardMailbox, ErrHasChildren.
func (s *Store) DeleteMailbox(ctx context.Context, memberID threading.ID, name string) error {
	mb, err := s.Mailbox(ctx, memberID, name)
	if err != nil {
		return err
	}
	if isStandard(mb) {
		return ErrStandardMailbox
	}
	return s.c.commit(ctx, func(t *tx) error {
		var n int
		if err := t.row("SELECT COUNT(*) FROM mailboxes WHERE member_id = ? AND name > ? AND name < ?", []any{memberID, mb.Name + "/", mb.Name + "0"}, &n); err != nil {
			return err
		}
		if n > 0 {
			return ErrHasChildren
		}
		var octets int64
		if err := t.row("SELECT COALESCE(SUM(header_size + body_size), 0) FROM entries WHERE member_id = ? AND mailbox_id = ?", []any{memberID, mb.ID}, &octets); err != nil {
			return err
		}
		t.grow(memberID, -octets)
		modseq, err := t.modseq(memberID)
		if err != nil {
			return err
		}
		if err := t.leaving(memberID, mb.ID, everyUID, 0); err != nil {
			return err
		}
		if err := t.eraseMailbox(memberID, mb.ID); err != nil {
			return err
		}
		if mb.Subscribed {
			if _, err := t.exec("INSERT OR IGNORE INTO subscriptions (member_id, name) VALUES (?, ?)", memberID, mb.Name); err != nil {
				return err
			}
		}
		return t.leaveAll(memberID, modseq)
	})
}

// eraseMailbox removes a mailbox and what is in it. ErrNotFound.
func (t *tx) eraseMailbox(member, id threading.ID) error {
	for _, table := range []string{"entries", "tombstones", "index_blocks", "index_slices", "annotations"} {
		if _, err := t.exec("DELETE FROM "+table+" WHERE member_id = ? AND mailbox_id = ?", member, id); err != nil {
			return err
		}
	}
	return changed(t.exec("DELETE FROM mailboxes WHERE member_id = ? AND id = ?", member, id))
}

func isStandard(mb threading.Mailbox) bool {
	for _, std := range threading.StandardMailboxes {
		if std.Name == mb.Name {
			return true
		}
	}
	return mb.Use == threading.UseAll
}

// SetSubscribed subscribes to a mailbox, or ends that. ErrNotFound.
func (s *Store) SetSubscribed(ctx context.Context, memberID threading.ID, name string, subscribed bool) error {
	name, err := mailboxName(name)
	if err != nil {
		return ErrNotFound
	}
	return s.c.commit(ctx, func(t *tx) error {
		gone := int64(0)
		if !subscribed {
			if gone, err = t.exec("DELETE FROM subscriptions WHERE member_id = ? AND name = ?", memberID, name); err != nil {
				return err
			}
		}
		n, err := t.exec("UPDATE mailboxes SET subscribed = ? WHERE member_id = ? AND name = ?", subscribed, memberID, name)
		if err == nil && n+gone == 0 {
			err = ErrNotFound
		}
		return err
	})
}

// LostSubscriptions are the names that the member is subscribed to of mailboxes
// that were deleted.
func (s *Store) LostSubscriptions(ctx context.Context, memberID threading.ID) (names []string, err error) {
	err = s.rows(ctx, "SELECT name FROM subscriptions WHERE member_id = ? ORDER BY name", []any{memberID}, func(r scanner) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	})
	return names, err
}

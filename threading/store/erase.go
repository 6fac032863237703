package store

import (
	"context"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
)

// erased are the tables that hold what is a member's own, beside items and
// bodies.
var erased = []string{
	"addresses", "credentials", "entries", "tombstones", "mailboxes", "client_ids", "queue", "held", "address_requests", "blocks", "mutes", "thread_alerts", "sessions", "signin_links",
	"index_blocks", "index_slices", "annotations", "subscriptions", "pace", "correspondents", "member_state", "held_copies",
}

// RemoveMember erases a member's addresses, credentials, mailboxes, queue rows
// and held messages at once, and overwrites them in the database's file. The
// row stays, without handle, name and settings: threads refer to it. What is
// evidence of a report that the member made, and its reason, goes when that is
// resolved. ErrNotFound.
func (s *Store) RemoveMember(ctx context.Context, id threading.ID) error {
	return s.c.commit(ctx, func(t *tx) (err error) {
		if err := t.overwrite(true); err != nil {
			return err
		}
		defer func() {
			if off := t.overwrite(false); err == nil {
				err = off
			}
		}()
		if err := changed(t.exec("UPDATE members SET handle = NULL, name = '', skeleton = '', status = ?, alerts = ?, digest_at = '', timezone = '', language = '', first_contact = ?, digest_due = 0, digest_since = 0, digest_last = 0, alerts_from = 0 WHERE id = ? AND handle IS NOT NULL",
			threading.MemberRemoved, threading.AlertsNever, threading.FirstContactAnyone, id)); err != nil {
			return err
		}
		for _, table := range erased {
			if _, err := t.exec("DELETE FROM "+table+" WHERE member_id = ?", id); err != nil {
				return fmt.Errorf("erase %s: %w", table, err)
			}
		}
		if _, err := t.exec("DELETE FROM held_copies WHERE writer_id = ?", id); err != nil {
			return fmt.Errorf("erase what is held of the member's: %w", err)
		}
		if err := t.eraseItems(id); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM texts WHERE writer_id = ?", id); err != nil {
			return fmt.Errorf("erase texts: %w", err)
		}
		if _, err := t.exec("UPDATE reports SET reason = '' WHERE reporter_id = ? AND status <> ? AND via <> ?", id, threading.ReportOpen, threading.ReportText); err != nil {
			return fmt.Errorf("erase the reasons of reports: %w", err)
		}
		// What the member wrote stays with the others; their own mail system's IDs go.
		if _, err := t.exec("UPDATE messages SET foreign_id = NULL WHERE writer_id = ? AND thread_id IN (SELECT thread_id FROM participants WHERE member_id = ?)", id, id); err != nil {
			return err
		}
		return nil
	})
}

// overwrite says whether SQLite overwrites what is deleted with zeros.
func (t *tx) overwrite(on bool) error {
	query := "PRAGMA secure_delete = OFF"
	if on {
		query = "PRAGMA secure_delete = ON"
	}
	if _, err := t.exec(query); err != nil {
		return fmt.Errorf("have deleted data overwritten: %w", err)
	}
	return nil
}

// eraseItems erases a member's items, and the bodies that nobody else has: those
// of drafts, of notes to oneself, of threads that the others have left.
func (t *tx) eraseItems(id threading.ID) error {
	const (
		theirs = "i.member_id = ? AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.reporter_id = i.member_id AND r.thread_id = i.thread_id AND r.status = 'open')"
		alone  = "SELECT i.body_id FROM items i WHERE " + theirs + " AND NOT EXISTS (SELECT 1 FROM items o WHERE o.body_id = i.body_id AND o.member_id <> i.member_id)"
	)
	for _, query := range []string{
		"DELETE FROM body_chunks WHERE body_id IN (" + alone + ")",
		"DELETE FROM bodies WHERE id IN (" + alone + ")",
		"DELETE FROM items AS i WHERE " + theirs,
	} {
		if _, err := t.exec(query, id); err != nil {
			return fmt.Errorf("erase the items: %w", err)
		}
	}
	return nil
}

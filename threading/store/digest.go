package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// digestDue is a time as members.digest_due keeps it: 0 is none.
func digestDue(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return millis(t)
}

// DueDigest is a member whose digest is due. It tells of what came at Since or
// later.
type DueDigest struct {
	Member threading.Member
	Since  time.Time
	due    int64
}

// farDigest is how far ahead a digest can be due; what is further was planned
// by a clock that was wrong.
const farDigest = 50 * time.Hour

// DueDigests lists members whose digest is due, at most limit, those who wait
// longest first.
func (s *Store) DueDigests(ctx context.Context, limit int) ([]DueDigest, error) {
	now := s.o.Now()
	var list []DueDigest
	err := s.rows(ctx, "SELECT "+memberColumns+", m.digest_due, m.digest_since FROM members m WHERE m.digest_due > 0 AND (m.digest_due <= ? OR m.digest_due > ?) ORDER BY m.digest_due LIMIT ?",
		[]any{millis(now), millis(now.Add(farDigest)), limit}, func(r scanner) error {
			var d DueDigest
			var since int64
			var err error
			d.Member, err = scanMember(r, &d.due, &since)
			d.Since = fromMillis(since)
			list = append(list, d)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for digests that are due: %w", err)
	}
	return list, nil
}

// FileDigest plans the member's next digest and queues this one in one
// transaction; nil: there is nothing to tell. until is up to when it tells.
// ErrNotFound if another process was faster, or the member wants none any more.
func (s *Store) FileDigest(ctx context.Context, d DueDigest, until time.Time, n *Notice) error {
	now := s.o.Now()
	next := digestDue(d.Member.DigestAfter(now, now))
	row := s.newNoticeRow(QueueDigest, n)
	return s.c.commit(ctx, func(t *tx) error {
		err := changed(t.exec("UPDATE members SET digest_due = ?, digest_since = ?, digest_last = ? WHERE id = ? AND digest_due = ? AND handle IS NOT NULL",
			next, millis(until), millis(now), d.Member.ID, d.due))
		if err != nil {
			return err
		}
		return t.addNotice(row)
	})
}

// unread are a member's messages that no digest and no client has shown, in
// the mailboxes that mail comes to, of threads that are told once a day and came
// since they are. What a filter moved to Junk or Trash is not told, nor what was
// muted, nor what came from a member who is blocked by now.
const unread = ` FROM items i
	JOIN entries e ON e.member_id = i.member_id AND e.item_id = i.id
	JOIN mailboxes b ON b.member_id = e.member_id AND b.id = e.mailbox_id
	JOIN members w ON w.id = i.member_id
	LEFT JOIN thread_alerts a ON a.member_id = i.member_id AND a.thread_id = i.thread_id
	WHERE i.member_id = ? AND i.id >= ? AND i.id < ? AND i.thread_id <> 0 AND e.flags & ? = 0 AND b.special_use NOT IN (?, ?, ?, ?)
		AND (a.alerts = 'daily' AND i.id >= a.from_id OR COALESCE(a.alerts, '') = '' AND w.alerts = 'daily' AND i.id >= w.alerts_from AND i.id >= COALESCE(a.from_id, 0))
		AND NOT EXISTS (SELECT 1 FROM mutes u WHERE u.member_id = i.member_id AND u.thread_id = i.thread_id)
		AND NOT EXISTS (SELECT 1 FROM messages m JOIN blocks k ON k.member_id = i.member_id AND k.other_id = m.writer_id WHERE m.thread_id = i.thread_id AND m.id = i.message_id)`

// UnreadThread is a thread with messages that its member has not seen.
type UnreadThread struct {
	ThreadID threading.ID
	Newest   threading.ID // item
	Messages int
}

// UnreadThreads lists the threads in which messages came from since until
// before until, which the member has not seen; the one with the newest message
// first, at most limit. total counts all of them.
func (s *Store) UnreadThreads(ctx context.Context, memberID threading.ID, since, until time.Time, limit int) (list []UnreadThread, total int, err error) {
	args := []any{memberID, threading.IDAt(since), threading.IDAt(until), threading.FlagSeen, threading.UseSent, threading.UseDrafts, threading.UseTrash, threading.UseJunk}
	if err := s.row(ctx, "SELECT COUNT(DISTINCT i.thread_id)"+unread, args, &total); err != nil {
		return nil, 0, fmt.Errorf("count the unread threads: %w", err)
	}
	err = s.rows(ctx, "SELECT i.thread_id, MAX(i.id), COUNT(DISTINCT i.id)"+unread+" GROUP BY i.thread_id ORDER BY MAX(i.id) DESC LIMIT ?", append(args, limit), func(r scanner) error {
		var u UnreadThread
		err := r.Scan(&u.ThreadID, &u.Newest, &u.Messages)
		list = append(list, u)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the unread threads: %w", err)
	}
	return list, total, nil
}

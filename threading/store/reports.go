package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stagedoor/stagedoor/threading"
)

const reportColumns = "r.id, r.reporter_id, r.other_id, r.thread_id, r.via, r.reason, r.status, r.resolution, r.created_at, r.resolved_at"

func scanReport(r scanner) (threading.Report, error) {
	var x threading.Report
	var created, resolved int64
	err := r.Scan(&x.ID, &x.ReporterID, &x.OtherID, &x.ThreadID, &x.Via, &x.Reason, &x.Status, &x.Resolution, &created, &resolved)
	x.CreatedAt = fromMillis(created)
	if resolved != 0 {
		x.ResolvedAt = fromMillis(resolved)
	}
	return x, err
}

// ErrNothingToReport: the other has written nothing in the thread that the
// member still has.
var ErrNothingToReport = errors.New("there is no message of theirs in this conversation")

// AddReport reports the newest message of r.OtherID that r.ReporterID has in
// r.ThreadID; Via and Reason are r's. Reporting it again changes them; it is
// news, as the second result says, only where no member's report is open.
// ErrNothingToReport.
func (s *Store) AddReport(ctx context.Context, r threading.Report) (threading.Report, bool, error) {
	if len(r.Reason) > threading.MaxReason {
		return r, false, fmt.Errorf("the reason is longer than %d octets", threading.MaxReason)
	}
	var news bool
	r.Status, r.CreatedAt = threading.ReportOpen, s.o.Now()
	err := s.c.commit(ctx, func(t *tx) error {
		err := t.row(`SELECT i.id FROM items i JOIN messages m ON m.thread_id = i.thread_id AND m.id = i.message_id
			WHERE i.member_id = ? AND i.thread_id = ? AND m.writer_id = ? ORDER BY i.id DESC LIMIT 1`, []any{r.ReporterID, r.ThreadID, r.OtherID}, &r.ID)
		if errors.Is(err, ErrNotFound) {
			return ErrNothingToReport
		} else if err != nil {
			return err
		}
		var open bool
		if err := t.row("SELECT EXISTS (SELECT 1 FROM reports WHERE id = ? AND status = ? AND via <> ?)", []any{r.ID, threading.ReportOpen, threading.ReportText}, &open); err != nil {
			return err
		}
		news = !open
		_, err = t.exec(`INSERT INTO reports (id, reporter_id, other_id, thread_id, via, reason, status, resolution, created_at, resolved_at, told) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, 0, 1)
			ON CONFLICT (id) DO UPDATE SET via = excluded.via, reason = excluded.reason, status = excluded.status, resolution = '', resolved_at = 0, told = 1`,
			r.ID, r.ReporterID, r.OtherID, r.ThreadID, r.Via, r.Reason, r.Status, millis(r.CreatedAt))
		if err != nil || !news {
			return err
		}
		return t.emitReport(r, millis(r.CreatedAt))
	})
	return r, news, err
}

func (t *tx) emitReport(r threading.Report, now int64) error {
	return t.emit(threading.WebhookEvent{Kind: threading.EventReport, MemberID: r.By(), OtherID: r.OtherID, ThreadID: r.ThreadID, RefID: r.ID, Detail: string(r.Via)}, now)
}

// Reports lists reports with that status (empty: any), the newest first.
func (s *Store) Reports(ctx context.Context, status threading.ReportStatus, limit int) ([]threading.Report, error) {
	return s.ReportsBefore(ctx, status, 0, limit)
}

// ReportsBefore is Reports for those on messages older than that of a report;
// zero: all.
func (s *Store) ReportsBefore(ctx context.Context, status threading.ReportStatus, before threading.ID, limit int) ([]threading.Report, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	var list []threading.Report
	err := s.rows(ctx, "SELECT "+reportColumns+" FROM reports r WHERE ? IN ('', r.status) AND r.id < ? ORDER BY r.id DESC LIMIT ?", []any{status, before, limit}, func(r scanner) error {
		x, err := scanReport(r)
		list = append(list, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the reports: %w", err)
	}
	return list, nil
}

// ReportsBy lists what a member reported, the newest first.
func (s *Store) ReportsBy(ctx context.Context, member threading.ID, limit int) ([]threading.Report, error) {
	var list []threading.Report
	err := s.rows(ctx, "SELECT "+reportColumns+" FROM reports r WHERE r.reporter_id = ? AND r.via <> ? ORDER BY r.id DESC LIMIT ?", []any{member, threading.ReportText, limit}, func(r scanner) error {
		x, err := scanReport(r)
		list = append(list, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list a member's reports: %w", err)
	}
	return list, nil
}

// Report returns a report. ErrNotFound.
func (s *Store) Report(ctx context.Context, id threading.ID) (threading.Report, error) {
	return scanOne(scanReport(s.queryRow(ctx, "SELECT "+reportColumns+" FROM reports r WHERE r.id = ?", id)))
}

// Evidence lists the items of the report's thread that its reporter has, or had
// when it was made, the oldest first, at most limit: of a long thread the
// reported one with those before it. They are kept while it is open.
func (s *Store) Evidence(ctx context.Context, r threading.Report, limit int) ([]threading.Item, error) {
	var list []threading.Item
	err := s.rows(ctx, "SELECT id, thread_id, message_id, header, body_id, body_size FROM items WHERE member_id = ? AND thread_id = ? ORDER BY id > ?, ABS(id - ?) LIMIT ?",
		[]any{r.ReporterID, r.ThreadID, r.ID, r.ID, limit}, func(row scanner) error {
			it := threading.Item{MemberID: r.ReporterID}
			err := row.Scan(&it.ID, &it.ThreadID, &it.MessageID, &it.Header, &it.BodyID, &it.BodySize)
			list = append(list, it)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read the evidence: %w", err)
	}
	slices.SortFunc(list, func(a, b threading.Item) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// ResolveReport closes a report. What a reporter who was removed meanwhile said
// goes. ErrNotFound.
func (s *Store) ResolveReport(ctx context.Context, id threading.ID, resolution string) error {
	if len(resolution) > threading.MaxReason {
		return fmt.Errorf("the resolution is longer than %d octets", threading.MaxReason)
	}
	now := millis(s.o.Now())
	return s.c.commit(ctx, func(t *tx) error {
		if err := changed(t.exec("UPDATE reports SET status = ?, resolution = ?, resolved_at = ? WHERE id = ?", threading.ReportResolved, resolution, now, id)); err != nil {
			return err
		}
		_, err := t.exec("UPDATE reports SET reason = '' WHERE id = ? AND via <> ? AND reporter_id IN (SELECT id FROM members WHERE status = ?)", id, threading.ReportText, threading.MemberRemoved)
		return err
	})
}

// junk does what it means that entries, now from first to last in to, were put
// there out of another mailbox.
func (t *tx) junk(member, from threading.ID, to threading.Mailbox, first, last uint32, now int64) error {
	if to.ID == from {
		return nil
	}
	switch to.Use {
	case threading.UseJunk:
		return t.junked(member, to.ID, first, last, now)
	case threading.UseTrash:
		return nil
	}
	var out bool
	if err := t.row("SELECT special_use = ? FROM mailboxes WHERE member_id = ? AND id = ?", []any{threading.UseJunk, member, from}, &out); err != nil || !out {
		return err
	}
	return t.unjunked(member, to.ID, first, last)
}

// junked reports the messages of others that were just put into Junk as the
// entries from first to last, and mutes their threads: a client's own filter
// may have moved them, so that nobody is blocked by it. What the relay noticed
// by itself becomes the member's report, and keeps its reason. A message that
// goes back and forth is an event once.
func (t *tx) junked(member, mailbox threading.ID, first, last uint32, now int64) error {
	const theirs = ` FROM entries e JOIN items i ON i.member_id = e.member_id AND i.id = e.item_id
		JOIN messages m ON m.thread_id = i.thread_id AND m.id = i.message_id
		WHERE e.member_id = ? AND e.mailbox_id = ? AND e.uid BETWEEN ? AND ? AND m.writer_id NOT IN (0, e.member_id)`
	var made []threading.Report
	err := t.rows(`INSERT INTO reports (id, reporter_id, other_id, thread_id, via, reason, status, resolution, created_at, resolved_at)
		SELECT i.id, e.member_id, m.writer_id, i.thread_id, ?, '', ?, '', ?, 0`+theirs+`
		ON CONFLICT (id) DO UPDATE SET via = excluded.via, status = excluded.status, resolution = '', resolved_at = 0 WHERE reports.status = ? OR reports.via = ?
		RETURNING id, reporter_id, other_id, thread_id, via, told`,
		[]any{threading.ReportJunk, threading.ReportOpen, now, member, mailbox, first, last, threading.ReportWithdrawn, threading.ReportText}, func(row scanner) error {
			var r threading.Report
			var told bool
			err := row.Scan(&r.ID, &r.ReporterID, &r.OtherID, &r.ThreadID, &r.Via, &told)
			if !told {
				made = append(made, r)
			}
			return err
		})
	for _, r := range made {
		if err != nil {
			break
		}
		if err = t.emitReport(r, now); err == nil {
			_, err = t.exec("UPDATE reports SET told = 1 WHERE id = ?", r.ID)
		}
	}
	if err == nil {
		_, err = t.exec("INSERT INTO mutes (member_id, thread_id, created_at, junk) SELECT DISTINCT e.member_id, i.thread_id, ?, 1"+theirs+" ON CONFLICT DO NOTHING", now, member, mailbox, first, last)
	}
	if err != nil {
		return fmt.Errorf("report what was moved to Junk: %w", err)
	}
	return nil
}

// unjunked undoes junked for entries that came out of Junk. A reason is the
// relay's own, and what it noticed stays; so does a mute that the member chose.
func (t *tx) unjunked(member, mailbox threading.ID, first, last uint32) error {
	const these = " FROM entries e WHERE e.member_id = ? AND e.mailbox_id = ? AND e.uid BETWEEN ? AND ?"
	_, err := t.exec("UPDATE reports SET status = CASE reason WHEN '' THEN ? ELSE status END, via = CASE reason WHEN '' THEN via ELSE ? END WHERE status = ? AND via = ? AND id IN (SELECT e.item_id"+these+")",
		threading.ReportWithdrawn, threading.ReportText, threading.ReportOpen, threading.ReportJunk, member, mailbox, first, last)
	if err == nil {
		_, err = t.exec("DELETE FROM mutes WHERE member_id = ? AND junk = 1 AND thread_id IN (SELECT e.thread_id"+these+")", member, member, mailbox, first, last)
	}
	if err != nil {
		return fmt.Errorf("withdraw the reports of what came out of Junk: %w", err)
	}
	return nil
}

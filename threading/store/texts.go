package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// ErrSameText refuses a text that was sent too often, ErrSameTextByMany one that
// too many send.
var (
	ErrSameText       = errors.New("the same text was sent to as many members as are allowed")
	ErrSameTextByMany = errors.New("the same text was sent by as many members as are allowed")
)

const textDay = 24 * time.Hour

func dayOf(t time.Time) int64 { return t.UnixMilli() / textDay.Milliseconds() }

// keepText counts the text of a first message. What is too often is held, if it
// is to be, and reported once for each writer while it lasts, with the
// conversation in which it was noticed: the result says why, or is empty.
// ErrSameText, ErrSameTextByMany.
func (t *tx) keepText(f *filingRow) (report string, err error) {
	x := f.Text
	if x.Hash == nil || f.NewThread == nil {
		return "", nil
	}
	now, more := f.Message.FiledAt, max(1, len(f.NewThread.Participants)-1)
	var sent, writers, own int
	if err := t.row("SELECT COALESCE(SUM(CASE WHEN writer_id = ? THEN n END), 0), COUNT(DISTINCT writer_id), COUNT(CASE WHEN writer_id = ? THEN 1 END) FROM texts WHERE hash = ? AND day > ?",
		[]any{f.Message.WriterID, f.Message.WriterID, x.Hash, dayOf(now.Add(-threading.TextFor))}, &sent, &writers, &own); err != nil {
		return "", fmt.Errorf("count the text: %w", err)
	}
	if own == 0 {
		writers++
	}
	byOne, byMany := x.Recipients > 0 && sent+more > x.Recipients, x.Writers > 0 && writers > x.Writers
	switch {
	case x.Refuse && byOne:
		return "", ErrSameText
	case x.Refuse && byMany:
		return "", ErrSameTextByMany
	}
	if _, err := t.exec("INSERT INTO texts (hash, writer_id, day, n) VALUES (?, ?, ?, ?) ON CONFLICT (hash, writer_id, day) DO UPDATE SET n = n + excluded.n",
		x.Hash, f.Message.WriterID, dayOf(now), more); err != nil {
		return "", fmt.Errorf("count the text: %w", err)
	}
	why := ""
	switch {
	case byOne:
		why = fmt.Sprintf("This writer sent the same text to %d members within a week.", sent+more)
	case byMany:
		why = fmt.Sprintf("%d members sent the same text within a week.", writers)
	}
	if x.Hold && f.Hold == "" {
		f.Hold = why
	}
	if byOne && sent > x.Recipients || !byOne && own > 0 {
		why = "" // reported already
	}
	return why, nil
}

// reportText reports the copy of the first who got it; where nobody did, since
// they all have blocked the writer or it is held, the writer's own.
func (t *tx) reportText(f *filingRow, reason string) error {
	var r threading.Report
	for i, c := range f.Copies {
		own := c.MemberID == f.Message.WriterID
		if own && r.ID != 0 {
			continue
		}
		var got bool
		if err := t.row("SELECT EXISTS (SELECT 1 FROM items WHERE member_id = ? AND id = ?)", []any{c.MemberID, f.items[i]}, &got); err != nil {
			return fmt.Errorf("look who got the text: %w", err)
		}
		if !got {
			continue
		}
		r.ID, r.ReporterID = f.items[i], c.MemberID
		if !own {
			break
		}
	}
	if r.ID == 0 {
		return nil // the writer was removed meanwhile
	}
	r.OtherID, r.ThreadID, r.Via = f.Message.WriterID, f.NewThread.Thread.ID, threading.ReportText
	_, err := t.exec("INSERT INTO reports (id, reporter_id, other_id, thread_id, via, reason, status, resolution, created_at, resolved_at) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, 0)",
		r.ID, r.ReporterID, r.OtherID, r.ThreadID, r.Via, reason, threading.ReportOpen, millis(f.Message.FiledAt))
	if err == nil {
		err = t.emitReport(r, millis(f.Message.FiledAt))
	}
	if err != nil {
		return fmt.Errorf("report the text: %w", err)
	}
	return nil
}

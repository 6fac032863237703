package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// ErrSameText refuses a text that was sent too often.
var ErrSameText = errors.New("the same text was sent to as many members as are allowed")

const textDay = 24 * time.Hour

func dayOf(t time.Time) int64 { return t.UnixMilli() / textDay.Milliseconds() }

// keepText counts the text of a first message. What is too often is reported,
// once for each writer while it lasts, with the conversation in which it was
// noticed, or ErrSameText.
func (t *tx) keepText(f *filingRow) error {
	x := f.Text
	if x.Hash == nil || f.NewThread == nil {
		return nil
	}
	now, more := f.Message.FiledAt, max(1, len(f.NewThread.Participants)-1)
	var sent, writers, own int
	if err := t.row("SELECT COALESCE(SUM(CASE WHEN writer_id = ? THEN n END), 0), COUNT(DISTINCT writer_id), COUNT(CASE WHEN writer_id = ? THEN 1 END) FROM texts WHERE hash = ? AND day > ?",
		[]any{f.Message.WriterID, f.Message.WriterID, x.Hash, dayOf(now.Add(-threading.TextFor))}, &sent, &writers, &own); err != nil {
		return fmt.Errorf("count the text: %w", err)
	}
	if own == 0 {
		writers++
	}
	byOne, byMany := x.Recipients > 0 && sent+more > x.Recipients, x.Writers > 0 && writers > x.Writers
	if x.Refuse && (byOne || byMany) {
		return ErrSameText
	}
	if _, err := t.exec("INSERT INTO texts (hash, writer_id, day, n) VALUES (?, ?, ?, ?) ON CONFLICT (hash, writer_id, day) DO UPDATE SET n = n + excluded.n",
		x.Hash, f.Message.WriterID, dayOf(now), more); err != nil {
		return fmt.Errorf("count the text: %w", err)
	}
	switch {
	case byOne && sent <= x.Recipients:
		return t.reportText(f, fmt.Sprintf("This writer sent the same text to %d members within a week.", sent+more))
	case byMany && own == 0:
		return t.reportText(f, fmt.Sprintf("%d members sent the same text within a week.", writers))
	}
	return nil
}

// reportText reports the copy of the first who gets it.
func (t *tx) reportText(f *filingRow, reason string) error {
	for i, c := range f.Copies {
		if c.MemberID == f.Message.WriterID {
			continue
		}
		_, err := t.exec("INSERT INTO reports (id, reporter_id, other_id, thread_id, via, reason, status, resolution, created_at, resolved_at) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, 0)",
			f.items[i], c.MemberID, f.Message.WriterID, f.NewThread.Thread.ID, threading.ReportText, reason, threading.ReportOpen, millis(f.Message.FiledAt))
		if err != nil {
			return fmt.Errorf("report the text: %w", err)
		}
		return nil
	}
	return nil
}

package store

import (
	"errors"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// The same text to many, and by many, is reported once for each writer; a week
// later it is forgotten.
func TestSameText(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	sam, otto, ann := x.member("sam"), x.member("otto"), x.member("ann")
	text := threading.Text{Hash: []byte("the same"), Recipients: 3, Writers: 2}
	send := func(m threading.Member, text threading.Text) error {
		f := x.start(m, tess, "hello")
		f.Text = text
		return second(x.File(x.ctx, f))
	}
	reports := func(want int, when string) []threading.Report {
		t.Helper()
		list, err := x.Reports(x.ctx, threading.ReportOpen, 10)
		if err != nil || len(list) != want {
			t.Fatalf("%s: %d reports, %v", when, len(list), err)
		}
		return list
	}
	for range 3 {
		x.do(send(sam, text))
	}
	reports(0, "to three")
	for range 3 {
		x.do(send(sam, text))
	}
	r := reports(1, "to six")[0]
	if r.OtherID != sam.ID || r.Via != threading.ReportText || r.Reason != "This writer sent the same text to 4 members within a week." {
		t.Errorf("%+v", r)
	}
	if items, err := x.Evidence(x.ctx, r, 10); err != nil || len(items) != 1 {
		t.Errorf("evidence %v, %v", items, err)
	}
	x.do(send(otto, text))
	reports(1, "by two")
	x.do(send(ann, text))
	x.do(send(ann, text))
	if r := reports(2, "by three")[0]; r.OtherID != ann.ID || r.Reason != "3 members sent the same text within a week." {
		t.Errorf("%+v", r)
	}
	text.Refuse = true
	if err := send(sam, text); !errors.Is(err, ErrSameText) {
		t.Errorf("to too many: %v", err)
	}
	if err := send(x.member("eve"), text); !errors.Is(err, ErrSameTextByMany) {
		t.Errorf("by too many: %v", err)
	}
	text.Refuse = false
	x.clock.advance(8 * 24 * time.Hour)
	x.do(send(sam, text))
	reports(2, "a week later")
	x.clock.advance(8 * 24 * time.Hour)
	x.sweep()
	if n := x.count("texts"); n != 0 {
		t.Errorf("%d texts are kept", n)
	}
}

// What the relay reports is an event that nobody made, with a copy that somebody
// got; where nobody did, the writer's own.
func TestReportedTextIsShown(t *testing.T) {
	h := newHooked(t)
	otto := h.member("otto")
	send := func(to threading.Member) threading.Report {
		t.Helper()
		f := h.start(h.sam, to, "hello")
		f.Text = threading.Text{Hash: []byte("to " + to.Handle), Recipients: 1}
		h.file(f)
		f = h.start(h.sam, to, "hello")
		f.Text = threading.Text{Hash: []byte("to " + to.Handle), Recipients: 1}
		thread := h.file(f)[0].ThreadID
		list, err := h.Reports(h.ctx, threading.ReportOpen, 1)
		if err != nil || len(list) != 1 || list[0].ThreadID != thread || list[0].By() != 0 {
			t.Fatalf("%+v, %v", list, err)
		}
		if items, err := h.Evidence(h.ctx, list[0], 10); err != nil || len(items) != 1 || items[0].ID != list[0].ID {
			t.Errorf("evidence %v, %v", items, err)
		}
		return list[0]
	}
	if r := send(h.tess); r.ReporterID != h.tess.ID {
		t.Errorf("not the copy that Tess got: %+v", r)
	}
	h.must(h.Block(h.ctx, otto.ID, h.sam.ID))
	if r := send(otto); r.ReporterID != h.sam.ID {
		t.Errorf("not the writer's copy: %+v", r)
	}
	list, err := h.WebhookEvents(h.ctx, h.hook.ID, false, 0, 10)
	h.must(err)
	var made int
	for _, e := range list {
		if e.Kind == threading.EventReport {
			made++
			if e.MemberID != 0 || e.OtherID != h.sam.ID || e.Detail != "text" {
				t.Errorf("%+v", e)
			}
		}
	}
	if made != 2 {
		t.Errorf("%d events", made)
	}
}

// A member who moves it to Junk has reported it; taken out of it again, what the
// relay noticed stays.
func TestReportedTextInJunk(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	for range 2 {
		f := x.start(sam, tess, "hello")
		f.Text = threading.Text{Hash: []byte("the same"), Recipients: 1}
		x.file(f)
	}
	list, err := x.Reports(x.ctx, threading.ReportOpen, 10)
	x.do(err)
	const reason = "This writer sent the same text to 2 members within a week."
	want := func(by threading.ID, via threading.ReportVia) {
		t.Helper()
		r, err := x.Report(x.ctx, list[0].ID)
		if err != nil || r.By() != by || r.Via != via || r.Reason != reason || r.Status != threading.ReportOpen || r.Resolution != "" || !r.ResolvedAt.IsZero() {
			t.Errorf("%+v, %v", r, err)
		}
	}
	want(0, threading.ReportText)
	x.do(x.ResolveReport(x.ctx, list[0].ID, "a casting call"))
	x.move(tess, "INBOX", "Junk")
	want(tess.ID, threading.ReportJunk)
	x.move(tess, "Junk", "INBOX")
	want(0, threading.ReportText)
}

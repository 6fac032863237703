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
	if err := send(x.member("eve"), text); !errors.Is(err, ErrSameText) {
		t.Errorf("to be refused: %v", err)
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

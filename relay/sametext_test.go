package relay

import (
	"context"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// What differs from reader to reader does not hide that it is the same text; what
// is short, or an answer, is not counted.
func TestSameTextToMany(t *testing.T) {
	const call = ",\n\nwe are casting a short film about two sisters in Leipzig and would love to see you for the part of the elder one.\n"
	s := newStage(t, func(o *Options) { o.SameText = SameText{Recipients: 1} })
	ctx := context.Background()
	send := func(to, text string) {
		t.Helper()
		if err := s.submit(s.sam, letterFrom("sam", to, "Sisters", text), to+"@"+testDomain); err != nil {
			t.Fatal(err)
		}
	}
	reports := func() int {
		list, err := s.store.Reports(ctx, threading.ReportOpen, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	send("tess", "Are you free on Tuesday?\n")
	send("otto", "Are you free on Tuesday?\n")
	send("tess", "Dear Tess"+call)
	if n := reports(); n != 0 {
		t.Fatalf("%d reports of short texts", n)
	}
	send("otto", "Dear  OTTO"+call+"https://agency.example/sisters?to=otto 17:30\n")
	if n := reports(); n != 1 {
		t.Errorf("%d reports of the same text", n)
	}
	s.o.SameText.Refuse = true
	wantRefusal(t, s.submit(s.sam, letterFrom("sam", "tess", "Sisters", "Dear  Tess"+call), "tess@"+testDomain), errSameText)
	if err := s.submit(s.sam, letterFrom("sam", "tess", "Other", "Dear Tess, there is also a reading on Friday at which we need somebody who knows the play by heart.\n"), "tess@"+testDomain); err != nil {
		t.Errorf("another text: %v", err)
	}
}

package store

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

func TestHold(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	raw := []byte("From: tess@mail.example\r\n\r\nhello\r\n")
	for _, h := range []Held{
		{MemberID: tess.ID, Recipient: "t-abc", Reason: "not aligned", Raw: raw},
		{MemberID: tess.ID, Recipient: "t-abc", Reason: "a retry", Raw: raw},
		{Recipient: "sam", Reason: "unknown", Raw: raw},
		{Recipient: "sam", Reason: "larger", Raw: []byte(strings.Repeat("x", 9<<20))},
	} {
		x.clock.advance(time.Second)
		h.HeldAt = x.clock.Now()
		if err := x.Hold(x.ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	list, err := x.HeldMessages(x.ctx, 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("held are %+v, %v", list, err)
	}
	if h := list[0]; h.MemberID != tess.ID || h.Recipient != "t-abc" || h.Reason != "not aligned" || h.Raw != nil || !h.HeldAt.Equal(x.clock.Now().Add(-3*time.Second)) {
		t.Errorf("the first is %+v", h)
	}
	if list[1].MemberID != 0 || list[1].Recipient != "sam" {
		t.Errorf("the second is %+v", list[1])
	}
	// What is kept opens again with the key.
	var sealed []byte
	if err := x.read.QueryRow("SELECT raw FROM held WHERE id = ?", list[0].ID).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	packed, err := fixtureKeyring(t).Open(sealedHeld, sealed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decompress([]byte(packed)); err != nil || string(got) != string(raw) {
		t.Errorf("kept as %q, %v", got, err)
	}
}

func TestRecords(t *testing.T) {
	x := newFixture(t)
	for _, note := range []string{"one", "two", "three"} {
		if err := x.Record(x.ctx, "automatic", threading.ID(7), note); err != nil {
			t.Fatal(err)
		}
	}
	list, err := x.Records(x.ctx, 2)
	if err != nil || len(list) != 2 || list[0].Note != "three" || list[1].Note != "two" {
		t.Fatalf("records %+v, %v", list, err)
	}
	if r := list[0]; r.Kind != "automatic" || r.Ref != 7 || !r.At.Equal(x.clock.Now()) {
		t.Errorf("record %+v", r)
	}
}

package store

import (
	"errors"
	"fmt"
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
		if err := x.Hold(x.ctx, h, nil); err != nil {
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

// What is held for an alias is asked about in the same transaction, opens
// again, and is gone when its time is over.
func TestHeldWithAQuestion(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	h := Held{ID: 77, MemberID: tess.ID, AliasID: 5, Recipient: "t-abc", Reason: "why", Sender: "other@mail.example", Proven: true,
		Raw: []byte("raw"), HeldAt: x.clock.Now(), ExpiresAt: x.clock.Now().Add(time.Hour)}
	question := func() *Notice {
		return &Notice{MemberID: tess.ID, Header: []byte("Subject: ?\r\n\r\n"), Body: x.body("yes or no")}
	}
	for range 2 { // the same octets are asked about once
		if err := x.Hold(x.ctx, h, question()); err != nil {
			t.Fatal(err)
		}
	}
	queue, err := x.Queue(x.ctx, 10)
	if err != nil || len(queue) != 1 || queue[0].Kind != QueueNotice || queue[0].MemberID != tess.ID || string(queue[0].Header) != "Subject: ?\r\n\r\n" {
		t.Fatalf("queue %+v, %v", queue, err)
	}
	got, err := x.HeldMessage(x.ctx, 77)
	if err != nil || string(got.Raw) != "raw" || got.Sender != h.Sender || !got.Proven || got.AliasID != 5 || !got.ExpiresAt.Equal(h.ExpiresAt) {
		t.Fatalf("held %+v, %v", got, err)
	}
	x.clock.advance(2 * time.Hour)
	if _, err := x.HeldMessage(x.ctx, 77); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its time: %v", err)
	}
	if err := x.Sweep(x.ctx); err != nil {
		t.Fatal(err)
	}
	if n := x.count("held"); n != 0 {
		t.Errorf("%d held after the sweep", n)
	}
	if err := x.Release(x.ctx, 77); !errors.Is(err, ErrNotFound) {
		t.Errorf("release: %v", err)
	}
}

func TestHeldHasABound(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	hold := func(alias threading.ID, raw string) error {
		return x.Hold(x.ctx, Held{MemberID: tess.ID, AliasID: alias, Recipient: "t-abc", Raw: []byte(raw), HeldAt: x.clock.Now()}, nil)
	}
	for i := range MaxHeld {
		if err := hold(5, fmt.Sprint("five ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := hold(5, "one more"); !errors.Is(err, ErrTooManyHeld) {
		t.Errorf("one more for the alias: %v", err)
	}
	var err error
	n := MaxHeld
	for ; err == nil && n < 100; n++ {
		err = hold(threading.ID(6+n), fmt.Sprint(n))
	}
	if !errors.Is(err, ErrTooManyHeld) || n-1 != maxHeldMember {
		t.Errorf("%d for the member, then %v", n-1, err)
	}
}

func TestAddressRequest(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	var id threading.ID
	ask := func(m threading.Member, addr string) error {
		return x.RequestAddress(x.ctx, m.ID, addr, func(q AddressRequest) (Notice, error) {
			id = q.ID
			return Notice{Header: []byte("Subject: ?\r\n\r\n"), Body: x.body("is it yours?")}, nil
		})
	}
	if err := ask(tess, "new@mail.example"); err != nil {
		t.Fatal(err)
	}
	first := id
	if err := ask(tess, "NEW@mail.example"); !errors.Is(err, ErrAskedAlready) {
		t.Errorf("asked again: %v", err)
	}
	queue, err := x.Queue(x.ctx, 10)
	if err != nil || len(queue) != 1 || queue[0].Kind != QueueConfirmation || queue[0].ItemID != first {
		t.Fatalf("queue %+v, %v", queue, err)
	}
	if q, err := x.AddressRequest(x.ctx, first); err != nil || q.Address != "new@mail.example" || q.MemberID != tess.ID {
		t.Fatalf("%+v, %v", q, err)
	}
	set := func(status threading.MemberStatus) {
		x.do(second(x.ChangeMember(x.ctx, "tess", func(m *threading.Member) error { m.Status = status; return nil })))
	}
	set(threading.MemberSuspended)
	if err := x.GrantAddress(x.ctx, first); !errors.Is(err, ErrNotFound) {
		t.Errorf("granted to who is suspended: %v", err)
	}
	set(threading.MemberActive)
	if err := x.GrantAddress(x.ctx, first); err != nil {
		t.Fatal(err)
	}
	if m, err := x.MemberByAddress(x.ctx, "new@mail.example"); err != nil || m.ID != tess.ID {
		t.Errorf("the address is %v's, %v", m.Handle, err)
	}
	if err := x.GrantAddress(x.ctx, first); !errors.Is(err, ErrNotFound) {
		t.Errorf("granted twice: %v", err)
	}
	// An address that became somebody's meanwhile stays theirs.
	if err := ask(sam, "new@mail.example"); err != nil {
		t.Fatal(err)
	}
	if err := x.GrantAddress(x.ctx, id); !errors.Is(err, ErrExists) {
		t.Errorf("granted what is another's: %v", err)
	}
	for i := range MaxAddressRequests {
		if err := ask(tess, fmt.Sprintf("more%d@mail.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(tess, "one-more@mail.example"); !errors.Is(err, ErrLimit) {
		t.Errorf("one more: %v", err)
	}
	if err := ask(sam, "other@mail.example"); err != nil {
		t.Errorf("another member: %v", err)
	}
	x.clock.advance(AddressRequestFor)
	if err := x.GrantAddress(x.ctx, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its time: %v", err)
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

package store

import (
	"errors"
	"testing"
	"time"
)

func TestClaimRequest(t *testing.T) {
	x := newFixture(t)
	other := x.open(false) // another process
	key, one, two := []byte("key"), []byte("one"), []byte("two")
	claim := func(s *Store, request []byte) (*KeptAnswer, error) {
		return s.ClaimRequest(x.ctx, key, request, time.Minute)
	}
	if kept, err := claim(x.Store, one); kept != nil || err != nil {
		t.Fatal(kept, err)
	}
	if _, err := claim(other, one); !errors.Is(err, ErrUnderWay) {
		t.Errorf("another process: %v", err)
	}
	if _, err := claim(other, two); !errors.Is(err, ErrOtherRequest) {
		t.Errorf("another request: %v", err)
	}
	x.clock.advance(time.Minute)
	if kept, err := claim(other, one); kept != nil || err != nil {
		t.Errorf("after the first one died: %v, %v", kept, err)
	}
	want := KeptAnswer{Status: 201, Location: "/there", Body: []byte("{\"a\": 1}\n")}
	if err := other.KeepAnswer(x.ctx, key, want); err != nil {
		t.Fatal(err)
	}
	if kept, err := claim(x.Store, one); err != nil || kept == nil || kept.Status != 201 || kept.Location != "/there" || string(kept.Body) != string(want.Body) {
		t.Errorf("%+v, %v", kept, err)
	}
	if err := x.ForgetRequest(x.ctx, key); err != nil { // it was answered: it stays
		t.Fatal(err)
	}
	if _, err := claim(x.Store, two); !errors.Is(err, ErrOtherRequest) {
		t.Errorf("%v", err)
	}
	x.clock.advance(KeepAnswers + time.Millisecond)
	if err := x.Sweep(x.ctx); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := x.row(x.ctx, "SELECT COUNT(*) FROM api_requests", nil, &n); err != nil || n != 0 {
		t.Errorf("%d are left, %v", n, err)
	}
}

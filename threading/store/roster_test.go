package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// What one refused member had is not left behind, and the others are added.
func TestPutMembersLeavesNothingOfTheRefused(t *testing.T) {
	x := newFixture(t)
	x.member("sam")
	put := func(handle string, addresses ...string) NewMember {
		return NewMember{Member: threading.Member{Handle: handle, Name: "Name"}, Addresses: addresses}
	}
	list := []NewMember{
		put("ann", "ann@mail.example", "ANN@mail.example"), // the same twice
		put("bob", "bob@mail.example", "sam@mail.example"), // the second one is Sam's
		put("sam", "other@mail.example"),
		put("Carl", "carl@mail.example"),
		put("dora", "bob@mail.example"), // free: bob was refused
		put("5am", "5am@mail.example"),  // can be taken for sam
	}
	want := []Enrolment{EnrolAdded, EnrolRefused, EnrolRefused, EnrolRefused, EnrolAdded, EnrolRefused}
	for _, trial := range []bool{true, false} {
		got, err := x.PutMembers(x.ctx, list, false, trial)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range got {
			if e.Enrolment != want[i] || (e.Err != nil) != (want[i] == EnrolRefused) {
				t.Errorf("trial %v: %s: %+v", trial, list[i].Handle, e)
			}
		}
		if _, err := x.MemberByHandle(x.ctx, "ann"); errors.Is(err, ErrNotFound) != trial {
			t.Errorf("trial %v: %v", trial, err)
		}
		if _, err := x.MemberByHandle(x.ctx, "bob"); !errors.Is(err, ErrNotFound) {
			t.Errorf("bob: %v", err)
		}
	}
}

// A member costs five statements, however many mailboxes there are.
func TestPutMembersCost(t *testing.T) {
	x := newFixture(t)
	var list []NewMember
	for i := range 100 {
		list = append(list, NewMember{Member: threading.Member{Handle: fmt.Sprint("m", i), Name: "Name"}, Addresses: []string{fmt.Sprintf("m%d@mail.example", i)}})
	}
	x.c.executed.Store(0)
	if _, err := x.PutMembers(x.ctx, list, false, false); err != nil {
		t.Fatal(err)
	}
	if n := x.c.executed.Load(); n > 5*100+2 {
		t.Errorf("%d statements for 100 members", n)
	}
}

// BenchmarkRawRows is the store's raw batch insert rate: the rows of a member,
// one statement each, a thousand members a transaction. threading/roster's
// BenchmarkImport is compared with it.
func BenchmarkRawRows(b *testing.B) {
	x := newFixture(b)
	member, mailbox := "m", threading.StandardMailboxes
	n := 0
	batch := func(t *tx) error {
		for range min(1000, b.N-n) {
			n++
			id, at := x.IDs().Next(), millis(x.clock.Now())
			hash := x.addressHash(fmt.Sprint(n))
			if _, err := t.exec("INSERT INTO members (id, handle, name, status, alerts, digest_at, timezone, created_at, digest_due, digest_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				id, fmt.Sprint(member, n), "Name", "active", "immediate", "08:00", "UTC", at, 0, at); err != nil {
				return err
			}
			if _, err := t.exec("INSERT INTO member_state (member_id, modseq) VALUES (?, 1)", id); err != nil {
				return err
			}
			if _, err := t.exec("INSERT INTO addresses (id, member_id, hash, sealed, is_primary, verified_at, created_at) VALUES (?, ?, ?, ?, 1, ?, ?)", x.IDs().Next(), id, hash, make([]byte, 64), at, at); err != nil {
				return err
			}
			for _, m := range mailbox {
				if _, err := t.exec("INSERT INTO mailboxes (member_id, id, name, special_use, uidvalidity, uidnext, subscribed, expunged_from) VALUES (?, ?, ?, ?, 1, 1, 1, 1)", id, x.IDs().Next(), m.Name, m.Use); err != nil {
					return err
				}
			}
		}
		return nil
	}
	b.ResetTimer()
	for n < b.N {
		if err := x.c.commit(x.ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "members/s")
	b.ReportMetric(float64(9*b.N)/b.Elapsed().Seconds(), "rows/s")
}

package outbound

import (
	"testing"
	"time"
)

// TestLeasesAreRenewed: what is in memory stays ours for as long as it takes;
// what another took while we were stopped is not sent by us.
func TestLeasesAreRenewed(t *testing.T) {
	s := newSite(t)
	tess := s.member("tess", "tess@mail.example")
	for range 2 {
		s.write(tess, "Hello\r\n")
	}
	const lease = time.Minute
	q := s.queue(Options{Smarthost: Route{URL: "smtp://127.0.0.1:1"}, Lease: lease})
	rows, err := s.Lease(t.Context(), 2, lease)
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	q.leases.take(rows)
	for range 5 {
		s.ahead.Add(int64(lease * 5 / 6))
		if q.leases.hold(rows[0]) {
			t.Error("a delivery would begin with a lease that is about to end")
		}
		q.leases.extend(t.Context())
		if !q.leases.hold(rows[0]) || !q.leases.hold(rows[1]) {
			t.Fatal("a renewed row is not held")
		}
		if got, err := s.Lease(t.Context(), 2, lease); err != nil || len(got) != 0 {
			t.Fatalf("another took %+v, %v", got, err)
		}
	}
	q.leases.drop([]verdict{{row: rows[0]}})
	s.ahead.Add(int64(lease + time.Second))
	taken, err := s.Lease(t.Context(), 2, lease)
	if err != nil || len(taken) != 2 {
		t.Fatal(taken, err)
	}
	q.leases.extend(t.Context())
	for _, row := range rows {
		if q.leases.hold(row) {
			t.Error("a row that another took is held")
		}
	}
}

package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// fillQueue adds n rows that are due, a millisecond apart, and n more that are
// due later, without filing messages.
func (x *fixture) fillQueue(n int) {
	x.t.Helper()
	now := millis(x.clock.Now())
	err := x.c.commit(x.ctx, func(t *tx) error {
		_, err := t.exec(`WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n + 1 < ?)
			INSERT INTO queue (id, kind, member_id, item_id, thread_id, header, body_id, attempts, created_at, due_at, leased_till, last_error)
			SELECT ? + n, 'notification', n, n, n, NULL, 0, 0, ?, ? - ? + 2 * n, 0, '' FROM i`, 2*n, x.o.IDs.Next(), now, now, 2*n)
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

// TestPickingCostsTheSame: what is asked to find the next rows is answered by an
// index from its beginning, and takes as many statements in a long queue as in a
// short one.
func TestPickingCostsTheSame(t *testing.T) {
	var statements []int64
	for _, n := range []int{100, 20000} {
		x := newFixture(t)
		x.fillQueue(n)
		for query, want := range map[string]string{
			anyDue:  "SEARCH queue USING COVERING INDEX queue_due (due_at<?)",
			someDue: "SEARCH queue USING INDEX queue_due (due_at<?)",
			nextDue: "SCAN queue USING COVERING INDEX queue_due",
		} {
			var args []any
			for range strings.Count(query, "?") {
				args = append(args, 5)
			}
			var plan []string
			err := x.rows(x.ctx, "EXPLAIN QUERY PLAN "+query, args, func(r scanner) error {
				var id, parent, unused int
				var detail string
				err := r.Scan(&id, &parent, &unused, &detail)
				plan = append(plan, detail)
				return err
			})
			if err != nil || len(plan) != 1 || plan[0] != want {
				t.Errorf("of %d rows, %s: %q (%v), want %q", n, query, plan, err, want)
			}
		}
		before := x.c.executed.Load()
		if list, err := x.Lease(x.ctx, 50, time.Minute); err != nil || len(list) != 50 {
			t.Fatal(len(list), err)
		}
		statements = append(statements, x.c.executed.Load()-before)
	}
	if statements[0] != statements[1] {
		t.Errorf("statements for 50 rows of a short and of a long queue: %v", statements)
	}
}

// BenchmarkLease picks the next hundred rows of a short and of a long queue.
func BenchmarkLease(b *testing.B) {
	for _, n := range []int{1000, 1000000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := newFixture(b)
			x.fillQueue(n / 2)
			for b.Loop() {
				// Without a lease they are due again at once, after all others.
				if list, err := x.Lease(x.ctx, 100, 0); err != nil || len(list) != 100 {
					b.Fatal(len(list), err)
				}
				if _, err := x.NextDue(x.ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package tlsrpt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// office is a database that one or more processes have open, with a clock and a
// DNS that can be set.
type office struct {
	t   *testing.T
	dir string

	mu      sync.Mutex
	now     time.Time
	records map[string][]string // by domain; nil: DNS fails
	lookups int
}

func newOffice(t *testing.T) *office {
	return &office{t: t, dir: t.TempDir(), now: time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour), records: map[string][]string{}}
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *office) lookup(_ context.Context, name string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lookups++
	domain := strings.TrimSuffix(strings.TrimPrefix(name, "_smtp._tls."), ".")
	records, ok := o.records[domain]
	switch {
	case !ok:
		return nil, &net.DNSError{Name: name, IsNotFound: true}
	case records == nil:
		return nil, &net.DNSError{Name: name, IsTimeout: true}
	}
	return records, nil
}

// node is one process.
type node struct {
	*store.Store
	*Recorder
	*Reporter
}

func (o *office) node() node {
	o.t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		o.t.Fatal(err)
	}
	st, err := store.Open(o.t.Context(), store.Options{DSN: "sqlite:" + filepath.Join(o.dir, "s.db"), Keyring: keys, IDs: threading.NewIDSource(), Now: o.clock})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = st.Close() })
	log := slog.New(slog.DiscardHandler)
	return node{st, NewRecorder(st, log, o.clock), NewReporter(ReporterOptions{Store: st, Domain: "msg.example.com", LookupTXT: o.lookup, Logger: log, Now: o.clock})}
}

func (n node) count(domain string, times int) {
	for range times {
		n.Count(Result{Policy: Policy{Type: "no-policy-found", Domain: domain}})
	}
	n.Write()
}

// queued are the recipients of what waits in the queue.
func (o *office) queued(n node) string {
	o.t.Helper()
	rows, err := n.Queue(o.t.Context(), 100)
	if err != nil {
		o.t.Fatal(err)
	}
	var list []string
	for _, row := range rows {
		to, err := n.Recipient(row)
		if err != nil || row.Kind != store.QueueTLSReport {
			o.t.Fatalf("%+v: %v", row, err)
		}
		list = append(list, to)
	}
	return strings.Join(list, " ")
}

// report makes what is due.
func (o *office) report(n node) {
	o.t.Helper()
	if err := n.Reporter.Report(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

const nextMorning = 12*time.Hour + firstAfter + spread

// TestOncePerDay: two nodes count and report, one of them starts anew; each
// domain gets its report once, with the sum.
func TestOncePerDay(t *testing.T) {
	o := newOffice(t)
	o.records["x.example"] = []string{"v=TLSRPTv1; rua=mailto:reports@x.example,https://x.example/reports"}
	o.records["none.example"] = []string{"v=spf1 -all"}
	a, b := o.node(), o.node()
	a.count("x.example", 3)
	b.count("x.example", 4)
	a.count("none.example", 1)
	a.count("unknown.example", 1)
	o.report(a)
	if got := o.queued(a); got != "" {
		t.Errorf("before the day is over: %s", got)
	}
	o.pass(12 * time.Hour)
	o.report(a)
	if got := o.queued(a); got != "" {
		t.Errorf("at midnight, when nodes may still count: %s", got)
	}
	o.pass(nextMorning - 12*time.Hour)
	var both sync.WaitGroup
	for _, n := range []node{a, b} {
		both.Go(func() { o.report(n) })
	}
	both.Wait()
	o.report(o.node())
	if got := o.queued(a); got != "reports@x.example https://x.example/reports" {
		t.Fatalf("queued: %s", got)
	}
	rows, err := a.Queue(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		body, err := a.OpenBody(t.Context(), row.BodyID, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := decompress(content)
		if i == 0 { // the mail
			text, err = readMail(row.Header, content)
		}
		if err != nil || !strings.Contains(string(text), `"total-successful-session-count": 7`) {
			t.Errorf("%v:\n%s", err, text)
		}
		for _, secret := range []string{"none.example", "unknown.example"} {
			if strings.Contains(string(row.Header)+string(text), secret) {
				t.Errorf("the report names %s", secret)
			}
		}
	}
	// What a node counted late, of a day that was reported, makes no second report.
	if err := a.CountTLS(t.Context(), o.clock().Add(-24*time.Hour), []store.TLSResult{{Domain: "x.example", Detail: "{}", Count: 1}}); err != nil {
		t.Fatal(err)
	}
	o.report(a)
	if got := o.queued(a); strings.Count(got, "https") != 1 {
		t.Errorf("then: %s", got)
	}
	// The next day has its own.
	b.count("x.example", 1)
	o.pass(24 * time.Hour)
	o.report(b)
	if got := o.queued(a); strings.Count(got, "https") != 2 {
		t.Errorf("the next day: %s", got)
	}
}

// TestDNSFails: a report waits until DNS says where it goes.
func TestDNSFails(t *testing.T) {
	o := newOffice(t)
	o.records["x.example"] = nil
	n := o.node()
	n.count("x.example", 1)
	o.pass(nextMorning)
	o.report(n)
	if got := o.queued(n); got != "" {
		t.Fatal(got)
	}
	o.mu.Lock()
	o.records["x.example"] = []string{"v=TLSRPTv1; rua=mailto:reports@x.example"}
	o.mu.Unlock()
	o.report(n)
	if got := o.queued(n); got != "" || o.lookups != 1 {
		t.Errorf("asked %d times within the hour, queued %q", o.lookups, got)
	}
	o.pass(askAgain)
	o.report(n)
	if got := o.queued(n); got != "reports@x.example" || len(n.silent) != 0 {
		t.Errorf("%s, %d are not asked", got, len(n.silent))
	}
}

// TestManySilent: domains whose DNS does not answer don't keep the others from
// their reports, however many there are.
func TestManySilent(t *testing.T) {
	o := newOffice(t)
	n := o.node()
	for i := range maxAtOnce + 10 {
		domain := fmt.Sprintf("%d.silent.example", i)
		o.records[domain] = nil
		n.Count(Result{Policy: Policy{Type: "no-policy-found", Domain: domain}})
	}
	n.Write()
	o.records["x.example"] = []string{"v=TLSRPTv1; rua=mailto:reports@x.example"}
	o.pass(24 * time.Hour)
	n.count("0.silent.example", 1)
	n.count("x.example", 1)
	o.pass(nextMorning)
	for _, want := range []struct {
		queued  string
		lookups int
	}{{"", maxAtOnce}, {"reports@x.example", maxAtOnce + 11}, {"reports@x.example", maxAtOnce + 11}} {
		o.report(n)
		if got := o.queued(n); got != want.queued || o.lookups != want.lookups {
			t.Errorf("queued %q after %d lookups, want %q after %d", got, o.lookups, want.queued, want.lookups)
		}
	}
}

// TestSwept: what can't be reported for days goes.
func TestSwept(t *testing.T) {
	o := newOffice(t)
	o.records["x.example"] = nil
	n := o.node()
	n.count("x.example", 1)
	o.pass(6 * 24 * time.Hour)
	if err := n.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if days, err := n.TLSDays(t.Context(), o.clock(), store.TLSDay{}, 10); err != nil || len(days) != 0 {
		t.Errorf("%d days, %v", len(days), err)
	}
}

// TestLargePolicy: however long a policy is and however many things are wrong,
// what is kept of a domain stays small.
func TestLargePolicy(t *testing.T) {
	o := newOffice(t)
	n := o.node()
	var mx []string
	for i := range 500 {
		mx = append(mx, fmt.Sprintf("%d.%s.x.example", i, strings.Repeat("long", 15)))
	}
	p := Policy{Type: "sts", Domain: "x.example", String: append([]string{"version: STSv1", "mode: enforce"}, mx...), MXHost: mx}
	for i := range 100 {
		n.Count(Result{Policy: p, Failure: &Failure{Type: "starttls-not-supported", ReceivingMX: mx[i]}})
	}
	n.Write()
	o.pass(24 * time.Hour)
	days, err := n.TLSDays(t.Context(), o.clock(), store.TLSDay{}, 10)
	if err != nil || len(days) != 1 {
		t.Fatalf("%d days, %v", len(days), err)
	}
	list, err := n.TLSResults(t.Context(), days[0], maxDetails)
	if err != nil || len(list) != 100 {
		t.Fatalf("%d results, %v", len(list), err)
	}
	for _, x := range list {
		if len(x.Detail) > maxPolicy+1000 {
			t.Fatalf("a result has %d octets", len(x.Detail))
		}
	}
	rep, err := newReport("msg.example.com", "", "1", days[0].Day, list)
	if err != nil || len(rep.Policies) != 1 || rep.Policies[0].Summary.Failed != 100 || rep.Policies[0].Policy.String[1] != "mode: enforce" {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestOwnDomain: nobody is asked to mail to us what we know.
func TestOwnDomain(t *testing.T) {
	o := newOffice(t)
	o.records["x.example"] = []string{"v=TLSRPTv1; rua=mailto:tess@MSG.example.com"}
	n := o.node()
	n.count("x.example", 1)
	o.pass(nextMorning)
	o.report(n)
	if got := o.queued(n); got != "" {
		t.Error(got)
	}
}

// TestCountsAreKept: what the store does not take comes later.
func TestCountsAreKept(t *testing.T) {
	o := newOffice(t)
	n := o.node()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n.count("x.example", 5)
	n.store = o.node().Store
	n.count("x.example", 2)
	o.pass(nextMorning)
	days, err := n.store.TLSDays(t.Context(), o.clock(), store.TLSDay{}, 10)
	if err != nil || len(days) != 1 {
		t.Fatalf("%d days, %v", len(days), err)
	}
	list, err := n.store.TLSResults(t.Context(), days[0], 10)
	if err != nil || len(list) != 1 || list[0].Count != 7 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := n.store.FileTLSReport(t.Context(), days[0], nil); err != nil {
		t.Error(err)
	}
	if err := n.store.FileTLSReport(t.Context(), days[0], nil); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second report: %v", err)
	}
}

// TestManyResults: what differs without end is bounded.
func TestManyResults(t *testing.T) {
	n := newOffice(t).node()
	for i := range maxWaiting + 10 {
		n.Count(Result{Policy: Policy{Domain: "x.example"}, Failure: &Failure{Type: strings.Repeat("x", i%100), ReceivingIP: time.Duration(i).String()}})
	}
	if len(n.waiting) != maxWaiting || n.dropped != 10 {
		t.Errorf("%d wait, %d dropped", len(n.waiting), n.dropped)
	}
}

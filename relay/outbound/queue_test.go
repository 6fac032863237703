package outbound

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/notify"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func TestNotification(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	tess := s.member("tess", "Tess.Private@mail.example")
	keys := newRing(t)
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, Signer: keys.Signer()}))
	s.write(tess, "Hello Tess,\r\n.\r\nwill you come?\r\n")
	got := sink.messages(t, 1)[0]
	if got.to != "Tess.Private@mail.example" {
		t.Errorf("to %s", got.to)
	}
	token, ok := strings.CutPrefix(got.from, threading.BouncePrefix)
	token, here := strings.CutSuffix(token, "@"+domain)
	if _, valid := s.Keyring().ParseToken(seal.TokenReturn, token); !ok || !here || !valid {
		t.Errorf("the reverse-path %s is not one of ours", got.from)
	}
	verify(t, got.raw, keys)
	text := string(got.raw)
	if strings.Contains(strings.ToLower(text), "private") && !strings.Contains(text, "stays private") || strings.Contains(text, "casting.example") {
		t.Errorf("the message holds a real address:\n%s", text)
	}
	for _, want := range []string{"Hello Tess,\r\n.\r\nwill you come?", "--=20\r\nBackstage\r\n", "To answer Sam, just reply"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if header(got.raw, "To") != `"Tess" <tess@msg.example.com>` {
		t.Errorf("To: %s", header(got.raw, "To"))
	}
	s.rows("empty", empty)
	if log := s.logged(); !strings.Contains(log, "member=tess") || strings.Contains(log, "mail.example") || strings.Contains(log, "Private") {
		t.Errorf("the log: %s", log)
	}
}

func TestOperatorMail(t *testing.T) {
	for _, operator := range []string{"ops@example.net", ""} {
		s := newSite(t)
		sink := newSink(t, nil)
		w := s.NewBody(t.Context())
		if _, err := w.Write([]byte("The r\xc3\xb4le\nwith bare line ends\n")); err != nil {
			t.Fatal(err)
		}
		body, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.EnqueueOperator(t.Context(), []byte("From: <abuse@msg.example.com>\r\nSubject: x\r\n\r\n"), body); err != nil {
			t.Fatal(err)
		}
		s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, Operator: operator}))
		s.rows("empty", empty)
		if operator == "" {
			if sink.count() != 0 {
				t.Error("mail to nobody was sent")
			}
			continue
		}
		got := sink.messages(t, 1)[0]
		want := "From: <abuse@msg.example.com>\r\nSubject: x\r\n\r\nThe r\xc3\xb4le\r\nwith bare line ends\r\n"
		if got.to != operator || string(got.raw) != want || !got.eightBit {
			t.Errorf("%+v", got)
		}
	}
}

// TestVerdicts: what becomes of a row, by what the receiving server says.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		local    string
		sent     int
		waits    string // LastError of the row that is left
		recorded string // note of the record
	}{
		{"tess", 1, "", ""},
		{"reject", 0, "", "550 5.1.1: recipient refused by the receiving server"}, // see TestAddressFailed
		{"late", 0, "", "554 5.7.1: message refused by the receiving server"},
		{"temp", 0, "451 4.7.1: recipient refused by the receiving server", ""},
		{"grey", 0, "451 4.7.1: recipient refused by the receiving server", ""},
		{"drop", 1, "the answer to the message: the connection was closed", ""},
	} {
		t.Run(c.local, func(t *testing.T) {
			s := newSite(t)
			sink := newSink(t, nil)
			s.write(s.member("tess", c.local+"@mail.example"), "Hello\r\n")
			s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
			if c.waits == "" {
				s.rows("empty", empty)
			} else {
				r := s.rows("waiting", func(r []store.Delivery) bool { return len(r) == 1 && s.waiting(r) })[0]
				if r.LastError != c.waits {
					t.Errorf("waits because of %q", r.LastError)
				}
				if wait := r.DueAt.Sub(s.now()); wait < 40*time.Second || wait > 75*time.Second {
					t.Errorf("the second try is in %s", wait)
				}
			}
			if sink.count() != c.sent {
				t.Errorf("%d messages came, want %d", sink.count(), c.sent)
			}
			var notes []string
			for _, r := range s.records() {
				notes = append(notes, r.Kind+": "+r.Note)
			}
			if c.recorded == "" && len(notes) > 0 || c.recorded != "" && (len(notes) != 1 || notes[0] != "undelivered: "+c.recorded) {
				t.Errorf("recorded: %q", notes)
			}
			if strings.Contains(s.logged(), "mail.example") {
				t.Errorf("the log holds the address: %s", s.logged())
			}
		})
	}
}

// TestSecondTry: greylisting lets the second try through; a connection dropped
// before 250 costs one duplicate, and no more.
func TestSecondTry(t *testing.T) {
	for local, want := range map[string]int{"grey": 1, "drop": 2} {
		s := newSite(t)
		sink := newSink(t, nil)
		s.write(s.member("tess", local+"@mail.example"), "Hello\r\n")
		s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
		s.rows("waiting", func(r []store.Delivery) bool { return len(r) == 1 && s.waiting(r) })
		if _, err := s.RetryNow(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		s.rows("empty", empty)
		if sink.count() != want {
			t.Errorf("%s: %d messages, want %d", local, sink.count(), want)
		}
	}
}

// TestBackoffToTheEnd plays five days of a destination that says 451.
func TestBackoffToTheEnd(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	s.write(s.member("tess", "temp@mail.example"), "Hello\r\n")
	began := s.now()
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
	var waits []time.Duration
	for len(waits) < 100 {
		rows := s.rows("waiting or gone", s.waiting)
		if len(rows) == 0 {
			break
		}
		wait := rows[0].DueAt.Sub(s.now())
		waits = append(waits, wait.Round(time.Second))
		s.ahead.Add(int64(wait) + int64(time.Millisecond))
		if _, err := s.RetryNow(t.Context(), 0); err != nil { // which wakes it
			t.Fatal(err)
		}
	}
	if age := s.now().Sub(began); age < 5*24*time.Hour || age > 5*24*time.Hour+5*time.Hour {
		t.Errorf("given up after %s: %s", age, waits)
	}
	for i, w := range waits {
		want := min(time.Minute<<min(i, 20), 4*time.Hour)
		if w < want*79/100 || w > want*121/100 {
			t.Errorf("wait %d is %s, want about %s", i, w, want)
		}
	}
	if r := s.records(); len(r) != 1 || !strings.HasPrefix(r[0].Note, "given up after 12") || !strings.Contains(r[0].Note, "451") {
		t.Errorf("recorded: %+v", r)
	}
}

// TestNotWanted: what the member does not want any more is not sent.
func TestNotWanted(t *testing.T) {
	for name, change := range map[string]func(*site, threading.Member) error{
		"suspended": func(s *site, m threading.Member) error {
			s.change(m, func(m *threading.Member) { m.Status = threading.MemberSuspended })
			return nil
		},
		"alerts never": func(s *site, m threading.Member) error {
			s.change(m, func(m *threading.Member) { m.Alerts = threading.AlertsNever })
			return nil
		},
		"the thread never": func(s *site, m threading.Member) error {
			rows, err := s.Queue(t.Context(), 1)
			if err == nil {
				err = s.SetThreadAlerts(t.Context(), m.ID, rows[0].ThreadID, threading.AlertsNever)
			}
			return err
		},
		"the writer blocked": func(s *site, m threading.Member) error { return s.Block(t.Context(), m.ID, s.sam.ID) },
		"removed":            func(s *site, m threading.Member) error { return s.RemoveMember(t.Context(), m.ID) },
	} {
		s := newSite(t)
		sink := newSink(t, nil)
		tess := s.member("tess", "tess@mail.example")
		s.write(tess, "Hello\r\n")
		if err := change(s, tess); err != nil {
			t.Fatal(err)
		}
		s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
		s.rows("empty", empty)
		if sink.count() != 0 {
			t.Errorf("%s: mail was sent", name)
		}
	}
}

// own queues messages of the relay's own to a member: a digest, a link to sign
// in and a notice.
func (s *site) own(m threading.Member) {
	s.t.Helper()
	s.change(m, func(m *threading.Member) { m.Alerts, m.DigestAt, m.Timezone = threading.AlertsDaily, "07:00", "UTC" })
	s.ahead.Add(int64(25 * time.Hour))
	notice := func(subject string) store.Notice {
		w := s.NewBody(s.t.Context())
		_, err := w.Write([]byte("Hello\r\n"))
		if err != nil {
			s.t.Fatal(err)
		}
		body, err := w.Finish()
		if err != nil {
			s.t.Fatal(err)
		}
		return store.Notice{MemberID: m.ID, Header: []byte("From: <postmaster@msg.example.com>\r\nSubject: " + subject + "\r\n\r\n"), Body: body}
	}
	due, err := s.DueDigests(s.t.Context(), 10)
	if err != nil || len(due) != 1 {
		s.t.Fatalf("%d digests are due, %v", len(due), err)
	}
	digest := notice("digest")
	if err := s.FileDigest(s.t.Context(), due[0], s.now(), &digest); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.NewSignInLink(s.t.Context(), m.ID, "", func(threading.ID) (store.Notice, error) { return notice("link"), nil }); err != nil {
		s.t.Fatal(err)
	}
	if err := s.EnqueueNotice(s.t.Context(), notice("notice")); err != nil {
		s.t.Fatal(err)
	}
}

// TestOwnMessagesNotWanted: a digest that is queued is not sent to who wants no
// alerts any more; to an address that mail came back from goes nothing but the
// link that its member asks for.
func TestOwnMessagesNotWanted(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*site, threading.Member) error
		want   string
	}{
		{"nothing", func(*site, threading.Member) error { return nil }, "digest link notice"},
		{"alerts at once from now on", func(s *site, m threading.Member) error {
			return s.SetAlerts(t.Context(), m.ID, threading.AlertsImmediate)
		}, "digest link notice"},
		{"alerts never", func(s *site, m threading.Member) error {
			return s.SetAlerts(t.Context(), m.ID, threading.AlertsNever)
		}, "link notice"},
		{"mail came back", func(s *site, m threading.Member) error {
			addrs, err := s.Addresses(t.Context(), m.ID)
			if err == nil {
				_, _, err = s.AddressFailed(t.Context(), addrs[0].ID, "mail to it came back", 0)
			}
			return err
		}, "link"},
	} {
		s := newSite(t)
		sink := newSink(t, nil)
		tess := s.member("tess", "tess@mail.example")
		s.own(tess)
		if err := c.change(s, tess); err != nil {
			t.Fatal(err)
		}
		s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
		s.rows("empty", empty)
		var got []string
		for _, m := range sink.messages(t, 0) {
			got = append(got, header(m.raw, "Subject"))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("after %s: %q was sent, want %q", c.name, got, c.want)
		}
	}
}

// TestAddressAtSendTime: the address that is primary when it is sent.
func TestAddressAtSendTime(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	tess := s.member("tess", "old@mail.example")
	s.write(tess, "Hello\r\n")
	if err := s.AddAddress(t.Context(), tess.ID, "new@mail.example"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPrimary(t.Context(), tess.ID, "new@mail.example"); err != nil {
		t.Fatal(err)
	}
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
	if got := sink.messages(t, 1)[0]; got.to != "new@mail.example" {
		t.Errorf("sent to %s", got.to)
	}
}

// TestCrashedWorker: rows that a worker took and never settled come back when
// their lease runs out, and not before.
func TestCrashedWorker(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	tess := s.member("tess", "tess@mail.example")
	for range 3 {
		s.write(tess, "Hello\r\n")
	}
	taken, err := s.Lease(t.Context(), 2, time.Minute)
	if err != nil || len(taken) != 2 {
		t.Fatal(len(taken), err)
	}
	stop := s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
	s.rows("left with the leased ones", func(r []store.Delivery) bool { return len(r) == 2 })
	time.Sleep(300 * time.Millisecond)
	stop()
	if sink.count() != 1 {
		t.Errorf("%d messages were sent while two rows were leased", sink.count())
	}
	s.ahead.Add(int64(61 * time.Second))
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
	s.rows("empty", empty)
	if sink.count() != 3 {
		t.Errorf("%d messages, want 3", sink.count())
	}
}

// TestTwoWorkers: two processes on one queue deliver each row once.
func TestTwoWorkers(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	var all []threading.Member
	for i := range 100 {
		all = append(all, s.member(fmt.Sprintf("m%d", i), fmt.Sprintf("m%d@mail.example", i)))
	}
	s.writeAll(all, "Hello\r\n")
	for range 2 {
		s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
	}
	s.rows("empty", empty)
	seen := map[string]bool{}
	for _, m := range sink.messages(t, 100) {
		if seen[m.to] {
			t.Errorf("%s got it twice", m.to)
		}
		seen[m.to] = true
	}
}

// TestBounds: no destination sees more connections than its share, a slow one
// does not hold up another, and what finds no room waits in the store.
func TestBounds(t *testing.T) {
	s := newSite(t)
	slow := newSink(t, func(s *sink) { s.slow = 20 * time.Millisecond })
	quick := sinkAt(t, "127.0.0.2", slow.port, nil)
	server := serveDNS(t, "slow.example. A 127.0.0.1\nquick.example. A 127.0.0.2")
	tess := s.member("tess", "tess@quick.example")
	same := s.member("slow", "slow@slow.example")
	for range 2 * maxParkedShare {
		s.write(same, "Hello\r\n")
	}
	s.write(tess, "Hello\r\n")
	q := s.queue(Options{Resolver: server, Port: slow.port, PerDomain: Bounds{Connections: 3}})
	s.run(q)
	quick.messages(t, 1)
	if n := slow.count(); n > maxParkedShare {
		t.Errorf("%d slow ones went before the quick one", n)
	}
	slow.messages(t, 2*maxParkedShare)
	s.rows("empty", empty)
	if slow.mostOpen > 3 {
		t.Errorf("%d connections at once", slow.mostOpen)
	}
	if slow.count() != 2*maxParkedShare {
		t.Errorf("%d messages", slow.count())
	}
}

// TestDestinationUnreachable: a destination that can't be reached is tried once, not
// once for each row.
func TestDestinationUnreachable(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var tries atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tries.Add(1)
			_ = c.Close()
		}
	}()
	tess := s.member("tess", "tess@mail.example")
	for range 100 {
		s.write(tess, "Hello\r\n")
	}
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + l.Addr().String()}}))
	rows := s.rows("waiting", s.waiting)
	if len(rows) != 100 || tries.Load() > 2*16 {
		t.Errorf("%d rows left after %d tries", len(rows), tries.Load())
	}
}

// TestAfterLongPause: what grew old while nothing was sent is not given up for
// it, whether its destination is down or lets nobody through at first.
func TestAfterLongPause(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nobody listens there
	grey := newSink(t, nil)
	tess := s.member("tess", "tess@down.example")
	for range 40 {
		s.write(tess, "Hello\r\n")
	}
	s.write(s.member("grey", "grey@mail.example"), "Hello\r\n")
	q := s.queue(Options{Smarthost: Route{URL: "smtp://" + grey.addr()}, Routes: map[string]Route{"down.example": {URL: "smtp://" + l.Addr().String()}}, Paused: true})
	s.run(q)
	s.ahead.Add(int64(6 * 24 * time.Hour))
	q.Pause(false)
	if rows := s.rows("waiting or gone", s.waiting); len(rows) != 41 {
		t.Errorf("%d rows of 41 are left: %s", len(rows), s.logged())
	}
	s.send(30, 10*time.Minute)
	if _, err := s.RetryNow(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	s.rows("empty", empty)
	if len(s.records()) != 40 || grey.count() != 1 {
		t.Errorf("%d are given up, %d sent", len(s.records()), grey.count())
	}
}

// TestShortPause: what grows too old in a pause of some minutes is not given up
// for the first refusal after it.
func TestShortPause(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	s.write(s.member("tess", "temp@mail.example"), "Hello\r\n")
	s.send(35, 10*time.Minute)
	s.ahead.Add(int64(6 * time.Minute))
	q := s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, MaxAge: 6 * time.Hour})
	s.run(q)
	s.rows("tried", func(rows []store.Delivery) bool { return len(rows) == 1 && rows[0].Attempts == 1 && s.waiting(rows) })
	q.Pause(true)
	time.Sleep(100 * time.Millisecond) // it is seen
	s.ahead.Add(int64(10 * time.Minute))
	q.Pause(false)
	if _, err := s.RetryNow(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	s.rows("tried again", func(rows []store.Delivery) bool { return len(rows) == 0 || rows[0].Attempts > 1 && s.waiting(rows) })
	if n := len(s.records()); n != 0 {
		t.Errorf("%d given up at the first refusal: %s", n, s.logged())
	}
}

// TestManyRestarts: a daemon that is started again and again gives up what is too
// old as any other does, unless it was not there for long.
func TestManyRestarts(t *testing.T) {
	for _, c := range []struct {
		gap   time.Duration // between two of its lives
		lives int
		given int
	}{{10 * time.Minute, 45, 1}, {time.Hour, 10, 0}} {
		s := newSite(t)
		sink := newSink(t, nil)
		s.write(s.member("tess", "temp@mail.example"), "Hello\r\n")
		for range c.lives {
			if _, err := s.RetryNow(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			stop := s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, MaxAge: 6 * time.Hour}))
			s.rows("waiting or gone", s.waiting)
			stop()
			s.ahead.Add(int64(c.gap))
		}
		if list := s.records(); len(list) != c.given || len(list) > 0 && !strings.HasPrefix(list[0].Note, "given up after 6h0m0s") {
			t.Errorf("with %s between its lives: %+v", c.gap, list)
		}
	}
}

// TestRetryAfterRepair: what waits for a destination that was down is tried at
// once when the operator says so, and none of it was counted as tried.
func TestRetryAfterRepair(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	tess := s.member("tess", "tess@mail.example")
	for range 60 {
		s.write(tess, "Hello\r\n")
	}
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + address}}))
	for _, r := range s.rows("waiting", s.waiting) {
		if down := strings.HasPrefix(r.LastError, "not tried"); down && r.Attempts != 0 || !down && r.Attempts != 1 {
			t.Fatalf("%d attempts: %s", r.Attempts, r.LastError)
		}
	}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Skip("the port is another's by now")
	}
	sink := serveSink(t, l, nil)
	if n, err := s.RetryNow(t.Context(), 0); err != nil || n != 60 {
		t.Fatal(n, err)
	}
	s.rows("empty", empty)
	if sink.count() != 60 {
		t.Errorf("%d messages", sink.count())
	}
}

// TestStop: what is under way is finished, what was taken goes back.
func TestStop(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, func(s *sink) { s.slow = time.Second })
	m := s.member("slow", "slow@mail.example")
	for range 20 {
		s.write(m, "Hello\r\n")
	}
	stop := s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, PerServer: Bounds{Connections: 2}}))
	sink.underWay(t, 2)
	stop()
	if sink.count() != 2 {
		t.Errorf("%d messages, want the 2 that were under way", sink.count())
	}
	rows := s.rows("given back", func(r []store.Delivery) bool { return len(r) == 18 })
	for _, r := range rows {
		if r.DueAt.After(s.now()) || r.LeasedTill.After(s.now()) {
			t.Fatalf("a row is not due after the stop: %+v", r)
		}
	}
}

// TestStopHard: a delivery that does not end within the grace is ended, and
// its row stays.
func TestStopHard(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, func(s *sink) { s.slow = 20 * time.Second })
	s.write(s.member("slow", "slow@mail.example"), "Hello\r\n")
	stop := s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, Grace: 100 * time.Millisecond}))
	sink.underWay(t, 1)
	stop()
	s.rows("kept", func(r []store.Delivery) bool { return len(r) == 1 && s.waiting(r) })
}

// TestLargeMessage: 25 MB pass without being held.
func TestLargeMessage(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, func(s *sink) { s.quiet = true })
	w := s.NewBody(t.Context())
	const size = 25 << 20
	block := bytes.Repeat([]byte(strings.Repeat("x", 74)+"\r\n"), 1000)
	for n := 0; n < size; n += len(block) {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	body, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnqueueOperator(t.Context(), []byte("From: <abuse@msg.example.com>\r\n\r\n"), body); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, uint64(0)
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, Operator: "ops@example.net", TempDir: t.TempDir(), Signer: newRing(t).Signer()}))
	s.rows("empty", func(r []store.Delivery) bool {
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
		return len(r) == 0
	})
	if most > before && most-before > 30<<20 {
		t.Errorf("the heap grew by %d MB", (most-before)>>20)
	}
	if got := sink.messages(t, 1)[0]; got.size < size {
		t.Errorf("%d octets came", got.size)
	}
}

func TestNewRefuses(t *testing.T) {
	s := newSite(t)
	r := notify.New(notify.Options{Store: s.Store})
	for name, o := range map[string]Options{
		"nothing":       {},
		"bad smarthost": {Store: s.Store, Renderer: r, Domain: domain, Hostname: "mx", Smarthost: Route{URL: "mail.example"}},
		"bad resolver":  {Store: s.Store, Renderer: r, Domain: domain, Hostname: "mx", Resolver: "127.0.0.1"},
		"short lease":   {Store: s.Store, Renderer: r, Domain: domain, Hostname: "mx", Lease: time.Second},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A refusal that says that there is no such mailbox is passed on, once for each
// try; what may pass, and what is refused for its text, is not.
func TestAddressFailed(t *testing.T) {
	for local, want := range map[string]string{"reject": "5.1.1", "unknown": "", "late": "nothing", "temp": "nothing", "tess": "nothing", "busy": "nothing"} {
		s := newSite(t)
		sink := newSink(t, nil)
		m := s.member(local, local+"@mail.example")
		s.write(m, "Hello\r\n")
		told := make(chan string, 10)
		addrs, err := s.Addresses(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, AddressFailed: func(_ context.Context, address threading.ID, status string) error {
			if address != addrs[0].ID {
				t.Errorf("%s: another address failed", local)
			}
			told <- status
			return nil
		}}))
		s.rows("tried", func(r []store.Delivery) bool { return len(r) == 0 || r[0].LastError != "" })
		got := "nothing"
		select {
		case got = <-told:
		default:
		}
		if got != want {
			t.Errorf("%s: told %q, want %q", local, got, want)
		}
	}
}

// Nothing is sent to an address that mail came back from, until it works.
func TestFailedAddress(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	m := s.member("tess", "tess@mail.example")
	addrs, err := s.Addresses(t.Context(), m.ID)
	if err == nil {
		_, _, err = s.AddressFailed(t.Context(), addrs[0].ID, "mail to it came back", 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.write(m, "one\r\n")
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
	s.rows("empty", empty)
	if err := s.AddressWorks(t.Context(), m.ID, addrs[0].ID); err != nil {
		t.Fatal(err)
	}
	s.write(m, "two\r\n")
	if got := sink.messages(t, 1); len(got) != 1 || !strings.Contains(string(got[0].raw), "two") {
		t.Errorf("%d messages", len(got))
	}
}

// What is given back is noticed although it is written down later than the
// dispatcher asks what is due next.
func TestWhatIsSettledLateIsNoticed(t *testing.T) {
	s := newSite(t)
	q := s.queue(Options{})
	d := newDispatcher(q)
	q.settler.add(verdict{due: s.now().Add(time.Second), untried: true}) // nobody writes it here
	if next := d.nextDue(t.Context()).Sub(s.now()); next > minLook {
		t.Errorf("the next look is in %v", next)
	}
}

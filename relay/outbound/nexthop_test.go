package outbound

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/stagedoor/stagedoor/threading/store"
)

func TestParseNextHop(t *testing.T) {
	for _, c := range []struct{ url, password, want string }{
		{"smtp://mail.example", "", "smtp mail.example 25  "},
		{"smtp://mail.example:587", "", "smtp mail.example 587  "},
		{"smtps://user@mail.example", "pw", "smtps mail.example 465 user pw"},
		{"smtps://us%40er:p%3Aw@mail.example", "", "smtps mail.example 465 us@er p:w"},
		{"smtp://[2001:db8::1]:25", "", "smtp 2001:db8::1 25  "},
		{"lmtp://mail.example", "", "lmtp mail.example 24  "},
		{"lmtp:unix:/run/dovecot/lmtp", "", "lmtp unix:/run/dovecot/lmtp   "},
		{"lmtp:unix:", "", "error"},
		{"smtps://user@mail.example", "", "error"},
		{"mail.example:25", "", "error"},
		{"http://mail.example", "", "error"},
		{"smtp://", "", "error"},
		{"smtp://u:pw@%zz", "", "error"},
		{"mx", "", "error"},
	} {
		got := "error"
		if n, err := parseNextHop(Route{c.url, c.password}); err == nil {
			scheme := map[bool]string{true: "lmtp", false: "smtp"}[n.lmtp]
			if n.implicitTLS {
				scheme += "s"
			}
			host := n.host
			if n.socket != "" {
				host = "unix:" + n.socket
			}
			got = fmt.Sprint(scheme, " ", host, " ", n.port, " ", n.user, " ", n.password)
			if n.password != "" && strings.Contains(n.name, n.password) {
				t.Errorf("%s: its name holds the password: %s", c.url, n.name)
			}
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: the error holds the password: %v", c.url, err)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.url, got, c.want)
		}
	}
}

// TestRoutes: the longest name that fits counts; "mx" leads past the
// smarthost; domains with one server share it.
func TestRoutes(t *testing.T) {
	r, err := newRoutes(Route{URL: "smtp://all.example"}, map[string]Route{
		"a.example": {URL: "smtp://one.example"}, "*.a.example": {URL: "lmtp:unix:/s"}, "*.b.a.example": {URL: MX}, "c.example": {URL: "smtp://one.example:25"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]string{
		"a.example": "smtp://@one.example:25", "c.example": "smtp://@one.example:25", "x.a.example": "lmtp:unix:/s", "b.a.example": "lmtp:unix:/s",
		"y.x.a.example": "lmtp:unix:/s", "x.b.a.example": "x.b.a.example", "example": "smtp://@all.example:25", "xa.example": "smtp://@all.example:25",
	} {
		if got := r.destination(domain); got != want {
			t.Errorf("%s goes to %s, want %s", domain, got, want)
		}
	}
	if r, err = newRoutes(Route{}, nil); err != nil || r.destination("a.example") != "a.example" {
		t.Errorf("without any: %v", err)
	}
	if _, err := newRoutes(Route{}, map[string]Route{"a.example": {URL: "what"}}); err == nil || !strings.Contains(err.Error(), "a.example") {
		t.Errorf("a bad route: %v", err)
	}
}

// TestRoutedMail: each domain's mail comes to its own server, by LMTP on a
// socket, by LMTP on a port, by SMTP, by MX although there is a smarthost.
func TestRoutedMail(t *testing.T) {
	lmtp := func(s *sink) { s.LMTP = true }
	socket := filepath.Join(t.TempDir(), "lmtp")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	smarthost, bySocket, byPort, byMX := newSink(t, nil), serveSink(t, l, lmtp), newSink(t, lmtp), newSink(t, nil)
	s := newSite(t)
	for i, domain := range []string{"socket.example", "port.example", "mx.example", "else.example"} {
		s.write(s.member(fmt.Sprint("m", i), "tess@"+domain), "Hello\r\n")
		s.write(s.member(fmt.Sprint("r", i), "reject@"+domain), "Hello\r\n")
	}
	s.run(s.queue(Options{
		Smarthost: Route{URL: "smtp://" + smarthost.addr()}, Resolver: serveDNS(t, "mx.example. A 127.0.0.1"), Port: byMX.port,
		Routes: map[string]Route{"socket.example": {URL: "lmtp:unix:" + socket}, "port.example": {URL: "lmtp://" + byPort.addr()}, "mx.example": {URL: MX}},
	}))
	s.rows("empty", empty)
	for want, at := range map[string]*sink{"socket": bySocket, "port": byPort, "mx": byMX, "else": smarthost} {
		got := at.messages(t, 1)
		if len(got) != 1 || got[0].to != "tess@"+want+".example" {
			t.Errorf("%s: %d messages, %+v", want, len(got), got[0].to)
		}
	}
	refused := 0
	for _, r := range s.records() {
		if r.Note == "550 5.1.1: recipient refused by the receiving server" {
			refused++
		}
	}
	if refused != 4 {
		t.Errorf("%d are recorded as refused, want 4", refused)
	}
}

// TestLMTPDialog: LHLO, and one answer for the one recipient (RFC 2033).
func TestLMTPDialog(t *testing.T) {
	for final, want := range map[string]string{"250 2.1.5 taken": "sent", "452 4.2.2 full": "temporary", "552 5.2.2 full": "temporary", "554 5.7.1 not this": "permanent"} {
		q := network(t, Options{Smarthost: Route{URL: "lmtp://" + script(t, func(_ net.Conn, expect func(string), say func(string)) {
			say("220 mx.msg.example.com LMTP") // our own name: it runs on this machine
			expect("LHLO mx.msg.example.com\r")
			say("250-x\r\n250 PIPELINING")
			expect("MAIL FROM:<b-x@msg.example.com>\r")
			expect("RCPT TO:<a@x.example>\r")
			expect("DATA\r")
			say("250 ok\r\n250 ok\r\n354 go on")
			for range 7 {
				expect("")
			}
			say(final)
			expect("")
		})}})
		if err := q.send(t.Context(), anywhere(q), letterTo("a@x.example", small)); outcome(err) != want {
			t.Errorf("%s: %v, want %s", final, err, want)
		}
	}
}

// TestSourceAddress: mail leaves from the address that is set, and servers of
// another kind than it are not tried.
func TestSourceAddress(t *testing.T) {
	var from atomic.Value
	s := newSink(t, nil)
	s.Backend = smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		from.Store(c.Conn().RemoteAddr().(*net.TCPAddr).IP.String())
		return &sinkSession{s: s, c: c}, nil
	})
	zone := "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.1\nmx.x.example. AAAA ::1\nsix.example. AAAA ::1\n"
	q := network(t, Options{Resolver: serveDNS(t, zone), Port: s.port, SourceAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.5")}})
	if err := q.send(t.Context(), "x.example", letterTo("a@x.example", small)); err != nil || from.Load() != "127.0.0.5" {
		t.Errorf("from %v: %v", from.Load(), err)
	}
	if err := q.send(t.Context(), "six.example", letterTo("a@six.example", small)); outcome(err) != "host" || !strings.Contains(err.Error(), "source_addresses") {
		t.Errorf("IPv6 from IPv4: %v", err)
	}
}

// TestIPv6: an MX that has IPv6 only is reached by it.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	s := serveSink(t, l, nil)
	q := network(t, Options{Resolver: serveDNS(t, "x.example. MX 10 mx.x.example.\nmx.x.example. AAAA ::1\n"), Port: s.port})
	if err := q.send(t.Context(), "x.example", letterTo("a@x.example", small)); err != nil || s.count() != 1 {
		t.Errorf("%v", err)
	}
}

// TestPause: while it is paused nothing is sent and nothing is lost, filing
// goes on, and what waited for longer than MaxAge still gets its try.
func TestPause(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, func(s *sink) { s.slow = time.Second })
	slow, tess := s.member("slow", "slow@mail.example"), s.member("tess", "tess@mail.example")
	for range 10 {
		s.write(slow, "Hello\r\n")
	}
	q := s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, PerServer: Bounds{Connections: 2}})
	s.run(q)
	sink.underWay(t, 2)
	q.Pause(true)
	q.Pause(true)
	s.rows("given back", func(r []store.Delivery) bool {
		for _, d := range r {
			if !d.LeasedTill.IsZero() || d.Attempts != 0 {
				return false
			}
		}
		return len(r) == 8
	})
	s.write(tess, "Hello\r\n")
	time.Sleep(200 * time.Millisecond)
	if n := sink.count(); n != 2 {
		t.Errorf("%d messages were sent, want the 2 that were under way", n)
	}
	s.ahead.Add(int64(6 * 24 * time.Hour))
	q.Pause(false)
	sink.messages(t, 11)
	s.rows("empty", empty)
}

// TestPausedFromTheStart: a restart does not end the pause.
func TestPausedFromTheStart(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	s.write(s.member("tess", "tess@mail.example"), "Hello\r\n")
	q := s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, Paused: true})
	s.run(q)
	time.Sleep(200 * time.Millisecond)
	if sink.count() != 0 {
		t.Error("it was sent")
	}
	q.Pause(false)
	sink.messages(t, 1)
}

// TestRateAtTheWire: with a rate of 600 a minute the first ten go at once and
// the others a tenth of a second apart, at the least.
func TestRateAtTheWire(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	tess := s.member("tess", "tess@mail.example")
	for range burst + 5 {
		s.write(tess, "Hello\r\n")
	}
	began := time.Now()
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, PerServer: Bounds{Rate: 600}}))
	sink.messages(t, burst+5)
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("%d messages in %s", burst+5, took)
	}
	s.rows("empty", empty)
}

// TestSignIn: the mechanisms, by what the server offers. The password is in no
// error.
func TestSignIn(t *testing.T) {
	for _, c := range []struct {
		name, offers, outcome, text string
		play                        func(expect func(string), say func(string))
	}{
		{"PLAIN before LOGIN", "LOGIN PLAIN", "sent", "", func(expect func(string), say func(string)) {
			expect("AUTH PLAIN AHJlbGF5AHNlY3JldA==\r")
			say("235 2.7.0 ok")
		}},
		{"LOGIN", "login", "sent", "", func(expect func(string), say func(string)) {
			expect("AUTH LOGIN\r")
			say("334 VXNlcm5hbWU6")
			expect("cmVsYXk=\r")
			say("334 UGFzc3dvcmQ6")
			expect("c2VjcmV0\r")
			say("235 ok")
		}},
		{"LOGIN without end", "LOGIN", "host", "AUTH: the server's challenge makes no sense", func(expect func(string), say func(string)) {
			expect("AUTH LOGIN\r")
			for range 3 {
				say("334 VXNlcm5hbWU6")
				expect("")
			}
			say("501 ended")
		}},
		{"refused", "PLAIN", "host", "535 5.7.8: user or password refused", func(expect func(string), say func(string)) {
			expect("AUTH PLAIN")
			say("535 5.7.8 relay:secret is wrong")
		}},
		{"not base64", "SCRAM-SHA-256", "host", "AUTH: the server's challenge makes no sense", func(expect func(string), say func(string)) {
			expect("AUTH SCRAM-SHA-256 biws")
			say("334 ?")
			expect("*\r")
			say("501 ended")
		}},
		{"no proof", "SCRAM-SHA-256", "host", "did not prove", func(expect func(string), say func(string)) {
			expect("AUTH SCRAM-SHA-256 ")
			say("235 believe me")
		}},
		{"nothing known", "CRAM-MD5", "host", "AUTH PLAIN, LOGIN", func(func(string), func(string)) {}},
		{"nothing", "", "host", "AUTH PLAIN, LOGIN", func(func(string), func(string)) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := script(t, func(_ net.Conn, expect func(string), say func(string)) {
				say("220 x")
				expect("EHLO")
				say("250-x\r\n250 AUTH " + c.offers)
				c.play(expect, say)
				if c.outcome != "sent" {
					return
				}
				for _, answer := range []string{"250 ok", "250 ok", "354 go on"} {
					expect("")
					say(answer)
				}
				for range 7 {
					expect("")
				}
				say("250 taken")
			})
			q := network(t, Options{Smarthost: Route{"smtp://relay@" + addr, "secret"}})
			err := q.send(t.Context(), anywhere(q), letterTo("a@x.example", small))
			if outcome(err) != c.outcome || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v, want %s: %s", outcome(err), err, c.outcome, c.text)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// TestScram plays RFC 7677 section 3, and what a server must not get away with.
func TestScram(t *testing.T) {
	const first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	begin := func() *scram {
		c := newScram("user", "pencil")
		c.nonce, c.bare = "rOprNGfwEbeRWgbNEkqO", "n=user,r=rOprNGfwEbeRWgbNEkqO"
		return c
	}
	c := begin()
	if _, ir, _ := c.Start(); string(ir) != "n,,n=user,r=rOprNGfwEbeRWgbNEkqO" {
		t.Errorf("first: %s", ir)
	}
	final, err := c.Next([]byte(first))
	if want := "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="; err != nil || string(final) != want {
		t.Errorf("final: %s, %v", final, err)
	}
	if c.proven {
		t.Error("the server is believed before it has proved anything")
	}
	if _, err := c.Next([]byte("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")); err != nil || !c.proven {
		t.Errorf("the server's proof: %v", err)
	}
	for _, bad := range []string{
		"", "r=,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", // no nonce of its own
		strings.Replace(first, "i=4096", "i=1", 1), strings.Replace(first, "i=4096", "i=99999999", 1), strings.Replace(first, "s=W22Z", "s=?", 1), "m=x," + first,
	} {
		if _, err := begin().Next([]byte(bad)); err == nil {
			t.Errorf("%q is answered", bad)
		}
	}
	c = begin()
	if _, err := c.Next([]byte(first)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next([]byte("v=AAAA")); err == nil || c.proven {
		t.Error("a wrong proof is believed")
	}
	if c := newScram("a=b,c", "x"); !strings.HasPrefix(c.bare, "n=a=3Db=2Cc,r=") {
		t.Errorf("the name is not quoted: %s", c.bare)
	}
}

package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// network is a Queue that can send; it does not run.
func network(t testing.TB, o Options) *Queue {
	t.Helper()
	o.Hostname, o.AllowNetworks = "mx.msg.example.com", loopback
	q := &Queue{o: withDefaults(o), pool: newPool(), tls: &tls.Config{RootCAs: o.RootCAs}}
	var err error
	if q.routes, err = newRoutes(o.Smarthost, o.Routes); err != nil {
		t.Fatal(err)
	}
	if q.resolver, err = Resolver(o.Resolver); err != nil {
		t.Fatal(err)
	}
	if o.Resolver != "" {
		if o.Store == nil {
			q.o.Store = newSite(t).Store
		}
		q.policies = newPolicies(q)
	}
	t.Cleanup(q.pool.close)
	return q
}

// anywhere is the destination of any mail where there is a smarthost.
func anywhere(q *Queue) string { return q.routes.destination("mail.example") }

func letterTo(to, text string) letter {
	return letter{from: "b-x@msg.example.com", to: to, size: int64(len(text)), open: func() io.Reader { return strings.NewReader(text) }}
}

const small = "Subject: x\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n"

// outcome is how a send went, in a word.
func outcome(err error) string {
	var f *failure
	switch {
	case err == nil:
		return "sent"
	case !errors.As(err, &f):
		return "not a failure: " + err.Error()
	case f.permanent:
		return "permanent"
	case f.uncertain:
		return "uncertain"
	case f.host:
		return "host"
	}
	return "temporary"
}

func TestSendToSmarthost(t *testing.T) {
	for _, c := range []struct {
		to, outcome, text string
	}{
		{"tess@mail.example", "sent", ""},
		{"reject@mail.example", "permanent", "550 5.1.1: recipient refused by the receiving server"},
		{"temp@mail.example", "temporary", "451 4.7.1: recipient refused by the receiving server"},
		{"late@mail.example", "permanent", "554 5.7.1: message refused by the receiving server"},
		{"drop@mail.example", "uncertain", "the answer to the message: the connection was closed"},
		{"jürgen@mail.example", "sent", ""},
	} {
		s := newSink(t, nil)
		q := network(t, Options{Smarthost: Route{URL: "smtp://" + s.addr()}})
		err := q.send(t.Context(), anywhere(q), letterTo(c.to, small))
		if outcome(err) != c.outcome || err != nil && err.Error() != c.text {
			t.Errorf("%s: %s: %v, want %s: %s", c.to, outcome(err), err, c.outcome, c.text)
		}
		if c.outcome != "sent" {
			continue
		}
		got := s.messages(t, 1)[0]
		if string(got.raw) != small || got.from != "b-x@msg.example.com" || got.to != c.to || got.utf8 == isASCII(c.to) || got.eightBit {
			t.Errorf("%s: got %+v", c.to, got)
		}
	}
}

// TestOneConnection: transactions follow one another on a connection, also
// after one was refused, until the server closes it.
func TestOneConnection(t *testing.T) {
	s := newSink(t, nil)
	q := network(t, Options{Smarthost: Route{URL: "smtp://" + s.addr()}})
	for _, to := range []string{"a@x.example", "reject@x.example", "b@x.example", "late@x.example", "c@x.example"} {
		_ = q.send(t.Context(), anywhere(q), letterTo(to, small))
	}
	if s.conns != 1 || s.count() != 3 {
		t.Errorf("%d connections for %d messages", s.conns, s.count())
	}
	if err := q.send(t.Context(), anywhere(q), letterTo("drop@x.example", small)); outcome(err) != "uncertain" {
		t.Errorf("a message that may have arrived is %v", err)
	}
	if err := q.send(t.Context(), anywhere(q), letterTo("d@x.example", small)); err != nil || s.conns != 2 {
		t.Errorf("after a drop: %v on connection %d", err, s.conns)
	}
}

// TestIdleConnectionGone: a kept connection that the server has closed
// meanwhile costs nothing.
func TestIdleConnectionGone(t *testing.T) {
	s := newSink(t, func(s *sink) { s.ReadTimeout = 50 * time.Millisecond })
	q := network(t, Options{Smarthost: Route{URL: "smtp://" + s.addr()}})
	for range 2 {
		if err := q.send(t.Context(), anywhere(q), letterTo("a@x.example", small)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
	}
	if s.conns != 2 || s.count() != 2 {
		t.Errorf("%d connections, %d messages", s.conns, s.count())
	}
}

func TestSmarthostTLS(t *testing.T) {
	cert, roots := selfSigned(t, "127.0.0.1")
	withTLS := func(s *sink) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} }
	plain, start := newSink(t, nil), newSink(t, withTLS)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	implicit := serveSink(t, l, nil)
	for _, c := range []struct {
		name    string
		o       Options
		outcome string
		text    string
		tls     bool
	}{
		{"TLS from the start", Options{Smarthost: Route{URL: "smtps://" + implicit.addr()}, RootCAs: roots}, "sent", "", true},
		{"with a password", Options{Smarthost: Route{"smtps://relay@" + implicit.addr(), "secret"}, RootCAs: roots}, "sent", "", true},
		{"with a wrong one", Options{Smarthost: Route{"smtps://relay@" + implicit.addr(), "guess"}, RootCAs: roots}, "host", "535 5.7.8: user or password refused", false},
		{"not verified", Options{Smarthost: Route{URL: "smtps://" + implicit.addr()}}, "host", "certificate is not valid", false},
		{"told not to verify", Options{Smarthost: Route{URL: "smtps://" + implicit.addr()}, InsecureTLS: true}, "sent", "", true},
		{"STARTTLS", Options{Smarthost: Route{URL: "smtp://" + start.addr()}}, "sent", "", true},
		{"STARTTLS with a password", Options{Smarthost: Route{URL: "smtp://relay:secret@" + start.addr()}, RootCAs: roots}, "sent", "", true},
		{"STARTTLS with a password, not verified", Options{Smarthost: Route{URL: "smtp://relay:secret@" + start.addr()}}, "host", "certificate is not valid", false},
		{"loopback with a password", Options{Smarthost: Route{URL: "smtp://relay:secret@" + plain.addr()}}, "sent", "", false},
		{"TLS where there is none", Options{Smarthost: Route{URL: "smtps://" + plain.addr()}}, "host", "handshake failed", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := network(t, c.o)
			err := q.send(t.Context(), anywhere(q), letterTo("tess@mail.example", small))
			if outcome(err) != c.outcome || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Fatalf("%s: %v, want %s: %s", outcome(err), err, c.outcome, c.text)
			}
			if c.outcome != "sent" {
				return
			}
			for _, s := range []*sink{plain, start, implicit} {
				if strings.Contains(c.o.Smarthost.URL, s.addr()) {
					if got := s.messages(t, 1); got[len(got)-1].tls != c.tls {
						t.Errorf("TLS: %v", got[len(got)-1].tls)
					}
				}
			}
		})
	}
}

// TestMX: by the MX records, on different loopback addresses and one port.
func TestMX(t *testing.T) {
	good := newSink(t, func(s *sink) { s.Domain = "good.example" })
	other := sinkAt(t, "127.0.0.2", good.port, nil)
	ours := sinkAt(t, "127.0.0.3", good.port, func(s *sink) { s.Domain = "mx.msg.example.com" })
	zone := `
plain.example. MX 10 mx1.plain.example.
mx1.plain.example. A 127.0.0.1
implicit.example. A 127.0.0.1
alias.example. CNAME plain.example.
null.example. MX 0 .
nothing.example. TXT "no mail here"
order.example. MX 20 mx1.plain.example.
order.example. MX 10 second.example.
second.example. A 127.0.0.2
fallback.example. MX 10 closed.example.
fallback.example. MX 20 mx1.plain.example.
closed.example. A 127.0.0.9
nohost.example. MX 10 gone.example.
nohost.example. MX 20 mx1.plain.example.
allgone.example. MX 10 gone.example.
down.example. MX 10 closed.example.
both.example. MX 10 dual.example.
dual.example. AAAA ::1
dual.example. A 127.0.0.1
us.example. MX 10 mx.msg.example.com.
us.example. MX 20 mx1.plain.example.
better.example. MX 5 mx1.plain.example.
better.example. MX 10 mx.msg.example.com.
mx.msg.example.com. A 127.0.0.3
loop.example. MX 10 hidden.example.
hidden.example. A 127.0.0.3
badmx.example. MX 10 servfail.example.
cname.example. MX 10 pointer.example.
pointer.example. CNAME mx1.plain.example.
deadfirst.example. MX 10 gone.example.
deadfirst.example. MX 20 servfail.example.
deadlast.example. MX 10 servfail.example.
deadlast.example. MX 20 gone.example.
dangling.example. MX 10 nowhere.example.
nowhere.example. CNAME gone.example.
nothere.example. CNAME elsewhere.example.
elsewhere.example. MX 0 .
nullandmore.example. MX 0 .
nullandmore.example. MX 10 mx1.plain.example.
sixonly.example. MX 10 sixfail.example.
sixfail.example. TXT "an AAAA record may be here"
sixtoo.example. MX 10 sixfail.plain.example.
sixfail.plain.example. A 127.0.0.1
`
	server := serveDNS(t, zone)
	for _, c := range []struct {
		domain, outcome, text string
		at                    *sink
	}{
		{"plain.example", "sent", "", good},
		{"implicit.example", "sent", "", good},
		{"alias.example", "sent", "", good},
		{"null.example", "permanent", "5.1.10", nil},
		{"nothing.example", "permanent", "5.1.2", nil},
		{"unknown.example", "permanent", "5.1.2", nil},
		{strings.Repeat("long", 16) + ".example", "permanent", "5.1.2", nil}, // no name that DNS could have
		{"order.example", "sent", "", other},
		{"fallback.example", "sent", "", good},
		{"nohost.example", "sent", "", good},
		{"allgone.example", "permanent", "5.1.2", nil},
		{"down.example", "host", "connecting to the receiving server: connection refused", nil},
		{"both.example", "sent", "", good},
		{"us.example", "permanent", "5.4.6", nil},
		{"better.example", "sent", "", good},
		{"loop.example", "host", "5.4.6", nil},
		{"servfail.example", "host", "4.4.3", nil},
		{"badmx.example", "host", "4.4.3", nil},
		{"cname.example", "sent", "", good},
		{"deadfirst.example", "host", "4.4.3", nil},
		{"deadlast.example", "host", "4.4.3", nil},
		{"dangling.example", "permanent", "5.1.2", nil},
		{"nothere.example", "permanent", "5.1.10", nil},
		{"nullandmore.example", "sent", "", good},
		{"sixonly.example", "host", "4.4.3", nil}, // no A, and nobody knows whether an AAAA
		{"sixfail.example", "host", "4.4.3", nil},
		{"sixtoo.example", "sent", "", good}, // an A, and nobody knows whether an AAAA
	} {
		t.Run(c.domain, func(t *testing.T) {
			t.Parallel()
			q := network(t, Options{Resolver: server, Port: good.port})
			to := strings.TrimSuffix(c.domain, ".example") + "@" + c.domain
			elsewhere := network(t, Options{Resolver: strings.Replace(server, "127.0.0.1", "localhost", 1), Port: good.port}) // of which nobody knows that it is here
			if err := elsewhere.send(t.Context(), c.domain, letterTo("again-"+to, small)); outcome(err) != c.outcome || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("by the system's way: %s: %v, want %s: %s", outcome(err), err, c.outcome, c.text)
			}
			err := q.send(t.Context(), c.domain, letterTo(to, small))
			if outcome(err) != c.outcome || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Fatalf("%s: %v, want %s: %s", outcome(err), err, c.outcome, c.text)
			}
			if err != nil && strings.Contains(err.Error(), c.domain) {
				t.Errorf("the reason names the domain: %v", err)
			}
			for _, s := range []*sink{good, other, ours} {
				if has := s.has(to); has != (s == c.at) {
					t.Errorf("at %s: %v", s.host, has)
				}
			}
		})
	}
}

// TestNextMX: which refusals by the first MX lead to the second. One that is
// about the recipient does not: greylisting would begin anew there.
func TestNextMX(t *testing.T) {
	for _, c := range []struct {
		code     int
		enhanced smtp.EnhancedCode
		outcome  string
	}{
		{421, smtp.EnhancedCode{4, 7, 0}, "sent"},
		{451, smtp.EnhancedCode{4, 3, 0}, "sent"},
		{452, smtp.EnhancedCode{4, 3, 1}, "sent"},
		{451, smtp.EnhancedCode{4, 7, 1}, "temporary"},
		{450, smtp.EnhancedCode{4, 2, 1}, "temporary"},
		{550, smtp.EnhancedCode{5, 1, 1}, "permanent"},
		{550, smtp.EnhancedCode{5, 3, 0}, "permanent"},
	} {
		first := newSink(t, func(s *sink) { s.refuses = &smtp.SMTPError{Code: c.code, EnhancedCode: c.enhanced, Message: "no"} })
		second := sinkAt(t, "127.0.0.2", first.port, nil)
		q := network(t, Options{Port: first.port, Resolver: serveDNS(t, "x.example. MX 10 one.example.\nx.example. MX 20 two.example.\none.example. A 127.0.0.1\ntwo.example. A 127.0.0.2\n")})
		err := q.send(t.Context(), "x.example", letterTo("a@x.example", small))
		if outcome(err) != c.outcome || second.has("a@x.example") != (c.outcome == "sent") {
			t.Errorf("%d %v: %s: %v, want %s", c.code, c.enhanced, outcome(err), err, c.outcome)
		}
	}
}

func (s *sink) has(to string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.got {
		if m.to == to {
			return true
		}
	}
	return false
}

func sinkAt(t *testing.T, ip string, port int, change func(*sink)) *sink {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", ip, port))
	if err != nil {
		t.Skipf("this machine has no %s: %v", ip, err)
	}
	return serveSink(t, l, change)
}

// TestOpportunisticTLS: an MX with a certificate of its own making gets TLS; one
// whose TLS is broken gets the mail in the clear.
func TestOpportunisticTLS(t *testing.T) {
	cert, _ := selfSigned(t, "whatever.example")
	for name, cfg := range map[string]*tls.Config{
		"self-signed": {Certificates: []tls.Certificate{cert}},
		"broken":      {MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS12},
	} {
		s := newSink(t, func(s *sink) { s.TLSConfig = cfg })
		q := network(t, Options{Resolver: serveDNS(t, "x.example. A 127.0.0.1"), Port: s.port})
		if err := q.send(t.Context(), "x.example", letterTo("a@x.example", small)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := s.messages(t, 1)[0]; got.tls != (name == "self-signed") {
			t.Errorf("%s: TLS %v", name, got.tls)
		}
	}
}

// TestTLSWithoutEHLO: who hangs up at the EHLO under TLS gets the mail in the
// clear, as who can't do TLS at all, or waits where the policy has it so. The TLS
// itself was good, and is counted so.
func TestTLSWithoutEHLO(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.issue("x.example", time.Hour)
	for _, answer := range []string{"", "554 not here\r\n"} {
		server := script(t, func(c net.Conn, expect func(string), say func(string)) {
			say("220 x.example")
			expect("EHLO")
			say("250-x.example\r\n250 STARTTLS")
			buf := make([]byte, 512)
			n, _ := c.Read(buf)
			if string(buf[:n]) == "STARTTLS\r\n" {
				say("220 go on")
				tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
				if _, err := tc.Read(buf); err == nil {
					_, _ = io.WriteString(tc, answer)
				}
				return
			}
			for _, code := range []string{"250 ok", "250 ok"} {
				say(code)
				if n, _ = c.Read(buf); n == 0 {
					return
				}
			}
			say("354 go on")
			for range 7 {
				expect("")
			}
			say("250 taken")
		})
		o := Options{Resolver: serveDNS(t, "x.example. A 127.0.0.1"), Port: int(netip.MustParseAddrPort(server).Port())}
		q := network(t, o)
		seen := observed(q)
		if err := q.send(t.Context(), "x.example", letterTo("a@x.example", small)); err != nil || strings.Join(*seen, ", ") != "no-policy-found true" {
			t.Errorf("%q: %v, observed %v", answer, err, *seen)
		}
		o.Resolver, o.RootCAs = serveDNS(t, "x.example. A 127.0.0.1\nmta-sts.x.example. A 127.0.0.1\n_mta-sts.x.example. TXT \"v=STSv1; id=1\"\n"), ca.roots()
		o.PolicyPort = ca.policyHost("x.example", plainText(policyText("enforce", "x.example")))
		q = network(t, o)
		seen = observed(q)
		err := q.send(t.Context(), "x.example", letterTo("a@x.example", small))
		if outcome(err) != "host" || !strings.Contains(err.Error(), "EHLO") || strings.Join(*seen, ", ") != "sts true" {
			t.Errorf("enforced, %q: %v, observed %v", answer, err, *seen)
		}
	}
}

// TestDotHasItsOwnTime: once the message is sent whole its answer is waited for,
// although the time for reaching a host is over; before that nothing is sent
// whole.
func TestDotHasItsOwnTime(t *testing.T) {
	s := newSink(t, func(s *sink) { s.slow = time.Second })
	q := network(t, Options{Smarthost: Route{URL: "smtp://" + s.addr()}})
	hops, _, err := q.hops(t.Context(), anywhere(q), letter{})
	if err != nil {
		t.Fatal(err)
	}
	open := func() *session {
		session, err := q.connect(t.Context(), hops[0], netip.MustParseAddr(s.host), &need{})
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		s.underWay(t, 1)
		cancel()
	}()
	if err := q.transact(ctx, t.Context(), anywhere(q), open(), letterTo("slow@x.example", small)); err != nil {
		t.Errorf("time is over after the dot: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	l := letterTo("tess@x.example", small)
	l.open = func() io.Reader {
		cancel()
		return strings.NewReader(small)
	}
	if err := q.transact(ctx, t.Context(), anywhere(q), open(), l); outcome(err) != "host" || s.count() != 1 {
		t.Errorf("time is over before the dot: %v, %d came", err, s.count())
	}
}

// TestLimits: what the server can't take is not sent at all.
func TestLimits(t *testing.T) {
	s := newSink(t, func(s *sink) { s.MaxMessageBytes, s.EnableSMTPUTF8 = 1000, false })
	q := network(t, Options{Smarthost: Route{URL: "smtp://" + s.addr()}})
	big := letterTo("a@x.example", strings.Repeat("0123456789\r\n", 100))
	if err := q.send(t.Context(), anywhere(q), big); outcome(err) != "permanent" || !strings.Contains(err.Error(), "5.3.4") {
		t.Errorf("too large: %v", err)
	}
	if err := q.send(t.Context(), anywhere(q), letterTo("jürgen@x.example", small)); outcome(err) != "permanent" || !strings.Contains(err.Error(), "5.6.7") {
		t.Errorf("no SMTPUTF8: %v", err)
	}
	eight := letterTo("a@x.example", small)
	eight.eightBit = true
	if err := q.send(t.Context(), anywhere(q), eight); err != nil || !s.messages(t, 1)[0].eightBit {
		t.Errorf("8BITMIME is not asked for: %v", err)
	}
}

// script is a server that says fixed lines, for what a real one does not do.
func script(t *testing.T, play func(c net.Conn, expect func(prefix string), say func(string))) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				buf := make([]byte, 1)
				line := func() string {
					var s strings.Builder
					for {
						if _, err := c.Read(buf); err != nil || buf[0] == '\n' {
							return s.String()
						}
						s.WriteByte(buf[0])
					}
				}
				play(c, func(prefix string) {
					if got := line(); !strings.HasPrefix(got, prefix) {
						t.Errorf("the client says %q, want %s", got, prefix)
					}
				}, func(s string) { _, _ = io.WriteString(c, s+"\r\n") })
			}()
		}
	}()
	return l.Addr().String()
}

func TestOddServers(t *testing.T) {
	for _, c := range []struct {
		name, outcome, text string
		play                func(c net.Conn, expect func(string), say func(string))
	}{
		{"no ESMTP, no pipelining", "sent", "", func(_ net.Conn, expect func(string), say func(string)) {
			say("220 old.example")
			expect("EHLO mx.msg.example.com")
			say("500 what?")
			expect("HELO mx.msg.example.com")
			say("250 old.example")
			expect("MAIL FROM:<b-x@msg.example.com>\r")
			say("250 ok")
			expect("RCPT TO:<a@x.example>")
			say("250 ok")
			expect("DATA")
			say("354 go on")
			for _, l := range []string{"Subject: x", "", "..dot", "...", "..", "end", "."} {
				expect(l)
			}
			say("250 taken")
		}},
		{"success by other codes", "sent", "", func(_ net.Conn, expect func(string), say func(string)) {
			say("220 x")
			expect("EHLO")
			say("251 x")
			expect("MAIL")
			say("250 ok")
			expect("RCPT")
			say("251 forwarded")
			expect("DATA")
			say("354 go on")
			for range 7 {
				expect("")
			}
			say("252 taken")
		}},
		{"the mailbox is full", "temporary", "552 5.2.2: recipient refused", func(_ net.Conn, expect func(string), say func(string)) {
			say("220 x")
			expect("EHLO")
			say("250 x")
			expect("MAIL")
			say("250 ok")
			expect("RCPT")
			say("552 5.2.2 mailbox full")
		}},
		{"busy", "host", "421: connection refused by the receiving server", func(_ net.Conn, _ func(string), say func(string)) {
			say("421 too many connections from 192.0.2.1")
		}},
		{"no service here", "host", "554 5.7.1: connection refused", func(_ net.Conn, _ func(string), say func(string)) {
			say("554 5.7.1 go away")
		}},
		{"not SMTP", "host", "greeting: the receiving server's answer is not SMTP", func(_ net.Conn, _ func(string), say func(string)) {
			say("SSH-2.0-OpenSSH")
		}},
		{"closes at once", "host", "greeting: the connection was closed", func(net.Conn, func(string), func(string)) {}},
		{"wants a message for nobody", "permanent", "550 5.1.1: recipient refused", func(_ net.Conn, expect func(string), say func(string)) {
			say("220 x")
			expect("EHLO")
			say("250-x\r\n250 PIPELINING")
			expect("MAIL")
			expect("RCPT")
			expect("DATA")
			say("250 ok\r\n550 5.1.1 <a@x.example> unknown\r\n354 go on")
		}},
		{"hates the smarthost's client", "temporary", "553 5.7.1: sender refused", func(_ net.Conn, expect func(string), say func(string)) {
			say("220 x")
			expect("EHLO")
			say("250 x")
			expect("MAIL")
			say("553 5.7.1 not yours")
		}},
		{"has enough in the middle", "permanent", "552 5.3.4: message refused", func(_ net.Conn, expect func(string), say func(string)) {
			say("220 x")
			expect("EHLO")
			say("250 x")
			expect("MAIL")
			say("250 ok")
			expect("RCPT")
			say("250 ok")
			expect("DATA")
			say("354 go on")
			say("552 5.3.4 too much")
			for range 7 {
				expect("")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := network(t, Options{Smarthost: Route{URL: "smtp://" + script(t, c.play)}})
			err := q.send(t.Context(), anywhere(q), letterTo("a@x.example", small))
			if outcome(err) != c.outcome || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v, want %s: %s", outcome(err), err, c.outcome, c.text)
			}
			if err != nil && strings.Contains(err.Error(), "@") {
				t.Errorf("the reason holds an address: %v", err)
			}
		})
	}
}

// TestStopWhileWaiting: an ended context ends every wait.
func TestStopWhileWaiting(t *testing.T) {
	s := newSink(t, func(s *sink) { s.slow = 20 * time.Second })
	q := network(t, Options{Smarthost: Route{URL: "smtp://" + s.addr()}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := q.send(ctx, anywhere(q), letterTo("slow@x.example", small)); outcome(err) != "uncertain" {
		t.Errorf("%v", err)
	}
}

func TestQuoteLocal(t *testing.T) {
	for in, want := range map[string]string{
		"tess": "tess", "a.b+c": "a.b+c", "jürgen": "jürgen", "a b": `"a b"`, `a"b\c`: `"a\"b\\c"`, "a..b": `"a..b"`, ".a": `".a"`,
	} {
		if got := quoteLocal(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

var _ smtp.AuthSession = (*sinkSession)(nil)

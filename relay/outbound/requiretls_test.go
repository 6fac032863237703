package outbound

import (
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// TestRequireTLS: what was sent with REQUIRETLS goes to servers that are proven
// and offer it, and to nobody else.
func TestRequireTLS(t *testing.T) {
	const domain, host = "x.example", "mx.x.example"
	for _, c := range []struct {
		name, server, policy string
		offers               bool
		outcome, text        string
	}{
		{"proven by an enforced policy", "good", "enforce", true, "sent", ""},
		{"proven by a policy for tests", "good", "testing", true, "sent", ""},
		{"not offered", "good", "enforce", false, "permanent", "5.7.30 REQUIRETLS: the receiving server does not offer it"},
		{"nothing to prove it by", "good", "", true, "permanent", "5.7.30 REQUIRETLS: the receiving domain has neither DANE nor MTA-STS"},
		{"a policy that was withdrawn", "good", "none", true, "permanent", "5.7.30 REQUIRETLS: the receiving domain has neither"},
		{"a policy for tests that is not kept", "self", "testing", true, "host", "4.7.5 REQUIRETLS: the server's certificate is not issued by"},
		{"no STARTTLS", "none", "testing", true, "host", "4.7.5 REQUIRETLS: the server does not offer STARTTLS"},
		{"a policy that can't be read", "good", "nonsense", true, "host", "4.7.5 REQUIRETLS: the policy can't be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ca := newAuthority(t)
			s, _ := ca.mx(c.server, host)
			s.EnableREQUIRETLS = c.offers
			zone := "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.1\nmta-sts.x.example. A 127.0.0.1\n"
			if c.policy != "" {
				zone += `_mta-sts.x.example. TXT "v=STSv1; id=1"`
			}
			q := network(t, Options{Resolver: serveDNS(t, zone), Port: s.port, RootCAs: ca.roots(), PolicyPort: ca.policyHost(domain, plainText(policyText(c.policy, host)))})
			l := letterTo("a@"+domain, small)
			l.requireTLS = true
			err := q.send(t.Context(), tlsRequired.destination(domain), l)
			if outcome(err) != c.outcome || err != nil && !strings.HasPrefix(err.Error(), c.text) {
				t.Errorf("%s: %v, want %s: %s", outcome(err), err, c.outcome, c.text)
			}
			if c.outcome == "sent" {
				if got := s.messages(t, 1)[0]; !got.tls || !got.require {
					t.Errorf("TLS %v, REQUIRETLS %v", got.tls, got.require)
				}
			} else if s.count() != 0 {
				t.Error("the message was sent")
			}
			// Others to the same domain go as ever, by a connection of their own.
			if err := q.send(t.Context(), domain, letterTo("b@"+domain, small)); err != nil {
				t.Errorf("without REQUIRETLS: %v", err)
			} else if got := s.messages(t, 1); got[len(got)-1].require || len(got) == 2 && got[0].conn == got[1].conn {
				t.Errorf("without REQUIRETLS: %+v", got)
			}
		})
	}
}

// TestRequireTLSDANE: DANE proves a server as well; records of which none can
// be used prove nothing, but a policy may beside them.
func TestRequireTLSDANE(t *testing.T) {
	for _, c := range []struct{ server, usage, policy, want string }{
		{"self", "3 1 1", "", "sent"},
		{"self", "0 1 1", "", "permanent"},
		{"good", "0 1 1", "enforce", "sent"},
		{"self", "1 1 1", "enforce", "host"},
		{"good", "0 1 1", "testing", "sent"},
		{"good", "0 1 1", "none", "permanent"},
		{"good", "0 1 1", "nonsense", "host"},
	} {
		ca := newAuthority(t)
		s, cert := ca.mx(c.server, "mx.x.signed.example")
		s.EnableREQUIRETLS = true
		zone := fmt.Sprintf("x.signed.example. MX 10 mx.x.signed.example.\nmx.x.signed.example. A 127.0.0.1\n_%d._tcp.mx.x.signed.example. TLSA %s %s\nmta-sts.x.signed.example. A 127.0.0.1\n", s.port, c.usage, keySum(t, cert))
		if c.policy != "" {
			zone += `_mta-sts.x.signed.example. TXT "v=STSv1; id=1"`
		}
		q := network(t, Options{Resolver: serveDNS(t, zone), Port: s.port, RootCAs: ca.roots(), PolicyPort: ca.policyHost("x.signed.example", plainText(policyText(c.policy, "mx.x.signed.example")))})
		l := letterTo("a@x.signed.example", small)
		l.requireTLS = true
		if err := q.send(t.Context(), tlsRequired.destination("x.signed.example"), l); outcome(err) != c.want {
			t.Errorf("%s, %s: %s: %v, want %s", c.usage, c.policy, outcome(err), err, c.want)
		}
	}
}

// TestRequireTLSPolicyUnknown: as long as nobody can say whether the domain has
// a policy the message waits; other mail does not.
func TestRequireTLSPolicyUnknown(t *testing.T) {
	s := newSink(t, nil)
	zone := "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.1\n_mta-sts.x.example. CNAME policy.servfail.example.\n"
	q := network(t, Options{Resolver: serveDNS(t, zone), Port: s.port})
	err := q.send(t.Context(), tlsRequired.destination("x.example"), letterTo("a@x.example", small))
	if outcome(err) != "host" || err.Error() != "4.7.5 REQUIRETLS: whether the domain has an MTA-STS policy can't be found out" || s.count() != 0 {
		t.Errorf("%s: %v, %d sent", outcome(err), err, s.count())
	}
	if err := q.send(t.Context(), "x.example", letterTo("b@x.example", small)); err != nil {
		t.Errorf("without REQUIRETLS: %v", err)
	}
}

// TestRequireTLSNextMX: one MX that may take it later is enough to wait for.
func TestRequireTLSNextMX(t *testing.T) {
	ca := newAuthority(t)
	s, _ := ca.mx("good", "second.x.example")
	zone := "x.example. MX 10 first.x.example.\nx.example. MX 20 second.x.example.\nfirst.x.example. A 127.0.0.9\nsecond.x.example. A 127.0.0.1\n" +
		"mta-sts.x.example. A 127.0.0.1\n_mta-sts.x.example. TXT \"v=STSv1; id=1\"\n"
	q := network(t, Options{Resolver: serveDNS(t, zone), Port: s.port, RootCAs: ca.roots(), PolicyPort: ca.policyHost("x.example", plainText(policyText("enforce", "*.x.example")))})
	if err := q.send(t.Context(), tlsRequired.destination("x.example"), letterTo("a@x.example", small)); outcome(err) != "host" || !strings.Contains(err.Error(), "connecting") {
		t.Errorf("%s: %v", outcome(err), err)
	}
}

// TestRequireTLSSmarthost: the smarthost must prove its name, user or not.
func TestRequireTLSSmarthost(t *testing.T) {
	cert, roots := selfSigned(t, "127.0.0.1")
	for _, c := range []struct {
		name    string
		offers  bool
		trusted bool
		want    string
	}{
		{"proven, offers it", true, true, "sent"},
		{"proven, does not", false, true, "permanent"},
		{"not proven", true, false, "host"},
	} {
		s := newSink(t, func(s *sink) {
			s.TLSConfig, s.EnableREQUIRETLS = &tls.Config{Certificates: []tls.Certificate{cert}}, c.offers
		})
		o := Options{Smarthost: Route{URL: "smtp://" + s.addr()}}
		if c.trusted {
			o.RootCAs = roots
		}
		q := network(t, o)
		l := letterTo("a@x.example", small)
		l.requireTLS = true
		if err := q.send(t.Context(), tlsRequired.destination(q.routes.destination("x.example")), l); outcome(err) != c.want {
			t.Errorf("%s: %s: %v, want %s", c.name, outcome(err), err, c.want)
		}
	}
	for url, want := range map[string]bool{"": true, "smtps://h.example": true, "smtp://u@h.example": true, "smtp://h.example": false, "lmtp:unix:/x": false} {
		if got := network(t, Options{Smarthost: Route{URL: url, Password: "x"}}).RequireTLS(); got != want {
			t.Errorf("with the smarthost %q it is offered: %v", url, got)
		}
	}
}

// TestWithheld: a message that can't be mailed as its writer asks leaves the
// queue, its reader is told, and the address stays in use.
func TestWithheld(t *testing.T) {
	ca := newAuthority(t)
	s := newSite(t)
	sink, _ := ca.mx("good", "mx.x.example")
	tess := s.member("tess", "tess@x.example")
	f := s.filing(tess, "Hello\r\n")
	f.Message.TLS = threading.TLSRequired
	if _, err := s.File(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	told := make(chan [2]threading.ID, 10)
	s.run(s.queue(Options{
		Resolver: serveDNS(t, "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.1\n"), Port: sink.port,
		Withheld: func(_ context.Context, member, thread threading.ID) error {
			told <- [2]threading.ID{member, thread}
			return nil
		},
		AddressFailed: func(context.Context, threading.ID, string) error {
			t.Error("the address is said to have failed")
			return nil
		},
	}))
	s.rows("empty", empty)
	if len(told) != 1 {
		t.Fatalf("told %d times", len(told))
	}
	if got := <-told; got != [2]threading.ID{tess.ID, f.Message.ThreadID} {
		t.Errorf("told %v", got)
	}
	if list := s.records(); sink.count() != 0 || len(list) != 1 || !strings.HasPrefix(list[0].Note, "5.7.30 REQUIRETLS: the receiving domain") {
		t.Errorf("%d sent, %+v", sink.count(), list)
	}
}

// TestWithheldInTheEnd: so is what could not go in all its time.
func TestWithheldInTheEnd(t *testing.T) {
	s := newSite(t)
	f := s.filing(s.member("tess", "tess@x.example"), "Hello\r\n")
	f.Message.TLS = threading.TLSRequired
	if _, err := s.File(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	told := make(chan threading.ID, 10)
	s.run(s.queue(Options{
		Resolver: serveDNS(t, "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.9\nmta-sts.x.example. A 127.0.0.9\n_mta-sts.x.example. TXT \"v=STSv1; id=1\"\n"),
		Withheld: func(_ context.Context, member, _ threading.ID) error {
			told <- member
			return nil
		},
	}))
	s.rows("waiting", func(r []store.Delivery) bool { return len(r) == 1 && s.waiting(r) })
	s.ahead.Store(int64(6 * 24 * time.Hour))
	if _, err := s.RetryNow(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	s.rows("empty", empty)
	if list := s.records(); len(told) != 1 || len(list) != 1 || !strings.Contains(list[0].Note, "given up after 144h0m0s: 4.7.5 REQUIRETLS: the policy can't be fetched") {
		t.Errorf("told %d times, %+v", len(told), list)
	}
}

// TestWithheldOnce: where what became of a row can't be written its reader is
// not told yet, nor once more by who had the row as well.
func TestWithheldOnce(t *testing.T) {
	s := newSite(t)
	s.write(s.member("tess", "tess@x.example"), "Hello\r\n")
	rows, err := s.Lease(t.Context(), 1, time.Hour)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%+v, %v", rows, err)
	}
	told := make(chan threading.ID, 10)
	q := s.queue(Options{Withheld: func(_ context.Context, member, _ threading.ID) error {
		told <- member
		return nil
	}})
	settle := func() error {
		return q.settler.write([]verdict{{row: rows[0], note: "5.7.30 REQUIRETLS", tell: true}})
	}
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, c := range []struct {
		change string
		fails  bool
		told   int
	}{
		{"CREATE TRIGGER full BEFORE DELETE ON queue BEGIN SELECT RAISE(ABORT, 'the disk is full'); END", true, 0},
		{"DROP TRIGGER full", false, 1},
		{"SELECT 1", false, 1},
	} {
		if _, err := db.ExecContext(t.Context(), c.change); err != nil {
			t.Fatal(err)
		}
		if err := settle(); (err != nil) != c.fails || len(told) != c.told {
			t.Errorf("after %s: %v, told %d times", c.change, err, len(told))
		}
	}
	if list := s.records(); len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

// TestOptionalTLS: TLS-Required: No goes where an enforced policy is not kept.
func TestOptionalTLS(t *testing.T) {
	ca := newAuthority(t)
	s := newSite(t)
	sink, _ := ca.mx("none", "mx.x.example")
	f := s.filing(s.member("tess", "tess@x.example"), "Hello\r\n")
	f.Message.TLS = threading.TLSOptional
	if _, err := s.File(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if rows, err := s.Queue(t.Context(), 10); err != nil || len(rows) != 1 || rows[0].TLS != threading.TLSOptional {
		t.Fatalf("%+v, %v", rows, err)
	}
	s.run(s.queue(Options{
		Resolver: serveDNS(t, "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.1\nmta-sts.x.example. A 127.0.0.1\n_mta-sts.x.example. TXT \"v=STSv1; id=1\"\n"),
		Port:     sink.port, RootCAs: ca.roots(), PolicyPort: ca.policyHost("x.example", plainText(policyText("enforce", "mx.x.example"))),
	}))
	s.rows("empty", empty)
	if sink.messages(t, 1)[0].tls {
		t.Error("there was TLS")
	}
}

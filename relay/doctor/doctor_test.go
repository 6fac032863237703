package doctor

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// authority issues certificates that a pool trusts.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(50, 0, 0), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) issue(t *testing.T, name string, from, until time.Time) tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: from, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key, Leaf: leaf}
}

func TestCertificate(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	day := 24 * time.Hour
	for _, c := range []struct {
		name       string
		cert       tls.Certificate
		selfSigned bool
		state      State
		text       string
	}{
		{"good", ca.issue(t, "mx.test", now.Add(-day), now.Add(60*day)), false, OK, "valid until 2026-07-31"},
		{"soon over", ca.issue(t, "mx.test", now.Add(-day), now.Add(3*day+time.Hour)), false, Warning, "ends in 3 days"},
		{"over", ca.issue(t, "mx.test", now.Add(-9*day), now.Add(-day)), false, Failed, "expired on 2026-05-31"},
		{"not yet", ca.issue(t, "mx.test", now.Add(day), now.Add(9*day)), false, Failed, "not valid before"},
		{"another name", ca.issue(t, "www.test", now.Add(-day), now.Add(60*day)), false, Failed, "is not for mx.test"},
		{"another authority", other.issue(t, "mx.test", now.Add(-day), now.Add(60*day)), false, Failed, "don't trust it"},
		{"self-signed", other.issue(t, "mx.test", now.Add(-day), now.Add(60*day)), true, OK, "self-signed, valid until"},
		{"self-signed and over", other.issue(t, "mx.test", now.Add(-9*day), now.Add(-day)), true, Failed, "expired"},
	} {
		d := &doctor{Options{Hostname: "mx.test", Roots: ca.pool(), SelfSigned: c.selfSigned, Now: func() time.Time { return now }}}
		f := d.certificate("imap.listen_tls", "mx.test", []*x509.Certificate{c.cert.Leaf})
		if f.State != c.state || !strings.Contains(f.Text, c.text) || (f.State == OK) != (f.Todo == "") {
			t.Errorf("%s: %+v, want %s %q", c.name, f, c.state, c.text)
		}
	}
}

func TestRoomAndQueue(t *testing.T) {
	for _, c := range []struct {
		name                     string
		free, inodes, freeInodes uint64
		state                    State
	}{
		{"plenty", 20 << 30, 1 << 20, 1 << 19, OK},
		{"little", 900 << 20, 1 << 20, 1 << 19, Warning},
		{"none", 100 << 20, 1 << 20, 1 << 19, Failed},
		{"no inodes", 20 << 30, 1 << 20, 10, Failed},
		{"inodes are not counted", 20 << 30, 0, 0, OK},
	} {
		if f := room("/data", c.free, c.inodes, c.freeInodes); f.State != c.state || (f.State == OK) != (f.Todo == "") {
			t.Errorf("%s: %+v, want %s", c.name, f, c.state)
		}
	}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name  string
		queue store.QueueState
		err   error
		state State
		text  string
	}{
		{"empty", store.QueueState{}, nil, OK, "empty"},
		{"young", store.QueueState{Rows: 3, Oldest: ago(time.Hour), Due: ago(-time.Minute)}, nil, OK, "3 wait, the oldest for 60 minutes"},
		{"old", store.QueueState{Rows: 3, Oldest: ago(72 * time.Hour), OldestError: "4.4.1 no answer", Due: ago(-time.Hour)}, nil, Warning, "for 3 days: 4.4.1 no answer"},
		{"nobody delivers", store.QueueState{Rows: 1, Oldest: ago(time.Hour), Due: ago(time.Hour)}, nil, Failed, "nobody delivers"},
		{"unreadable", store.QueueState{}, errors.New("disk I/O error"), Failed, "disk I/O error"},
	} {
		d := &doctor{Options{Now: func() time.Time { return now }, Queue: func(context.Context) (store.QueueState, error) { return c.queue, c.err }}}
		if f := d.queue(t.Context()); len(f) != 1 || f[0].State != c.state || !strings.Contains(f[0].Text, c.text) {
			t.Errorf("%s: %+v, want %s %q", c.name, f, c.state, c.text)
		}
	}
}

func TestHeldForTheOperator(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		age   time.Duration
		err   error
		state State
		text  string // empty: nothing is found
	}{
		{"nothing", 0, 0, nil, OK, ""},
		{"young", 2, time.Hour, nil, OK, "2 wait for you, the oldest for 60 minutes"},
		{"old", 1, 72 * time.Hour, nil, Warning, "1 wait for you, the oldest for 3 days"},
		{"unreadable", 0, 0, errors.New("disk I/O error"), Failed, "disk I/O error"},
	} {
		d := &doctor{Options{Now: func() time.Time { return now }, Held: func(context.Context) (store.HeldState, error) {
			return store.HeldState{Messages: c.n, Oldest: now.Add(-c.age)}, c.err
		}}}
		f := d.held(t.Context())
		if c.text == "" && len(f) == 0 {
			continue
		}
		if len(f) != 1 || f[0].State != c.state || !strings.Contains(f[0].Text, c.text) {
			t.Errorf("%s: %+v, want %s %q", c.name, f, c.state, c.text)
		}
	}
}

// listenTo runs a server that speaks a script: each line that begins with >
// is what it expects to hear the beginning of, each other is what it says;
// "TLS" starts TLS, "MESSAGE" reads up to a message's end.
func listenTo(t *testing.T, cert tls.Certificate, script string) (address string) {
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
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				play(c, cert, script)
			}()
		}
	}()
	return l.Addr().String()
}

func play(c net.Conn, cert tls.Certificate, script string) {
	r := bufio.NewReader(c)
	for line := range strings.SplitSeq(strings.TrimSpace(script), "\n") {
		line = strings.TrimSpace(line)
		if line == "TLS" {
			c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			r = bufio.NewReader(c)
			continue
		}
		if line == "MESSAGE" {
			for got := ""; got != ".\r\n"; {
				var err error
				if got, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			continue
		}
		if want, ok := strings.CutPrefix(line, "> "); ok {
			got, err := r.ReadString('\n')
			if err != nil || !strings.HasPrefix(got, want) {
				return
			}
			continue
		}
		if _, err := fmt.Fprintf(c, "%s\r\n", line); err != nil {
			return
		}
	}
}

// What a door must do to be well, and what is said when it does not.
func TestDoors(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.issue(t, "mx.test", now.AddDate(0, 0, -1), now.AddDate(0, 2, 0))
	const smtpTLS = "220 mx\n> EHLO\n250-mx\n250 STARTTLS\n> STARTTLS\n220 go\nTLS\n> EHLO\n250-mx\n250 AUTH PLAIN\n"
	const recipients = "> MAIL FROM:<>\n250 ok\n> RCPT TO:<t-\n550 no\n> RCPT TO:<postmaster@msg.test>\n250 ok\n> RSET\n250 ok\n"
	const message = "> MAIL FROM:<doctor@doctor.invalid>\n250 ok\n> RCPT TO:<doctor@msg.test>\n250 ok\n> DATA\n354 go on\nMESSAGE\n"
	for _, c := range []struct {
		name   string
		kind   Kind
		tls    bool
		script string
		state  State
		text   string
	}{
		{"a good MX", SMTP, false, smtpTLS + "> MAIL FROM:<>\n250 ok\n> RCPT TO:<t-\n550 no\n> RCPT TO:<postmaster@msg.test>\n250 ok\n> RSET\n250 ok\n" + message + "554 5.4.6 in circles\n> QUIT\n221 bye", OK, "answers SMTP with STARTTLS, knows its addresses, a message reaches the pipeline"},
		{"without resolver or room", SMTP, false, smtpTLS + recipients + message + "451 4.3.0 later", Failed, "can't take mail: 451 4.3.0 later"},
		{"one that takes everything", SMTP, false, smtpTLS + recipients + message + "250 ok", Failed, "takes a message that has passed"},
		{"one that dies", SMTP, false, smtpTLS + recipients + message, Failed, "a message gets no answer"},
		{"one that stops", SMTP, false, smtpTLS + recipients + "> MAIL FROM:<doctor\n421 stopping", Failed, "does not take a message (MAIL): 421"},
		{"without an operator", SMTP, false, smtpTLS + "> MAIL FROM:<>\n250 ok\n> RCPT TO:<t-\n550 no\n> RCPT TO:<postmaster@msg.test>\n450 later\n> RSET\n250 ok\n" + message + "554 5.4.6 in circles\n> QUIT\n221 bye", OK, "knows its addresses"},
		{"an open relay", SMTP, false, smtpTLS + "> MAIL FROM:<>\n250 ok\n> RCPT TO:<t-\n250 anything", Failed, "does not refuse a reply alias"},
		{"another domain's", SMTP, false, smtpTLS + "> MAIL FROM:<>\n250 ok\n> RCPT TO:<t-\n550 no\n> RCPT TO:<postmaster@msg.test>\n550 relaying denied", Failed, "refuses mail to postmaster"},
		{"no STARTTLS", SMTP, false, "220 mx\n> EHLO\n250 mx", Failed, "does not offer STARTTLS"},
		{"busy", SMTP, false, "421 too many connections", Failed, "no SMTP greeting: 421"},
		{"a web server", SMTP, false, "HTTP/1.1 400 Bad Request", Failed, "no SMTP greeting"},
		{"silent", SMTP, false, "", Failed, "no SMTP greeting"},
		{"a good submission", Submission, false, smtpTLS + "> QUIT\n221 bye", OK, "offers AUTH"},
		{"with TLS", Submission, true, "TLS\n220 mx\n> EHLO\n250-mx\n250 AUTH PLAIN\n> QUIT\n221 bye", OK, "answers SUBMISSION, offers AUTH"},
		{"without AUTH", Submission, true, "TLS\n220 mx\n> EHLO\n250 mx", Failed, "does not offer AUTH"},
		{"TLS that is none", Submission, true, "220 mx", Failed, "no TLS"},
		{"LMTP", LMTP, false, "220 mx\n> LHLO\n250 mx\n> MAIL FROM:<>\n250 ok\n> RCPT TO:<t-\n550 no\n> RCPT TO:<postmaster@msg.test>\n250 ok\n> RSET\n250 ok\n> QUIT\n221 bye", OK, "answers LMTP, knows"},
		{"a good IMAP", IMAP, false, "* OK hello\n> d1 STARTTLS\nd1 OK go\nTLS\n> d1 CAPABILITY\n* CAPABILITY IMAP4rev1 IMAP4rev2 AUTH=PLAIN\nd1 OK\n> d1 LOGOUT\n* BYE\nd1 OK", OK, "answers IMAP with STARTTLS, lets members sign in"},
		{"IMAP without STARTTLS", IMAP, false, "* OK hello\n> d1 STARTTLS\nd1 BAD what", Failed, "STARTTLS: the answer is"},
		{"another IMAP server", IMAP, true, "TLS\n* OK hello\n> d1 CAPABILITY\n* CAPABILITY IMAP4rev1\nd1 OK", Failed, "is not the IMAP server"},
		{"no sign-in", IMAP, true, "TLS\n* OK hello\n> d1 CAPABILITY\n* CAPABILITY IMAP4rev1 IMAP4rev2 LOGINDISABLED\nd1 OK", Failed, "let anybody sign in"},
		{"IMAP that says BYE", IMAP, true, "TLS\n* BYE too many", Failed, "no IMAP greeting"},
		{"IMAP that goes on and on", IMAP, true, "TLS\n* OK hello\n> d1 CAPABILITY" + strings.Repeat("\n* x", 60), Failed, "no answer in 50 lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := &doctor{Options{Domain: "msg.test", Hostname: "mx.test"}}
			f, chain := d.knock(t.Context(), Door{Key: "x.listen", Kind: c.kind, Network: "tcp", Address: listenTo(t, cert, c.script), TLS: c.tls})
			if f.State != c.state || !strings.Contains(f.Text, c.text) || (f.State == OK) != (f.Todo == "") {
				t.Errorf("%+v, want %s %q", f, c.state, c.text)
			}
			if f.State == OK && c.kind != LMTP && len(chain) == 0 {
				t.Error("no certificate was seen")
			}
		})
	}
}

// Each name that the HTTP door serves is looked at.
func TestWebCertificates(t *testing.T) {
	ca := newAuthority(t)
	good, old := ca.issue(t, "mta-sts.test", now.AddDate(0, 0, -1), now.AddDate(0, 2, 0)), ca.issue(t, "autoconfig.test", now.AddDate(0, -3, 0), now.AddDate(0, 0, 5))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName == "autoconfig.test" {
			return &old, nil
		}
		return &good, nil
	}})
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
				_ = c.(*tls.Conn).Handshake()
				_ = c.Close()
			}()
		}
	}()
	d := &doctor{Options{
		Hostname: "mx.test", Roots: ca.pool(), ACME: true, Now: func() time.Time { return now }, WebNames: []string{"mta-sts.test", "autoconfig.test", "autodiscover.test"},
		Doors: []Door{{Key: "http.listen_tls", Kind: HTTP, Network: "tcp", Address: l.Addr().String(), TLS: true}, {Key: "smtp.listen", Kind: SMTP, Network: "tcp", Address: "127.0.0.1:1"}},
	}}
	found := d.webCertificates(t.Context())
	expect(t, "names", found, "ok for mta-sts.test, valid until", "warn for autoconfig.test, ends in 5 days", "FAIL is not for autodiscover.test")
	if !strings.Contains(found[1].Todo, "the daemon's log") {
		t.Errorf("what to do: %q", found[1].Todo)
	}
}

func TestReachableAt(t *testing.T) {
	for listen, want := range map[string]string{
		":25": "127.0.0.1:25", "0.0.0.0:25": "127.0.0.1:25", "[::]:25": "[::1]:25", "192.0.2.1:25": "192.0.2.1:25", "localhost:25": "localhost:25", "127.0.0.1:0": "",
	} {
		if got, _ := reachableAt(Door{Network: "tcp", Address: listen}); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

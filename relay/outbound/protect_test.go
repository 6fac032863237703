package outbound

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// authority issues certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	self, _ := selfSigned(t, "authority.example")
	cert, err := x509.ParseCertificate(self.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, cert, self.PrivateKey.(*ecdsa.PrivateKey)}
}

func (a *authority) roots() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// issue issues a certificate for a host that ends in so long.
func (a *authority) issue(host string, ends time.Duration) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends), KeyUsage: x509.KeyUsageDigitalSignature,
	}, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
}

// mx is a receiving server with a certificate of a kind: "good", "expired",
// "other" (for another name), "self" (signed by itself), "broken" (STARTTLS is
// offered and fails) or "none" (no STARTTLS).
func (a *authority) mx(kind, host string) (*sink, tls.Certificate) {
	var cert tls.Certificate
	cfg := &tls.Config{}
	switch kind {
	case "good":
		cert = a.issue(host, time.Hour)
	case "expired":
		cert = a.issue(host, -time.Hour)
	case "other":
		cert = a.issue("mx.other.example", time.Hour)
	case "self":
		cert, _ = selfSigned(a.t, host)
	case "broken":
		cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS13, tls.VersionTLS12
	case "none":
		return newSink(a.t, nil), cert
	}
	cfg.Certificates = []tls.Certificate{cert}
	return newSink(a.t, func(s *sink) { s.TLSConfig = cfg }), cert
}

// policyHost serves a policy as host mta-sts.DOMAIN.
func (a *authority) policyHost(domain string, answer http.HandlerFunc) (port int) {
	a.t.Helper()
	srv := httptest.NewUnstartedServer(answer)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{a.issue("mta-sts."+domain, time.Hour)}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	a.t.Cleanup(srv.Close)
	return srv.Listener.Addr().(*net.TCPAddr).Port
}

func policyText(mode string, mx ...string) string {
	text := "version: STSv1\r\nmode: " + mode + "\r\n"
	for _, m := range mx {
		text += "mx: " + m + "\r\n"
	}
	return text + "max_age: 604800\r\n"
}

func plainText(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/mta-sts.txt" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(text))
	}
}

// observed are the policies that connections were made under, and how that went.
func observed(q *Queue) *[]string {
	var list []string
	q.o.ObserveTLS = func(policy string, ok bool) { list = append(list, fmt.Sprint(policy, " ", ok)) }
	return &list
}

// TestMTASTS: what becomes of mail by the domain's policy and by what its server
// shows.
func TestMTASTS(t *testing.T) {
	const domain, host = "x.example", "mx.x.example"
	enforce, testing_ := policyText("enforce", "*.x.example"), policyText("testing", host)
	for _, c := range []struct {
		name, server, policy string
		outcome, text        string
		tls                  bool
		observed             string
	}{
		{"enforce", "good", enforce, "sent", "", true, "sts true"},
		{"enforce, self-signed", "self", enforce, "host", "4.7.5 MTA-STS: the server's certificate is not issued by an authority that is trusted", false, "sts false"},
		{"enforce, expired", "expired", enforce, "host", "4.7.5 MTA-STS: the server's certificate is not valid at this time", false, "sts false"},
		{"enforce, wrong name", "other", enforce, "host", "4.7.5 MTA-STS: the server's certificate is for another name", false, "sts false"},
		{"enforce, STARTTLS stripped", "none", enforce, "host", "4.7.5 MTA-STS: the server does not offer STARTTLS", false, "sts false"},
		{"enforce, TLS broken", "broken", enforce, "host", "4.7.5 MTA-STS: the TLS handshake failed", false, "sts false"},
		{"enforce, another MX", "good", policyText("enforce", "mx.other.example"), "host", "4.7.5 MTA-STS: the server is not among those that the domain's policy names", false, "sts false"},
		{"testing", "good", testing_, "sent", "", true, "sts true"},
		{"testing, self-signed", "self", testing_, "sent", "", true, "sts false"},
		{"testing, STARTTLS stripped", "none", testing_, "sent", "", false, "sts false"},
		{"testing, TLS broken", "broken", testing_, "sent", "", false, "sts false"},
		{"testing, another MX", "good", policyText("testing", "mx.other.example"), "sent", "", true, "sts false"},
		{"none", "self", "version: STSv1\nmode: none\nmax_age: 3600\n", "sent", "", true, "no-policy-found true"},
		{"not a policy", "self", "mode: enforce\n", "sent", "", true, "sts false"},
		{"no TLS at all, no policy", "none", "", "sent", "", false, "no-policy-found false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ca := newAuthority(t)
			sink, _ := ca.mx(c.server, host)
			zone := "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.1\nmta-sts.x.example. A 127.0.0.1\n"
			if c.policy != "" {
				zone += `_mta-sts.x.example. TXT "v=STSv1; id=1"`
			}
			q := network(t, Options{Resolver: serveDNS(t, zone), Port: sink.port, RootCAs: ca.roots(), PolicyPort: ca.policyHost(domain, plainText(c.policy))})
			seen := observed(q)
			err := q.send(t.Context(), domain, letterTo("a@"+domain, small))
			if outcome(err) != c.outcome || err != nil && err.Error() != c.text {
				t.Errorf("%s: %v, want %s: %s", outcome(err), err, c.outcome, c.text)
			}
			if got := strings.Join(*seen, ", "); got != c.observed {
				t.Errorf("observed %s, want %s", got, c.observed)
			}
			if c.outcome != "sent" {
				if sink.count() != 0 {
					t.Error("the message was sent")
				}
				return
			}
			if got := sink.messages(t, 1)[0]; got.tls != c.tls {
				t.Errorf("TLS %v", got.tls)
			}
		})
	}
}

// TestMTASTSNextMX: one MX that is not as the policy wants, one that is.
func TestMTASTSNextMX(t *testing.T) {
	ca := newAuthority(t)
	good, _ := ca.mx("good", "second.x.example")
	bad := sinkAt(t, "127.0.0.2", good.port, nil)
	zone := "x.example. MX 10 first.x.example.\nx.example. MX 20 second.x.example.\nfirst.x.example. A 127.0.0.2\nsecond.x.example. A 127.0.0.1\n" +
		"mta-sts.x.example. A 127.0.0.1\n_mta-sts.x.example. TXT \"v=STSv1; id=1\"\n"
	q := network(t, Options{Resolver: serveDNS(t, zone), Port: good.port, RootCAs: ca.roots(), PolicyPort: ca.policyHost("x.example", plainText(policyText("enforce", "*.x.example")))})
	if err := q.send(t.Context(), "x.example", letterTo("a@x.example", small)); err != nil {
		t.Fatal(err)
	}
	if good.count() != 1 || bad.count() != 0 {
		t.Errorf("%d at the good server, %d at the other", good.count(), bad.count())
	}
}

// TestPolicyHostDown: what was fetched before holds; without that, mail goes.
func TestPolicyHostDown(t *testing.T) {
	for _, cached := range []bool{false, true} {
		ca := newAuthority(t)
		sink, _ := ca.mx("self", "mx.x.example")
		s := newSite(t)
		if cached {
			err := s.KeepSTSPolicy(t.Context(), "x.example", store.STSPolicy{ID: "1", Text: policyText("enforce", "mx.x.example"), FetchedAt: s.now(), ExpiresAt: s.now().Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
		}
		zone := "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.1\nmta-sts.x.example. A 127.0.0.9\n_mta-sts.x.example. TXT \"v=STSv1; id=2\"\n"
		q := network(t, Options{Store: s.Store, Resolver: serveDNS(t, zone), Port: sink.port, RootCAs: ca.roots(), PolicyPort: 1})
		want := map[bool]string{false: "sent", true: "host"}[cached]
		if err := q.send(t.Context(), "x.example", letterTo("a@x.example", small)); outcome(err) != want {
			t.Errorf("cached %v: %s: %v, want %s", cached, outcome(err), err, want)
		}
	}
}

// TestDANE: what becomes of mail by the server's TLSA records.
func TestDANE(t *testing.T) {
	sum256 := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	sum512 := func(b []byte) string { s := sha512.Sum512(b); return hex.EncodeToString(s[:]) }
	key := func(der []byte) []byte {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c.RawSubjectPublicKeyInfo
	}
	none := strings.Repeat("ab", 32)
	const tlsa = "DANE: the server's certificate is not one that its TLSA records name"
	for _, c := range []struct {
		name, server  string
		records       func(leaf, ca []byte) []string
		outcome, text string
		tls           bool
		observed      string
	}{
		{"EE, key, SHA-256", "good", func(l, _ []byte) []string { return []string{"3 1 1 " + sum256(key(l))} }, "sent", "", true, "tlsa true"},
		{"EE, key, SHA-512", "good", func(l, _ []byte) []string { return []string{"3 1 2 " + sum512(key(l))} }, "sent", "", true, "tlsa true"},
		{"EE, certificate, whole", "good", func(l, _ []byte) []string { return []string{"3 0 0 " + hex.EncodeToString(l)} }, "sent", "", true, "tlsa true"},
		{"EE, key, whole", "good", func(l, _ []byte) []string { return []string{"3 1 0 " + hex.EncodeToString(key(l))} }, "sent", "", true, "tlsa true"},
		{"EE of a certificate signed by itself", "self", func(l, _ []byte) []string { return []string{"3 0 1 " + sum256(l)} }, "sent", "", true, "tlsa true"},
		{"EE of one that has expired", "expired", func(l, _ []byte) []string { return []string{"3 1 1 " + sum256(key(l))} }, "sent", "", true, "tlsa true"},
		{"EE of one for another name", "other", func(l, _ []byte) []string { return []string{"3 1 1 " + sum256(key(l))} }, "sent", "", true, "tlsa true"},
		{"one of two", "good", func(l, _ []byte) []string { return []string{"3 1 1 " + none, "3 1 1 " + sum256(key(l))} }, "sent", "", true, "tlsa true"},
		{"EE of another key", "good", func([]byte, []byte) []string { return []string{"3 1 1 " + none} }, "host", tlsa, false, "tlsa false"},
		{"the stronger digest counts", "good", func(l, _ []byte) []string {
			return []string{"3 1 1 " + sum256(key(l)), "3 1 2 " + none + none}
		}, "host", tlsa, false, "tlsa false"},
		{"TA", "good", func(_, a []byte) []string { return []string{"2 0 1 " + sum256(a)} }, "sent", "", true, "tlsa true"},
		{"TA, key, SHA-512", "good", func(_, a []byte) []string { return []string{"2 1 2 " + sum512(key(a))} }, "sent", "", true, "tlsa true"},
		{"TA, whole", "good", func(_, a []byte) []string { return []string{"2 0 0 " + hex.EncodeToString(a)} }, "sent", "", true, "tlsa true"},
		{"TA, expired", "expired", func(_, a []byte) []string { return []string{"2 0 1 " + sum256(a)} }, "host", "DANE: the server's certificate is not valid at this time", false, "tlsa false"},
		{"TA, another name", "other", func(_, a []byte) []string { return []string{"2 0 1 " + sum256(a)} }, "host", "DANE: the server's certificate is for another name", false, "tlsa false"},
		{"TA of another authority", "good", func([]byte, []byte) []string { return []string{"2 0 1 " + none} }, "host", tlsa, false, "tlsa false"},
		{"STARTTLS stripped", "none", func([]byte, []byte) []string { return []string{"3 1 1 " + none} }, "host", "DANE: the server does not offer STARTTLS", false, "tlsa false"},
		{"unusable: not for mail", "self", func(l, _ []byte) []string { return []string{"1 1 1 " + sum256(key(l))} }, "sent", "", true, "tlsa true"},
		{"unusable: a digest of the wrong length", "self", func([]byte, []byte) []string { return []string{"3 1 1 abcd"} }, "sent", "", true, "tlsa true"},
		{"unusable, STARTTLS stripped", "none", func([]byte, []byte) []string { return []string{"3 1 9 " + none} }, "host", "DANE: the server does not offer STARTTLS", false, "tlsa false"},
		{"unusable and usable", "good", func([]byte, []byte) []string { return []string{"0 1 1 " + none, "3 1 1 " + none} }, "host", tlsa, false, "tlsa false"},
		{"no records", "none", func([]byte, []byte) []string { return nil }, "sent", "", false, "no-policy-found false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ca := newAuthority(t)
			sink, cert := ca.mx(c.server, "mx.x.signed.example")
			var leaf []byte
			if len(cert.Certificate) > 0 {
				leaf = cert.Certificate[0]
			}
			zone := "x.signed.example. MX 10 mx.x.signed.example.\nmx.x.signed.example. A 127.0.0.1\n"
			for _, r := range c.records(leaf, ca.cert.Raw) {
				zone += fmt.Sprintf("_%d._tcp.mx.x.signed.example. TLSA %s\n", sink.port, r)
			}
			q := network(t, Options{Resolver: serveDNS(t, zone), Port: sink.port})
			seen := observed(q)
			err := q.send(t.Context(), "x.signed.example", letterTo("a@x.signed.example", small))
			if outcome(err) != c.outcome || err != nil && err.Error() != "4.7.5 "+c.text {
				t.Errorf("%s: %v, want %s: %s", outcome(err), err, c.outcome, c.text)
			}
			if got := strings.Join(*seen, ", "); got != c.observed {
				t.Errorf("observed %s, want %s", got, c.observed)
			}
			if c.outcome == "sent" && sink.messages(t, 1)[0].tls != c.tls {
				t.Error("TLS is not as wanted")
			} else if c.outcome != "sent" && sink.count() != 0 {
				t.Error("the message was sent")
			}
		})
	}
}

// TestDANELookups: when TLSA records count at all, by what the resolver vouches
// for. Each domain's server has a TLSA record of another key.
func TestDANELookups(t *testing.T) {
	ca := newAuthority(t)
	sink, _ := ca.mx("self", "whatever.example")
	other := "TLSA 3 1 1 " + strings.Repeat("ab", 32)
	at := func(host string) string { return fmt.Sprintf("_%d._tcp.%s. %s\n", sink.port, host, other) }
	zone := `
all.signed.example. MX 10 mx.all.signed.example.
mx.all.signed.example. A 127.0.0.1
implicit.signed.example. A 127.0.0.1
plain.example. MX 10 mx.all.signed.example.
foreign.signed.example. MX 10 mx.plain.example.
mx.plain.example. A 127.0.0.1
alias.signed.example. MX 10 mx.alias.signed.example.
mx.alias.signed.example. CNAME mx.all.signed.example.
half.signed.example. MX 10 mx.half.signed.example.
mx.half.signed.example. CNAME mx.plain.example.
chain.signed.example. CNAME all.signed.example.
bogus.signed.example. MX 10 mx.bogus.signed.example.
mx.bogus.signed.example. A 127.0.0.1
` + at("mx.all.signed.example") + at("implicit.signed.example") + at("mx.plain.example") + at("mx.half.signed.example") +
		fmt.Sprintf("_%d._tcp.mx.bogus.signed.example. CNAME tlsa.servfail.example.\n", sink.port)
	server := serveDNS(t, zone)
	for _, c := range []struct {
		domain, outcome, text string
	}{
		{"all.signed.example", "host", "DANE: the server's certificate"},
		{"implicit.signed.example", "host", "DANE: the server's certificate"}, // no MX: the domain itself
		{"plain.example", "sent", ""},                                         // its MX records may be anybody's
		{"foreign.signed.example", "sent", ""},                                // the server's zone is not signed
		{"alias.signed.example", "host", "DANE: the server's certificate"},    // the records of where the alias leads
		{"half.signed.example", "host", "DANE: the server's certificate"},     // the alias's own records
		{"chain.signed.example", "host", "DANE: the server's certificate"},
		{"bogus.signed.example", "host", "DANE: the TLSA records can't be had"}, // SERVFAIL never weakens
	} {
		q := network(t, Options{Resolver: server, Port: sink.port})
		if err := q.send(t.Context(), c.domain, letterTo("a@"+c.domain, small)); outcome(err) != c.outcome || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %s: %v, want %s: %s", c.domain, outcome(err), err, c.outcome, c.text)
		}
	}
}

// TestDANEBeatsMTASTS: RFC 8461 section 2: a policy that is content does not
// heal a TLSA record that is not.
func TestDANEBeatsMTASTS(t *testing.T) {
	ca := newAuthority(t)
	const domain, host = "x.signed.example", "mx.x.signed.example"
	sink, _ := ca.mx("good", host)
	zone := "x.signed.example. MX 10 mx.x.signed.example.\nmx.x.signed.example. A 127.0.0.1\nmta-sts.x.signed.example. A 127.0.0.1\n" +
		"_mta-sts.x.signed.example. TXT \"v=STSv1; id=1\"\n"
	o := Options{Port: sink.port, RootCAs: ca.roots(), PolicyPort: ca.policyHost(domain, plainText(policyText("enforce", host)))}
	for tlsa, want := range map[string]string{"": "sent", strings.Repeat("ab", 32): "host"} {
		o.Resolver = serveDNS(t, zone)
		if tlsa != "" {
			o.Resolver = serveDNS(t, zone+fmt.Sprintf("_%d._tcp.%s. TLSA 3 1 1 %s\n", sink.port, host, tlsa))
		}
		if err := network(t, o).send(t.Context(), domain, letterTo("a@"+domain, small)); outcome(err) != want {
			t.Errorf("TLSA %q: %s: %v, want %s", tlsa, outcome(err), err, want)
		}
	}
}

// TestWaitsForPolicy: an entry of the queue that waits says which policy it
// waits for, and names no domain.
func TestWaitsForPolicy(t *testing.T) {
	ca := newAuthority(t)
	sink, _ := ca.mx("self", "mx.x.example")
	s := newSite(t)
	zone := "x.example. MX 10 mx.x.example.\nmx.x.example. A 127.0.0.1\nmta-sts.x.example. A 127.0.0.1\n_mta-sts.x.example. TXT \"v=STSv1; id=1\"\n"
	s.write(s.member("tess", "tess@x.example"), "Hello\r\n")
	s.run(s.queue(Options{Resolver: serveDNS(t, zone), Port: sink.port, RootCAs: ca.roots(), PolicyPort: ca.policyHost("x.example", plainText(policyText("enforce", "mx.x.example")))}))
	r := s.rows("waiting", func(r []store.Delivery) bool { return len(r) == 1 && s.waiting(r) })[0]
	if r.LastError != "4.7.5 MTA-STS: the server's certificate is not issued by an authority that is trusted" || sink.count() != 0 {
		t.Errorf("waits because of %q", r.LastError)
	}
	if text := s.logged(); strings.Contains(text, "x.example") {
		t.Errorf("the log names the domain:\n%s", text)
	}
	// A restart finds the policy, although its host is gone.
	if p, err := s.STSPolicy(context.Background(), "x.example"); err != nil || !strings.Contains(p.Text, "enforce") {
		t.Errorf("%+v, %v", p, err)
	}
}

func portOf(port int) string { return strconv.Itoa(port) }

// keySum is the SHA-256 of a certificate's key, as in TLSA records.
func keySum(t testing.TB, cert tls.Certificate) string {
	t.Helper()
	c, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

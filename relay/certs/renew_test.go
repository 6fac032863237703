package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// An authority that can't be reached is no reason not to start, nor to ask it
// again and again.
func TestWithoutAuthorityTheSelfSignedCertificateServes(t *testing.T) {
	now := time.Now()
	var log bytes.Buffer
	dir := t.TempDir()
	s := newSource(t, Options{
		SelfSignedDir: dir, Names: []string{"mx.msg.test"}, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		ACME: &ACMEOptions{Email: email, Directory: "https://127.0.0.1:1/dir", Dir: filepath.Join(dir, "acme"), Names: []string{"mx.msg.test"}, HTTP: true},
	})
	if len(s.wake) != 0 {
		t.Error("a new source believes that somebody asked for another try")
	}
	if !s.Expiry().Equal(s.pick("").Leaf.NotAfter) {
		t.Errorf("the first certificate ends %s", s.Expiry())
	}
	var waits []time.Duration
	for range len(retries) + 2 {
		wait := s.renew(t.Context())
		if at := s.agent.turns["mx.msg.test"].notTill.Sub(now); at < wait {
			t.Errorf("looked at in %s, tried in %s", wait, at)
		} else {
			waits = append(waits, at)
		}
		lines := strings.Count(log.String(), "\n")
		if s.renew(t.Context()); strings.Count(log.String(), "\n") != lines {
			t.Fatal("it is tried again before its time")
		}
		now = s.agent.turns["mx.msg.test"].notTill
	}
	for i, w := range waits {
		if least := retries[min(i, len(retries)-1)]; w < least || w > least+least/10 {
			t.Errorf("after failure %d it waits %s", i+1, w)
		}
	}
	if !s.SelfSigned() || s.pick("mx.msg.test").Leaf.VerifyHostname("mx.msg.test") != nil {
		t.Error("no self-signed certificate serves")
	}
	if !strings.Contains(log.String(), "register with the certificate authority") || strings.Contains(log.String(), email) {
		t.Errorf("the log says\n%s", log.String())
	}
}

func TestTheAuthorityMayAskToComeLater(t *testing.T) {
	now := time.Now()
	busy := &acme.Error{StatusCode: http.StatusTooManyRequests, ProblemType: "urn:ietf:params:acme:error:rateLimited", Header: http.Header{"Retry-After": {"172800"}}}
	var turn schedule
	if wait := turn.failed(now, errors.Join(errors.New("another"), busy)); wait != 48*time.Hour || !turn.notTill.Equal(now.Add(wait)) {
		t.Errorf("it waits %s, until %s", wait, turn.notTill)
	}
	if !limited(busy) || limited(errors.New("x")) {
		t.Error("a limit is not seen as one")
	}
}

func TestErrorsDontTellTheAccount(t *testing.T) {
	a, err := newAgent(ACMEOptions{Email: email, Names: []string{"x.test"}})
	if err != nil || a.o.Directory != LetsEncrypt {
		t.Fatal(err)
	}
	if got := a.plain(errors.New("contact " + email + " is forbidden")).Error(); got != "contact tls.acme_email is forbidden" {
		t.Error(got)
	}
	for _, o := range []ACMEOptions{{}, {Names: []string{"x"}, CAFile: "/nonexistent"}, {Names: []string{"x"}, CAFile: "/dev/null"}} {
		if _, err := newAgent(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// issue makes a certificate for a name.
func issue(t *testing.T, name string) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: serial, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := newStore(dir, "https://ca.test:14000/acme/dir")
	if s.dir != filepath.Join(dir, "ca.test-14000-acme-dir") {
		t.Errorf("it keeps in %s", s.dir)
	}
	if c, err := s.certificate("mx.test"); c != nil || err != nil {
		t.Errorf("before there is one: %v, %v", c, err)
	}
	key, der := issue(t, "mx.test")
	kept, err := s.keep("mx.test", key, [][]byte{der})
	if err != nil {
		t.Fatal(err)
	}
	read, err := s.certificate("mx.test")
	if err != nil || !read.Leaf.Equal(kept.Leaf) {
		t.Errorf("read back: %v", err)
	}
	if _, err := s.keep("other.test", key, [][]byte{der}); err == nil {
		t.Error("another name's certificate is kept")
	}
	account, err := s.accountKey()
	if err != nil {
		t.Fatal(err)
	}
	short := *kept.Leaf
	short.NotAfter = short.NotAfter.Add(-time.Hour)
	use := &Source{}
	use.active.Store(&active{fallback: kept, byName: map[string]*tls.Certificate{"mx.test": kept, "short.test": {Leaf: &short}}})
	if !use.Expiry().Equal(short.NotAfter) {
		t.Errorf("the first of them ends %s", use.Expiry())
	}
	again, err := s.accountKey()
	if err != nil || !again.(*ecdsa.PrivateKey).Equal(account) {
		t.Errorf("the account's key is made anew (%v)", err)
	}
	for _, file := range []string{"account.key", "mx.test.pem"} {
		if err := os.WriteFile(filepath.Join(s.dir, file), []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.certificate("mx.test"); err == nil {
		t.Error("a damaged certificate is read")
	}
	if _, err := s.accountKey(); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a damaged key: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".new-*")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
	if other := newStore(dir, "https://../../etc"); filepath.Dir(other.dir) != dir {
		t.Errorf("it would keep in %s", other.dir)
	}
}

// A damaged file is no reason not to start.
func TestADamagedCertificateIsAskedForAgain(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	o := Options{
		SelfSignedDir: dir, Names: []string{"mx.test"}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		ACME: &ACMEOptions{Dir: dir, Directory: "https://127.0.0.1:1/dir", Names: []string{"mx.test"}},
	}
	if err := newStore(dir, o.ACME.Directory).write("mx.test.pem", []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	if s := newSource(t, o); !s.SelfSigned() || !strings.Contains(log.String(), "another is asked for") {
		t.Errorf("self-signed: %v; the log says %s", s.SelfSigned(), log.String())
	}
}

func TestProofsAreShownToTheAuthorityOnly(t *testing.T) {
	dir := t.TempDir()
	s := newSource(t, Options{SelfSignedDir: dir, Names: []string{"mx.test"}, ACME: &ACMEOptions{Dir: dir, Names: []string{"mx.test"}, HTTP: true, TLSALPN: true}})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &acme.Client{Key: key}
	byHTTP, err := s.agent.present(c, "mx.test", &acme.Challenge{Type: http01, Token: "abc"})
	if err != nil {
		t.Fatal(err)
	}
	byTLS, err := s.agent.present(c, "mx.test", &acme.Challenge{Type: tlsALPN01, Token: "def"})
	if err != nil {
		t.Fatal(err)
	}
	config := s.WebTLSConfig()
	proof := func(name string, protocols ...string) bool {
		got, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: name, SupportedProtos: protocols})
		return err == nil && got != s.pick(name)
	}
	if text, ok := s.Challenge("abc"); !ok || !strings.HasPrefix(text, "abc.") {
		t.Errorf("HTTP-01: %q, %v", text, ok)
	}
	if !proof("MX.test", acme.ALPNProto) || proof("mx.test", "http/1.1", acme.ALPNProto) || proof("mx.test") || proof("other.test", acme.ALPNProto) {
		t.Error("TLS-ALPN-01: the proof is not shown to the one who asks for it, or to others")
	}
	byHTTP()
	byTLS()
	if _, ok := s.Challenge("abc"); ok || proof("mx.test", acme.ALPNProto) {
		t.Error("a proof is shown when its time is over")
	}
	if _, ok := newSource(t, Options{SelfSignedDir: dir}).Challenge("abc"); ok {
		t.Error("without ACME there is a proof")
	}
}

func TestIssuer(t *testing.T) {
	for directory, want := range map[string]string{
		"": "letsencrypt.org", "https://acme-staging-v02.api.letsencrypt.org/directory": "letsencrypt.org", "https://acme.zerossl.com/v2/DV90": "sectigo.com",
		"https://dv.acme-v02.api.pki.goog/directory": "pki.goog", "https://ca.internal/acme": "", "https://notletsencrypt.org/": "", ":": "",
	} {
		if got := Issuer(directory); got != want {
			t.Errorf("%s: %q, want %q", directory, got, want)
		}
	}
}

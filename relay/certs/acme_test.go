package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/certs/authority"
)

// site is a source with the doors that the authority looks at.
type site struct {
	*Source
	a   *authority.Authority
	log bytes.Buffer
	now time.Time
}

const email = "ops@people.example"

func newSite(t *testing.T, a *authority.Authority, change func(*ACMEOptions)) *site {
	t.Helper()
	s := &site{a: a, now: time.Now()}
	dir := t.TempDir()
	o := &ACMEOptions{
		Email: email, Directory: a.Directory, CAFile: a.CAFile, Dir: filepath.Join(dir, "acme"),
		Names: []string{"mx.msg.test", "mta-sts.msg.test"}, HTTP: true, TLSALPN: true,
	}
	change(o)
	s.Source = newSource(t, Options{
		SelfSignedDir: dir, Names: []string{"mx.msg.test"}, ACME: o, Now: func() time.Time { return s.now },
		Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	s.open(t)
	return s
}

func newSource(t *testing.T, o Options) *Source {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open opens the two doors, as package web does.
func (s *site) open(t *testing.T) {
	t.Helper()
	plain, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.a.HTTPPort))
	if err != nil {
		t.Fatal(err)
	}
	secure, err := tls.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.a.TLSPort), s.WebTLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := s.Challenge(strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
	})
	for _, l := range []net.Listener{plain, secure} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
	}
}

// shown is the certificate that a client gets, verified for the name by the
// authority's root.
func (s *site) shown(t *testing.T, name string) (*x509.Certificate, *tls.Conn, error) {
	t.Helper()
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.a.TLSPort), &tls.Config{ServerName: name, RootCAs: s.a.Roots(t)})
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.ConnectionState().PeerCertificates[0], c, nil
}

func TestACMEGetsACertificateForEachName(t *testing.T) {
	a := authority.Start(t)
	a.Point("mx.msg.test", "127.0.0.1")
	a.Point("mta-sts.msg.test", "127.0.0.1")
	for name, change := range map[string]func(*ACMEOptions){
		"by HTTP-01":     func(o *ACMEOptions) { o.TLSALPN = false },
		"by TLS-ALPN-01": func(o *ACMEOptions) { o.HTTP = false },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, a, change)
			if !s.SelfSigned() {
				t.Error("there is a certificate before anybody was asked")
			}
			next := s.renew(t.Context())
			for _, name := range s.o.ACME.Names {
				if _, _, err := s.shown(t, name); err != nil {
					t.Errorf("%s: %v\n%s", name, err, s.log.String())
				}
			}
			if s.SelfSigned() || next > time.Hour {
				t.Errorf("self-signed: %v, next look in %s", s.SelfSigned(), next)
			}
			if len(s.agent.tokens)+len(s.agent.certs) != 0 {
				t.Error("a proof is left over")
			}
			// A mail server that names no host gets the first one's.
			if got := s.pick(""); got.Leaf.VerifyHostname("mx.msg.test") != nil || got != s.pick("nobody.test") {
				t.Errorf("without a name: %v", got.Leaf.DNSNames)
			}
			if strings.Contains(s.log.String(), email) {
				t.Error("the log tells the operator's address")
			}
		})
	}
}

func TestANameThatLeadsElsewhereHoldsUpNoOther(t *testing.T) {
	a := authority.Start(t)
	a.Point("mta-sts.msg.test", "127.0.0.1")
	a.Point("mx.msg.test", "127.0.0.9") // where nobody listens
	s := newSite(t, a, func(*ACMEOptions) {})
	s.renew(t.Context())
	if _, _, err := s.shown(t, "mta-sts.msg.test"); err != nil {
		t.Errorf("%v\n%s", err, s.log.String())
	}
	if !s.SelfSigned() {
		t.Error("the host has a certificate that it can't have")
	}
	for _, want := range []string{"name=mx.msg.test", "by tls-alpn-01", "by http-01", "can't see that mx.msg.test leads here", "tried_again_in"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, s.log.String())
		}
	}

	// It is not asked for again until its time has come, or somebody says so.
	a.Point("mx.msg.test", "127.0.0.1")
	lines := strings.Count(s.log.String(), "\n")
	if s.renew(t.Context()); strings.Count(s.log.String(), "\n") != lines {
		t.Errorf("it was asked for at once:\n%s", s.log.String())
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	for range 600 { // the name's certificate comes when it comes
		if !s.SelfSigned() {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	<-done
	if _, _, err := s.shown(t, "mx.msg.test"); err != nil {
		t.Errorf("%v\n%s", err, s.log.String())
	}
}

func TestRenewalKeepsConnections(t *testing.T) {
	a := authority.Start(t)
	a.Point("mx.msg.test", "127.0.0.1")
	s := newSite(t, a, func(o *ACMEOptions) { o.Names = o.Names[:1] })
	s.renew(t.Context())
	first, open, err := s.shown(t, "mx.msg.test")
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log.String())
	}

	s.now = first.NotAfter.Add(-31 * 24 * time.Hour) // more than a third is left
	s.renew(t.Context())
	if same, _, err := s.shown(t, "mx.msg.test"); err != nil || !same.Equal(first) {
		t.Errorf("renewed too early (%v)", err)
	}
	s.now = first.NotAfter.Add(-29 * 24 * time.Hour)
	s.renew(t.Context())
	second, _, err := s.shown(t, "mx.msg.test")
	if err != nil || second.Equal(first) {
		t.Fatalf("not renewed (%v)\n%s", err, s.log.String())
	}
	if _, err := io.WriteString(open, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(open); err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.0 404")) {
		t.Errorf("the open connection answers %q (%v)", b, err)
	}

	// A restart asks for nothing: an authority that is away is not missed.
	o := s.o
	acme := *o.ACME
	acme.Dir = s.o.ACME.Dir
	o.ACME = &acme
	again := newSource(t, o)
	if got := again.pick("mx.msg.test"); !got.Leaf.Equal(second) {
		t.Error("the restart lost the certificate")
	}
	folder := newStore(acme.Dir, acme.Directory).dir
	for _, file := range []string{"account.key", "mx.msg.test.pem"} {
		if st, err := os.Stat(filepath.Join(folder, file)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, st, err)
		}
	}
}

package certs

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestASelfSignedCertificateIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	o := Options{SelfSignedDir: dir, Names: []string{"mx.msg.example.com", "msg.example.com"}}
	first, err := New(o)
	if err != nil || !first.SelfSigned() {
		t.Fatal(err)
	}
	for _, name := range []string{"mx.msg.example.com", "msg.example.com", "localhost", "127.0.0.1", "::1"} {
		if err := first.pick("").Leaf.VerifyHostname(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	st, err := os.Stat(filepath.Join(dir, "tls-selfsigned.key"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v (%v)", st.Mode(), err)
	}
	again, err := New(o)
	if err != nil || !bytes.Equal(again.pick("").Certificate[0], first.pick("").Certificate[0]) {
		t.Errorf("the second start made another certificate (%v)", err)
	}
	o.Names = append(o.Names, "other.example.com")
	other, err := New(o)
	if err != nil || other.pick("").Leaf.VerifyHostname("other.example.com") != nil {
		t.Errorf("a new name is not in the certificate (%v)", err)
	}
}

// Only a certificate that somebody else stands behind is worth a signature.
func TestIssued(t *testing.T) {
	s, err := New(Options{SelfSignedDir: t.TempDir(), Names: []string{"mx.test"}})
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Issued("mx.test"); c != nil {
		t.Error("a self-signed certificate passes as issued")
	}
	key, _ := issue(t, "x.test")
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, &x509.Certificate{Subject: pkix.Name{CommonName: "Authority"}}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	s.use("mx.test", &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf})
	if c := s.Issued("mx.test"); c == nil || !c.Leaf.Equal(leaf) {
		t.Errorf("%v", c)
	}
	if c := s.Issued("other.test"); c != nil {
		t.Error("the name has no certificate of its own")
	}
}

func TestASelfSignedCertificateThatDoesNotServeIsMadeAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(certFile, keyFile string) error
	}{
		{"damaged", func(certFile, _ string) error { return os.WriteFile(certFile, []byte("damaged"), 0o644) }},
		{"without its key", func(_, keyFile string) error { return os.Remove(keyFile) }},
		{"with another's key that all can read", func(_, keyFile string) error {
			dir := filepath.Join(filepath.Dir(keyFile), "other")
			if _, err := New(Options{SelfSignedDir: dir}); err != nil {
				return err
			}
			if err := os.Rename(filepath.Join(dir, "tls-selfsigned.key"), keyFile); err != nil {
				return err
			}
			return os.Chmod(keyFile, 0o644)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{SelfSignedDir: t.TempDir(), Names: []string{"mx.msg.example.com"}}
			first, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			certFile, keyFile := filepath.Join(o.SelfSignedDir, "tls-selfsigned.pem"), filepath.Join(o.SelfSignedDir, "tls-selfsigned.key")
			if err := c.damage(certFile, keyFile); err != nil {
				t.Fatal(err)
			}
			again, err := New(o)
			if err != nil || bytes.Equal(again.pick("").Certificate[0], first.pick("").Certificate[0]) {
				t.Fatalf("it is not made again (%v)", err)
			}
			if st, err := os.Stat(keyFile); err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("the key's mode is %v (%v)", st.Mode(), err)
			}
		})
	}
}

func TestNewLeavesTheNamesAlone(t *testing.T) {
	names := []string{"mx.msg.example.com", "msg.example.com"}
	s, err := New(Options{SelfSignedDir: t.TempDir(), Names: names[:1]})
	if err != nil {
		t.Fatal(err)
	}
	if names[1] != "msg.example.com" {
		t.Errorf("the caller's names are %q", names)
	}
	if got := s.pick("").Leaf.Subject.CommonName; got != "mx.msg.example.com" {
		t.Errorf("the common name is %q", got)
	}
	if s, err = New(Options{SelfSignedDir: t.TempDir()}); err != nil || s.pick("").Leaf.Subject.CommonName != "localhost" {
		t.Errorf("without names: %v", err)
	}
}

func TestReloadTakesANewCertificate(t *testing.T) {
	dir := t.TempDir()
	made, err := New(Options{SelfSignedDir: dir, Names: []string{"a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{CertFile: filepath.Join(dir, "tls-selfsigned.pem"), KeyFile: filepath.Join(dir, "tls-selfsigned.key")})
	if err != nil {
		t.Fatal(err)
	}
	config := s.TLSConfig(false) // as a listener holds it
	made.o.Names = []string{"b.example"}
	for _, r := range []*Source{made, s} {
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() { _ = tls.Server(server, config).Handshake() }()
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := c.ConnectionState().PeerCertificates[0].VerifyHostname("b.example"); err != nil {
		t.Error(err)
	}
}

func TestReloadKeepsTheOldCertificateOnFailure(t *testing.T) {
	dir := t.TempDir()
	_, err := New(Options{SelfSignedDir: dir, Names: []string{"a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{CertFile: filepath.Join(dir, "tls-selfsigned.pem"), KeyFile: filepath.Join(dir, "tls-selfsigned.key")}
	s, err := New(o)
	if err != nil || s.SelfSigned() {
		t.Fatal(err)
	}
	before := s.pick("")
	if err := os.WriteFile(o.CertFile, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a damaged file is loaded")
	}
	if got, err := s.TLSConfig(false).GetCertificate(&tls.ClientHelloInfo{}); err != nil || got != before {
		t.Error("the old certificate is gone")
	}
	if c := s.TLSConfig(false); !c.SessionTicketsDisabled || s.TLSConfig(true).SessionTicketsDisabled {
		t.Error("session tickets are not as asked for")
	}
	if _, err := New(Options{CertFile: "/nonexistent", KeyFile: "/nonexistent"}); err == nil {
		t.Error("files that are not there are no error")
	}
}

// A tool that renews replaces one file after the other, or points a link
// elsewhere: no signal is needed.
func TestFilesAreFollowed(t *testing.T) {
	dir, link := t.TempDir(), filepath.Join(t.TempDir(), "live")
	for _, name := range []string{"a.example", "b.example"} {
		if _, err := New(Options{SelfSignedDir: filepath.Join(dir, name), Names: []string{name}}); err != nil {
			t.Fatal(err)
		}
	}
	point := func(name string) {
		t.Helper()
		_ = os.Remove(link)
		if err := os.Symlink(filepath.Join(dir, name), link); err != nil {
			t.Fatal(err)
		}
	}
	point("a.example")
	var log bytes.Buffer
	s, err := New(Options{
		CertFile: filepath.Join(link, "tls-selfsigned.pem"), KeyFile: filepath.Join(link, "tls-selfsigned.key"), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	before := s.pick("")
	if s.follow(); s.pick("") != before || log.Len() != 0 {
		t.Errorf("read again though nothing changed: %s", log.String())
	}
	point("b.example")
	if s.follow(); s.pick("").Leaf.VerifyHostname("b.example") != nil || !strings.Contains(log.String(), "took a new certificate") {
		t.Errorf("the link's new target is not taken: %s", log.String())
	}
	good := s.pick("")
	if err := os.WriteFile(filepath.Join(dir, "b.example", "tls-selfsigned.pem"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.follow(); s.pick("") != good || !strings.Contains(log.String(), "going on with the old one") {
		t.Errorf("half a file is taken: %s", log.String())
	}
	lines := strings.Count(log.String(), "\n")
	if s.follow(); strings.Count(log.String(), "\n") != lines {
		t.Error("the same failure is logged again")
	}
}

package certs

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestASelfSignedCertificateIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	o := Options{SelfSignedDir: dir, Names: []string{"mx.msg.example.com", "msg.example.com"}}
	first, err := New(o)
	if err != nil || !first.SelfSigned() {
		t.Fatal(err)
	}
	for _, name := range []string{"mx.msg.example.com", "msg.example.com", "localhost", "127.0.0.1", "::1"} {
		if err := first.cert.Load().Leaf.VerifyHostname(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	st, err := os.Stat(filepath.Join(dir, "tls-selfsigned.key"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v (%v)", st.Mode(), err)
	}
	again, err := New(o)
	if err != nil || !bytes.Equal(again.cert.Load().Certificate[0], first.cert.Load().Certificate[0]) {
		t.Errorf("the second start made another certificate (%v)", err)
	}
	o.Names = append(o.Names, "other.example.com")
	other, err := New(o)
	if err != nil || other.cert.Load().Leaf.VerifyHostname("other.example.com") != nil {
		t.Errorf("a new name is not in the certificate (%v)", err)
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
			if err != nil || bytes.Equal(again.cert.Load().Certificate[0], first.cert.Load().Certificate[0]) {
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
	if got := s.cert.Load().Leaf.Subject.CommonName; got != "mx.msg.example.com" {
		t.Errorf("the common name is %q", got)
	}
	if s, err = New(Options{SelfSignedDir: t.TempDir()}); err != nil || s.cert.Load().Leaf.Subject.CommonName != "localhost" {
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
	before := s.cert.Load()
	if err := os.WriteFile(o.CertFile, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a damaged file is loaded")
	}
	if got, err := s.TLSConfig(false).GetCertificate(nil); err != nil || got != before {
		t.Error("the old certificate is gone")
	}
	if c := s.TLSConfig(false); !c.SessionTicketsDisabled || s.TLSConfig(true).SessionTicketsDisabled {
		t.Error("session tickets are not as asked for")
	}
	if _, err := New(Options{CertFile: "/nonexistent", KeyFile: "/nonexistent"}); err == nil {
		t.Error("files that are not there are no error")
	}
}

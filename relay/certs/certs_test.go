package certs

import (
	"bytes"
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

package web

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"
)

// issue makes a certificate for key, signed by parent (nil: by itself).
func issue(t *testing.T, name string, key crypto.Signer, parent *tls.Certificate) *tls.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: parent == nil || parent.Leaf.Issuer.String() == parent.Leaf.Subject.String(), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	out := &tls.Certificate{PrivateKey: key, Leaf: c}
	by, signer := c, key
	if parent != nil {
		by, signer = parent.Leaf, parent.PrivateKey.(crypto.Signer)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if out.Leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	out.Certificate = [][]byte{der}
	if parent != nil && !bytes.Equal(parent.Leaf.RawIssuer, parent.Leaf.RawSubject) {
		out.Certificate = append(out.Certificate, parent.Certificate...) // the chain without its root, as an authority gives it
	}
	return out
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A device, here pkcs7 and openssl, finds the profile inside the signature, and
// the way from the certificate to the root.
func TestProfileIsSigned(t *testing.T) {
	ec := func() crypto.Signer {
		return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
	root := issue(t, "Root", ec(), nil)
	middle := issue(t, "Middle", ec(), root)
	for name, key := range map[string]crypto.Signer{"ECDSA": ec(), "RSA": must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))} {
		t.Run(name, func(t *testing.T) {
			b := newConnect(t, allPorts)
			b.signInTess()
			plain := b.open("/account/connect/profile.mobileconfig", nil, 200)
			b.s.o.Signer = func() *tls.Certificate { return issue(t, "mx.msg.example.com", key, middle) }
			file := []byte(b.open("/account/connect/profile.mobileconfig", nil, 200))
			p, err := pkcs7.Parse(file)
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(root.Leaf)
			if err := p.VerifyWithChain(roots); err != nil {
				t.Error(err)
			}
			if string(p.Content) != plain {
				t.Errorf("what is signed is another profile:\n%s", p.Content)
			}
			openssl(t, file, root.Leaf.Raw, plain)
		})
	}
}

func openssl(t *testing.T, file, root []byte, want string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		return
	}
	dir := t.TempDir()
	in, ca := filepath.Join(dir, "tess.mobileconfig"), filepath.Join(dir, "ca.pem")
	for name, content := range map[string][]byte{in: file, ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	cmd := exec.Command("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", in, "-CAfile", ca, "-purpose", "any")
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || string(out) != want {
		t.Errorf("openssl: %v\n%s%s", err, said.String(), out)
	}
}

// Where signing fails, the profile is given all the same.
func TestProfileWithoutSigner(t *testing.T) {
	b := newConnect(t, allPorts)
	b.signInTess()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*tls.Certificate{"none": nil, "a key that CMS has no name for": issue(t, "x", key, nil)} {
		b.s.o.Signer = func() *tls.Certificate { return c }
		if got := b.open("/account/connect/profile.mobileconfig", nil, 200); !strings.HasPrefix(got, "<?xml") {
			t.Errorf("%s: %.80q", name, got)
		}
	}
}

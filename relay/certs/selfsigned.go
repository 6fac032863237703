package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// selfSignedFor is how long a self-signed certificate is valid: as long as
// clients take (Apple's limit is 825 days).
const selfSignedFor = 820 * 24 * time.Hour

// selfSigned loads the self-signed certificate, or makes it.
func (s *Source) selfSigned() (*tls.Certificate, error) {
	certFile, keyFile := filepath.Join(s.o.SelfSignedDir, "tls-selfsigned.pem"), filepath.Join(s.o.SelfSignedDir, "tls-selfsigned.key")
	if c, err := load(certFile, keyFile); err == nil && s.fits(c) {
		return c, nil
	}
	if err := s.makeSelfSigned(certFile, keyFile); err != nil {
		return nil, fmt.Errorf("make a self-signed certificate: %w", err)
	}
	return load(certFile, keyFile)
}

// fits reports whether a self-signed certificate still serves.
func (s *Source) fits(c *tls.Certificate) bool {
	if time.Until(c.Leaf.NotAfter) < 30*24*time.Hour {
		return false
	}
	for _, name := range s.o.Names {
		if c.Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

func (s *Source) makeSelfSigned(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	names := slices.Concat(s.o.Names, []string{"localhost"})
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: names[0]},
		DNSNames:     names,
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(selfSignedFor),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.o.SelfSignedDir, 0o700); err != nil {
		return err
	}
	// A key of an earlier certificate must not keep wider permissions.
	if err := os.Remove(keyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// Package certs is where the listeners' TLS certificate comes from: files, or
// one that is made and signed by itself on first start.
//
// The certificate is kept in memory and replaced at once by Reload; open
// connections keep theirs. A self-signed one is kept on disk (key mode 0600)
// so that a mail program that was told to trust it goes on to.
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
	"sync/atomic"
	"time"
)

// Options configure a Source.
type Options struct {
	CertFile, KeyFile string   // PEM; both empty: self-signed
	SelfSignedDir     string   // where the self-signed certificate is kept
	Names             []string // that it is for; localhost and loopback addresses are added
}

// Source gives the certificate to listeners. It is safe for concurrent use.
type Source struct {
	o    Options
	cert atomic.Pointer[tls.Certificate]
}

// selfSignedFor is how long a self-signed certificate is valid: as long as
// clients take (Apple's limit is 825 days).
const selfSignedFor = 820 * 24 * time.Hour

// New loads the certificate, or makes one.
func New(o Options) (*Source, error) {
	s := &Source{o: o}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// SelfSigned reports whether the certificate is self-signed.
func (s *Source) SelfSigned() bool { return s.o.CertFile == "" }

// Reload reads the certificate again. On an error the old one stays.
func (s *Source) Reload() error {
	certFile, keyFile := s.o.CertFile, s.o.KeyFile
	if s.SelfSigned() {
		certFile, keyFile = filepath.Join(s.o.SelfSignedDir, "tls-selfsigned.pem"), filepath.Join(s.o.SelfSignedDir, "tls-selfsigned.key")
		if c, err := load(certFile, keyFile); err == nil && s.fits(c) {
			s.cert.Store(c)
			return nil
		}
		if err := s.makeSelfSigned(certFile, keyFile); err != nil {
			return fmt.Errorf("make a self-signed certificate: %w", err)
		}
	}
	c, err := load(certFile, keyFile)
	if err != nil {
		return err
	}
	s.cert.Store(c)
	return nil
}

func load(certFile, keyFile string) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load the certificate %s with the key %s: %w", certFile, keyFile, err)
	}
	if c.Leaf == nil {
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, fmt.Errorf("parse the certificate %s: %w", certFile, err)
		}
	}
	return &c, nil
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

// TLSConfig is for a listener. tickets: offer session tickets (RFC 5077).
func (s *Source) TLSConfig(tickets bool) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: !tickets,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert.Load(), nil },
	}
}

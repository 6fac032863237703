// Package certs is where the listeners' TLS certificates come from: files, or
// a certificate authority that speaks ACME (RFC 8555), or, until there is
// another, one that is made and signed by itself.
//
// Certificates are kept in memory and replaced at once; open connections keep
// theirs. Files are read again when they change, and by Reload. What ACME
// gives is kept on disk (mode 0600), written whole or not at all, so that a
// restart asks for nothing; each name has a certificate of its own, so that a
// name that can't be proven holds up no other. A failure to get one is logged
// and tried again, later each time; it never stops the daemon. A self-signed
// certificate is kept too, so that a mail program that was told to trust it
// goes on to.
//
// Run is the one goroutine that changes certificates by itself; listeners only
// read.
package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Source.
type Options struct {
	CertFile, KeyFile string       // PEM; both empty: ACME, or self-signed
	SelfSignedDir     string       // where the self-signed certificate is kept
	Names             []string     // of the self-signed one; localhost and loopback addresses are added
	ACME              *ACMEOptions // nil: none
	Now               func() time.Time
	Logger            *slog.Logger // nil: none
}

// Source gives certificates to listeners. It is safe for concurrent use.
type Source struct {
	o      Options
	log    *slog.Logger
	wake   chan struct{} // Reload was called
	files  fileState     // of the files when they were loaded; guarded by mu
	agent  *agent        // nil: no ACME
	active atomic.Pointer[active]
	mu     sync.Mutex // whoever changes active
}

// active are the certificates in use. It is never changed, only replaced.
type active struct {
	fallback *tls.Certificate            // of the files, or self-signed
	byName   map[string]*tls.Certificate // by ACME
}

// New loads what there is, or makes a self-signed certificate. It asks nobody:
// Run does.
func New(o Options) (*Source, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{o: o, log: o.Logger, wake: make(chan struct{}, 1)}
	s.active.Store(&active{byName: map[string]*tls.Certificate{}})
	if err := s.load(); err != nil {
		return nil, err
	}
	if o.ACME != nil {
		var err error
		if s.agent, err = newAgent(*o.ACME); err != nil {
			return nil, err
		}
		for name, c := range s.agent.kept(s.log) {
			s.use(name, c)
		}
	}
	return s, nil
}

// SelfSigned reports whether listeners show a self-signed certificate.
func (s *Source) SelfSigned() bool {
	return s.o.CertFile == "" && s.pick("") == s.active.Load().fallback
}

// Reload reads the files again; on an error the old certificate stays. What
// ACME could not get is tried again now.
func (s *Source) Reload() error {
	select {
	case s.wake <- struct{}{}:
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load()
}

// load replaces the fallback. The caller holds mu, once others see s.
func (s *Source) load() error {
	var c *tls.Certificate
	var err error
	if s.o.CertFile == "" {
		c, err = s.selfSigned()
	} else {
		s.files = s.look() // before they are read: what comes after is a change
		c, err = load(s.o.CertFile, s.o.KeyFile)
	}
	if err != nil {
		return err
	}
	s.active.Store(&active{fallback: c, byName: s.active.Load().byName})
	return nil
}

// use shows a certificate for its name from now on.
func (s *Source) use(name string, c *tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.active.Load()
	byName := maps.Clone(now.byName)
	byName[name] = c
	s.active.Store(&active{fallback: now.fallback, byName: byName})
}

// Run keeps the certificates up to date until ctx ends.
func (s *Source) Run(ctx context.Context) {
	for {
		next := time.Hour
		if s.o.CertFile != "" {
			s.follow()
			next = fileTime
		}
		if s.agent != nil {
			next = min(next, s.renew(ctx))
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
			timer.Stop()
			if s.agent != nil {
				s.agent.forgive()
			}
		case <-timer.C:
		}
	}
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

// Expiry is when the first of the certificates in use ends.
func (s *Source) Expiry() time.Time {
	first := s.pick("").Leaf.NotAfter
	for _, c := range s.active.Load().byName {
		first = earlier(first, c.Leaf.NotAfter)
	}
	return first
}

// pick is the certificate for a name: its own, or that of the first name,
// since mail servers often name none (SNI) and mean the host.
func (s *Source) pick(name string) *tls.Certificate {
	now := s.active.Load()
	if c := now.byName[strings.ToLower(strings.TrimSuffix(name, "."))]; c != nil {
		return c
	}
	if s.o.ACME != nil {
		if c := now.byName[s.o.ACME.Names[0]]; c != nil {
			return c
		}
	}
	return now.fallback
}

// Issued is the certificate for a name, if an authority stands behind it; nil for
// one that signed itself.
func (s *Source) Issued(name string) *tls.Certificate {
	c := s.pick(name)
	if bytes.Equal(c.Leaf.RawIssuer, c.Leaf.RawSubject) {
		return nil
	}
	return c
}

// TLSConfig is for a listener. tickets: offer session tickets (RFC 5077).
func (s *Source) TLSConfig(tickets bool) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: !tickets,
		GetCertificate:         func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return s.pick(hello.ServerName), nil },
	}
}

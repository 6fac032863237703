package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

// LetsEncrypt is the directory of the authority that is asked where no other
// is named.
const LetsEncrypt = acme.LetsEncryptURL

// ACMEOptions say where certificates come from, and for which names.
type ACMEOptions struct {
	Email     string // of the account; it is told to the authority and nobody else
	Directory string // URL; empty: LetsEncrypt
	CAFile    string // PEM that the directory's own certificate is verified by; empty: the system's
	Dir       string // where account and certificates are kept
	// Names get a certificate each; the first one serves whoever names none.
	Names []string
	// The doors by which names are proven: HTTP-01 (RFC 8555 section 8.3) comes
	// to port 80, TLS-ALPN-01 (RFC 8737) to port 443.
	HTTP, TLSALPN bool
	UserAgent     string
}

// Times of a talk with the authority.
const (
	obtainTime  = 5 * time.Minute  // one certificate
	requestTime = 30 * time.Second // one request
)

// agent talks with an authority. Only the goroutine of Source.Run uses it, but
// for the challenges, which doors look up.
type agent struct {
	o     ACMEOptions
	store store
	http  *http.Client

	client *acme.Client         // nil until there is an account
	turns  map[string]*schedule // by name

	challenges
}

func newAgent(o ACMEOptions) (*agent, error) {
	if len(o.Names) == 0 {
		return nil, errors.New("ACME needs a name to get a certificate for")
	}
	if o.Directory == "" {
		o.Directory = LetsEncrypt
	}
	if o.UserAgent == "" {
		o.UserAgent = "stagedoor"
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the authority's certificate: %w", err)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", o.CAFile)
		}
	}
	a := &agent{o: o, store: newStore(o.Dir, o.Directory), http: &http.Client{Transport: transport, Timeout: requestTime}, turns: map[string]*schedule{}}
	for _, name := range o.Names {
		a.turns[name] = &schedule{}
	}
	return a, nil
}

// account makes or finds the account (RFC 8555 section 7.3). An account that
// is there already is found by its key.
func (a *agent) account(ctx context.Context) error {
	if a.client != nil {
		return nil
	}
	key, err := a.store.accountKey()
	if err != nil {
		return err
	}
	c := &acme.Client{Key: key, HTTPClient: a.http, DirectoryURL: a.o.Directory, UserAgent: a.o.UserAgent}
	if _, err := c.Register(ctx, &acme.Account{Contact: []string{"mailto:" + a.o.Email}}, acme.AcceptTOS); err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return fmt.Errorf("register with the certificate authority: %w", a.plain(err))
	}
	a.client = c
	return nil
}

// plain takes the account's address out of what the authority says.
func (a *agent) plain(err error) error {
	if a.o.Email != "" && strings.Contains(err.Error(), a.o.Email) {
		return errors.New(strings.ReplaceAll(err.Error(), a.o.Email, "tls.acme_email"))
	}
	return err
}

// obtain gets a certificate for a name and keeps it. Each kind of proof that
// there is a door for is tried once.
func (a *agent) obtain(ctx context.Context, name string) (*tls.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, obtainTime)
	defer cancel()
	if err := a.account(ctx); err != nil {
		return nil, err
	}
	var kinds []string
	if a.o.TLSALPN {
		kinds = append(kinds, tlsALPN01)
	}
	if a.o.HTTP {
		kinds = append(kinds, http01)
	}
	var failures []error
	for _, kind := range kinds {
		c, err := a.order(ctx, name, kind)
		if err == nil {
			return c, nil
		}
		failures = append(failures, fmt.Errorf("by %s: %w", kind, a.plain(err)))
		if limited(err) || ctx.Err() != nil {
			break
		}
		var e *acme.Error
		if errors.As(err, &e) && strings.HasSuffix(e.ProblemType, ":accountDoesNotExist") {
			a.client = nil // the authority forgot us: register again the next time
			break
		}
	}
	return nil, errors.Join(failures...)
}

// limited reports whether the authority asks us to come later: another kind
// of proof would not help.
func limited(err error) bool {
	var e *acme.Error
	return errors.As(err, &e) && e.StatusCode == http.StatusTooManyRequests
}

// order goes through one order (RFC 8555 section 7.4).
func (a *agent) order(ctx context.Context, name, kind string) (*tls.Certificate, error) {
	order, err := a.client.AuthorizeOrder(ctx, acme.DomainIDs(name))
	if err != nil {
		return nil, fmt.Errorf("order a certificate: %w", err)
	}
	for _, url := range order.AuthzURLs {
		if err := a.authorize(ctx, url, name, kind); err != nil {
			return nil, err
		}
	}
	if _, err = a.client.WaitOrder(ctx, order.URI); err != nil {
		return nil, fmt.Errorf("wait for the order: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := a.client.CreateCertFromOrder(ctx, order, request, true)
	if err != nil {
		return nil, fmt.Errorf("fetch the certificate: %w", err)
	}
	return a.store.keep(name, key, chain)
}

// authorize proves that the name leads here.
func (a *agent) authorize(ctx context.Context, url, name, kind string) error {
	z, err := a.client.GetAuthorization(ctx, url)
	if err != nil {
		return fmt.Errorf("read what is to be proven: %w", err)
	}
	if z.Status == acme.StatusValid {
		return nil
	}
	i := slices.IndexFunc(z.Challenges, func(c *acme.Challenge) bool { return c.Type == kind })
	if i < 0 {
		return errors.New("the authority does not offer this proof")
	}
	answer := z.Challenges[i]
	done, err := a.present(a.client, name, answer)
	if err != nil {
		return err
	}
	defer done()
	if _, err := a.client.Accept(ctx, answer); err != nil {
		return fmt.Errorf("ask for the look: %w", err)
	}
	if _, err := a.client.WaitAuthorization(ctx, z.URI); err != nil {
		return fmt.Errorf("the authority can't see that %s leads here: %w", name, err)
	}
	return nil
}

// challenges are the proofs that the authority may look at now.
type challenges struct {
	mu     sync.Mutex
	tokens map[string]string           // HTTP-01: what is at the token's path
	certs  map[string]*tls.Certificate // TLS-ALPN-01: by name
}

// The kinds of proof.
const (
	http01    = "http-01"
	tlsALPN01 = "tls-alpn-01"
)

// present shows a proof until done is called.
func (h *challenges) present(c *acme.Client, name string, answer *acme.Challenge) (done func(), err error) {
	var text string
	var cert tls.Certificate
	if answer.Type == http01 {
		text, err = c.HTTP01ChallengeResponse(answer.Token)
	} else {
		cert, err = c.TLSALPN01ChallengeCert(answer.Token, name)
	}
	if err != nil {
		return nil, fmt.Errorf("make the proof: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tokens == nil {
		h.tokens, h.certs = map[string]string{}, map[string]*tls.Certificate{}
	}
	if answer.Type == http01 {
		h.tokens[answer.Token] = text
	} else {
		h.certs[name] = &cert
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.tokens, answer.Token)
		delete(h.certs, name)
	}, nil
}

// Challenge is what HTTP-01 finds at /.well-known/acme-challenge/TOKEN; false:
// nothing is there.
func (s *Source) Challenge(token string) (string, bool) {
	if s.agent == nil {
		return "", false
	}
	s.agent.mu.Lock()
	defer s.agent.mu.Unlock()
	text, ok := s.agent.tokens[token]
	return text, ok
}

// WebTLSConfig is for the HTTP door, which TLS-ALPN-01 comes to as well: the
// authority says by the protocol that it names that it wants to see the proof
// (RFC 8737 section 3).
func (s *Source) WebTLSConfig() *tls.Config {
	config := s.TLSConfig(true)
	if s.agent == nil || !s.o.ACME.TLSALPN {
		return config
	}
	config.NextProtos = []string{"http/1.1", acme.ALPNProto}
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if !slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
			return s.pick(hello.ServerName), nil
		}
		s.agent.mu.Lock()
		defer s.agent.mu.Unlock()
		if c := s.agent.certs[strings.ToLower(hello.ServerName)]; c != nil {
			return c, nil
		}
		return nil, errors.New("there is nothing to prove for this name")
	}
	return config
}

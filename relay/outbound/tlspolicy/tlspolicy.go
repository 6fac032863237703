// Package tlspolicy finds out how mail to a domain must be protected on its
// way: by DANE (RFC 7672) where the DNS resolver validates, else by the
// domain's MTA-STS policy (RFC 8461), else by TLS with whoever answers.
//
// # What it promises
//
// What a domain asks for is never relaxed because asking failed. A TLSA lookup
// without an answer rules the host out; where a policy can't be fetched the one
// that was fetched before holds until it ends. Only a domain of which no policy
// is known at all is sent to as if it had none (RFC 8461 section 3.3), and not
// what may go only to a server that proves who it is: that waits for an answer.
//
// The resolver's word that an answer is authentic (the AD bit) is believed only
// of one on this machine: nobody can have changed it on the way (RFC 7672
// section 2.2). With any other DANE is not used. A policy's web server is the
// domain owner's choice: it is asked only at a public address, or where
// Options.AllowNetworks has it.
//
// Policies are kept in the store, where a restart and other nodes find them.
// Failed fetches are remembered in memory for a few minutes. A Finder is safe
// for concurrent use and has no goroutine of its own.
package tlspolicy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// Kind is which policy holds for a connection, as reports call it (RFC 8460
// section 4.4).
type Kind string

// The kinds of policy.
const (
	DANE Kind = "tlsa"
	STS  Kind = "sts"
	None Kind = "no-policy-found"
)

// Options configure a Finder.
type Options struct {
	Store *store.Store
	// Net answers for TXT records and policy hosts' addresses, and for MX records
	// where DANE is not used.
	Net *net.Resolver
	// Resolver is the DNS server as host:port; empty: the system's. DANE is used
	// where it is on loopback.
	Resolver   string
	Roots      *x509.CertPool // that MX and policy hosts are verified by; nil: the system's
	PolicyPort int            // of policy hosts; 0: 443
	// AllowNetworks are where policy hosts may be beside the public Internet: a
	// domain's owner chooses their addresses.
	AllowNetworks []netip.Prefix
	Logger        *slog.Logger
	Now           func() time.Time
}

// Finder finds policies.
type Finder struct {
	o    Options
	dane *validator // nil: the resolver's word is not believed

	mu     sync.Mutex
	failed map[string]failedFetch // by domain
	asking map[string]chan struct{}
}

// New returns a Finder.
func New(o Options) *Finder {
	if o.PolicyPort == 0 {
		o.PolicyPort = 443
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Finder{o: o, dane: localValidator(o.Resolver), failed: map[string]failedFetch{}, asking: map[string]chan struct{}{}}
}

// Domain is what holds for mail to a domain.
type Domain struct {
	f      *Finder
	name   string
	port   int
	signed bool // its MX records are
	sts    found
}

// Domain asks for a domain's policies; mx is what MX said of it, and port where
// its MX listen.
func (f *Finder) Domain(ctx context.Context, name string, port int, mx MX) *Domain {
	return &Domain{f: f, name: canonical(name), port: port, signed: mx.signed, sts: f.sts(ctx, canonical(name))}
}

// Need is what a connection to one host must be.
type Need struct {
	Kind Kind
	// Enforced: a connection that is not so is not used. Otherwise that is only
	// reported.
	Enforced   bool
	ServerName string // to be asked for in the TLS handshake
	// Fault, if set, is what is wrong already, before any connection.
	Fault *Fault
	// Unsure, if set, is why it can't be said now whether there is a policy that
	// the other side could be proven by.
	Unsure *Fault
	// Domain, Policy and MX say in reports which policy it was (RFC 8460 section
	// 4.4).
	Domain string
	Policy []string
	MX     []string

	verify func(tls.ConnectionState) *Fault // nil: whoever answers
}

// Authenticated reports whether the other side must prove who it is.
func (n *Need) Authenticated() bool { return n.verify != nil }

// Verify says whether a connection is as needed.
func (n *Need) Verify(cs tls.ConnectionState) *Fault {
	if n.Fault != nil || n.verify == nil {
		return n.Fault
	}
	return n.verify(cs)
}

// Host is what a connection to one of the domain's hosts must be. With prove it
// is for what may go only to a server that proves who it is: a policy for tests
// counts then, where DANE asks for no more than TLS.
func (d *Domain) Host(ctx context.Context, host string, prove bool) *Need {
	host = canonical(host)
	n := d.daneNeed(ctx, host)
	policy := d.sts.policy.Mode // empty: none is known
	switch {
	case n != nil && (n.Fault != nil || n.Authenticated()):
		return n // RFC 8461 section 2: MTA-STS never overrides a failing DANE
	case policy == ModeEnforce, policy == ModeTesting && (n == nil || prove):
		return d.stsNeed(host)
	case n == nil && d.sts.fault != nil:
		// Mail goes as if there were no policy, and the domain's owner learns why.
		return &Need{Kind: STS, ServerName: host, Domain: d.name, Fault: d.sts.fault}
	case n == nil:
		n = &Need{Kind: None, ServerName: host, Domain: d.name}
	}
	if n.Unsure = d.sts.fault; n.Unsure == nil {
		n.Unsure = d.sts.unsure
	}
	return n
}

func (d *Domain) stsNeed(host string) *Need {
	policy := d.sts.policy
	n := &Need{Kind: STS, Enforced: policy.Mode == ModeEnforce, ServerName: host, Domain: d.name, Policy: policy.lines(), MX: policy.MX}
	if !policy.Matches(host) {
		n.Fault = faultNotInPolicy
	}
	n.verify = func(cs tls.ConnectionState) *Fault { return verifyPKIX(cs, d.f.o.Roots, host, d.f.o.Now()) }
	return n
}

// canonical is a domain as policies are found by: lower case, without final
// dot.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func portText(port int) string { return strconv.Itoa(port) }

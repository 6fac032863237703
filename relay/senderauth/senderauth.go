// Package senderauth finds out who really wrote a message that came by SMTP:
// SPF (RFC 7208), DKIM (RFC 6376) and their alignment with From in the sense
// of DMARC (RFC 7489 section 3.1, relaxed).
//
// It reports facts and decides nothing: whether From is one address, whether a
// mechanism that passed aligns with its domain, what the domain asks for mail
// that does not. It asks DNS with bounds on time and number, holds no state,
// and puts no address into an error.
package senderauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-msgauth/dmarc"
	"golang.org/x/net/publicsuffix"
)

const (
	checkTimeout  = 10 * time.Second // of all DNS questions about one message
	maxSignatures = 5                // DKIM signatures that are verified
)

// Input is what the SMTP session knows.
type Input struct {
	RemoteIP    net.IP // nil: not known (a Unix socket)
	Helo        string
	ReversePath string // empty for <>
	Message     func() io.Reader
}

// Policy is what the From domain's DMARC record asks for mail that fails.
type Policy string

// The policies of RFC 7489 section 6.3; PolicyAbsent: no record.
const (
	PolicyAbsent     Policy = ""
	PolicyNone       Policy = "none"
	PolicyQuarantine Policy = "quarantine"
	PolicyReject     Policy = "reject"
)

// Result is what was found.
type Result struct {
	// From is the one address of the From field (domain in lower-case
	// A-labels); empty if FromError is set.
	From string
	// FromError says, for a person, why From is no proof of anything.
	FromError string
	Aligned   bool   // SPF or DKIM passes for a domain aligned with From
	Method    string // what aligned: "spf", "dkim", "arc", "authserv" or "envelope"
	Policy    Policy // asked for only where nothing aligned
	TempError bool   // nothing aligned, and DNS could not be asked: answer 4xx
}

// Options configure a Checker.
type Options struct {
	// Resolver is "host:port" of the DNS server to ask; empty: the system's.
	Resolver string
	// Envelope is sender_auth.policy = "envelope": From is proven if it is the
	// reverse-path.
	Envelope bool
	// TrustedAuthservID: take the verdict of the Authentication-Results fields
	// with this authserv-id (RFC 8601), which the server in front added; ask no
	// DNS. Empty: all such fields are ignored.
	TrustedAuthservID string
	// ARCSealers are the domains of forwarders whose ARC seals (RFC 8617) are
	// believed: what passed when it came to them counts. Empty: none.
	ARCSealers []string
}

// Checker verifies. It is safe for concurrent use.
type Checker struct {
	o        Options
	resolver *net.Resolver
}

// New returns a Checker.
func New(o Options) *Checker {
	c := &Checker{o: o, resolver: net.DefaultResolver}
	if o.Resolver != "" {
		c.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			d := net.Dialer{Timeout: 3 * time.Second}
			return d.DialContext(ctx, network, o.Resolver)
		}}
	}
	return c
}

// Check verifies one message. The error is the message's reader's.
func (c *Checker) Check(ctx context.Context, in Input) (Result, error) {
	header, err := readHeader(in.Message())
	if errors.Is(err, errLongHeader) {
		return Result{FromError: err.Error()}, nil
	} else if err != nil {
		return Result{}, fmt.Errorf("read the header: %w", err)
	}
	from, err := fromAddress(header)
	if err != nil {
		return Result{FromError: err.Error()}, nil
	}
	res := Result{From: from.String()}
	switch {
	case c.o.Envelope:
		path, err := parseAddrSpec(in.ReversePath)
		res.Aligned = err == nil && path.equal(from)
		res.Method = "envelope"
	case c.o.TrustedAuthservID != "":
		res.Aligned, res.Policy = trusted(header, c.o.TrustedAuthservID, from)
		res.Method = "authserv"
	default:
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		c.align(ctx, in, header, from, &res)
	}
	if !res.Aligned {
		res.Method = ""
	}
	return res, nil
}

// align asks SPF first, which needs no body, then DKIM, then a trusted
// forwarder, then for the policy.
func (c *Checker) align(ctx context.Context, in Input, header []field, from addrSpec, res *Result) {
	for _, m := range []struct {
		name  string
		check func(context.Context, Input, addrSpec) (aligned, temporary bool)
	}{{"spf", c.spf}, {"dkim", c.dkim}, {"arc", func(ctx context.Context, in Input, from addrSpec) (bool, bool) { return c.arc(ctx, in, header, from) }}} {
		aligned, temporary := m.check(ctx, in, from)
		if aligned {
			res.Aligned, res.Method, res.TempError = true, m.name, false
			return
		}
		res.TempError = res.TempError || temporary
	}
	policy, temporary := c.policy(ctx, from.domain)
	res.Policy, res.TempError = policy, res.TempError || temporary
}

// spf checks the reverse-path's domain, or HELO's for <> (RFC 7208 section
// 2.4).
func (c *Checker) spf(ctx context.Context, in Input, from addrSpec) (aligned, temporary bool) {
	sender, domain := in.ReversePath, in.Helo
	if sender != "" {
		path, err := parseAddrSpec(sender)
		if err != nil {
			return false, false
		}
		sender, domain = path.String(), path.domain
	}
	if in.RemoteIP == nil || !sameOrganisation(domain, from.domain) {
		return false, false // a pass would not align
	}
	result, _ := spf.CheckHostWithSender(in.RemoteIP, in.Helo, sender, spf.WithContext(ctx), spf.WithResolver(c.resolver))
	return result == spf.Pass, result == spf.TempError
}

// dkim verifies the signatures of domains that align. go-msgauth refuses
// signatures that don't cover From, that have expired, that cover only part of
// the body (l=) and keys under 1024 bits.
func (c *Checker) dkim(ctx context.Context, in Input, from addrSpec) (aligned, temporary bool) {
	list, err := dkim.VerifyWithOptions(in.Message(), &dkim.VerifyOptions{MaxVerifications: maxSignatures, LookupTXT: c.lookupKey(ctx)})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return false, ctx.Err() != nil
	}
	for _, v := range list {
		if !sameOrganisation(v.Domain, from.domain) {
			continue
		}
		if v.Err == nil {
			return true, false
		}
		temporary = temporary || dkim.IsTempFail(v.Err)
	}
	return false, temporary
}

// policy looks up what the domain, or else its organisational domain, asks for
// (RFC 7489 section 6.6.3).
func (c *Checker) policy(ctx context.Context, domain string) (p Policy, temporary bool) {
	lookup := &dmarc.LookupOptions{LookupTXT: c.lookupTXT(ctx)}
	record, err := dmarc.LookupWithOptions(domain, lookup)
	if err == nil {
		return Policy(record.Policy), false
	}
	if org := organisation(domain); errors.Is(err, dmarc.ErrNoPolicy) && org != domain {
		if record, err = dmarc.LookupWithOptions(org, lookup); err == nil {
			if record.SubdomainPolicy != "" {
				return Policy(record.SubdomainPolicy), false
			}
			return Policy(record.Policy), false
		}
	}
	return PolicyAbsent, dmarc.IsTempFail(err) || ctx.Err() != nil
}

// lookupKey is lookupTXT for DKIM keys. One that its domain only tests counts as
// none: RFC 6376 section 3.6.1 has such mail treated as if it were not signed.
func (c *Checker) lookupKey(ctx context.Context) func(string) ([]string, error) {
	lookup := c.lookupTXT(ctx)
	return func(name string) ([]string, error) {
		records, err := lookup(name)
		var keys []string
		for _, r := range records {
			tags, terr := tagList(r)
			if terr != nil || !slices.Contains(strings.Split(withoutSpace(tags["t"]), ":"), "y") {
				keys = append(keys, r) // go-msgauth says what is wrong with it
			}
		}
		if err == nil && len(keys) == 0 {
			err = &net.DNSError{Err: "no key but for tests", Name: name, IsNotFound: true}
		}
		return keys, err
	}
}

func (c *Checker) lookupTXT(ctx context.Context) func(string) ([]string, error) {
	return func(domain string) ([]string, error) {
		return c.resolver.LookupTXT(ctx, strings.TrimSuffix(domain, ".")+".")
	}
}

// sameOrganisation reports relaxed alignment (RFC 7489 section 3.1.1).
func sameOrganisation(a, b string) bool {
	a, errA := canonicalDomain(a)
	b, errB := canonicalDomain(b)
	return errA == nil && errB == nil && organisation(a) == organisation(b)
}

// organisation is the organisational domain (RFC 7489 section 3.2).
func organisation(domain string) string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return org
	}
	return domain
}

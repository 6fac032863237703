package dns

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
)

// spfTime bounds the evaluation of one policy for one address.
const spfTime = 10 * time.Second

// compareSPF says whether a policy lets us send and others not. However it is
// written, what a receiver makes of it counts.
func (c *checker) compareSPF(ctx context.Context, rec Record, got string) (State, string) {
	wanted, terms := strings.Fields(strings.ToLower(rec.Value)), strings.Fields(strings.ToLower(got))
	for i, t := range terms {
		terms[i] = strings.TrimPrefix(t, "+") // the default (RFC 7208 section 4.6.2)
	}
	elsewhere := func(t string) bool { return strings.HasPrefix(t, "include:") || strings.HasPrefix(t, "redirect=") }
	lost := ""
	for _, t := range wanted[1 : len(wanted)-1] {
		if !slices.Contains(terms, t) {
			lost = t
		}
	}
	switch {
	case slices.Contains(terms, "all"):
		return Different, "+all lets anybody write in the domain's name"
	case !slices.Contains(terms, "-all") && !slices.Contains(terms, "~all") && !slices.ContainsFunc(terms, func(t string) bool { return strings.HasPrefix(t, "redirect=") }):
		return Different, "it does not say that nobody else may send: end it in -all"
	case lost == "":
		return Right, ""
	case strings.Contains(lost, ":") && slices.ContainsFunc(terms, elsewhere):
		return Right, "" // a smarthost's servers, as its provider names them
	case strings.Contains(lost, ":") || len(c.senders) == 0:
		return Different, fmt.Sprintf("%s is missing in %s", lost, got)
	}
	for _, ip := range c.senders {
		result, err := c.evaluate(ctx, rec.Name, got, net.IP(ip.AsSlice()))
		if result == spf.TempError {
			return Unknown, fmt.Sprintf("it can't be evaluated: %s", err)
		}
		if result != spf.Pass {
			return Different, fmt.Sprintf("it does not let %s send (%s): put %s into %s", ip, result, lost, got)
		}
	}
	return Right, ""
}

// evaluate does what a receiver does (RFC 7208 section 4) with a policy that
// is published, or that one of the zone's servers has already.
func (c *checker) evaluate(ctx context.Context, domain, policy string, ip net.IP) (spf.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, spfTime)
	defer cancel()
	var dialer net.Dialer
	r := policyResolver{domain: strings.TrimSuffix(domain, "."), policy: policy, Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, c.r.server)
	}}}
	return spf.CheckHostWithSender(ip, domain, "postmaster@"+domain, spf.WithContext(ctx), spf.WithResolver(r))
}

// policyResolver answers for one domain's policy itself.
type policyResolver struct {
	*net.Resolver
	domain, policy string
}

func (r policyResolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if strings.EqualFold(strings.TrimSuffix(name, "."), r.domain) {
		return []string{r.policy}, nil
	}
	return r.Resolver.LookupTXT(ctx, name)
}

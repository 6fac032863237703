package outbound

import (
	"context"
	"crypto/tls"
	"net/netip"

	"github.com/stagedoor/stagedoor/relay/outbound/tlspolicy"
)

// policyNames are how reasons name the policy that an entry waits for.
var policyNames = map[tlspolicy.Kind]string{tlspolicy.DANE: "DANE", tlspolicy.STS: "MTA-STS"}

// protection asks what the route to a destination must be protected by; nil for
// a smarthost or a route, which are ours to trust.
func (q *Queue) protection(ctx context.Context, destination string, hops []hop) *tlspolicy.Domain {
	if len(hops) == 0 || hops[0].next != nil {
		return nil
	}
	return q.policies.Domain(ctx, destination, q.o.Port)
}

// need is what a connection to a hop must be; nil: a route has its own rules.
// If the policy rules the host out there is nothing to connect to.
func (q *Queue) need(ctx context.Context, d *tlspolicy.Domain, h hop) (*tlspolicy.Need, error) {
	if d == nil || h.next != nil {
		return nil, nil
	}
	n := d.Host(ctx, h.host)
	if n.Enforced && n.Fault != nil {
		q.o.ObserveTLS(string(n.Kind), false)
		return n, policyFailure(n, n.Fault)
	}
	return n, nil
}

// policyFailure is a host that is not used because of a policy. Another host of
// the domain's may be as it wants.
func policyFailure(n *tlspolicy.Need, fault *tlspolicy.Fault) *failure {
	return &failure{text: "4.7.5 " + policyNames[n.Kind] + ": " + fault.Text, host: true}
}

// connectMX opens a connection to a domain's own server, with TLS as needed.
//
// Without a policy TLS is taken where it is offered, with whoever answers: an
// MX's name is not proven by DNS alone (RFC 7435), and without TLS everybody
// could read. Then, and only then, what fails is tried in the clear.
func (q *Queue) connectMX(ctx context.Context, h hop, addr netip.Addr, need *tlspolicy.Need) (*session, error) {
	s, err := q.open(ctx, h, addr, nil)
	if err != nil {
		return s, err
	}
	fault := tlspolicy.NoSTARTTLS
	offered := s.has("STARTTLS")
	if offered {
		fault = q.startTLS(ctx, s, need)
	}
	q.o.ObserveTLS(string(need.Kind), fault == nil)
	switch {
	case fault == nil:
		return s, nil
	case need.Enforced:
		s.quit()
		return nil, policyFailure(need, fault)
	case s.tls, !offered:
		return s, nil
	case ctx.Err() != nil:
		return nil, hostFailure(ctx.Err(), "STARTTLS")
	}
	// It offers what it can't do: in the clear, then.
	return q.open(ctx, h, addr, nil)
}

// startTLS changes a session to TLS and says what is wrong with it. Unless the
// policy is enforced, the session may be in use nevertheless.
func (q *Queue) startTLS(ctx context.Context, s *session, need *tlspolicy.Need) *tlspolicy.Fault {
	fault := tlspolicy.Handshake // until the other side has shown its certificate
	cfg := q.tls.Clone()
	cfg.ServerName, cfg.InsecureSkipVerify = need.ServerName, true
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if fault = need.Verify(cs); fault != nil && need.Enforced {
			return fault
		}
		return nil
	}
	if err := q.guarded(ctx, s, func() error { return s.startTLS(ctx, cfg) }); err != nil && fault == nil {
		return tlspolicy.Handshake
	}
	return fault
}

package outbound

import (
	"context"
	"crypto/tls"
	"net/netip"
	"strings"

	"github.com/stagedoor/stagedoor/relay/outbound/tlspolicy"
)

// tlsMode is whether a message has rules of its own for its way. It is part of
// its destination: such a message shares neither connections nor failures with
// others to the same domain.
type tlsMode string

// The modes.
const (
	tlsByPolicy tlsMode = ""         // as the receiving domain asks
	tlsOptional tlsMode = "optional" // it goes although TLS fails (RFC 8689 section 5, RFC 8460 section 3)
)

// modeMark stands between a destination and the mode of what goes there.
const modeMark = " tls="

func (m tlsMode) destination(name string) string {
	if m == tlsByPolicy {
		return name
	}
	return name + modeMark + string(m)
}

// splitMode takes a destination apart.
func splitMode(destination string) (name string, m tlsMode) {
	name, mode, _ := strings.Cut(destination, modeMark)
	return name, tlsMode(mode)
}

// policyNames are how reasons name the policy that an entry waits for.
var policyNames = map[tlspolicy.Kind]string{tlspolicy.DANE: "DANE", tlspolicy.STS: "MTA-STS"}

// protection is what holds for a message's way to a domain's MX.
type protection struct {
	*tlspolicy.Domain
	mode       tlsMode
	unreported bool
}

// need is what a connection to one host must be for a message.
type need struct {
	tlspolicy.Need
	unreported bool
}

// protection asks what the route to a destination must be protected by; nil for
// a smarthost or a route, which are ours to trust.
func (q *Queue) protection(ctx context.Context, destination string, hops []hop, l letter) *protection {
	if len(hops) == 0 || hops[0].next != nil {
		return nil
	}
	name, mode := splitMode(destination)
	return &protection{q.policies.Domain(ctx, name, q.o.Port), mode, l.report}
}

// need is what a connection to a hop must be; nil: a route has its own rules.
// If the policy rules the host out there is nothing to connect to.
func (q *Queue) need(ctx context.Context, p *protection, h hop) (*need, error) {
	if p == nil || h.next != nil {
		return nil, nil
	}
	n := &need{*p.Host(ctx, h.host), p.unreported}
	if p.mode == tlsOptional {
		n.Enforced = false
	}
	if n.Enforced && n.Fault != nil {
		q.note(n, h, nil, netip.Addr{}, n.Fault)
		return n, n.failure(n.Fault)
	}
	return n, nil
}

// failure is a host that is not used because of a policy. Another host of the
// domain's may be as it wants.
func (n *need) failure(fault *tlspolicy.Fault) *failure {
	return &failure{text: "4.7.5 " + policyNames[n.Kind] + ": " + fault.Text, host: true}
}

// connectMX opens a connection to a domain's own server, with TLS as needed.
//
// Without a policy TLS is taken where it is offered, with whoever answers: an
// MX's name is not proven by DNS alone (RFC 7435), and without TLS everybody
// could read. Then, and only then, what fails is tried in the clear.
func (q *Queue) connectMX(ctx context.Context, h hop, addr netip.Addr, n *need) (*session, error) {
	s, err := q.open(ctx, h, addr, nil)
	if err != nil {
		return s, err
	}
	fault := tlspolicy.NoSTARTTLS
	offered := s.has("STARTTLS")
	if offered {
		fault = q.startTLS(ctx, s, n)
	}
	if ctx.Err() == nil { // else it is our own doing
		q.note(n, h, s, addr, fault)
	}
	switch {
	case fault == nil:
		return s, nil
	case n.Enforced:
		s.quit()
		return nil, n.failure(fault)
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
func (q *Queue) startTLS(ctx context.Context, s *session, n *need) *tlspolicy.Fault {
	fault := tlspolicy.Handshake // until the other side has shown its certificate
	cfg := q.tls.Clone()
	cfg.ServerName, cfg.InsecureSkipVerify = n.ServerName, true
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if fault = n.Verify(cs); fault != nil && n.Enforced {
			return fault
		}
		return nil
	}
	if err := q.guarded(ctx, s, func() error { return s.startTLS(ctx, cfg) }); err != nil && fault == nil {
		return tlspolicy.Handshake
	}
	return fault
}

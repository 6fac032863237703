package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"

	"github.com/stagedoor/stagedoor/relay/outbound/tlspolicy"
	"github.com/stagedoor/stagedoor/threading"
)

// tlsMode is whether a message has rules of its own for its way. It is part of
// its destination: such a message shares neither connections nor failures with
// others to the same domain.
type tlsMode string

// The modes.
const (
	tlsByPolicy = tlsMode("")                    // as the receiving domain asks
	tlsOptional = tlsMode(threading.TLSOptional) // it goes although TLS fails (RFC 8689 section 5, RFC 8460 section 3)
	tlsRequired = tlsMode(threading.TLSRequired) // by verified TLS to a server that passes that on (RFC 8689 section 4.2.1)
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

// protection is what holds for a message's way.
type protection struct {
	*tlspolicy.Domain // nil: a smarthost or a route, which are ours to trust
	mode              tlsMode
	unreported        bool
}

// need is what a connection to one host must be for a message.
type need struct {
	tlspolicy.Need
	required   bool // the server must offer REQUIRETLS too
	unreported bool
}

// need is what a connection to a hop must be. If that rules the host out there
// is nothing to connect to.
func (q *Queue) need(ctx context.Context, p protection, h hop) (*need, error) {
	n := &need{required: p.mode == tlsRequired, unreported: p.unreported}
	if h.next != nil {
		return n, nil
	}
	n.Need = *p.Host(ctx, h.host, n.required)
	switch p.mode {
	case tlsOptional:
		n.Enforced = false
	case tlsRequired:
		n.Enforced = true
		switch {
		case n.Fault != nil || n.Authenticated():
		case n.Unsure != nil:
			return n, n.failure(n.Unsure)
		default:
			return n, withheld("the receiving domain has neither DANE nor MTA-STS, by which its servers could be proven")
		}
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
	name := policyNames[n.Kind]
	if n.required {
		name = "REQUIRETLS"
	}
	return &failure{text: "4.7.5 " + name + ": " + fault.Text, host: true}
}

// withheld is a message that can't go to a host as its writer asks, now or
// later (RFC 8689 section 4.2.1).
func withheld(why string) *failure {
	return &failure{text: "5.7.30 REQUIRETLS: " + why, status: "5.7.30", permanent: true, withheld: true, host: true}
}

// check says whether a session that is as the policy wants will do.
func (n *need) check(s *session) error {
	if n.required && (!s.tls || !s.has("REQUIRETLS")) {
		return withheld("the receiving server does not offer it")
	}
	return nil
}

// hope keeps a failure that may pass over one for good: it is enough if one MX
// may take the message later.
func hope(last, err error) error {
	var before, now *failure
	if errors.As(last, &before) && errors.As(err, &now) && !before.permanent && now.permanent {
		return last
	}
	return err
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
		fault, err = q.startTLS(ctx, s, n)
	}
	if ctx.Err() == nil { // else it is our own doing
		q.note(n, h, s, addr, fault)
	}
	switch {
	case fault == nil && err == nil:
		return s, q.guarded(ctx, s, func() error { return n.check(s) })
	case n.Enforced && fault == nil:
		return nil, err
	case n.Enforced:
		s.quit()
		return nil, n.failure(fault)
	case !s.broken && (s.tls || !offered):
		return s, nil
	case ctx.Err() != nil:
		return nil, hostFailure(ctx.Err(), "STARTTLS")
	}
	// It offers what it can't do: in the clear, then.
	return q.open(ctx, h, addr, nil)
}

// startTLS changes a session to TLS and says what is wrong with that. Unless the
// policy is enforced, the session may be in use nevertheless, if there is no
// error: the server may end a session that its TLS has no fault in.
func (q *Queue) startTLS(ctx context.Context, s *session, n *need) (*tlspolicy.Fault, error) {
	fault := tlspolicy.Handshake // until the other side has shown its certificate
	cfg := q.tls.Clone()
	cfg.ServerName, cfg.InsecureSkipVerify = n.ServerName, true
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if fault = n.Verify(cs); fault != nil && n.Enforced {
			return fault
		}
		return nil
	}
	err := q.guarded(ctx, s, func() error { return s.startTLS(ctx, cfg) })
	if !s.tls && fault == nil {
		fault = tlspolicy.Handshake
	}
	return fault, err
}

package tlspolicy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	mdns "github.com/miekg/dns"
)

// Bounds of one question.
const (
	queryTimeout = 5 * time.Second
	queryTries   = 3
)

// isNotFound reports whether an error is the answer that there is nothing.
func isNotFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// validator is a DNS resolver whose AD bit is believed (RFC 4035 section
// 4.9.3): one on this machine.
type validator struct {
	server string // host:port
}

// dockerDNS is on loopback in a container, but only passes on what a resolver
// elsewhere says, its AD bit included.
var dockerDNS = netip.MustParseAddr("127.0.0.11")

// localValidator returns the resolver that is given as host:port, or the first
// of the system's, if it is on loopback; nil if not.
func localValidator(server string) *validator {
	if server == "" {
		cfg, err := mdns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil || len(cfg.Servers) == 0 {
			return nil
		}
		server = net.JoinHostPort(cfg.Servers[0], cfg.Port)
	}
	at, err := netip.ParseAddrPort(server)
	if err != nil || !at.Addr().Unmap().IsLoopback() || at.Addr().Unmap() == dockerDNS {
		return nil
	}
	return &validator{server: server}
}

// Validates says whether DANE is used with this DNS server (empty: the
// system's): local is whether it is on this machine, validating whether it
// vouches for what is signed.
func Validates(ctx context.Context, server string) (local, validating bool, err error) {
	v := localValidator(server)
	if v == nil {
		return false, false, nil
	}
	// The root is signed, and every resolver knows its name servers.
	a, err := v.ask(ctx, ".", mdns.TypeNS)
	return true, a.secure, err
}

// answer is what the resolver says of a name.
type answer struct {
	records []mdns.RR
	secure  bool // all of it is authentic, also that there is nothing
}

// has reports whether there are records of a type.
func (a answer) has(typ uint16) bool {
	for _, rr := range a.records {
		if rr.Header().Rrtype == typ {
			return true
		}
	}
	return false
}

// target is where the CNAMEs of an answer lead from a name; the name itself if
// there is none.
func (a answer) target(name string) string {
	name = canonical(name)
	for range a.records { // each leads on at most once
		for _, rr := range a.records {
			if c, ok := rr.(*mdns.CNAME); ok && canonical(c.Hdr.Name) == name {
				name = canonical(c.Target)
				break
			}
		}
	}
	return name
}

// ask asks by UDP, and by TCP for an answer that was cut. No such name and no
// such record are answers; anything else than an answer is an error: a
// resolver that finds a signature wrong says SERVFAIL (RFC 4035 section 5.5).
// The error is a *net.DNSError without the name.
func (v *validator) ask(ctx context.Context, name string, typ uint16) (answer, error) {
	q := new(mdns.Msg)
	q.SetQuestion(mdns.Fqdn(name), typ)
	q.AuthenticatedData = true // RFC 6840 section 5.7: we understand AD
	q.SetEdns0(1232, false)
	last := &net.DNSError{Err: "no whole answer", IsTemporary: true}
	network := "udp"
	for range queryTries {
		c := mdns.Client{Net: network, Timeout: queryTimeout}
		in, _, err := c.ExchangeContext(ctx, q, v.server)
		switch {
		case err != nil:
			last = &net.DNSError{Err: "the DNS resolver does not answer", IsTimeout: true, IsTemporary: true}
		case in.Truncated && network == "udp":
			network = "tcp"
		case in.Rcode == mdns.RcodeSuccess || in.Rcode == mdns.RcodeNameError:
			return answer{in.Answer, in.AuthenticatedData}, nil
		default:
			return answer{}, &net.DNSError{Err: "the DNS resolver answers " + mdns.RcodeToString[in.Rcode], IsTemporary: true}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return answer{}, last
}

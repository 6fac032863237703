package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	mdns "github.com/miekg/dns"
)

// Bounds of one question.
const (
	queryTimeout = 5 * time.Second
	queryTries   = 2
)

// resolver asks one recursive resolver.
type resolver struct{ server string }

func newResolver(server string) (*resolver, error) {
	if server != "" {
		if _, _, err := net.SplitHostPort(server); err != nil {
			return nil, fmt.Errorf("the DNS resolver must be host:port: %w", err)
		}
		return &resolver{server}, nil
	}
	cfg, err := mdns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil, fmt.Errorf("find the system's DNS resolver: %w", err)
	}
	if len(cfg.Servers) == 0 {
		return nil, errors.New("/etc/resolv.conf names no DNS resolver: set dns.resolver")
	}
	return &resolver{net.JoinHostPort(cfg.Servers[0], cfg.Port)}, nil
}

// lookup returns the values of a name's records, as in Record.Value. None is
// not an error.
func (r *resolver) lookup(ctx context.Context, name, typ string) ([]string, error) {
	q := new(mdns.Msg)
	q.SetQuestion(mdns.Fqdn(name), mdns.StringToType[typ])
	q.SetEdns0(1232, false)
	answer, err := r.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, rr := range answer.Answer {
		if mdns.TypeToString[rr.Header().Rrtype] != typ {
			continue // the CNAMEs on the way
		}
		values = append(values, valueOf(rr))
	}
	return values, nil
}

// valueOf is a record's value, as in Record.Value.
func valueOf(rr mdns.RR) string {
	if txt, ok := rr.(*mdns.TXT); ok {
		return strings.Join(txt.Txt, "")
	}
	return strings.ReplaceAll(strings.TrimPrefix(rr.String(), rr.Header().String()), "\t", " ")
}

// ask asks by UDP, and by TCP for an answer that was cut (RFC 7766).
func (r *resolver) ask(ctx context.Context, q *mdns.Msg) (*mdns.Msg, error) {
	var last error
	network := "udp"
	for range queryTries + 1 {
		c := mdns.Client{Net: network, Timeout: queryTimeout}
		in, _, err := c.ExchangeContext(ctx, q, r.server)
		switch {
		case err != nil:
			last = fmt.Errorf("the resolver %s does not answer: %w", r.server, err)
		case in.Truncated && network == "udp":
			network = "tcp"
		case in.Rcode == mdns.RcodeSuccess || in.Rcode == mdns.RcodeNameError:
			return in, nil
		default:
			last = fmt.Errorf("the resolver %s answers %s", r.server, mdns.RcodeToString[in.Rcode])
		}
		if ctx.Err() != nil {
			break
		}
	}
	if last == nil {
		last = fmt.Errorf("the resolver %s gives no whole answer", r.server)
	}
	return nil, last
}

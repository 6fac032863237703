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

// resolver asks one DNS server: a recursive resolver, or a zone's own.
type resolver struct {
	server        string // host:port
	who           string // for errors
	authoritative bool   // it answers for its zones only
}

// errLame is a server that should know a zone and does not.
var errLame = errors.New("does not know the zone")

func newResolver(server string) (*resolver, error) {
	if server != "" {
		if _, _, err := net.SplitHostPort(server); err != nil {
			return nil, fmt.Errorf("the DNS resolver must be host:port: %w", err)
		}
		return &resolver{server: server, who: "the resolver " + server}, nil
	}
	cfg, err := mdns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil, fmt.Errorf("find the system's DNS resolver: %w", err)
	}
	if len(cfg.Servers) == 0 {
		return nil, errors.New("/etc/resolv.conf names no DNS resolver: set dns.resolver")
	}
	server = net.JoinHostPort(cfg.Servers[0], cfg.Port)
	return &resolver{server: server, who: "the resolver " + server}, nil
}

// reply is what a server has at a name.
type reply struct {
	values []string // as in Record.Value; none is not an error
	alias  string   // where a CNAME at the name leads, if there is one
	// ttl is for how long a resolver goes on to say so; 0: not known.
	ttl time.Duration
}

// lookup returns the values of a name's records. None is not an error.
func (r *resolver) lookup(ctx context.Context, name, typ string) ([]string, error) {
	a, err := r.query(ctx, name, typ)
	return a.values, err
}

// query asks for a name's records.
func (r *resolver) query(ctx context.Context, name, typ string) (reply, error) {
	q := new(mdns.Msg)
	q.SetQuestion(mdns.Fqdn(name), mdns.StringToType[typ])
	q.RecursionDesired = !r.authoritative
	q.SetEdns0(1232, false)
	in, err := r.ask(ctx, q)
	if err != nil {
		return reply{}, err
	}
	if r.authoritative && !in.Authoritative {
		return reply{}, fmt.Errorf("%s %w", r.who, errLame)
	}
	var a reply
	for _, rr := range in.Answer {
		seconds := time.Duration(rr.Header().Ttl) * time.Second
		if a.ttl == 0 || seconds < a.ttl {
			a.ttl = seconds
		}
		if cname, ok := rr.(*mdns.CNAME); ok && typ != "CNAME" {
			if a.alias == "" {
				a.alias = cname.Target
			}
			continue
		}
		if mdns.TypeToString[rr.Header().Rrtype] == typ {
			a.values = append(a.values, valueOf(rr))
		}
	}
	for _, rr := range in.Ns { // RFC 2308 section 5: how long "no such record" holds
		if soa, ok := rr.(*mdns.SOA); ok && len(in.Answer) == 0 {
			a.ttl = time.Duration(min(soa.Minttl, soa.Hdr.Ttl)) * time.Second
		}
	}
	return a, nil
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
			last = fmt.Errorf("%s does not answer: %w", r.who, err)
		case in.Truncated && network == "udp":
			network = "tcp"
		case in.Rcode == mdns.RcodeSuccess || in.Rcode == mdns.RcodeNameError:
			return in, nil
		default:
			last = fmt.Errorf("%s answers %s", r.who, mdns.RcodeToString[in.Rcode])
		}
		if ctx.Err() != nil {
			break
		}
	}
	if last == nil {
		last = fmt.Errorf("%s gives no whole answer", r.who)
	}
	return nil, last
}

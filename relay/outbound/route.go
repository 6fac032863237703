package outbound

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Bounds of one route: what lies beyond is not tried. A domain's owner chooses
// how many MX it has, and each may cost a connect timeout.
const (
	maxHosts     = 8
	maxAddresses = 4 // of one host
)

// hop is a host that takes a destination's mail.
type hop struct {
	host string // without final dot
	port string
	// next is set when the hop is ours to choose; it is nil for an MX.
	next *nextHop
}

// Resolver asks the DNS server that is given as host:port, or the system's.
func Resolver(server string) (*net.Resolver, error) {
	if server == "" {
		return &net.Resolver{}, nil
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		return nil, fmt.Errorf("the DNS resolver must be host:port: %w", err)
	}
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, server)
		},
	}, nil
}

// hops are the hosts for a destination, in the order they are tried (RFC 5321
// section 5.1), and what the way to them must be protected by.
func (q *Queue) hops(ctx context.Context, destination string, l letter) ([]hop, protection, error) {
	name, mode := splitMode(destination)
	p := protection{mode: mode, unreported: l.report}
	if n := q.routes.byName[name]; n != nil {
		return []hop{{host: n.host, port: n.port, next: n}}, p, nil
	}
	mx, err := q.policies.MX(ctx, name)
	if err != nil {
		return nil, p, &failure{text: "4.4.3 looking up the receiving domain: " + cause(err), host: true}
	}
	hops, err := q.hosts(name, mx.Records)
	if err == nil {
		p.Domain = q.policies.Domain(ctx, name, q.o.Port, mx)
	}
	return hops, p, err
}

// hosts are the hosts that a domain's MX records name.
func (q *Queue) hosts(domain string, mx []*net.MX) ([]hop, error) {
	port := strconv.Itoa(q.o.Port)
	if len(mx) == 0 {
		return []hop{{host: domain, port: port}}, nil // the implicit MX
	}
	if len(mx) == 1 && mx[0].Host == "." {
		return nil, &failure{text: "5.1.10 the receiving domain takes no mail (null MX)", permanent: true}
	}
	rand.Shuffle(len(mx), func(i, j int) { mx[i], mx[j] = mx[j], mx[i] })
	sort.SliceStable(mx, func(i, j int) bool { return mx[i].Pref < mx[j].Pref })
	var list []hop
	for i, r := range mx {
		if strings.EqualFold(strings.TrimSuffix(r.Host, "."), q.o.Hostname) {
			// We are one of its MX: only better ones than us may be tried, or mail
			// would go round.
			list = list[:countBetter(mx[:i], r.Pref)]
			break
		}
		list = append(list, hop{host: strings.TrimSuffix(r.Host, "."), port: port})
	}
	if len(list) == 0 {
		return nil, &failure{text: "5.4.6 the receiving domain's mail comes to this server, which has no mailboxes for it", permanent: true}
	}
	return list[:min(len(list), maxHosts)], nil
}

func countBetter(mx []*net.MX, pref uint16) int {
	n := 0
	for n < len(mx) && mx[n].Pref < pref {
		n++
	}
	return n
}

// addresses are the IP addresses of a hop, IPv6 and IPv4 in turn, so that one
// that does not work here costs one timeout only. A Unix socket has one that
// is not valid.
func (q *Queue) addresses(ctx context.Context, h hop) ([]netip.Addr, error) {
	if h.next != nil && h.next.socket != "" {
		return []netip.Addr{{}}, nil
	}
	if ip, err := netip.ParseAddr(h.host); err == nil {
		return q.reachable([]netip.Addr{ip})
	}
	name := h.host
	if h.next == nil {
		name += "." // a smarthost may be named as /etc/hosts does
	}
	all, err := q.resolver.LookupNetIP(ctx, "ip", name)
	if isNotFound(err) { // which is said although only one of the two questions got an answer
		all, err = q.resolver.LookupNetIP(ctx, "ip6", name)
	}
	if isNotFound(err) {
		return nil, errNoAddress
	} else if err != nil {
		return nil, &failure{text: "4.4.3 looking up the receiving server: " + cause(err), host: true}
	}
	var six, four, list []netip.Addr
	for _, ip := range all {
		if ip = ip.Unmap(); ip.Is4() {
			four = append(four, ip)
		} else {
			six = append(six, ip)
		}
	}
	for i := range max(len(six), len(four)) {
		list = append(list, six[min(i, len(six)):min(i+1, len(six))]...)
		list = append(list, four[min(i, len(four)):min(i+1, len(four))]...)
	}
	return q.reachable(list)
}

func isNotFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// reachable leaves the addresses that our own can reach, and bounds them.
func (q *Queue) reachable(list []netip.Addr) ([]netip.Addr, error) {
	if len(q.o.SourceAddresses) > 0 {
		list = slices.DeleteFunc(list, func(ip netip.Addr) bool { return !q.source(ip).IsValid() })
	}
	if len(list) == 0 {
		return nil, errFamily
	}
	return list[:min(len(list), maxAddresses)], nil
}

// source is the address that mail leaves from to another; it is not valid where
// there is none.
func (q *Queue) source(to netip.Addr) netip.Addr {
	for _, ip := range q.o.SourceAddresses {
		if ip.Is4() == to.Unmap().Is4() {
			return ip
		}
	}
	return netip.Addr{}
}

// errFamily: it may get one that we can reach.
var errFamily = &failure{text: "4.4.1 the receiving server has no address of the kind that outbound.source_addresses has", host: true, config: true}

// errNoAddress: the name has neither A nor AAAA. For the domain itself that
// means that it takes no mail; for one of its MX, that the next is tried.
var errNoAddress = &failure{text: "5.1.2 the receiving domain has no mail server", permanent: true}

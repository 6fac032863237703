package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mdns "github.com/miekg/dns"
)

// Bounds of the talk with a zone's own servers.
const (
	maxNameServers = 6 // of one zone
	maxClimb       = 4 // names that are aliases, above the one asked for
	serverTime     = 6 * time.Second
)

// nameServer is one of a zone's own servers. Once it failed to answer it is
// not asked again.
type nameServer struct {
	name   string
	r      *resolver
	silent atomic.Bool
}

func (n *nameServer) query(ctx context.Context, name, typ string) (reply, error) {
	if n.silent.Load() {
		return reply{}, fmt.Errorf("%s does not answer", n.r.who)
	}
	ctx, cancel := context.WithTimeout(ctx, serverTime)
	defer cancel()
	a, err := n.r.query(ctx, name, typ)
	if err != nil && !errors.Is(err, errLame) {
		n.silent.Store(true)
	}
	return a, err
}

// zones finds zones and their servers by a resolver, and remembers them. It is
// safe for concurrent use.
type zones struct {
	r    *resolver
	port string

	mu     sync.Mutex
	byZone map[string]func() []*nameServer
}

// servers are those of the zone that a name is in; none where they can't be
// found.
func (z *zones) servers(ctx context.Context, name string) []*nameServer {
	zone := z.cut(ctx, name)
	if zone == "" {
		return nil
	}
	z.mu.Lock()
	find, ok := z.byZone[zone]
	if !ok {
		find = sync.OnceValue(func() []*nameServer { return z.find(ctx, zone) })
		z.byZone[zone] = find
	}
	z.mu.Unlock()
	return find()
}

// cut is the name of the zone that a name is in. The SOA stands in the answer
// at the zone's own name, and in the authority section below it (RFC 2308
// section 2). An alias shows its target's instead: its parent is asked then.
func (z *zones) cut(ctx context.Context, name string) string {
	name = strings.ToLower(mdns.Fqdn(name))
	for range maxClimb {
		q := new(mdns.Msg)
		q.SetQuestion(name, mdns.TypeSOA)
		q.SetEdns0(1232, false)
		in, err := z.r.ask(ctx, q)
		if err != nil {
			return ""
		}
		for _, rr := range slices.Concat(in.Answer, in.Ns) {
			owner := strings.ToLower(rr.Header().Name)
			if rr.Header().Rrtype == mdns.TypeSOA && mdns.IsSubDomain(owner, name) {
				return owner
			}
		}
		next, end := mdns.NextLabel(name, 0)
		if end {
			return ""
		}
		name = name[next:]
	}
	return ""
}

// find looks up the addresses of a zone's servers: of each one the first,
// IPv4 before IPv6.
func (z *zones) find(ctx context.Context, zone string) []*nameServer {
	names, err := z.r.lookup(ctx, zone, "NS")
	if err != nil {
		return nil
	}
	slices.Sort(names)
	names = names[:min(len(names), maxNameServers)]
	found := make([]*nameServer, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			for _, typ := range []string{"A", "AAAA"} {
				if ips, err := z.r.lookup(ctx, name, typ); err == nil && len(ips) > 0 {
					short := strings.TrimSuffix(name, ".")
					found[i] = &nameServer{name: short, r: &resolver{server: net.JoinHostPort(ips[0], z.port), who: "the name server " + short, authoritative: true}}
					return
				}
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(found, func(n *nameServer) bool { return n == nil })
}

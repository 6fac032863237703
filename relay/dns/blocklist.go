package dns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	mdns "github.com/miekg/dns"
)

// Blocklists are lists of addresses that many receivers ask.
var Blocklists = []string{"zen.spamhaus.org", "bl.spamcop.net"}

// Listing is what a blocklist says of an address.
type Listing struct {
	List   string
	IP     netip.Addr
	Listed bool
	// Reason is what the list says about it, if anything.
	Reason string
	// Unknown says why there is no answer; empty: there is one.
	Unknown string
}

// Listed asks each list for each address. server is as in Check. A list is
// believed only if it lists its test entry and not 127.0.0.1 (RFC 5782 section
// 5): several answer a large resolver with an error, or with nothing at all.
func Listed(ctx context.Context, server string, lists []string, ips []netip.Addr) ([]Listing, error) {
	r, err := newResolver(server)
	if err != nil {
		return nil, err
	}
	var found []Listing
	for _, list := range lists {
		unknown := r.tryList(ctx, list)
		for _, ip := range ips {
			l := Listing{List: list, IP: ip.Unmap(), Unknown: unknown}
			if unknown == "" {
				r.askList(ctx, &l)
			}
			found = append(found, l)
		}
	}
	return found, nil
}

// tryList says why a list can't be believed; empty: it can.
func (r *resolver) tryList(ctx context.Context, list string) string {
	for _, test := range []struct {
		ip     string
		listed bool
	}{{"127.0.0.2", true}, {"127.0.0.1", false}} {
		l := Listing{List: list, IP: netip.MustParseAddr(test.ip)}
		r.askList(ctx, &l)
		switch {
		case l.Unknown != "":
			return l.Unknown
		case l.Listed != test.listed:
			return "the list does not answer this resolver as it should"
		}
	}
	return ""
}

// askList fills in what a list says (RFC 5782 section 2).
func (r *resolver) askList(ctx context.Context, l *Listing) {
	reverse, err := mdns.ReverseAddr(l.IP.String())
	if err != nil {
		l.Unknown = "the address can't be asked for"
		return
	}
	name := strings.TrimSuffix(strings.TrimSuffix(reverse, "in-addr.arpa."), "ip6.arpa.") + l.List
	codes, err := r.lookup(ctx, name, "A")
	if err != nil {
		l.Unknown = err.Error()
		return
	}
	for _, code := range codes {
		if !strings.HasPrefix(code, "127.") || strings.HasPrefix(code, "127.255.255.") {
			l.Unknown = fmt.Sprintf("the list answers %s, which is no listing: it may refuse this resolver", code)
			return
		}
	}
	if l.Listed = len(codes) > 0; l.Listed {
		if texts, err := r.lookup(ctx, name, "TXT"); err == nil && len(texts) > 0 {
			l.Reason = texts[0]
		}
	}
}

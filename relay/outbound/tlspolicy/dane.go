package tlspolicy

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"

	mdns "github.com/miekg/dns"
)

// daneNeed is what DANE has to say of a host; nil: nothing.
func (d *Domain) daneNeed(ctx context.Context, host string) *Need {
	if !d.signed {
		return nil
	}
	n := &Need{Kind: DANE, Enforced: true, ServerName: host, Domain: d.name, MX: []string{host}}
	records, base, err := d.f.dane.tlsa(ctx, host, d.port)
	if err != nil {
		n.Fault = faultDNSSEC // RFC 7672 section 2.1.2: the host is not used
		return n
	}
	if len(records) == 0 {
		return nil
	}
	n.ServerName, n.MX = base, []string{base}
	for _, r := range records {
		n.Policy = append(n.Policy, fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.MatchingType, strings.ToLower(r.Certificate)))
	}
	usable := usable(records)
	if len(usable) == 0 {
		return n // RFC 7672 section 2.2: TLS, with whoever answers
	}
	// Section 3.2.2: the host's name, or the domain's, which led here securely.
	names := []string{base, host, d.name}
	n.verify = func(cs tls.ConnectionState) *Fault { return verifyTLSA(cs, usable, names, d.f.o.Now()) }
	return n
}

// tlsa returns a host's TLSA records, and the name that they are for: where the
// host is an alias, the name that it stands for comes first (RFC 7672 section
// 2.2.2).
func (v *validator) tlsa(ctx context.Context, host string, port int) ([]*mdns.TLSA, string, error) {
	bases, err := v.bases(ctx, host)
	if err != nil {
		return nil, "", err
	}
	for _, base := range bases {
		a, err := v.ask(ctx, fmt.Sprintf("_%d._tcp.%s", port, base), mdns.TypeTLSA)
		if err != nil {
			return nil, "", err
		}
		var records []*mdns.TLSA
		for _, rr := range a.records {
			if t, ok := rr.(*mdns.TLSA); ok && a.secure {
				records = append(records, t)
			}
		}
		if len(records) > 0 {
			return records, base, nil
		}
	}
	return nil, "", nil
}

// bases are the names at which a host's TLSA records may be. A host whose
// address is not signed has none; asking would only trouble name servers that
// do not know the type (RFC 7672 section 2.2.2).
func (v *validator) bases(ctx context.Context, host string) ([]string, error) {
	target, secure := host, false
	for _, typ := range []uint16{mdns.TypeA, mdns.TypeAAAA} {
		a, err := v.ask(ctx, host, typ)
		if err != nil {
			return nil, err
		}
		if !a.has(typ) {
			continue
		}
		if target = a.target(host); !a.secure {
			secure = false
			break
		}
		secure = true
	}
	switch {
	case secure && target != host:
		return []string{target, host}, nil
	case secure:
		return []string{host}, nil
	case target == host:
		return nil, nil
	}
	// What the alias leads to is not signed; the alias itself may be.
	a, err := v.ask(ctx, host, mdns.TypeCNAME)
	if err != nil || !a.secure {
		return nil, err
	}
	return []string{host}, nil
}

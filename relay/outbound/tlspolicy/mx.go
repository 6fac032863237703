package tlspolicy

import (
	"context"
	"net"

	mdns "github.com/miekg/dns"
)

// MX are the MX records of a domain; without any it takes its mail itself (RFC
// 5321 section 5.1).
type MX struct {
	Records []*net.MX
	// signed: they are authentic, or that there are none. Others may have been put
	// there by anybody, and DANE for them would prove nothing (RFC 7672 section
	// 2.2.1).
	signed bool
}

// MX looks a domain's MX records up. Where DANE is used they are those of the
// validated answer: a second question could get another one. The error is a
// *net.DNSError.
func (f *Finder) MX(ctx context.Context, domain string) (MX, error) {
	if f.dane == nil {
		// With the final dot no search domain is tried.
		records, err := f.o.Net.LookupMX(ctx, domain+".")
		if len(records) > 0 || isNotFound(err) { // an error beside some is about names that are not valid
			err = nil
		}
		return MX{Records: records}, err
	}
	if _, valid := mdns.IsDomainName(domain); !valid {
		return MX{}, nil // nobody could be asked
	}
	a, err := f.dane.ask(ctx, domain, mdns.TypeMX)
	if err != nil {
		return MX{}, err
	}
	mx := MX{signed: a.secure}
	for _, rr := range a.records {
		if r, ok := rr.(*mdns.MX); ok {
			mx.Records = append(mx.Records, &net.MX{Host: r.Mx, Pref: r.Preference})
		}
	}
	return mx, nil
}

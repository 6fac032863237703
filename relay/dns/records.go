// Package dns knows the records that an installation publishes in DNS, and
// says whether they are there.
//
// Records is a pure function of its Options. WriteZone, WriteTable and
// WriteJSON print its result: for a name server, for a person at a provider's
// form, for a program. Check asks the zone's own name servers and a resolver
// for each record and compares what matters: that a mail server would find
// what it needs, not that the text is the same. Nothing here writes to disk or
// keeps a goroutine after it returns.
package dns

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"

	mdns "github.com/miekg/dns"
)

// Options are what the records are made of.
type Options struct {
	Domain   string // every address ends in it; A-labels
	Hostname string // the name of this server
	// IPs are the server's public addresses; without any, A, AAAA and PTR are
	// hints to be filled in.
	IPs []netip.Addr
	// Smarthost is the host that mail leaves by; empty: this server.
	Smarthost string
	// DKIM are the keys that sign, and those that will.
	DKIM []DKIMKey
	// Ports of the services that mail clients find by SRV; 0: not offered.
	SubmissionTLS, Submission, IMAPTLS, IMAP uint16
	// Web is the host name that the HTTP door is reached by with HTTPS; empty:
	// it is not, and what needs it is left out.
	Web string
	// MTASTS is the policy that the HTTP door serves; nil: none.
	MTASTS *STSPolicy
	// TLSReports is the address that takes reports about TLS (RFC 8460); empty:
	// none are asked for.
	TLSReports string
	// CA is the domain name by which the only certificate authority is known in
	// CAA records; empty: nothing is said of it.
	CA string
}

// DKIMKey is a public key and where it is published.
type DKIMKey struct {
	Selector string
	Public   crypto.PublicKey // *rsa.PublicKey or ed25519.PublicKey
	Note     string           // added to the reason, such as "signs from tomorrow on"; may be empty
}

// Record is one record to publish.
type Record struct {
	Name  string `json:"name"` // without the final dot
	Type  string `json:"type"`
	Value string `json:"value"` // as in a zone file, names with the final dot; TXT: the text, unquoted
	// Strings is a TXT's text in the pieces that a record holds, where it is
	// longer than one of them.
	Strings []string `json:"strings,omitempty"`
	Why     string   `json:"why"` // one sentence
	// Hint marks what can't be put into the domain's zone as it stands: an
	// address that is not known here, or a PTR, which whoever gave the server
	// its address sets.
	Hint bool `json:"hint,omitempty"`
	// Optional marks what helps but is not needed for mail to flow.
	Optional bool `json:"optional,omitempty"`
	// AnyValue marks a name that may lead elsewhere: to a web server in front.
	AnyValue bool `json:"any_value,omitempty"`
}

// askable reports whether the record is one that can be asked for: hints have
// placeholders in parentheses.
func (r Record) askable() bool {
	return !strings.HasPrefix(r.Name, "(") && !strings.HasPrefix(r.Value, "(")
}

// Records returns what to publish, the most needed first. An error says which
// option can't be published.
func Records(o Options) ([]Record, error) {
	if o.Domain == "" || o.Hostname == "" {
		return nil, fmt.Errorf("the records need a domain and a hostname")
	}
	var list []Record
	add := func(name, typ, value, why string) {
		list = append(list, Record{Name: name, Type: typ, Value: value, Why: why})
	}
	host := mdns.Fqdn(o.Hostname)
	add(o.Domain, "MX", "10 "+host, "Mail to the domain's addresses comes to this server (RFC 5321 section 5.1).")
	list = append(list, addresses(o)...)
	add(o.Domain, "TXT", spfValue(o), spfWhy(o))
	add(o.Hostname, "TXT", "v=spf1 a -all", "The same for the name in EHLO, which some receivers check as well (RFC 7208 section 2.3).")
	list[len(list)-1].Optional = true
	for _, k := range o.DKIM {
		value, err := DKIMValue(k.Public)
		if err != nil {
			return nil, err
		}
		add(k.Selector+"._domainkey."+o.Domain, "TXT", value, strings.TrimSpace("The key that our signatures are checked with (RFC 6376 section 3.6). "+k.Note))
	}
	add("_dmarc."+o.Domain, "TXT", "v=DMARC1; p=reject; adkim=s; aspf=s",
		"Nobody else may write in the domain's name: what neither SPF nor DKIM proves is refused (RFC 7489 section 6.3).")
	list = append(list, transport(o)...)
	list = append(list, webNames(o)...)
	list = append(list, services(o, host)...)
	for i, r := range list {
		if r.Type == "TXT" && len(r.Value) > maxString {
			list[i].Strings = pieces(r.Value)
		}
	}
	return list, nil
}

// addresses are the server's own, and the PTR of each.
func addresses(o Options) []Record {
	const ptrWhy = "The address must lead back to the name: many receivers refuse mail without it. Whoever gave the server its address sets this."
	list := hostAddresses(o.Hostname, o.IPs, "The server's own address.")
	for _, ip := range o.IPs {
		if name, err := mdns.ReverseAddr(ip.Unmap().String()); err == nil {
			list = append(list, Record{Name: strings.TrimSuffix(name, "."), Type: "PTR", Value: mdns.Fqdn(o.Hostname), Why: ptrWhy, Hint: true})
		}
	}
	if len(o.IPs) == 0 {
		list = append(list, Record{Name: "(each of these addresses)", Type: "PTR", Value: mdns.Fqdn(o.Hostname), Why: ptrWhy, Hint: true})
	}
	return list
}

func spfValue(o Options) string {
	if ip, err := netip.ParseAddr(o.Smarthost); err == nil {
		mechanism := "ip4:"
		if ip.Is6() {
			mechanism = "ip6:"
		}
		return "v=spf1 mx " + mechanism + ip.String() + " -all"
	}
	if o.Smarthost != "" {
		return "v=spf1 mx a:" + o.Smarthost + " -all"
	}
	return "v=spf1 mx -all"
}

func spfWhy(o Options) string {
	if o.Smarthost != "" {
		return "Mail in the domain's name leaves by the smarthost only (RFC 7208). Where that is a provider with many servers, put the include: that it names in place of a:."
	}
	return "Mail in the domain's name leaves by this server only (RFC 7208)."
}

// DKIMValue is the TXT record that publishes a key (RFC 6376 section 3.6.1,
// RFC 8463 section 4).
func DKIMValue(public crypto.PublicKey) (string, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			return "", fmt.Errorf("encode the DKIM key: %w", err)
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(k), nil
	}
	return "", fmt.Errorf("a DKIM key of type %T can't be published: use RSA or Ed25519", public)
}

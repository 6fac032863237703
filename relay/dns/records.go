// Package dns knows the records that an installation publishes in DNS, and
// says whether they are there.
//
// Records is a pure function of its Options. WriteZone, WriteTable and
// WriteJSON print its result: for a name server, for a person at a provider's
// form, for a program. Check asks a resolver for each record and compares
// what matters: that a mail server would find what it needs, not that the text
// is the same. Nothing here writes to disk or keeps a goroutine after it
// returns.
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
	// DKIM are the keys that sign.
	DKIM []DKIMKey
	// Ports of the services that mail clients find by SRV; 0: not offered.
	SubmissionTLS, Submission, IMAPTLS, IMAP uint16
}

// DKIMKey is a public key and where it is published.
type DKIMKey struct {
	Selector string
	Public   crypto.PublicKey // *rsa.PublicKey or ed25519.PublicKey
}

// Record is one record to publish.
type Record struct {
	Name  string `json:"name"` // without the final dot
	Type  string `json:"type"`
	Value string `json:"value"` // as in a zone file, names with the final dot; TXT: the text, unquoted
	Why   string `json:"why"`   // one sentence
	// Hint marks what can't be put into the domain's zone as it stands: an
	// address that is not known here, or a PTR, which whoever gave the server
	// its address sets.
	Hint bool `json:"hint,omitempty"`
	// Optional marks what helps but is not needed for mail to flow.
	Optional bool `json:"optional,omitempty"`
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
	add(o.Domain, "TXT", spf(o), spfWhy(o))
	add(o.Hostname, "TXT", "v=spf1 a -all", "The same for the name in EHLO, which some receivers check as well (RFC 7208 section 2.3).")
	list[len(list)-1].Optional = true
	for _, k := range o.DKIM {
		value, err := DKIMValue(k.Public)
		if err != nil {
			return nil, err
		}
		add(k.Selector+"._domainkey."+o.Domain, "TXT", value, "The key that our signatures are checked with (RFC 6376 section 3.6).")
	}
	add("_dmarc."+o.Domain, "TXT", "v=DMARC1; p=reject; adkim=s; aspf=s",
		"Nobody else may write in the domain's name: what neither SPF nor DKIM proves is refused (RFC 7489 section 6.3).")
	return append(list, services(o, host)...), nil
}

func addresses(o Options) []Record {
	const why = "The server's own address."
	const ptrWhy = "The address must lead back to the name: many receivers refuse mail without it. Whoever gave the server its address sets this."
	var list, ptr []Record
	for _, ip := range o.IPs {
		typ := "A"
		ip = ip.Unmap()
		if ip.Is6() {
			typ = "AAAA"
		}
		list = append(list, Record{Name: o.Hostname, Type: typ, Value: ip.String(), Why: why})
		if name, err := mdns.ReverseAddr(ip.String()); err == nil {
			ptr = append(ptr, Record{Name: strings.TrimSuffix(name, "."), Type: "PTR", Value: mdns.Fqdn(o.Hostname), Why: ptrWhy, Hint: true})
		}
	}
	if len(o.IPs) == 0 {
		list = []Record{
			{Name: o.Hostname, Type: "A", Value: "(this server's IPv4 address)", Why: why, Hint: true},
			{Name: o.Hostname, Type: "AAAA", Value: "(this server's IPv6 address, if it has one)", Why: why, Hint: true},
		}
		ptr = []Record{{Name: "(each of these addresses)", Type: "PTR", Value: mdns.Fqdn(o.Hostname), Why: ptrWhy, Hint: true}}
	}
	return append(list, ptr...)
}

func spf(o Options) string {
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

// services are the SRV records that mail clients set themselves up by. A
// target of "." says that a service is not offered (RFC 6186 section 3.4).
func services(o Options, host string) []Record {
	var list []Record
	for _, s := range []struct {
		name string
		port uint16
		why  string
	}{
		{"_submissions._tcp", o.SubmissionTLS, "Mail clients find where to send, with TLS from the first octet (RFC 8314 section 5.1)."},
		{"_submission._tcp", o.Submission, "The same, with STARTTLS (RFC 6186 section 3.1)."},
		{"_imaps._tcp", o.IMAPTLS, "Mail clients find where to read, with TLS from the first octet (RFC 6186 section 3.2)."},
		{"_imap._tcp", o.IMAP, "The same, with STARTTLS (RFC 6186 section 3.2)."},
	} {
		value := fmt.Sprintf("0 1 %d %s", s.port, host)
		if s.port == 0 {
			value, s.why = "0 0 0 .", "Not offered, said so that clients don't guess (RFC 6186 section 3.4)."
		}
		list = append(list, Record{Name: s.name + "." + o.Domain, Type: "SRV", Value: value, Why: s.why, Optional: true})
	}
	return list
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

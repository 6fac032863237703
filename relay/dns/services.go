package dns

import (
	"fmt"
	"net/netip"

	mdns "github.com/miekg/dns"
)

// HostNames are the names below the domain that the HTTP door serves, beside
// the one of its pages: MTA-STS (RFC 8461 section 3.3), and what mail programs
// ask for by themselves.
func HostNames(domain string) []string {
	return []string{"mta-sts." + domain, "autoconfig." + domain, "autodiscover." + domain}
}

// webNames lead to the HTTP door. Where the name of the pages is in the domain,
// it gets the server's addresses; a web server in front may have others.
func webNames(o Options) []Record {
	if o.Web == "" {
		return nil
	}
	var list []Record
	if o.Web != o.Hostname && mdns.IsSubDomain(mdns.Fqdn(o.Domain), mdns.Fqdn(o.Web)) {
		const why = "Members' pages: the address of this server, or of the web server in front of it."
		for _, r := range hostAddresses(o.Web, o.IPs, why) {
			r.AnyValue = true
			list = append(list, r)
		}
	}
	for i, name := range HostNames(o.Domain) {
		why := []string{
			"Serves the MTA-STS policy (RFC 8461 section 3.3).",
			"Thunderbird and others find their settings there.",
			"Outlook finds its settings there.",
		}[i]
		if i == 0 && o.MTASTS == nil || name == o.Web {
			continue
		}
		list = append(list, Record{Name: name, Type: "CNAME", Value: mdns.Fqdn(o.Web), Why: why, Optional: true, AnyValue: true})
	}
	return list
}

// hostAddresses are a name's A and AAAA records, or hints where no address is
// known.
func hostAddresses(name string, ips []netip.Addr, why string) []Record {
	var list []Record
	for _, ip := range ips {
		typ := "A"
		if ip = ip.Unmap(); ip.Is6() {
			typ = "AAAA"
		}
		list = append(list, Record{Name: name, Type: typ, Value: ip.String(), Why: why})
	}
	if len(ips) == 0 {
		list = []Record{
			{Name: name, Type: "A", Value: "(this server's IPv4 address)", Why: why, Hint: true},
			{Name: name, Type: "AAAA", Value: "(this server's IPv6 address, if it has one)", Why: why, Hint: true},
		}
	}
	return list
}

// transport is what other servers read before they connect: MTA-STS, where to
// report, and who may issue certificates.
func transport(o Options) []Record {
	var list []Record
	if o.MTASTS != nil && o.Web != "" {
		list = append(list, Record{Name: "_mta-sts." + o.Domain, Type: "TXT", Value: "v=STSv1; id=" + o.MTASTS.ID(), Optional: true,
			Why: "There is a policy that mail to us comes by verified TLS; the id changes when the policy does (RFC 8461 section 3.1)."})
	}
	if o.TLSReports != "" {
		list = append(list, Record{Name: "_smtp._tls." + o.Domain, Type: "TXT", Value: "v=TLSRPTv1; rua=mailto:" + o.TLSReports, Optional: true,
			Why: "Other servers report there when TLS to us fails (RFC 8460 section 3)."})
	}
	if o.CA == "" {
		return list
	}
	const why = "Only this authority may issue certificates for these names (RFC 8659)."
	for _, name := range []string{o.Domain, o.Hostname} {
		if name == o.Domain || !mdns.IsSubDomain(mdns.Fqdn(o.Domain), mdns.Fqdn(name)) {
			list = append(list, Record{Name: name, Type: "CAA", Value: `0 issue "` + o.CA + `"`, Why: why, Optional: true})
		}
	}
	return list
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
	if o.Web != "" {
		list = append(list, Record{Name: "_autodiscover._tcp." + o.Domain, Type: "SRV", Value: "0 1 443 " + mdns.Fqdn(o.Web), Optional: true, AnyValue: true,
			Why: "Outlook asks for it where autodiscover." + o.Domain + " does not answer."})
	}
	return list
}

package doctor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/stagedoor/stagedoor/relay/dns"
	"github.com/stagedoor/stagedoor/relay/outbound/tlspolicy"
)

// reserved are names that are not in the public DNS (RFC 2606, RFC 6761).
var reserved = []string{"localhost", "test", "invalid", "example"}

// local reports whether nobody else can know the domain.
func (d *doctor) local() bool {
	for _, name := range reserved {
		if d.Domain == name || strings.HasSuffix(d.Domain, "."+name) {
			return true
		}
	}
	return false
}

// records says of each record whether it is published.
func (d *doctor) records(ctx context.Context) []Finding {
	const check = "dns"
	if d.local() && d.Resolver == "" {
		return one(check, Skipped, d.Domain+" is a name for tests: there is nothing to publish", "")
	}
	found, err := dns.Check(ctx, dns.CheckOptions{Resolver: d.Resolver, Port: d.NameServerPort}, d.Records)
	if err != nil {
		return one(check, Failed, err.Error(), "set dns.resolver, or put one into /etc/resolv.conf")
	}
	var findings []Finding
	right, pointers := 0, 0
	for _, f := range found {
		if f.Type == "PTR" {
			pointers++
		}
		state := Failed
		switch {
		case f.State == dns.Right:
			right++
			continue
		case f.Optional, f.Hint && d.Smarthost != "", f.State == dns.Propagating:
			state = Warning
		}
		todo := "stagedoor dns records prints what to publish"
		if f.Type == "PTR" {
			todo = "ask whoever gave this machine its address to set it to " + f.Value
		}
		findings = append(findings, Finding{check, state, fmt.Sprintf("%s %s: %s", f.Type, f.Name, f.Problem), todo})
	}
	if pointers == 0 {
		findings = append(findings, Finding{check, Skipped, "this machine has no public address of its own: its PTR record can't be checked", "name its public address with --ip"})
	}
	if right > 0 {
		findings = append([]Finding{{check, OK, fmt.Sprintf("%d of %d records are right", right, len(found)), ""}}, findings...)
	}
	return findings
}

// validation says whether DANE can be used for what is sent.
func (d *doctor) validation(ctx context.Context) []Finding {
	const check = "dane"
	if d.Smarthost != "" {
		return one(check, Skipped, "mail leaves by the smarthost, whose business this is", "")
	}
	local, validating, err := tlspolicy.Validates(ctx, d.Resolver)
	switch {
	case err != nil:
		return one(check, Warning, "whether the DNS resolver validates can't be found out: "+err.Error(), "is it running?")
	case !local:
		return one(check, Skipped, "DANE is not used: the DNS resolver is not on this machine, so its word could be changed on the way", "to use it, install a resolver that validates, such as unbound, and set dns.resolver to it")
	case !validating:
		return one(check, Skipped, "DANE is not used: the DNS resolver does not validate (DNSSEC)", "have it validate, such as unbound does")
	}
	return one(check, OK, "the DNS resolver validates: DANE is used for what is sent", "")
}

// wayOut tries whether mail can leave, as far as a greeting: many providers
// close port 25 until they are asked.
func (d *doctor) wayOut(ctx context.Context) []Finding {
	const check = "way out"
	var host, port, who, todo string
	implicit := false
	const smarthost = "is outbound.smarthost right, and does it run?"
	switch u, _ := url.Parse(d.Smarthost); {
	case strings.HasPrefix(d.Smarthost, lmtpSocket):
		if err := d.greeting(ctx, "unix", strings.TrimPrefix(d.Smarthost, lmtpSocket), "", false); err != nil {
			return one(check, Failed, "the smarthost does not answer on its socket: "+reason(err), smarthost)
		}
		return one(check, OK, "the smarthost answers on its socket", "")
	case d.Smarthost != "":
		implicit = u.Scheme == "smtps"
		host, port, who, todo = u.Hostname(), or(u.Port(), map[string]string{"smtp": "25", "smtps": "465", "lmtp": "24"}[u.Scheme]), "the smarthost", smarthost
	case d.Operator == "":
		return one(check, Skipped, "there is no operator, with whose mail server it could be tried", "set operator")
	default:
		domain := d.Operator[strings.LastIndexByte(d.Operator, '@')+1:]
		mx, err := d.resolverOrDefault().LookupMX(ctx, domain)
		host, port, who, todo = domain, d.MXPort, "the operator's mail server", "ask your provider to open port 25 outwards, or set outbound.smarthost"
		if err == nil && len(mx) > 0 {
			host = strings.TrimSuffix(mx[0].Host, ".")
		}
	}
	if err := d.greeting(ctx, "tcp", net.JoinHostPort(host, port), host, implicit); err != nil {
		return one(check, Failed, fmt.Sprintf("%s does not answer on port %s: %s", who, port, reason(err)), todo)
	}
	return one(check, OK, fmt.Sprintf("%s answers on port %s", who, port), "")
}

func (d *doctor) resolverOrDefault() *net.Resolver {
	if r := d.resolver(); r != nil {
		return r
	}
	return net.DefaultResolver
}

// lmtpSocket is what a smarthost begins with that listens on a Unix socket.
const lmtpSocket = "lmtp:unix:"

// greeting connects, reads the greeting and takes leave.
func (d *doctor) greeting(ctx context.Context, network, address, host string, implicit bool) error {
	ctx, cancel := context.WithTimeout(ctx, doorTime)
	defer cancel()
	c, err := (&net.Dialer{Resolver: d.resolver()}).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	if implicit {
		v := &visit{hostname: host}
		if c, err = v.handshake(c); err != nil {
			return err
		}
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if !strings.HasPrefix(string(b), "220") {
		return fmt.Errorf("it does not greet as a mail server does")
	}
	_, _ = c.Write([]byte("QUIT\r\n"))
	return nil
}

// blocklists asks whether this machine's addresses are on a list, where that
// matters: mail that leaves by a smarthost carries that one's address.
func (d *doctor) blocklists(ctx context.Context) []Finding {
	const check = "blocklists"
	switch {
	case len(d.Blocklists) == 0 || d.local() && d.Resolver == "":
		return nil
	case d.Smarthost != "":
		return one(check, Skipped, "mail leaves by the smarthost, whose business this is", "")
	case len(d.IPs) == 0:
		return one(check, Skipped, "this machine's public address is not known", "name it with --ip")
	}
	found, err := dns.Listed(ctx, d.Resolver, d.Blocklists, d.IPs)
	if err != nil {
		return one(check, Skipped, err.Error(), "")
	}
	var findings []Finding
	clean := map[netip.Addr][]string{}
	silent := map[string]bool{}
	for _, l := range found {
		switch {
		case l.Unknown != "":
			if !silent[l.List] {
				silent[l.List] = true
				findings = append(findings, Finding{check, Skipped, l.List + ": " + l.Unknown, "ask by a resolver of your own, not by a public one"})
			}
		case l.Listed:
			findings = append(findings, Finding{check, Failed, fmt.Sprintf("%s is on %s: %s", l.IP, l.List, or(l.Reason, "no reason is given")), "have it taken off there"})
		default:
			clean[l.IP] = append(clean[l.IP], l.List)
		}
	}
	for _, ip := range d.IPs {
		if lists := clean[ip.Unmap()]; len(lists) > 0 {
			findings = append(findings, Finding{check, OK, fmt.Sprintf("%s is not on %s", ip.Unmap(), strings.Join(lists, ", ")), ""})
		}
	}
	return findings
}

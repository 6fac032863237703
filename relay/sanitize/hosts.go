package sanitize

import (
	"net/netip"
	"strings"
)

// maxHosts bounds how many hosts are taken from one header.
const maxHosts = 60

// namesHosts reports whether a field, in lower case, says from where a message
// came: the trace fields, and what webmails and filters add.
func namesHosts(name string) bool {
	switch name {
	case "received", "message-id", "received-spf", "x-forwarded-for", "x-forefront-antispam-report", "x-originating-client", "x-helo":
		return true
	}
	return strings.HasPrefix(name, "x-") && (strings.HasSuffix(name, "-ip") || strings.Contains(name, "-ip-") || strings.HasSuffix(name, "-host") ||
		strings.HasSuffix(name, "clientip") || strings.HasSuffix(name, "senderip") || strings.HasSuffix(name, "ipaddress"))
}

// hostsOf collects the host names and addresses that a message's own header
// gives away. The first Received field is the relay's own: of it, only what
// stands behind "from".
func hostsOf(h *header) []string {
	c := hostCollector{seen: map[string]bool{}}
	first := true
	for _, f := range h.fields {
		value := string(f.value[:min(len(f.value), 4000)])
		switch {
		case f.name == "received":
			c.received(value, first)
			first = false
		case f.name == "message-id": // some programs put their computer's name there
			if _, host, ok := cutLast(strings.Trim(strings.TrimSpace(value), "<>"), "@"); ok {
				c.add(host)
			}
		case namesHosts(f.name):
			for _, w := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t,;()[]\"", r) }) {
				for _, label := range []string{"client-ip=", "helo=", "cip:"} {
					if len(w) > len(label) && strings.EqualFold(w[:len(label)], label) {
						w = w[len(label):]
					}
				}
				c.add(w)
			}
		}
	}
	return c.hosts
}

// hostCollector collects what points to a computer, once.
type hostCollector struct {
	hosts []string
	seen  map[string]bool
}

// received takes the hosts of a Received field (RFC 5321 section 4.4).
func (c *hostCollector) received(value string, ours bool) {
	from, by, _ := strings.Cut(" "+strings.Join(strings.Fields(value), " "), " by ")
	for _, w := range strings.FieldsFunc(from, func(r rune) bool { return strings.ContainsRune(" \t()[];", r) }) {
		c.add(strings.TrimPrefix(strings.TrimPrefix(w, "helo="), "HELO="))
	}
	if host, _, _ := strings.Cut(strings.TrimSpace(by), " "); !ours {
		c.add(host)
	}
}

func (c *hostCollector) add(s string) {
	s = strings.ToLower(strings.Trim(s, "[]().,; \t\r\n"))
	s = strings.TrimPrefix(s, "ipv6:")
	if len(c.hosts) >= maxHosts || len(s) < 6 || len(s) > 253 || c.seen[s] {
		return
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		if ip.IsLoopback() || ip.IsUnspecified() {
			return
		}
		if long := ip.StringExpanded(); long != s && !c.seen[long] { // IPv6 has many spellings
			c.seen[long] = true
			c.hosts = append(c.hosts, long)
		}
	} else if strings.ContainsAny(s, "@<>=/:") || strings.HasSuffix(s, ".localdomain") || !strings.Contains(s, ".") && !isComputer(s) {
		return
	}
	c.seen[s] = true
	c.hosts = append(c.hosts, s)
}

// isComputer reports whether a name without points is one that a system gave
// to a computer, and no word: desktop-4f2k9qx.
func isComputer(s string) bool {
	return len(s) >= 10 && strings.Contains(s, "-") && strings.ContainsAny(s, "0123456789")
}

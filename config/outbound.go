package config

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxContact bounds outbound.tls_report_contact.
const maxContact = 200

// routeMX is the route that leads to the domain's MX.
const routeMX = "mx"

// lmtpSocket is what a server begins with that listens on a Unix socket.
const lmtpSocket = "lmtp:" + unixPrefix

// sending checks [outbound].
func (c *checker) sending() {
	o := &c.Outbound
	if o.Smarthost != "" {
		c.server("outbound.smarthost", o.Smarthost, "outbound.smarthost_password_file", o.SmarthostPasswordFile != "")
	} else if o.SmarthostPasswordFile != "" {
		c.problem("outbound.smarthost_password_file", "is of no use without outbound.smarthost")
	}
	c.routes()
	c.sources()
	if o.MaxAge < Duration(time.Hour) || o.MaxAge > Duration(30*24*time.Hour) {
		c.problem("outbound.max_age", "%s is outside 1h to 30d", o.MaxAge)
	}
	if contact := o.TLSReportContact; len(contact) > maxContact || strings.ContainsFunc(contact, unicode.IsControl) {
		c.problem("outbound.tls_report_contact", "must be one line of at most %d octets, such as \"https://example.com/mail\"", maxContact)
	}
	for _, l := range []struct {
		key             string
		value, min, max int
	}{
		{"outbound.connections", o.Connections, 1, 1000},
		{"outbound.connections_per_domain", o.ConnectionsPerDomain, 1, 1000},
		{"outbound.rate_per_domain", o.RatePerDomain, 0, 1000000},
		{"outbound.smarthost_connections", o.SmarthostConnections, 1, 1000},
		{"outbound.smarthost_rate", o.SmarthostRate, 0, 1000000},
	} {
		if l.value < l.min || l.value > l.max {
			c.problem(l.key, "%d is outside %d to %d", l.value, l.min, l.max)
		}
	}
}

// routes checks outbound.routes and the passwords that go with them, and
// brings their domains to the form that addresses have.
func (c *checker) routes() {
	o := &c.Outbound
	routes, files := map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(o.Routes)) {
		key, server := "outbound.routes."+name, o.Routes[name]
		domain := c.routeDomain(key, name)
		file := o.RoutePasswordFiles[name]
		routes[domain] = server
		if file != "" {
			files[domain] = file
		}
		if server != routeMX {
			c.server(key, server, "outbound.route_password_files", file != "")
		} else if file != "" {
			c.problem("outbound.route_password_files."+name, "is of no use: the route leads to the domain's MX")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.RoutePasswordFiles)) {
		if _, ok := o.Routes[name]; !ok {
			c.problem("outbound.route_password_files."+name, "is of no use: outbound.routes has no %q", name)
		}
	}
	o.Routes, o.RoutePasswordFiles = routes, files
}

// routeDomain checks "example.com" or "*.example.com".
func (c *checker) routeDomain(key, name string) string {
	rest, wild := strings.CutPrefix(name, "*.")
	domain := c.hostName(key, rest)
	if domain == c.Domain || strings.HasSuffix(domain, "."+c.Domain) {
		c.problem(key, "is the relay's own domain, where no member has a real address")
	}
	if wild {
		return "*." + domain
	}
	return domain
}

// sources checks outbound.source_addresses.
func (c *checker) sources() {
	const key = "outbound.source_addresses"
	var four, six int
	for _, text := range c.Outbound.SourceAddresses {
		ip, err := netip.ParseAddr(text)
		switch {
		case err != nil || ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "" || ip.Is4In6():
			c.problem(key, "%q is not an IP address of this machine, such as \"192.0.2.25\" or \"2001:db8::25\"", text)
		case ip.Is4():
			four++
		default:
			six++
		}
	}
	if four > 1 || six > 1 {
		c.problem(key, "must hold one IPv4 and one IPv6 address at most")
	}
}

// server checks one that mail is handed to. passwordKey names what goes with a
// user.
func (c *checker) server(key, text, passwordKey string, hasFile bool) {
	if path, ok := strings.CutPrefix(text, lmtpSocket); ok {
		if !strings.HasPrefix(path, "/") {
			c.problem(key, "must name the socket by its whole path, such as \"lmtp:unix:/run/dovecot/lmtp\"")
		} else if hasFile {
			c.problem(passwordKey, "is of no use: %s names no user", key)
		}
		return
	}
	u, err := url.Parse(text)
	if err != nil { // its text would repeat what may hold a password
		c.problem(key, "is not a URL: write one such as \"smtp://host:25\" or \"smtps://user@host:465\"")
		return
	}
	_, hasPassword := u.User.Password()
	_, portErr := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.Scheme != "smtp" && u.Scheme != "smtps" && u.Scheme != "lmtp":
		c.problem(key, "must begin with smtp:// (STARTTLS where offered), smtps:// (TLS from the first octet), lmtp:// or lmtp:unix:")
	case u.Hostname() == "":
		c.problem(key, "names no host: write one such as \"%s://host\"", u.Scheme)
	case u.Port() != "" && portErr != nil:
		c.problem(key, "the port must be a number up to 65535")
	case u.Scheme == "lmtp" && u.Port() == "25":
		c.problem(key, "LMTP must not be spoken on port 25 (RFC 2033 section 5): it is 24 if none is named")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		c.problem(key, "must end with the host and port")
	case hasPassword:
		c.problem(key, "holds a password: write it to a file (mode 0600) and name that in %s", passwordKey)
	case u.User.Username() != "" && !hasFile:
		c.problem(key, "names a user: set %s as well", passwordKey)
	case u.User.Username() == "" && hasFile:
		c.problem(passwordKey, "is of no use while %s names no user (smtps://user@host:465)", key)
	}
}

package config

import (
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/stagedoor/stagedoor/threading"
)

// Bounds of values.
const (
	minMessage = 64 * KB
	maxMessage = 200 * MB
	// maxDomain leaves room for a local part of 64 octets and the @ within the
	// 254 octets of an address (RFC 5321 section 4.5.3.1.3).
	maxDomain = 254 - threading.MaxLocalPart - 1
)

// checker collects what is wrong with the values.
type checker struct {
	*Config
	problems Problems
}

func (c *checker) problem(key, format string, args ...any) {
	c.problems = append(c.problems, c.origin.problem(key, format, args...))
}

// check looks at every value and brings names to their canonical form.
func (c *Config) check() Problems {
	k := &checker{Config: c}
	k.names()
	k.notifications()
	k.urls()
	k.origins()
	k.storage()
	k.listeners()
	k.tls()
	k.outbound()
	k.senderAuth()
	k.arcSealers()
	k.networks()
	k.limits()
	k.safety()
	k.scan()
	k.enums(reflect.ValueOf(c).Elem(), "")
	k.problems.sort()
	return k.problems
}

// names checks domain, hostname, brand and operator.
func (c *checker) names() {
	switch {
	case c.Domain == "":
		c.problem("domain", "is missing: set the domain of the relay's addresses, such as domain = %q", exampleDomain)
	default:
		c.Domain = c.hostName("domain", c.Domain)
		if len(c.Domain) > maxDomain {
			c.problem("domain", "is longer than %d octets: addresses in it would be too long (RFC 5321 section 4.5.3.1.3)", maxDomain)
		}
	}
	if c.Hostname != "" {
		c.Hostname = c.hostName("hostname", c.Hostname)
	}
	if err := threading.CheckName(c.Brand); err != nil {
		c.problem("brand", "%s", err)
	}
	if c.Operator != "" {
		c.Operator = c.address("operator", c.Operator)
	}
}

// hostName returns the A-label form of a host name.
func (c *checker) hostName(key, name string) string {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	ascii = strings.ToLower(ascii)
	if _, ipErr := netip.ParseAddr(strings.Trim(name, "[]")); ipErr == nil {
		c.problem(key, "%q is an IP address: a name is needed", name)
	} else if err != nil || ascii == "" || !isHostName(ascii) {
		c.problem(key, "%q is not a host name: use labels of letters, digits and hyphens, parted by dots", name)
	}
	return ascii
}

// isHostName checks the lengths of RFC 1035 section 2.3.4 and the characters
// of RFC 1123 section 2.1.
func isHostName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// address checks the address of a person outside the domain. It is never
// repeated in an error.
func (c *checker) address(key, address string) string {
	canonical, err := threading.Canonical(address)
	if err != nil {
		c.problem(key, "is not an e-mail address: %s", err)
		return address
	}
	domain := canonical[strings.LastIndexByte(canonical, '@')+1:]
	if c.Domain != "" && (domain == c.Domain || strings.HasSuffix(domain, "."+c.Domain)) {
		c.problem(key, "is in the relay's own domain: name a mailbox elsewhere, or mail to it would go round in circles")
	}
	return address
}

// urls checks the addresses of web pages.
func (c *checker) urls() {
	for key, value := range map[string]*string{
		"support_url": &c.SupportURL, "safety_url": &c.SafetyURL, "http.base_url": &c.HTTP.BaseURL,
	} {
		if *value == "" {
			continue
		}
		u, err := url.Parse(*value)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil ||
			strings.ContainsAny(*value, " \t\r\n<>\"") {
			c.problem(key, "%q is not a web address: write one such as \"https://example.com/help\"", *value)
			continue
		}
		if key != "http.base_url" {
			continue
		}
		if u.RawQuery != "" || u.Fragment != "" {
			c.problem(key, "must end with the host or a path: links are made by adding to it")
		}
		*value = strings.TrimSuffix(*value, "/")
	}
}

// origins checks the origins that may embed the contact form: a page that is
// not kept from being changed on its way could show anything around it.
func (c *checker) origins() {
	const key = "http.embed_origins"
	for i, o := range c.HTTP.EmbedOrigins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.User != nil || strings.TrimSuffix(o, "/") != u.Scheme+"://"+u.Host || strings.ContainsAny(o, " \t\r\n<>\"';,*") {
			c.problem(key, "%q is not an origin: write scheme and host only, such as \"https://www.example.com\"", o)
			continue
		}
		if u.Scheme != "https" && (u.Scheme != "http" || !Loopback(net.JoinHostPort(u.Hostname(), "0"))) {
			c.problem(key, "%q must begin with https:// (http:// for this machine's loopback only)", o)
			continue
		}
		c.HTTP.EmbedOrigins[i] = strings.ToLower(u.Scheme + "://" + u.Host)
	}
}

func (c *checker) storage() {
	const key = "storage.dsn"
	path, ok := strings.CutPrefix(c.Storage.DSN, sqlitePrefix)
	switch {
	case strings.HasPrefix(c.Storage.DSN, "postgres:"), strings.HasPrefix(c.Storage.DSN, "postgresql:"):
		c.problem(key, "this version keeps its data in SQLite, not in PostgreSQL: write \"sqlite:PATH\", such as \"sqlite:/var/lib/stagedoor/stagedoor.db\"")
	case !ok:
		c.problem(key, "must be \"sqlite:PATH\", such as \"sqlite:/var/lib/stagedoor/stagedoor.db\"")
	case path == "", strings.HasSuffix(path, "/"), strings.ContainsAny(path, "?#\x00"), strings.HasPrefix(path, ":"):
		c.problem(key, "%q names no file: write \"sqlite:\" and the path of a file, without options", c.Storage.DSN)
	}
	if c.Storage.KeyFile == "" {
		c.problem("storage.key_file", "is empty: name the file that keeps the key; it is made on first start")
	}
	if c.SMTP.MaxMessageSize < minMessage || c.SMTP.MaxMessageSize > maxMessage {
		c.problem("smtp.max_message_size", "%s is outside %s to %s", c.SMTP.MaxMessageSize, minMessage, maxMessage)
	}
}

// listeners checks the listen addresses, each on its own and against one
// another.
func (c *checker) listeners() {
	taken := map[string]string{}
	for _, l := range []struct {
		key  string
		list []string
		unix bool
	}{
		{"smtp.listen", c.SMTP.Listen, false},
		{"lmtp.listen", c.LMTP.Listen, true},
		{"submission.listen", c.Submission.Listen, false},
		{"submission.listen_tls", c.Submission.ListenTLS, false},
		{"imap.listen", c.IMAP.Listen, false},
		{"imap.listen_tls", c.IMAP.ListenTLS, false},
		{"http.listen", c.HTTP.Listen, true},
		{"http.listen_tls", c.HTTP.ListenTLS, false},
		{"metrics.listen", c.Metrics.Listen, true},
	} {
		for _, address := range l.list {
			c.listenAddress(l.key, address, l.unix)
			if other, ok := taken[address]; ok && !strings.HasSuffix(address, ":0") {
				c.problem(l.key, "%q is taken by %s: each listener needs an address of its own", address, other)
			}
			taken[address] = l.key
		}
	}
	for _, l := range []struct {
		section  string
		list     []string
		insecure bool
	}{
		{"submission", c.Submission.Listen, c.Submission.AllowInsecureAuth},
		{"imap", c.IMAP.Listen, c.IMAP.AllowInsecureAuth},
	} {
		i := slices.IndexFunc(l.list, func(a string) bool { return !Loopback(a) })
		if l.insecure && i >= 0 {
			c.problem(l.section+".allow_insecure_auth", "would take passwords in the clear from other machines, because %s.listen has %q: set it to false, or listen on 127.0.0.1 only", l.section, l.list[i])
		}
	}
	if len(c.LMTP.Listen) > 0 && c.SenderAuth.TrustedAuthservID == "" {
		c.problem("lmtp.listen", "needs sender_auth.trusted_authserv_id: set it to the authserv-id that the mail server in front writes into Authentication-Results (RFC 8601)")
	}
}

// listenAddress checks one "host:port" or "unix:path".
func (c *checker) listenAddress(key, address string, unix bool) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		switch {
		case !unix:
			c.problem(key, "%q: this listener needs the peer's IP address, which a Unix socket doesn't tell: write host:port", address)
		case path == "":
			c.problem(key, "%q names no socket: write \"unix:\" and a path", address)
		case len(path) > 100:
			c.problem(key, "%q: the path of a Unix socket may have 100 octets at most", address)
		}
		return
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		c.problem(key, "%q is no listen address: write host:port, such as \"127.0.0.1:2525\" or \"[::1]:2525\"", address)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		c.problem(key, "%q: the port must be a number from 0 to 65535 (0: any free one)", address)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !isHostName(strings.ToLower(host)) {
		c.problem(key, "%q: the host must be an IP address, a name, or nothing for all addresses of this machine", address)
	}
}

func (c *checker) tls() {
	switch {
	case c.TLS.CertFile != "" && c.TLS.KeyFile == "":
		c.problem("tls.cert_file", "needs tls.key_file beside it")
	case c.TLS.CertFile == "" && c.TLS.KeyFile != "":
		c.problem("tls.key_file", "needs tls.cert_file beside it")
	}
	if c.TLS.ACMEEmail == "" {
		return
	}
	const key = "tls.acme_email"
	c.address(key, c.TLS.ACMEEmail)
	switch u, err := url.Parse(c.TLS.ACMEDirectory); {
	case c.TLS.CertFile != "":
		c.problem(key, "and tls.cert_file exclude each other: certificates come by ACME or from files")
	case len(c.HTTP.Listen)+len(c.HTTP.ListenTLS) == 0:
		c.problem(key, "needs a door by which the authority looks: set http.listen_tls = [\":443\"], or http.listen and a web server on port 80 that passes /.well-known/acme-challenge/ on")
	case err != nil || u.Scheme != "https" || u.Host == "":
		c.problem("tls.acme_directory", "%q is not the address of a directory, such as %q", c.TLS.ACMEDirectory, Default().TLS.ACMEDirectory)
	}
}

// outbound checks what mail is signed by and what is asked on its way; what
// [outbound] says stands in outbound.go.
func (c *checker) outbound() {
	c.sending()
	if !isHostName(c.DKIM.Selector + "-9999-ed") { // what rotations add
		c.problem("dkim.selector", "%q can't be part of a DNS name: use lower-case letters, digits and hyphens, 55 at most", c.DKIM.Selector)
	}
	if c.DNS.Resolver != "" {
		if a, err := netip.ParseAddrPort(c.DNS.Resolver); err != nil || a.Port() == 0 {
			c.problem("dns.resolver", "%q is not IP:port, such as \"127.0.0.1:53\" or \"[::1]:53\"", c.DNS.Resolver)
		}
	}
	for _, address := range c.DNS.Addresses {
		if ip, err := netip.ParseAddr(address); err != nil || !ip.IsGlobalUnicast() || ip.Zone() != "" {
			c.problem("dns.addresses", "%q is not a public IP address, such as \"192.0.2.25\" or \"2001:db8::25\"", address)
		}
	}
}

func (c *checker) senderAuth() {
	id := c.SenderAuth.TrustedAuthservID
	if strings.ContainsAny(id, " \t\r\n;\"()=/") {
		c.problem("sender_auth.trusted_authserv_id", "%q is not an authserv-id: write the one word that stands first in the Authentication-Results field, such as \"mail.example.com\"", id)
	}
}

func (c *checker) networks() {
	for _, l := range []struct {
		key  string
		list []string
	}{
		{"webhooks.allow_networks", c.Webhooks.AllowNetworks},
		{"outbound.allow_networks", c.Outbound.AllowNetworks},
	} {
		for _, network := range l.list {
			if _, err := netip.ParsePrefix(network); err != nil {
				c.problem(l.key, "%q is not a network such as \"10.0.0.0/8\" or \"127.0.0.1/32\"", network)
			}
		}
	}
}

func (c *checker) arcSealers() {
	for _, d := range c.SenderAuth.ARCSealers {
		if _, _, err := threading.SplitAddress("x@" + d); err != nil || !strings.Contains(d, ".") {
			c.problem("sender_auth.arc_sealers", "%q is not a domain: write the d= of the forwarder's ARC-Seal field", d)
		}
	}
}

func (c *checker) safety() {
	for _, ext := range c.Safety.RefusedExtensions {
		if ext == "" || len(ext) > 40 || strings.ToLower(ext) != ext || strings.ContainsAny(ext, ". \t") {
			c.problem("safety.refused_extensions", "%q is no extension: write it in lower case and without a dot, such as \"exe\"", ext)
		}
	}
	for _, kind := range c.Safety.RefusedContents {
		if !slices.Contains(refusable, kind) {
			c.problem("safety.refused_contents", "%q is not one of %s", kind, strings.Join(refusable, ", "))
		}
	}
}

// scan checks whom to ask about messages.
func (c *checker) scan() {
	if s := c.Scan.Rspamd; s != "" {
		if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			c.problem("scan.rspamd", "is not the address of a web server: write one such as \"http://127.0.0.1:11333\"")
		}
	}
	if path, ok := strings.CutPrefix(c.Scan.ClamAV, unixPrefix); ok {
		if !strings.HasPrefix(path, "/") {
			c.problem("scan.clamav", "%q: write the whole path of the socket after unix:", c.Scan.ClamAV)
		}
	} else if c.Scan.ClamAV != "" {
		if host, port, err := net.SplitHostPort(c.Scan.ClamAV); err != nil || host == "" || port == "" {
			c.problem("scan.clamav", "%q is neither host:port nor unix:PATH, such as \"unix:/run/clamav/clamd.ctl\"", c.Scan.ClamAV)
		}
	}
	if s := c.Scan.TimeoutSeconds; s < 1 || s > 120 {
		c.problem("scan.timeout_seconds", "%d is outside 1 to 120", s)
	}
	if c.Scan.Virus == ScanPass {
		c.problem("scan.virus", "can't be pass: leave scan.clamav empty instead")
	}
}

func (c *checker) limits() {
	if mb := c.Limits.MailboxMB; mb < 0 || mb > 1000000 {
		c.problem("limits.mailbox_mb", "%d is outside 0 to 1000000", mb)
	}
	for _, l := range []struct {
		key        string
		value, max int
	}{
		{"limits.new_threads_per_hour", c.Limits.NewThreadsPerHour, 100000},
		{"limits.new_threads_per_day", c.Limits.NewThreadsPerDay, 100000},
		{"limits.new_member_days", c.Limits.NewMemberDays, 3650},
		{"limits.new_member_threads_per_hour", c.Limits.NewMemberPerHour, 100000},
		{"limits.new_member_threads_per_day", c.Limits.NewMemberPerDay, 100000},
		{"limits.messages_per_hour", c.Limits.MessagesPerHour, 100000},
		{"limits.forms_per_hour", c.Limits.FormsPerHour, 1000000},
		{"limits.forms_per_ip", c.Limits.FormsPerIP, 1000000},
		{"threads.expire_days", c.Threads.ExpireDays, 36500},
		{"safety.same_text_recipients", c.Safety.SameTextRecipients, 1000000},
		{"safety.same_text_writers", c.Safety.SameTextWriters, 1000000},
	} {
		if l.value < 0 || l.value > l.max {
			c.problem(l.key, "%d is outside 0 to %d", l.value, l.max)
		}
	}
	if d := c.SenderAuth.HoldDays; d < 0 || d > 30 {
		c.problem("sender_auth.hold_days", "%d is outside 0 to 30", d)
	}
	for _, l := range []struct {
		key        string
		value, max int
	}{
		{"limits.max_recipients", c.Limits.MaxRecipients, 1000},
		{"limits.connections", c.Limits.Connections, 100000},
		{"limits.connections_per_ip", c.Limits.ConnectionsPerIP, 100000},
		{"limits.api_per_minute", c.Limits.APIPerMinute, 1000000},
		{"limits.sessions_per_member", c.Limits.SessionsPerMember, 1000},
	} {
		if l.value < 1 || l.value > l.max {
			c.problem(l.key, "%d is outside 1 to %d", l.value, l.max)
		}
	}
}

// enums checks the values that are one of a few.
func (c *checker) enums(v reflect.Value, section string) {
	for i := range v.NumField() {
		name, ok := v.Type().Field(i).Tag.Lookup("toml")
		if !ok {
			continue
		}
		if isSection(v.Field(i).Type()) {
			c.enums(v.Field(i), name)
		} else if e, ok := v.Field(i).Interface().(enum); ok && !slices.Contains(e.values(), v.Field(i).String()) {
			c.problem(join(section, name), "%q is not one of %s", v.Field(i).String(), strings.Join(e.values(), ", "))
		}
	}
}

package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Route is a server that the configuration names: the smarthost, or where the
// mail of one domain goes.
type Route struct {
	// URL is "smtp://host:25", "smtps://user@host:465", "lmtp://host:24",
	// "lmtp:unix:PATH", or MX.
	URL      string
	Password string // of the URL's user; one in the URL counts where it is empty
}

// MX is the Route to the MX of the domain itself.
const MX = "mx"

// nextHop is a Route that was read.
type nextHop struct {
	name           string // what it is bounded and pooled by: URL without password
	host, port     string
	socket         string // path of a Unix socket; then there is no host
	implicitTLS    bool
	lmtp           bool // RFC 2033
	user, password string
}

// parseNextHop reads a Route that is not MX.
func parseNextHop(r Route) (*nextHop, error) {
	if path, ok := strings.CutPrefix(r.URL, "lmtp:unix:"); ok {
		if path == "" {
			return nil, errors.New("the server names no socket: write lmtp:unix: and its path")
		}
		return &nextHop{name: r.URL, socket: path, lmtp: true}, nil
	}
	u, err := url.Parse(r.URL)
	if err != nil { // its text would repeat a password
		return nil, errors.New("the server is not a URL: write one such as smtp://host:25 or smtps://user@host:465")
	}
	n := &nextHop{host: u.Hostname(), port: u.Port(), user: u.User.Username(), password: r.Password}
	if n.password == "" {
		n.password, _ = u.User.Password()
	}
	switch u.Scheme {
	case "smtp":
		n.port = orDefault(n.port, "25")
	case "smtps":
		n.port, n.implicitTLS = orDefault(n.port, "465"), true
	case "lmtp":
		n.port, n.lmtp = orDefault(n.port, "24"), true
	default:
		return nil, errors.New("the server begins with none of smtp://, smtps://, lmtp:// and lmtp:unix: as it must")
	}
	if n.host == "" {
		return nil, fmt.Errorf("the server names no host: write one such as %s://host", u.Scheme)
	}
	if n.user != "" && n.password == "" {
		return nil, errors.New("the server has a user but no password")
	}
	n.name = u.Scheme + "://" + url.PathEscape(n.user) + "@" + net.JoinHostPort(n.host, n.port)
	return n, nil
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// verified: a server that gets a password, or is reached by TLS from the first
// octet, must prove its name.
func (n *nextHop) verified() bool { return n.implicitTLS || n.user != "" }

// private: what is sent there does not leave this machine.
func (n *nextHop) private(addr netip.Addr) bool { return n.socket != "" || addr.IsLoopback() }

// routes say which mail does not go to its domain's MX.
type routes struct {
	smarthost *nextHop            // of all other mail; nil: MX
	domains   map[string]*nextHop // by domain, or "*." and what is above it; nil: MX
	byName    map[string]*nextHop // by nextHop.name
}

func newRoutes(smarthost Route, domains map[string]Route) (routes, error) {
	r := routes{domains: map[string]*nextHop{}, byName: map[string]*nextHop{}}
	read := func(route Route) (*nextHop, error) {
		n, err := parseNextHop(route)
		if err != nil {
			return nil, err
		}
		// Domains with the same server share its connections.
		if known := r.byName[n.name]; known != nil {
			return known, nil
		}
		r.byName[n.name] = n
		return n, nil
	}
	var err error
	if smarthost.URL != "" {
		if r.smarthost, err = read(smarthost); err != nil {
			return r, fmt.Errorf("smarthost: %w", err)
		}
	}
	for domain, route := range domains {
		if route.URL == MX {
			r.domains[domain] = nil
		} else if r.domains[domain], err = read(route); err != nil {
			return r, fmt.Errorf("route of %s: %w", domain, err)
		}
	}
	return r, nil
}

// of returns where a domain's mail goes; nil: to its MX.
func (r routes) of(domain string) *nextHop {
	if n, ok := r.domains[domain]; ok {
		return n
	}
	for rest := domain; ; {
		_, above, ok := strings.Cut(rest, ".")
		if !ok {
			return r.smarthost
		}
		if n, ok := r.domains["*."+above]; ok {
			return n
		}
		rest = above
	}
}

// destination is what a domain's mail is bounded and pooled by: the domain, or
// the server that takes its mail. No domain looks like the name of one.
func (r routes) destination(domain string) string {
	if n := r.of(domain); n != nil {
		return n.name
	}
	return domain
}

package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// maxURL bounds a webhook's URL, in octets.
const maxURL = 2000

// CheckURL says why a webhook can't lead to a URL, or returns nil. A name is
// looked up when it is used.
func CheckURL(text string, allow []netip.Prefix) error {
	if len(text) > maxURL {
		return fmt.Errorf("is longer than %d octets", maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("is not a URL such as https://www.example.com/hook")
	case u.User != nil:
		return errors.New("holds a user name or password: the signature proves who sends")
	case u.Fragment != "":
		return errors.New("has a fragment (#)")
	case u.Scheme == "http" && len(allow) == 0:
		return errors.New("must begin with https://: http:// is for the networks of webhooks.allow_networks")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https://")
	}
	if ip, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]")); err == nil && !reachable(ip, u.Scheme == "https", allow) {
		return errNotPublic
	}
	return nil
}

var errNotPublic = errors.New("leads to an address that is not public: webhooks.allow_networks can allow it")

// special are the networks that are no public hosts, beside what netip knows
// (RFC 6890 and the registries that followed it).
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

// Of IPv6, hosts are in global; nat64 holds the IPv4 Internet (RFC 6052).
var (
	global = netip.MustParsePrefix("2000::/3")
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func within(ip netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// reachable reports whether a webhook may be at an address: a public one, by
// HTTPS, or one that is allowed.
func reachable(ip netip.Addr, secure bool, allow []netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	switch {
	case within(ip, allow):
		return true
	case !secure:
		return false
	case nat64.Contains(ip):
		b := ip.As16()
		return reachable(netip.AddrFrom4([4]byte(b[12:])), secure, allow)
	case ip.Is6() && !global.Contains(ip):
		return false
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !ip.IsLoopback() && !within(ip, special)
}

// client is what sends: by no proxy, to no other place than it is told.
func (o Options) client(secure bool) *http.Client {
	dialer := &net.Dialer{
		Timeout: requestTime, KeepAlive: 30 * time.Second, Resolver: o.Resolver,
		// The address that is connected to, whatever a name said before.
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !reachable(ap.Addr(), secure, o.Allow) {
				return errNotPublic
			}
			return nil
		},
	}
	return &http.Client{
		Timeout:       requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: requestTime,
			ResponseHeaderTimeout: requestTime, MaxResponseHeaderBytes: maxAnswer, MaxConnsPerHost: parallel, MaxIdleConnsPerHost: parallel, IdleConnTimeout: 30 * time.Second,
			DisableCompression: true,
		},
	}
}

// cause is what went wrong with a request, in words of our own.
func cause(err error) string {
	var dns *net.DNSError
	var unknown *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, errNotPublic):
		return errNotPublic.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "its host name is not known"
	case errors.As(err, &dns):
		return "its host name could not be looked up"
	case errors.As(err, &unknown):
		return "its certificate is not trusted"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("did not answer within %s", requestTime)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused the connection"
	}
	return "the connection failed"
}

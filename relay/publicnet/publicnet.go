// Package publicnet tells the addresses of public hosts from others, and keeps
// what others have the relay connect to out of the operator's own network: a
// webhook's URL, the web server of an MTA-STS policy, where a TLS report goes.
//
// What counts is the address that a connection is made to, whatever a name said
// before: Dialer asks then.
package publicnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrNotPublic is why there is no connection.
var ErrNotPublic = errors.New("not a public address")

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

// Within reports whether an address is in one of the networks.
func Within(ip netip.Addr, networks []netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	for _, p := range networks {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// Reachable reports whether an address is a public host's, or in one of the
// networks that are allowed.
func Reachable(ip netip.Addr, allow []netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	switch {
	case Within(ip, allow):
		return true
	case nat64.Contains(ip): // it is as good as the address that it stands for
		b := ip.As16()
		return Reachable(netip.AddrFrom4([4]byte(b[12:])), allow)
	case ip.Is6() && !global.Contains(ip):
		return false
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !Within(ip, special)
}

// Dialer returns a Dialer that connects to addresses only that may reports as
// good. Resolver may be nil: the system's.
func Dialer(resolver *net.Resolver, timeout time.Duration, may func(netip.Addr) bool) *net.Dialer {
	return &net.Dialer{
		Timeout: timeout, KeepAlive: 30 * time.Second, Resolver: resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			if at, err := netip.ParseAddrPort(address); err != nil || !may(at.Addr()) {
				return ErrNotPublic
			}
			return nil
		},
	}
}

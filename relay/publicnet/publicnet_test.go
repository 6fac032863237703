package publicnet

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestReachable(t *testing.T) {
	for ip, want := range map[string]bool{
		"93.184.216.34": true, "2606:4700::1111": true, "::ffff:93.184.216.34": true, "64:ff9b::5db8:d822": true,
		"127.0.0.1": false, "10.1.2.3": false, "192.168.1.1": false, "172.16.0.1": false, // our own
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, // the link's
		"100.64.0.1": false, "100.127.255.255": false, // providers' address translation
		"0.0.0.0": false, "0.1.2.3": false, "::": false, // this network
		"224.0.0.1": false, "239.255.255.255": false, "ff02::1": false, "ff0e::1": false, // multicast
		"240.0.0.1": false, "255.255.255.255": false, // reserved, broadcast
		"198.18.0.1": false, "198.19.255.255": false, // benchmarks
		"192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "2001:db8::1": false, "3fff::1": false, // documentation
		"192.0.0.8": false, "192.88.99.1": false, "2001::1": false, // protocols' own, Teredo
		"2002:7f00:1::": false, "2002:5db8:d822::1": false, // 6to4
		"64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false, // NAT64 of what is not public
		"::1": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false, "fd00::1": false, "fec0::1": false, "100::1": false,
	} {
		if Reachable(netip.MustParseAddr(ip), nil) != want {
			t.Errorf("%s: %v", ip, !want)
		}
	}
	for ip, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "64:ff9b::a01:203": true, "10.2.2.3": false, "127.0.0.1": false, "93.184.216.34": true} {
		if Reachable(netip.MustParseAddr(ip), prefixes("10.1.0.0/16")) != want {
			t.Errorf("with 10.1.0.0/16 allowed: %s: %v", ip, !want)
		}
	}
}

// TestDialer: the address that is connected to counts.
func TestDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, c := range []struct {
		allow []netip.Prefix
		want  error
	}{{nil, ErrNotPublic}, {prefixes("127.0.0.0/8"), nil}} {
		d := Dialer(nil, time.Minute, func(ip netip.Addr) bool { return Reachable(ip, c.allow) })
		conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if !errors.Is(err, c.want) {
			t.Errorf("with %v: %v", c.allow, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

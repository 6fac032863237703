package dns

import (
	"net/netip"
	"strings"
	"testing"
)

func TestListed(t *testing.T) {
	server := serve(t, `
2.0.0.127.good.example. 60 IN A 127.0.0.2
25.2.0.192.good.example. 60 IN A 127.0.0.4
25.2.0.192.good.example. 60 IN TXT "https://good.example/why"
`+"5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.good.example. 60 IN A 127.0.0.3"+`
2.0.0.127.all.example. 60 IN A 127.0.0.2
1.0.0.127.all.example. 60 IN A 127.0.0.2
2.0.0.127.refusing.example. 60 IN A 127.255.255.254
2.0.0.127.parked.example. 60 IN A 192.0.2.1
`)
	ip := netip.MustParseAddr
	for _, c := range []struct {
		list            string
		ip              netip.Addr
		listed          bool
		reason, unknown string
	}{
		{"good.example", ip("192.0.2.25"), true, "https://good.example/why", ""},
		{"good.example", ip("::ffff:192.0.2.25"), true, "https://good.example/why", ""},
		{"good.example", ip("192.0.2.26"), false, "", ""},
		{"good.example", ip("2001:db8::25"), true, "", ""},
		{"all.example", ip("192.0.2.25"), false, "", "as it should"},
		{"silent.example", ip("192.0.2.25"), false, "", "as it should"},
		{"refusing.example", ip("192.0.2.25"), false, "", "127.255.255.254"},
		{"parked.example", ip("192.0.2.25"), false, "", "no listing"},
	} {
		got, err := Listed(t.Context(), server, []string{c.list}, []netip.Addr{c.ip})
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		l := got[0]
		if l.Listed != c.listed || l.Reason != c.reason || !strings.Contains(l.Unknown, c.unknown) || (l.Unknown == "") != (c.unknown == "") {
			t.Errorf("%s of %s: %+v", c.list, c.ip, l)
		}
	}
}

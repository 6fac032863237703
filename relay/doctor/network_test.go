package doctor

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/stagedoor/stagedoor/relay/dns"
)

// resolve answers from a zone file until the test ends.
func resolve(t *testing.T, zone string) (server string) {
	t.Helper()
	records := map[string][]mdns.RR{}
	p := mdns.NewZoneParser(strings.NewReader(zone), ".", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		records[rr.Header().Name] = append(records[rr.Header().Name], rr)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mdns.Server{PacketConn: pc, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		a := new(mdns.Msg)
		a.SetReply(q)
		rrs, known := records[q.Question[0].Name]
		if !known {
			a.Rcode = mdns.RcodeNameError
		}
		for _, rr := range rrs {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				a.Answer = append(a.Answer, rr)
			}
		}
		_ = w.WriteMsg(a)
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return pc.LocalAddr().String()
}

// expect compares findings with "STATE text" patterns, one for each.
func expect(t *testing.T, name string, findings []Finding, want ...string) {
	t.Helper()
	ok := len(findings) == len(want)
	for i := range min(len(findings), len(want)) {
		state, text, _ := strings.Cut(want[i], " ")
		ok = ok && string(findings[i].State) == state && strings.Contains(findings[i].Text, text)
	}
	if !ok {
		t.Errorf("%s:\n%+v\nwant %q", name, findings, want)
	}
}

func TestWeb(t *testing.T) {
	answer := func(status int, text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	door := func(url string) Door {
		return Door{Key: "http.listen", Kind: HTTP, Network: "tcp", Address: strings.TrimPrefix(url, "http://")}
	}
	d := &doctor{Options{Domain: "msg.test", Hostname: "mx.test"}}
	f, _ := d.knock(t.Context(), door(answer(200, "ready\n")))
	expect(t, "ready", []Finding{f}, "ok the database answers")
	f, _ = d.knock(t.Context(), door(answer(503, "not ready\n")))
	expect(t, "not ready", []Finding{f}, "FAIL GET /readyz: 503 not ready")

	expect(t, "no base_url", d.webAddress(t.Context()), "warn is not set")
	d.BaseURL = answer(200, "alive\n")
	expect(t, "the daemon", d.webAddress(t.Context()), "ok leads to the daemon")
	d.BaseURL = answer(200, "<h1>It works!</h1>")
	expect(t, "a web server", d.webAddress(t.Context()), "FAIL answers 200 and is not this daemon")
	d.BaseURL = "http://nowhere.test"
	d.Resolver = resolve(t, "")
	expect(t, "no such name", d.webAddress(t.Context()), "FAIL the name can't be looked up")
}

func TestSTSPolicy(t *testing.T) {
	const policy = "version: STSv1\r\nmode: testing\r\n"
	for _, c := range []struct {
		name, domain string
		answer       func(w http.ResponseWriter, r *http.Request)
		want         string
	}{
		{"there", "msg.test", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Host, "mta-sts.msg.test:") && r.URL.Path == "/.well-known/mta-sts.txt" {
				_, _ = io.WriteString(w, policy)
			}
		}, "ok the policy is where"},
		{"another", "msg.test", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "version: STSv1\r\n") }, "FAIL has another policy"},
		{"moved", "msg.test", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "FAIL answers 302"},
		{"untrusted", "msg.test", nil, "warn no policy at https://mta-sts.msg.test"},
		{"no such name", "other.test", nil, "warn the name can't be looked up"},
	} {
		ca := newAuthority(t)
		cert := ca.issue(t, "mta-sts.msg.test", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		server := httptest.NewUnstartedServer(http.HandlerFunc(c.answer))
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		server.StartTLS()
		t.Cleanup(server.Close)
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		d := &doctor{Options{Domain: c.domain, STSPolicy: policy, HTTPSPort: port, Roots: ca.pool(), Resolver: resolve(t, "mta-sts.msg.test. 60 IN A 127.0.0.1\n")}}
		if c.name == "untrusted" {
			d.Roots = newAuthority(t).pool()
		}
		expect(t, c.name, d.stsPolicy(t.Context()), c.want)
	}
	expect(t, "a name for tests", (&doctor{Options{Domain: "msg.test", STSPolicy: policy}}).stsPolicy(t.Context()), "skip nobody asks")
	expect(t, "none", (&doctor{Options{Domain: "msg.test"}}).stsPolicy(t.Context()))
}

func TestRecords(t *testing.T) {
	records := []dns.Record{
		{Name: "msg.test", Type: "MX", Value: "10 mx.msg.test."},
		{Name: "msg.test", Type: "TXT", Value: "v=spf1 mx -all"},
		{Name: "_imaps._tcp.msg.test", Type: "SRV", Value: "0 1 993 mx.msg.test.", Optional: true},
		{Name: "25.2.0.192.in-addr.arpa", Type: "PTR", Value: "mx.msg.test.", Hint: true},
	}
	const mx, rest = "msg.test. 60 IN MX 10 mx.msg.test.\n", "msg.test. 60 IN TXT \"v=spf1 mx -all\"\n_imaps._tcp.msg.test. 60 IN SRV 0 1 993 mx.msg.test.\n"
	const ptr = "25.2.0.192.in-addr.arpa. 60 IN PTR mx.msg.test.\n"
	for _, c := range []struct {
		name, zone, smarthost string
		records               []dns.Record
		want                  []string
	}{
		{"all", mx + rest + ptr, "", records, []string{"ok 4 of 4"}},
		{"no MX", rest + ptr, "", records, []string{"ok 3 of 4", "FAIL MX msg.test: there is no such record"}},
		{"nothing", "", "", records, []string{"FAIL MX", "FAIL TXT", "warn SRV", "FAIL PTR"}},
		{"no PTR, but a smarthost", mx + rest, "smtp://x.test", records, []string{"ok 3 of 4", "warn PTR"}},
		{"no address of its own", mx + rest, "", records[:3], []string{"ok 3 of 3", "skip its PTR record can't be checked"}},
	} {
		d := &doctor{Options{Domain: "msg.test", Resolver: resolve(t, c.zone), Records: c.records, Smarthost: c.smarthost}}
		expect(t, c.name, d.records(t.Context()), c.want...)
	}
	for domain, local := range map[string]bool{"msg.localhost": true, "localhost": true, "msg.test": true, "msg.example": true, "msg.example.com": false, "test.com": false, "mytest": false} {
		if d := (&doctor{Options{Domain: domain}}); d.local() != local {
			t.Errorf("local(%s) = %v", domain, !local)
		}
	}
}

func TestWayOut(t *testing.T) {
	good := listenTo(t, newAuthority(t).issue(t, "mx.test", now, now), "220 mx\n> QUIT\n221 bye")
	bad := listenTo(t, newAuthority(t).issue(t, "mx.test", now, now), "554 go away")
	_, port, _ := net.SplitHostPort(good)
	_, badPort, _ := net.SplitHostPort(bad)
	socket := filepath.Join(t.TempDir(), "lmtp")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Write([]byte("220 mx LMTP\r\n"))
			_ = c.Close()
		}
	}()
	const zone = "mail.test. 60 IN MX 10 mx.mail.test.\nmx.mail.test. 60 IN A 127.0.0.1\nplain.test. 60 IN A 127.0.0.1\n"
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"the operator's MX", Options{Operator: "me@mail.test", MXPort: port}, "ok the operator's mail server answers on port " + port},
		{"a domain without MX", Options{Operator: "me@plain.test", MXPort: port}, "ok the operator's mail server"},
		{"nobody to try with", Options{MXPort: port}, "skip there is no operator"},
		{"no such domain", Options{Operator: "me@none.test", MXPort: port}, "FAIL the name can't be looked up"},
		{"refused", Options{Operator: "me@mail.test", MXPort: badPort}, "FAIL it does not greet as a mail server does"},
		{"the smarthost", Options{Smarthost: "smtp://" + good, Operator: "me@none.test"}, "ok the smarthost answers"},
		{"a smarthost on a socket", Options{Smarthost: "lmtp:unix:" + socket}, "ok the smarthost answers on its socket"},
		{"a socket that is none", Options{Smarthost: "lmtp:unix:" + socket + ".none"}, "FAIL the smarthost does not answer on its socket"},
		{"TLS that is none", Options{Smarthost: "smtps://user@" + good}, "FAIL the smarthost does not answer"},
	} {
		c.o.Resolver = resolve(t, zone)
		d := &doctor{c.o}
		found := d.wayOut(t.Context())
		expect(t, c.name, found, c.want)
		for _, f := range found {
			if strings.Contains(f.Text+f.Todo, "me@") || strings.Contains(f.Text+f.Todo, ".test") {
				t.Errorf("%s: tells the operator's address: %+v", c.name, f)
			}
		}
	}
}

func TestBlocklists(t *testing.T) {
	server := resolve(t, `
2.0.0.127.list.test. 60 IN A 127.0.0.2
25.2.0.192.list.test. 60 IN A 127.0.0.4
25.2.0.192.list.test. 60 IN TXT "see https://list.test"
2.0.0.127.refusing.test. 60 IN A 127.255.255.254
`)
	listed, clean := netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("192.0.2.26")
	lists := []string{"list.test", "refusing.test"}
	for _, c := range []struct {
		name string
		o    Options
		want []string
	}{
		{"both", Options{IPs: []netip.Addr{listed, clean}, Blocklists: lists}, []string{
			"FAIL 192.0.2.25 is on list.test: see https://list.test", "skip refusing.test: the list answers", "ok 192.0.2.26 is not on list.test"}},
		{"behind a smarthost", Options{IPs: []netip.Addr{listed}, Blocklists: lists, Smarthost: "smtp://x"}, []string{"skip whose business"}},
		{"no address", Options{Blocklists: lists}, []string{"skip public address is not known"}},
		{"no lists", Options{IPs: []netip.Addr{listed}}, nil},
	} {
		c.o.Resolver = server
		expect(t, c.name, (&doctor{c.o}).blocklists(t.Context()), c.want...)
	}
}

// TestValidation: DANE is used where the resolver on this machine vouches for
// its answers.
func TestValidation(t *testing.T) {
	validating := func(ad bool) string {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &mdns.Server{PacketConn: pc, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
			a := new(mdns.Msg)
			a.SetReply(q)
			a.AuthenticatedData = ad
			_ = w.WriteMsg(a)
		})}
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
		return pc.LocalAddr().String()
	}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"it validates", Options{Resolver: validating(true)}, "ok DANE is used"},
		{"it does not", Options{Resolver: validating(false)}, "skip does not validate"},
		{"it is elsewhere", Options{Resolver: "192.0.2.1:53"}, "skip not on this machine"},
		{"a smarthost", Options{Resolver: validating(true), Smarthost: "smtp://127.0.0.1:25"}, "skip the smarthost"},
	} {
		d := &doctor{c.o}
		expect(t, c.name, d.validation(t.Context()), c.want)
	}
}

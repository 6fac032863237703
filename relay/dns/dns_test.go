package dns

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

var update = flag.Bool("update", false, "write the golden files")

// testKey is read from testdata, so that the golden files stay the same.
func testKey(t *testing.T) *rsa.PublicKey {
	t.Helper()
	b, err := os.ReadFile("testdata/public.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*rsa.PublicKey)
}

func testOptions(t *testing.T) Options {
	return Options{
		Domain: "msg.example.com", Hostname: "mx.msg.example.com",
		IPs: []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25")},
		DKIM: []DKIMKey{
			{Selector: "stagedoor", Public: testKey(t)},
			{Selector: "ed", Public: ed25519.NewKeyFromSeed(make([]byte, 32)).Public(), Note: "Signs from tomorrow on."},
		},
		SubmissionTLS: 465, Submission: 587, IMAPTLS: 993, IMAP: 0,
		Web: "msg.example.com", MTASTS: &STSPolicy{Mode: "testing", MX: "mx.msg.example.com", MaxAge: 7 * 24 * time.Hour},
		TLSReports: "postmaster@msg.example.com", CA: "letsencrypt.org",
	}
}

func TestPrint(t *testing.T) {
	withIPs, err := Records(testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions(t)
	o.IPs, o.Smarthost, o.DKIM = nil, "smtp.provider.example", nil
	bare, err := Records(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file  string
		print func(*bytes.Buffer) error
	}{
		{"zone.txt", func(b *bytes.Buffer) error { return WriteZone(b, withIPs) }},
		{"table.txt", func(b *bytes.Buffer) error { return WriteTable(b, bare) }},
		{"records.json", func(b *bytes.Buffer) error { return WriteJSON(b, bare) }},
	} {
		var b bytes.Buffer
		if err := c.print(&b); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile("testdata/"+c.file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs:\n%s", c.file, b.String())
		}
	}
	var back []Record
	var b bytes.Buffer
	if err := WriteJSON(&b, withIPs); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back) != len(withIPs) {
		t.Errorf("the JSON does not read back: %v", err)
	}
}

func TestRecordsRefuse(t *testing.T) {
	if _, err := Records(Options{Domain: "msg.example.com"}); err == nil {
		t.Error("no hostname, no error")
	}
	o := testOptions(t)
	o.DKIM = []DKIMKey{{Selector: "x", Public: "not a key"}}
	if _, err := Records(o); err == nil {
		t.Error("a key that can't be published, no error")
	}
}

// serve answers from a zone file until the test ends. Names in the zone are
// known, others are NXDOMAIN; the name servfail.example fails.
func serve(t *testing.T, zone string) (server string) {
	t.Helper()
	records := map[string][]mdns.RR{}
	p := mdns.NewZoneParser(strings.NewReader(zone), ".", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		name := strings.ToLower(rr.Header().Name)
		records[name] = append(records[name], rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("the zone does not parse: %v", err)
	}
	l, pc := bothProtocols(t)
	handler := mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		a := new(mdns.Msg)
		a.SetReply(q)
		name := strings.ToLower(q.Question[0].Name)
		rrs, known := records[name]
		if !known {
			a.Rcode = mdns.RcodeNameError
		}
		if name == "servfail.example." {
			a.Rcode = mdns.RcodeServerFailure
		}
		for _, rr := range rrs {
			if t := rr.Header().Rrtype; t == q.Question[0].Qtype || t == mdns.TypeCNAME {
				a.Answer = append(a.Answer, mdns.Copy(rr))
			}
		}
		if w.RemoteAddr().Network() == "udp" {
			a.Truncate(512)
		}
		_ = w.WriteMsg(a)
	})
	for _, s := range []*mdns.Server{{PacketConn: pc, Handler: handler}, {Listener: l, Handler: handler}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return pc.LocalAddr().String()
}

// published is the zone as printed, with what the hints stand for.
func published(t *testing.T) (zone string, records []Record) {
	t.Helper()
	records, err := Records(testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteZone(&b, records); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(b.String(), "\n") {
		if rest, ok := strings.CutPrefix(line, "; "); ok && strings.Contains(line, " IN PTR ") {
			line = rest
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), records
}

func TestCheckWhatIsPrinted(t *testing.T) {
	zone, records := published(t)
	findings, err := Check(t.Context(), CheckOptions{Resolver: serve(t, zone)}, records)
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != len(records) {
		t.Errorf("%d findings for %d records", len(findings), len(records))
	}
	for _, f := range findings {
		if f.State != Right {
			t.Errorf("%s %s: %s: %s (found %q)", f.Type, f.Name, f.State, f.Problem, f.Found)
		}
	}
}

func TestCheck(t *testing.T) {
	zone, records := published(t)
	for _, c := range []struct {
		name, old, new string // a change of the zone's text
		at             string // type and name of the record
		state          State
		problem        string
	}{
		{"no MX", "msg.example.com. 3600 IN MX", "elsewhere.example. 3600 IN MX", "MX msg.example.com", Missing, "no such record"},
		{"MX elsewhere", "IN MX 10 mx.msg", "IN MX 10 old.msg", "MX msg.example.com", Different, "10 old.msg.example.com. is published"},
		{"preference is free", "IN MX 10", "IN MX 50", "MX msg.example.com", Right, ""},
		{"a second MX", "", "msg.example.com. 60 IN MX 20 old.example.com.", "MX msg.example.com", Different, "other MX"},
		{"two SPF", "", `msg.example.com. 60 IN TXT "v=spf1 -all"`, "TXT msg.example.com", Different, "one only"},
		{"other TXT", "", `msg.example.com. 60 IN TXT "site-verification=1"`, "TXT msg.example.com", Right, ""},
		{"spf1 is a word", `"v=spf1 mx -all"`, `"v=spf10 mx -all"`, "TXT msg.example.com", Missing, ""},
		{"another SPF", `"v=spf1 mx -all"`, `"v=spf1 ~all"`, "TXT msg.example.com", Different, "does not let 192.0.2.25 send"},
		{"SPF in other case", `"v=spf1 mx -all"`, `"v=spf1  MX -all"`, "TXT msg.example.com", Right, ""},
		{"another key", "p=MII", "p=MIJ", "TXT stagedoor._domainkey.msg.example.com", Different, "signatures fail"},
		{"a key without v=", `"v=DKIM1; k=rsa; p`, `"p`, "TXT stagedoor._domainkey.msg.example.com", Right, ""},
		{"Ed25519 needs k=", `k=ed25519; `, ``, "TXT ed._domainkey.msg.example.com", Different, "k=ed25519 is missing"},
		{"DMARC with reports", `p=reject; adkim=s; aspf=s`, `p=reject; rua=mailto:d@example.com`, "TXT _dmarc.msg.example.com", Right, ""},
		{"DMARC none", `p=reject`, `p=none`, "TXT _dmarc.msg.example.com", Different, "p=none"},
		{"no SPF for EHLO", `"v=spf1 a -all"`, `"x"`, "TXT mx.msg.example.com", Missing, "no such record"},
		{"SRV port", "0 1 993", "0 1 9993", "SRV _imaps._tcp.msg.example.com", Different, "another value"},
		{"SRV priority is free", "0 1 993", "10 5 993", "SRV _imaps._tcp.msg.example.com", Right, ""},
		{"a service not offered", "_imap._tcp.msg.example.com.", "x.example.", "SRV _imap._tcp.msg.example.com", Right, ""},
		{"a service promised", "IN SRV 0 0 0 .", "IN SRV 0 1 143 mx.msg.example.com.", "SRV _imap._tcp.msg.example.com", Different, ""},
		{"A", "IN A 192.0.2.25", "IN A 192.0.2.26", "A mx.msg.example.com", Different, ""},
		{"A is an alias", "mx.msg.example.com. 3600 IN A 192.0.2.25", "mx.msg.example.com. 3600 IN CNAME host.example.", "A mx.msg.example.com", Different, "an alias (CNAME) of host.example."},
		{"SPF, soft", `mx -all`, `mx ~all`, "TXT msg.example.com", Right, ""},
		{"SPF by addresses", `mx -all`, `ip4:192.0.2.0/24 ip6:2001:db8::25 -all`, "TXT msg.example.com", Right, ""},
		{"SPF by another name for us", `mx -all`, `a:mx.msg.example.com -all`, "TXT msg.example.com", Right, ""},
		{"SPF with others", `mx -all`, `include:other.example +mx ip4:198.51.100.7 -all`, "TXT msg.example.com", Right, ""},
		{"SPF for one family", `mx -all`, `ip4:192.0.2.25 -all`, "TXT msg.example.com", Different, "does not let 2001:db8::25 send"},
		{"SPF for all", `mx -all`, `mx +all`, "TXT msg.example.com", Different, "+all lets anybody"},
		{"SPF without an end", `mx -all`, `mx`, "TXT msg.example.com", Different, "end it in -all"},
		{"a key in other pieces", `"v=DKIM1; k=rsa; p=MIIB`, `"v=DKIM1; k=rsa; p=M I" "IB`, "TXT stagedoor._domainkey.msg.example.com", Right, ""},
		{"a withdrawn key", `p=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=`, `p=`, "TXT ed._domainkey.msg.example.com", Different, "withdrawn"},
		{"a key for tests", `k=ed25519;`, `k=ed25519; t=y;`, "TXT ed._domainkey.msg.example.com", Different, "t=y"},
		{"a key for old hashes", `k=ed25519;`, `k=ed25519; h=sha1;`, "TXT ed._domainkey.msg.example.com", Different, "leaves out sha256"},
		{"a key for something else", `k=ed25519;`, `k=ed25519; s=tlsrpt;`, "TXT ed._domainkey.msg.example.com", Different, "not for mail"},
		{"DMARC for half", `p=reject;`, `p=reject; pct=50;`, "TXT _dmarc.msg.example.com", Different, "pct=50"},
		{"an earlier policy", `id=`, `id=1`, "TXT _mta-sts.msg.example.com", Different, "in place of id="},
		{"reports to somebody else", `mailto:postmaster@`, `https://reports.example/`, "TXT _smtp._tls.msg.example.com", Right, ""},
		{"another authority", `issue "letsencrypt.org"`, `issue "pki.goog"`, "CAA msg.example.com", Different, "does not let letsencrypt.org issue"},
		{"an authority and its account", `issue "letsencrypt.org"`, `issue "letsencrypt.org; accounturi=https://a.example/1"`, "CAA msg.example.com", Right, ""},
		{"a name above has CAA", `msg.example.com. 3600 IN CAA 0 issue "letsencrypt.org"`, `example.com. 3600 IN CAA 0 issue "pki.goog"`, "CAA msg.example.com", Different, "at example.com"},
		{"no CAA", `msg.example.com. 3600 IN CAA 0 issue "letsencrypt.org"`, "", "CAA msg.example.com", Missing, "any authority"},
		{"a web name with an address", "mta-sts.msg.example.com. 3600 IN CNAME msg.example.com.", "mta-sts.msg.example.com. 60 IN A 203.0.113.9", "CNAME mta-sts.msg.example.com", Right, ""},
		{"no web name", "mta-sts.msg.example.com. 3600 IN CNAME msg.example.com.", "", "CNAME mta-sts.msg.example.com", Missing, ""},
		{"a web server in front", "\nmsg.example.com. 3600 IN A 192.0.2.25", "\nmsg.example.com. 3600 IN A 203.0.113.9", "A msg.example.com", Right, ""},
		{"no IPv6 for the pages", "\nmsg.example.com. 3600 IN AAAA 2001:db8::25", "", "AAAA msg.example.com", Right, ""},
		{"an address of before", "", "mx.msg.example.com. 60 IN A 198.51.100.7", "A mx.msg.example.com", Different, "198.51.100.7 is published as well"},
		{"PTR", "PTR mx.msg", "PTR host-25", "PTR 25.2.0.192.in-addr.arpa", Different, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := zone
			if c.old != "" {
				changed = strings.ReplaceAll(zone, c.old, c.new)
			} else {
				changed += "\n" + c.new + "\n"
			}
			if changed == zone {
				t.Fatal("the change changes nothing")
			}
			findings, err := Check(t.Context(), CheckOptions{Resolver: serve(t, changed)}, records)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if f.Type+" "+f.Name != c.at {
					continue
				}
				if f.State != c.state || !strings.Contains(f.Problem, c.problem) {
					t.Errorf("%s: %q (found %q), want %s: %q", f.State, f.Problem, f.Found, c.state, c.problem)
				}
				if f.Wrong() != (c.state != Right && f.Type != "PTR" && !(f.Optional && c.state == Missing)) {
					t.Errorf("Wrong() = %v", f.Wrong())
				}
				return
			}
			t.Error("no such finding")
		})
	}
}

func TestCheckWithoutAnswer(t *testing.T) {
	server := serve(t, "")
	findings, err := Check(t.Context(), CheckOptions{Resolver: server}, []Record{{Name: "servfail.example", Type: "MX", Value: "10 mx."}})
	if err != nil || findings[0].State != Unknown || !strings.Contains(findings[0].Problem, "SERVFAIL") {
		t.Errorf("%+v, %v", findings, err)
	}
	if _, err := Check(t.Context(), CheckOptions{Resolver: "no port"}, nil); err == nil {
		t.Error("a resolver without a port, no error")
	}
}

// bothProtocols binds one port for TCP and UDP; the system may have given it to
// somebody else for one of the two.
func bothProtocols(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if pc, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
			return l, pc
		}
		_ = l.Close()
	}
	t.Fatal("no port is free for TCP and UDP")
	return nil, nil
}

func TestSPFNamesTheSmarthost(t *testing.T) {
	for host, want := range map[string]string{
		"relay.provider.example": "v=spf1 mx a:relay.provider.example -all",
		"192.0.2.5":              "v=spf1 mx ip4:192.0.2.5 -all",
		"2001:db8::5":            "v=spf1 mx ip6:2001:db8::5 -all",
	} {
		if got := spfValue(Options{Smarthost: host}); got != want {
			t.Errorf("smarthost %s: %s, want %s", host, got, want)
		}
	}
}

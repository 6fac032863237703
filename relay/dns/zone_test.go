package dns

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

// zoneHead makes a zone of the printed lines, as a sysadmin does.
const zoneHead = `$ORIGIN msg.example.com.
@ 3600 IN SOA ns.example.net. hostmaster.example.net. 1 7200 3600 1209600 3600
@ 3600 IN NS ns.example.net.
`

func printedZone(t *testing.T) (string, []Record) {
	t.Helper()
	records, err := Records(testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteZone(&b, records); err != nil {
		t.Fatal(err)
	}
	return b.String(), records
}

// What is printed says the same to a parser as the records do.
func TestTheZoneParses(t *testing.T) {
	zone, records := printedZone(t)
	p := mdns.NewZoneParser(strings.NewReader(zone), ".", "")
	parsed := map[string][]string{}
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		key := mdns.TypeToString[rr.Header().Rrtype] + " " + rr.Header().Name
		parsed[key] = append(parsed[key], valueOf(rr))
		if txt, ok := rr.(*mdns.TXT); ok {
			for _, s := range txt.Txt {
				if len(s) > maxString {
					t.Errorf("%s holds a string of %d octets", key, len(s))
				}
			}
		}
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Hint {
			continue
		}
		found := false
		for _, v := range parsed[r.Type+" "+mdns.Fqdn(r.Name)] {
			found = found || v == r.Value
		}
		if !found {
			t.Errorf("%s %s is not in the zone with %q", r.Type, r.Name, r.Value)
		}
		if r.Strings != nil && strings.Join(r.Strings, "") != r.Value {
			t.Errorf("%s: the pieces are not the value", r.Name)
		}
	}
}

// BIND takes it as well, and finds nothing to say about it.
func TestBINDTakesTheZone(t *testing.T) {
	program, err := exec.LookPath("named-checkzone")
	if err != nil {
		t.Skip("named-checkzone is not installed (Debian: bind9-utils)")
	}
	zone, _ := printedZone(t)
	file := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(file, []byte(zoneHead+zone), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "-i", "local", "-k", "fail", "-n", "fail", "-r", "fail", "-S", "fail", "msg.example.com", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "loaded serial 1") || !strings.HasSuffix(strings.TrimSpace(string(out)), "OK") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestSTSPolicy(t *testing.T) {
	p := STSPolicy{Mode: "enforce", MX: "mx.msg.example.com", MaxAge: 24 * time.Hour}
	if got, want := p.Text(), "version: STSv1\r\nmode: enforce\r\nmx: mx.msg.example.com\r\nmax_age: 86400\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	ids := map[string]string{}
	for _, other := range []STSPolicy{
		p, {Mode: "testing", MX: p.MX, MaxAge: p.MaxAge}, {Mode: p.Mode, MX: "other.example", MaxAge: p.MaxAge}, {Mode: p.Mode, MX: p.MX, MaxAge: time.Hour},
		{Mode: "none", MaxAge: time.Hour},
	} {
		id := other.ID()
		if ids[id] != "" || len(id) > 32 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("the id %q of %+v is another's, or not one", id, other)
		}
		ids[id] = other.Text()
	}
	if p.ID() != (STSPolicy{Mode: "enforce", MX: "mx.msg.example.com", MaxAge: 24 * time.Hour}).ID() {
		t.Error("the same policy has two ids")
	}
}

func TestRecordsFollowTheOptions(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*Options)
		with    []string // "TYPE name value"
		without []string // "TYPE name"
	}{
		{"no HTTPS", func(o *Options) { o.Web = "" }, nil,
			[]string{"TXT _mta-sts.msg.example.com", "CNAME mta-sts.msg.example.com", "CNAME autoconfig.msg.example.com", "SRV _autodiscover._tcp.msg.example.com", "A msg.example.com"}},
		{"no policy", func(o *Options) { o.MTASTS = nil }, []string{"CNAME autoconfig.msg.example.com msg.example.com."},
			[]string{"TXT _mta-sts.msg.example.com", "CNAME mta-sts.msg.example.com"}},
		{"pages on the server's own name", func(o *Options) { o.Web = o.Hostname }, []string{"CNAME mta-sts.msg.example.com mx.msg.example.com."}, []string{"A msg.example.com"}},
		{"pages elsewhere", func(o *Options) { o.Web = "www.example.net" }, []string{"CNAME mta-sts.msg.example.com www.example.net."}, []string{"A www.example.net"}},
		{"the server elsewhere", func(o *Options) { o.Hostname = "mx.example.net" },
			[]string{`CAA mx.example.net 0 issue "letsencrypt.org"`, `CAA msg.example.com 0 issue "letsencrypt.org"`}, nil},
		{"no reports, any authority", func(o *Options) { o.TLSReports, o.CA = "", "" }, nil, []string{"TXT _smtp._tls.msg.example.com", "CAA msg.example.com"}},
	} {
		o := testOptions(t)
		c.change(&o)
		records, err := Records(o)
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, r := range records {
			have[r.Type+" "+r.Name], have[r.Type+" "+r.Name+" "+r.Value] = true, true
		}
		for _, want := range c.with {
			if !have[want] {
				t.Errorf("%s: no %s", c.name, want)
			}
		}
		for _, not := range c.without {
			if have[not] {
				t.Errorf("%s: there is %s", c.name, not)
			}
		}
	}
}

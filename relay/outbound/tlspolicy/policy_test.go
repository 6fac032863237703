package tlspolicy

import (
	"strings"
	"testing"
	"time"
)

func TestParsePolicy(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // Policy.Text; or "error: " and a part of the error
	}{
		{"as RFC 8461 has it", "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n",
			"version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n"},
		{"bare line ends, no last one", "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1", "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1\n"},
		{"odd spaces, another order", "max_age:5\nmx:\tA.Example.  \nmode : enforce\nversion:STSv1 \n\n", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 5\n"},
		{"none needs no mx", "version: STSv1\nmode: none\nmax_age: 0\n", "version: STSv1\nmode: none\nmax_age: 0\n"},
		{"the first of a field counts", "version: STSv1\nmode: testing\nmode: enforce\nmx: a.example\nmax_age: 1\nmax_age: 2\n", "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1\n"},
		{"what is not known is ignored", "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1\nnew_field: x: y\n", "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1\n"},
		{"too long a time is cut to a year", "version: STSv1\nmode: none\nmax_age: 9999999999\n", "version: STSv1\nmode: none\nmax_age: 31557600\n"},
		{"empty", "", "error: version"},
		{"another version", "version: STSv2\nmode: none\nmax_age: 1\n", "error: version"},
		{"another mode", "version: STSv1\nmode: report\nmx: a.example\nmax_age: 1\n", "error: mode"},
		{"no time", "version: STSv1\nmode: none\n", "error: max_age"},
		{"a time with a unit", "version: STSv1\nmode: none\nmax_age: 7d\n", "error: max_age"},
		{"a time that overflows", "version: STSv1\nmode: none\nmax_age: 99999999999999999999\n", "error: max_age"},
		{"no mx", "version: STSv1\nmode: enforce\nmax_age: 1\n", "error: no mx"},
		{"an mx that is none", "version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n", "error: not a domain name"},
		{"a wildcard inside", "version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1\n", "error: not a domain name"},
		{"a page", "<html>\n<body>not here</body>\n", "error: KEY: VALUE"},
		{"too many", "version: STSv1\nmode: enforce\nmax_age: 1\n" + strings.Repeat("mx: a.example\n", 1001), "error: too many"},
		{"too long", strings.Repeat("x: y\n", 20000), "error: 64 KB"},
	} {
		p, err := ParsePolicy(c.text)
		if part, wantError := strings.CutPrefix(c.want, "error: "); wantError {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want an error about %s", c.name, err, part)
			}
			continue
		}
		if err != nil || p.Text() != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, p.Text(), err, c.want)
		}
	}
}

func TestMatches(t *testing.T) {
	p := Policy{MX: []string{"mail.example.com", "*.example.net"}}
	for host, want := range map[string]bool{
		"mail.example.com": true, "MAIL.example.COM.": true, "a.example.net": true,
		"example.net": false, "a.b.example.net": false, "xmail.example.com": false, "example.com": false, "": false, "net": false,
	} {
		if p.Matches(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		records []string
		id      string // empty: there is no policy
	}{
		{[]string{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z"},
		{[]string{"v=STSv1;id=1"}, "1"},
		{[]string{"v=STSv1 ; extra=x ; id = 1 ;"}, "1"},
		{[]string{"something else", "v=STSv1; id=1"}, "1"},
		{[]string{"v=STSv1; id=1", "v=STSv1; id=1"}, ""},
		{[]string{"v=STSv2; id=1"}, ""},
		{[]string{"id=1; v=STSv1"}, ""},
		{[]string{"v=STSv1"}, ""},
		{[]string{"v=STSv1; id="}, ""},
		{[]string{"v=STSv1; id=a-b"}, ""},
		{[]string{"v=STSv1; id=" + strings.Repeat("1", 33)}, ""},
		{nil, ""},
	} {
		if id, ok := parseRecord(c.records); id != c.id && ok || ok != (c.id != "") {
			t.Errorf("%q: %q, %v", c.records, id, ok)
		}
	}
}

// FuzzParsePolicy: what is taken says the same when it is written and read
// again, and is within its bounds.
func FuzzParsePolicy(f *testing.F) {
	f.Add("version: STSv1\r\nmode: enforce\r\nmx: *.example.net\r\nmax_age: 604800\r\n")
	f.Add("version: STSv1\nmode: none\nmax_age: 0")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy(text)
		if err != nil {
			return
		}
		again, err := ParsePolicy(p.Text())
		if err != nil || again.Text() != p.Text() {
			t.Fatalf("%q is read as %q, and that as %q, %v", text, p.Text(), again.Text(), err)
		}
		if p.MaxAge < 0 || p.MaxAge > 366*24*time.Hour || len(p.MX) > maxPatterns {
			t.Fatalf("%q gives %+v", text, p)
		}
		for _, mx := range p.MX {
			if host := strings.Replace(mx, "*", "a", 1); !p.Matches(host) {
				t.Fatalf("%q does not match %q", host, mx)
			}
		}
	})
}

// FuzzParseRecord: an id is one, whatever stands around it.
func FuzzParseRecord(f *testing.F) {
	f.Add("v=STSv1; id=20160831085700Z;")
	f.Add("v=STSv1;id")
	f.Fuzz(func(t *testing.T, record string) {
		id, ok := parseRecord([]string{record})
		if ok && (id == "" || len(id) > 32 || !strings.Contains(record, id)) {
			t.Fatalf("%q has the id %q", record, id)
		}
		if _, twice := parseRecord([]string{record, record}); twice {
			t.Fatalf("%q counts twice", record)
		}
	})
}

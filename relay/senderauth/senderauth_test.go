package senderauth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"
)

func TestFromAddress(t *testing.T) {
	for _, c := range []struct {
		header string
		want   string // empty: refused with err
		err    error
	}{
		{"From: Tess <Tess@Mail.Example>", "Tess@mail.example", nil},
		{"from : tess@mail.example", "tess@mail.example", nil},
		{"From: \"x@stranger.example\" <tess@mail.example>", "tess@mail.example", nil},
		{"From: =?utf-8?q?x=40stranger.example?= <tess@mail.example>", "tess@mail.example", nil},
		{"From: tess@mail.example (x@stranger.example)", "tess@mail.example", nil},
		{"From:\r\n Tess\r\n <tess@mail.example>", "tess@mail.example", nil},
		{"From: tess@bücher.example", "tess@xn--bcher-kva.example", nil},
		{"From: tess@mail.example.", "", errFrom},
		{"Subject: x", "", errNoFrom},
		{"From: a@b.example\r\nFROM: c@d.example", "", errManyFrom},
		{"From: a@b.example, c@d.example", "", errAddresses},
		{"From: group: a@b.example;", "", errGroup},
		{"From: group:;", "", errGroup},
		{"From: <>", "", errFrom},
		{"From: nothing", "", errFrom},
		{"From: \"a b\"@mail.example", "", errFrom},
		{"From: \"x@stranger.example\"@mail.example", "", errFrom},
		{"From: tess@[192.0.2.1]", "", errFrom},
		{"From: tess@localdomain", "", errFrom},
		{"From: te\x00ss@mail.example", "", errFrom},
		{"From: tess@ma\xefl.example", "", errFrom},
		{"From: tess@mail.example <x@stranger.example>", "", errFrom},
		{"From: <@relay.example:tess@mail.example>", "", errFrom},
	} {
		fields, err := readHeader(strings.NewReader(c.header + "\r\n\r\nbody"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := fromAddress(fields)
		if err != c.err || err == nil && got.String() != c.want {
			t.Errorf("%q: %q, %v; want %q, %v", c.header, got, err, c.want, c.err)
		}
	}
}

func message(header string) func() io.Reader {
	return func() io.Reader { return strings.NewReader(header + "\r\n\r\nhello\r\n") }
}

func TestEnvelope(t *testing.T) {
	c := New(Options{Envelope: true})
	for path, want := range map[string]bool{
		"tess@mail.example": true, "TESS@MAIL.example": true, "tess+x@mail.example": false, "x@stranger.example": false, "": false,
	} {
		got, err := c.Check(context.Background(), Input{ReversePath: path, Message: message("From: Tess <tess@mail.example>")})
		if err != nil || got.Aligned != want || got.From != "tess@mail.example" {
			t.Errorf("reverse-path %q: %+v, %v", path, got, err)
		}
	}
}

func TestTrustedAuthservID(t *testing.T) {
	c := New(Options{TrustedAuthservID: "front.example"})
	const from = "\r\nFrom: tess@mail.example"
	for _, x := range []struct {
		name, header string
		aligned      bool
		policy       Policy
	}{
		{"dmarc pass", "Authentication-Results: front.example; dmarc=pass header.from=mail.example" + from, true, PolicyAbsent},
		{"below one Received", "Received: by front.example\r\nAuthentication-Results: front.example; dmarc=pass header.from=mail.example" + from, true, PolicyAbsent},
		{"dkim of a subdomain", "Authentication-Results: front.example; dkim=pass header.d=news.mail.example" + from, true, PolicyAbsent},
		{"spf", "Authentication-Results: front.example; spf=pass smtp.mailfrom=bounce@mail.example" + from, true, PolicyAbsent},
		{"another domain", "Authentication-Results: front.example; dkim=pass header.d=stranger.example; spf=pass smtp.mailfrom=x@stranger.example" + from, false, PolicyAbsent},
		{"dmarc of another From", "Authentication-Results: front.example; dmarc=pass header.from=stranger.example" + from, false, PolicyAbsent},
		{"fail", "Authentication-Results: front.example; dmarc=fail header.from=mail.example" + from, false, PolicyQuarantine},
		{"another server", "Authentication-Results: elsewhere.example; dmarc=pass header.from=mail.example" + from, false, PolicyAbsent},
		{"brought along", "Received: by front.example\r\nReceived: by x\r\nAuthentication-Results: front.example; dmarc=pass header.from=mail.example" + from, false, PolicyAbsent},
		{"none", "Subject: x" + from, false, PolicyAbsent},
	} {
		got, err := c.Check(context.Background(), Input{Message: message(x.header)})
		if err != nil || got.Aligned != x.aligned || got.Policy != x.policy {
			t.Errorf("%s: %+v, %v", x.name, got, err)
		}
	}
}

// zoneServer answers TXT questions from a map; names below servfail fail.
func zoneServer(t *testing.T, txt map[string]string) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg)
		a.SetReply(q)
		name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
		v, ok := txt[name]
		switch {
		case strings.HasSuffix(name, "servfail.example"):
			a.Rcode = dns.RcodeServerFailure
		case !ok:
			a.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeTXT:
			a.Answer = append(a.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{v}})
		}
		_ = w.WriteMsg(a)
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return pc.LocalAddr().String()
}

func TestAligned(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	record := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub)
	c := New(Options{Resolver: zoneServer(t, map[string]string{
		"mail.example":                    "v=spf1 ip4:192.0.2.1 -all",
		"news.mail.example":               "v=spf1 ip4:192.0.2.2 -all",
		"stranger.example":                "v=spf1 +all",
		"s1._domainkey.mail.example":      record,
		"s1._domainkey.news.mail.example": record,
		"s1._domainkey.stranger.example":  record,
		"_dmarc.mail.example":             "v=DMARC1; p=none; sp=reject",
		"_dmarc.strict.example":           "v=DMARC1; p=reject",
		"_dmarc.soft.example":             "v=DMARC1; p=quarantine",
		"s1._domainkey.strict.example":    record,
		"s1._domainkey.other.co.uk":       record,
		"s1._domainkey.unrelated.co.uk":   record,
	})})
	signed := func(from, domain string, change func(*dkim.SignOptions)) string {
		o := &dkim.SignOptions{Domain: domain, Selector: "s1", Signer: key, HeaderKeys: []string{"From", "Subject"}}
		if change != nil {
			change(o)
		}
		var b bytes.Buffer
		if err := dkim.Sign(&b, strings.NewReader("From: "+from+"\r\nSubject: x\r\n\r\nhello\r\n"), o); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	plain := func(from string) string { return "From: " + from + "\r\nSubject: x\r\n\r\nhello\r\n" }
	for _, x := range []struct {
		name, raw, path, ip string
		want                Result
	}{
		{"spf", plain("tess@mail.example"), "tess@mail.example", "192.0.2.1", Result{Aligned: true, Method: "spf"}},
		{"spf of a subdomain", plain("tess@mail.example"), "b@news.mail.example", "192.0.2.2", Result{Aligned: true, Method: "spf"}},
		{"spf from elsewhere", plain("tess@mail.example"), "tess@mail.example", "192.0.2.9", Result{Policy: PolicyNone}},
		{"spf of another domain", plain("tess@mail.example"), "x@stranger.example", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim", signed("tess@mail.example", "mail.example", nil), "", "192.0.2.9", Result{Aligned: true, Method: "dkim"}},
		{"dkim of a subdomain", signed("tess@mail.example", "news.mail.example", nil), "", "192.0.2.9", Result{Aligned: true, Method: "dkim"}},
		{"dkim of another domain", signed("tess@mail.example", "stranger.example", nil), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim expired", signed("tess@mail.example", "mail.example", func(o *dkim.SignOptions) { o.Expiration = time.Now().Add(-time.Hour) }), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim changed", strings.Replace(signed("tess@mail.example", "mail.example", nil), "hello", "hullo", 1), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim with l=", strings.Replace(signed("tess@mail.example", "mail.example", nil), "v=1;", "v=1; l=0;", 1), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"a public suffix is no organisation", signed("x@other.co.uk", "unrelated.co.uk", nil), "", "192.0.2.9", Result{}},
		{"p=reject", plain("x@strict.example"), "", "192.0.2.9", Result{Policy: PolicyReject}},
		{"p=quarantine", plain("x@soft.example"), "", "192.0.2.9", Result{Policy: PolicyQuarantine}},
		{"sp= of the organisation", plain("x@shop.mail.example"), "", "192.0.2.9", Result{Policy: PolicyReject}},
		{"no record", plain("x@nothing.example"), "", "192.0.2.9", Result{}},
		{"DNS fails", plain("x@a.servfail.example"), "x@a.servfail.example", "192.0.2.9", Result{TempError: true}},
		{"From unclear", "From: a@b.example, c@d.example\r\n\r\nx\r\n", "", "192.0.2.9", Result{FromError: errAddresses.Error()}},
	} {
		t.Run(x.name, func(t *testing.T) {
			got, err := c.Check(context.Background(), Input{RemoteIP: net.ParseIP(x.ip), Helo: "client.example", ReversePath: x.path, Message: func() io.Reader { return strings.NewReader(x.raw) }})
			if err != nil {
				t.Fatal(err)
			}
			got.From = ""
			if got != x.want {
				t.Errorf("got %+v, want %+v", got, x.want)
			}
		})
	}
}

func FuzzFrom(f *testing.F) {
	f.Add("From: Tess <tess@mail.example>")
	f.Add("From: g:a@b.example;\r\n x")
	f.Fuzz(func(t *testing.T, header string) {
		fields, err := readHeader(strings.NewReader(header))
		if err != nil {
			t.Fatal(err)
		}
		a, err := fromAddress(fields)
		if err != nil {
			return
		}
		if a.local == "" || a.domain == "" || strings.ContainsAny(a.String(), "\r\n\x00 <>,") || strings.Count(a.String(), "@") != 1 {
			t.Fatalf("%q is taken for %q", header, a)
		}
	})
}

func FuzzAuthenticationResults(f *testing.F) {
	f.Add("front.example; dmarc=pass header.from=mail.example")
	f.Fuzz(func(t *testing.T, value string) {
		trusted([]field{{"Authentication-Results", value}}, "front.example", addrSpec{"tess", "mail.example"})
	})
}

package senderauth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
)

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

func TestAligned(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey := func(bits int) (*rsa.PrivateKey, []byte) {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		return key, der
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	weakKey, weak := rsaKey(768)
	strongKey, strong := rsaKey(2048)
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
		"long.example":                    "v=spf1 " + strings.Repeat("ip4:203.0.113.0/24 ", 60) + "ip4:192.0.2.1 -all",
		"s2._domainkey.mail.example":      failing,
		"s3._domainkey.mail.example":      "v=DKIM1; p=",
		"s4._domainkey.mail.example":      record + "; t=s:y",
		"s5._domainkey.mail.example":      "v=DKIM1; p=" + base64.StdEncoding.EncodeToString(weak),
		"s6._domainkey.mail.example":      "v=DKIM1; p=" + base64.StdEncoding.EncodeToString(strong),
		"helo.mail.example":               "v=spf1 ip4:192.0.2.1 -all",
		"failing.example":                 failing,
		"_dmarc.failing.example":          failing,
		"_dmarc.spf-only.example":         failing,
		"spf-only.example":                "v=spf1 ip4:192.0.2.1 -all",
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
	byHand := func(fields, tags string) string {
		return signByHand(key, "mail.example", fields, tags, []string{"From: tess@mail.example", "Subject: x"}, "hello\r\n")
	}
	mallory := signByHand(key, "mail.example", "from:subject", "", []string{"From: mallory@mail.example", "Subject: x"}, "hello\r\n")
	foreign := strings.TrimSuffix(signed("tess@mail.example", "stranger.example", nil), plain("tess@mail.example"))
	for _, x := range []struct {
		name, raw, path, ip string
		want                Result
	}{
		{"spf", plain("tess@mail.example"), "tess@mail.example", "192.0.2.1", Result{Aligned: true, Method: "spf"}},
		{"spf of a subdomain", plain("tess@mail.example"), "b@news.mail.example", "192.0.2.2", Result{Aligned: true, Method: "spf"}},
		{"spf from elsewhere", plain("tess@mail.example"), "tess@mail.example", "192.0.2.9", Result{Policy: PolicyNone}},
		{"spf of another domain", plain("tess@mail.example"), "x@stranger.example", "192.0.2.9", Result{Policy: PolicyNone}},
		{"spf by TCP", plain("x@long.example"), "x@long.example", "192.0.2.1", Result{Aligned: true, Method: "spf"}},
		{"spf of HELO for a null reverse-path", plain("tess@mail.example"), "", "192.0.2.1", Result{Aligned: true, Method: "spf"}},
		{"spf suffices where the policy can't be asked for", plain("x@spf-only.example"), "x@spf-only.example", "192.0.2.1", Result{Aligned: true, Method: "spf"}},
		{"spf without an IP address", plain("tess@mail.example"), "tess@mail.example", "", Result{Policy: PolicyNone}},
		{"dkim", signed("tess@mail.example", "mail.example", nil), "", "192.0.2.9", Result{Aligned: true, Method: "dkim"}},
		{"dkim of a subdomain", signed("tess@mail.example", "news.mail.example", nil), "", "192.0.2.9", Result{Aligned: true, Method: "dkim"}},
		{"dkim of another domain", signed("tess@mail.example", "stranger.example", nil), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim expired", signed("tess@mail.example", "mail.example", func(o *dkim.SignOptions) { o.Expiration = time.Now().Add(-time.Hour) }), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim changed", strings.Replace(signed("tess@mail.example", "mail.example", nil), "hello", "hullo", 1), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim by hand", byHand("from:subject", ""), "", "192.0.2.9", Result{Aligned: true, Method: "dkim"}},
		{"dkim with l=", byHand("from:subject", "l=7; "), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim without From", byHand("subject", ""), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim key revoked", signed("tess@mail.example", "mail.example", func(o *dkim.SignOptions) { o.Selector = "s3" }), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim key that is only tested", signed("tess@mail.example", "mail.example", func(o *dkim.SignOptions) { o.Selector = "s4" }), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim of RSA", signed("tess@mail.example", "mail.example", func(o *dkim.SignOptions) { o.Selector, o.Signer = "s6", strongKey }), "", "192.0.2.9", Result{Aligned: true, Method: "dkim"}},
		{"dkim of a weak RSA key", signed("tess@mail.example", "mail.example", func(o *dkim.SignOptions) { o.Selector, o.Signer = "s5", weakKey }), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim of SHA-1", strings.Replace(byHand("from:subject", ""), "-sha256", "-sha1", 1), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim for a user of another domain", byHand("from:subject", "i=tess@other.example; "), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"dkim key unknown", signed("tess@mail.example", "mail.example", func(o *dkim.SignOptions) { o.Selector = "s9" }), "", "192.0.2.9", Result{Policy: PolicyNone}},
		{"DNS fails for the dkim key", signed("tess@mail.example", "mail.example", func(o *dkim.SignOptions) { o.Selector = "s2" }), "", "192.0.2.9", Result{Policy: PolicyNone, TempError: true}},
		{"dkim below another's", foreign + signed("tess@mail.example", "mail.example", nil), "", "192.0.2.9", Result{Aligned: true, Method: "dkim"}},
		{"dkim below too many", strings.Repeat(foreign, maxSignatures) + signed("tess@mail.example", "mail.example", nil), "", "192.0.2.9", Result{Policy: PolicyNone}},
		// Somebody else of the same domain signed; what was put on top must not be taken for it.
		{"dkim of a second From", "From: tess@mail.example\r\n" + mallory, "", "192.0.2.9", Result{FromError: errManyFrom.Error()}},
		{"dkim below a line that is no field", "From: tess@mail.example\r\nno field\r\n" + mallory, "", "192.0.2.9", Result{FromError: errManyFrom.Error()}},
		{"dkim below CR CR LF", "From: tess@mail.example\r\n\r\r\n" + mallory, "", "192.0.2.9", Result{FromError: errManyFrom.Error()}},
		{"dkim of an odd name", "From: tess@mail.example\r\n" + strings.Replace(mallory, "From:", "From\v:", 1), "", "192.0.2.9", Result{FromError: errManyFrom.Error()}},
		{"a public suffix is no organisation", signed("x@other.co.uk", "unrelated.co.uk", nil), "", "192.0.2.9", Result{}},
		{"p=reject", plain("x@strict.example"), "", "192.0.2.9", Result{Policy: PolicyReject}},
		{"p=quarantine", plain("x@soft.example"), "", "192.0.2.9", Result{Policy: PolicyQuarantine}},
		{"sp= of the organisation", plain("x@shop.mail.example"), "", "192.0.2.9", Result{Policy: PolicyReject}},
		{"no record", plain("x@nothing.example"), "", "192.0.2.9", Result{}},
		{"DNS fails", plain("x@failing.example"), "x@failing.example", "192.0.2.9", Result{TempError: true}},
		{"From unclear", "From: a@b.example, c@d.example\r\n\r\nx\r\n", "", "192.0.2.9", Result{FromError: errAddresses.Error()}},
	} {
		t.Run(x.name, func(t *testing.T) {
			got, err := c.Check(context.Background(), Input{RemoteIP: net.ParseIP(x.ip), Helo: "helo.mail.example", ReversePath: x.path, Message: func() io.Reader { return strings.NewReader(x.raw) }})
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

// signByHand makes a signature that a signer would not: fields is h=, tags
// stands before b=. It is relaxed/relaxed (RFC 6376 section 3.4) for fields and
// a body that are in that form but for the case of the names.
func signByHand(key ed25519.PrivateKey, domain, fields, tags string, header []string, body string) string {
	bodyHash := sha256.Sum256([]byte(body))
	value := "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=" + domain + "; s=s1; h=" + fields + "; bh=" + base64.StdEncoding.EncodeToString(bodyHash[:]) + "; " + tags + "b="
	var data strings.Builder
	for _, name := range strings.Split(fields, ":") {
		for _, f := range header {
			if k, v, _ := strings.Cut(f, ": "); strings.EqualFold(k, name) {
				data.WriteString(name + ":" + v + "\r\n")
			}
		}
	}
	data.WriteString("dkim-signature:" + value)
	hash := sha256.Sum256([]byte(data.String()))
	return "DKIM-Signature: " + value + base64.StdEncoding.EncodeToString(ed25519.Sign(key, hash[:])) + "\r\n" + strings.Join(header, "\r\n") + "\r\n\r\n" + body
}

func TestDNSThatDoesNotAnswerIsATemporaryError(t *testing.T) {
	c := New(Options{Resolver: zoneServer(t, map[string]string{"mail.example": silent, "_dmarc.mail.example": silent})})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	got, err := c.Check(ctx, Input{RemoteIP: net.ParseIP("192.0.2.1"), Helo: "x", ReversePath: "tess@mail.example", Message: message("From: tess@mail.example")})
	if err != nil || got != (Result{From: "tess@mail.example", TempError: true}) {
		t.Errorf("%+v, %v", got, err)
	}
}

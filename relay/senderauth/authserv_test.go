package senderauth

import (
	"context"
	"strings"
	"testing"
)

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
		{"upper case", "AUTHENTICATION-RESULTS: Front.Example; DMARC=Pass header.from=Mail.Example" + from, true, PolicyAbsent},
		{"folded", "Authentication-Results: front.example;\r\n\tspf=none smtp.mailfrom=x@stranger.example;\r\n\tdmarc=pass header.from=mail.example" + from, true, PolicyAbsent},
		{"with a version", "Authentication-Results: front.example 1; dmarc=pass header.from=mail.example" + from, true, PolicyAbsent},
		{"with comments", "Authentication-Results: (the front) front.example; dkim=pass (2048-bit key; unprotected) header.d=x.example; dmarc=pass (p=none; dis=none) header.from=mail.example" + from, true, PolicyAbsent},
		{"quoted", "Authentication-Results: front.example; dmarc=pass header.from=\"mail.example\"" + from, true, PolicyAbsent},
		{"no result", "Authentication-Results: front.example; none" + from, false, PolicyAbsent},
		{"a prefix of the id", "Authentication-Results: front.example.stranger.example; dmarc=pass header.from=mail.example" + from, false, PolicyAbsent},
		{"the domain as a suffix", "Authentication-Results: front.example; dkim=pass header.d=xmail.example" + from, false, PolicyAbsent},
		// The sender chooses the reverse-path, also one that looks like results.
		{"in a quoted local part", "Authentication-Results: front.example; spf=pass smtp.mailfrom=\"x; dmarc=pass header.from=mail.example; y=\"@stranger.example" + from, false, PolicyAbsent},
		{"an address in a local part", "Authentication-Results: front.example; spf=pass smtp.mailfrom=\"x@mail.example\"@stranger.example" + from, false, PolicyAbsent},
		{"in a comment", "Authentication-Results: front.example; spf=pass (domain of x; dmarc=pass header.from=mail.example; y=z) smtp.mailfrom=x@stranger.example" + from, false, PolicyAbsent},
		{"in a quoted local part in a comment", "Authentication-Results: front.example; spf=pass (domain of \"x); dmarc=pass header.from=mail.example; y=(\"@stranger.example) smtp.mailfrom=x@stranger.example" + from, false, PolicyAbsent},
		{"escaped", "Authentication-Results: front.example; spf=pass smtp.mailfrom=\"x\\\"; dmarc=pass header.from=mail.example; y=\"@stranger.example" + from, false, PolicyAbsent},
		{"a quoted string that does not end", "Authentication-Results: front.example; dmarc=pass header.from=mail.example; x=\"" + from, false, PolicyAbsent},
		{"a comment that does not end", "Authentication-Results: front.example; dmarc=pass header.from=mail.example (" + from, false, PolicyAbsent},
		// Strict alignment, or a forged field that the front did not remove.
		{"dkim although dmarc fails", "Authentication-Results: front.example; dkim=pass header.d=mail.example; dmarc=fail header.from=mail.example" + from, false, PolicyQuarantine},
		{"fail above a forged pass", "Authentication-Results: front.example; dmarc=fail header.from=mail.example\r\nReceived: by front.example\r\nAuthentication-Results: front.example; dmarc=pass header.from=mail.example" + from, false, PolicyQuarantine},
		{"none", "Subject: x" + from, false, PolicyAbsent},
	} {
		got, err := c.Check(context.Background(), Input{Message: message(x.header)})
		if err != nil || got.Aligned != x.aligned || got.Policy != x.policy {
			t.Errorf("%s: %+v, %v", x.name, got, err)
		}
	}
}

// FuzzAuthenticationResults promises that nothing in a quoted string or a
// comment proves anything.
func FuzzAuthenticationResults(f *testing.F) {
	f.Add("x; dmarc=pass header.from=mail.example")
	f.Add("\\")
	f.Add("x) ; dkim=pass header.d=mail.example (")
	f.Fuzz(func(t *testing.T, text string) {
		id, from := "front.example", addrSpec{"tess", "mail.example"}
		trusted([]field{{name: "Authentication-Results", value: text}}, id, from)
		trusted([]field{{name: "Authentication-Results", value: id + "; " + text}}, id, from)
		if strings.ContainsAny(text, `"\`) {
			return
		}
		value := id + `; spf=pass (domain of "` + text + `"@stranger.example) smtp.mailfrom="` + text + `"@stranger.example`
		if aligned, _ := trusted([]field{{name: "Authentication-Results", value: value}}, id, from); aligned {
			t.Fatalf("%q is believed", value)
		}
	})
}

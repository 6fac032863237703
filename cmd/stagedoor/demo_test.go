package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDemo plays the whole conversation: contact, a reply by regular e-mail,
// IDLE, submission, archive and search, over real sockets.
func TestDemo(t *testing.T) {
	var out bytes.Buffer
	if err := demo(context.Background(), &out, io.Discard, true, false); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if n := strings.Count(out.String(), "\n    ok "); n < 25 || strings.Contains(out.String(), "FAIL") {
		t.Errorf("%d checks held:\n%s", n, &out)
	}
}

// The pages that the demo names are there.
func TestTheDemoNamesItsPages(t *testing.T) {
	d, base := apiDaemon(t, nil)
	var out bytes.Buffer
	(&play{out: &out, domain: d.cfg.Domain, imap: ":1", imapTLS: ":2", smtp: ":3", mx: ":4"}).invite(d)
	links := regexp.MustCompile(`http://\S+`).FindAllString(out.String(), -1)
	for _, page := range []string{"/account", "/contact/sam", "/contact/tess", "/healthz"} {
		if !slices.Contains(links, base+page) {
			t.Errorf("%s is not named:\n%s", page, &out)
		}
	}
	for _, link := range links {
		res, err := http.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK { // after a redirect to the sign-in
			t.Errorf("%s: %s", link, res.Status)
		}
	}
}

func TestADemoThatIsNotPrivateFails(t *testing.T) {
	p := &play{out: io.Discard, tess: person{real: "tess.private@homemail.example"}}
	for _, leak := range []string{
		"Subject: x\r\n\r\nWrite to tess.private@homemail.example\r\n",
		"Received: from mx.homemail.example\r\n\r\nhi\r\n",
		"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\ndGVzcy5wcml2YXRlQGhvbWVtYWlsLmV4YW1wbGU=\r\n",
	} {
		before := p.failed
		p.private([]byte(leak), p.tess, "it")
		if p.failed == before {
			t.Errorf("the demo's check does not see the address in %q", leak)
		}
	}
	p.private([]byte("Subject: x\r\n\r\nfine\r\n"), p.tess, "it")
	if p.failed != 3 {
		t.Error("the demo's check sees an address where there is none")
	}
}

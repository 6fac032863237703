package main

import (
	"bytes"
	"context"
	"io"
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

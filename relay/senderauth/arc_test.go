package senderauth

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// forwarder seals messages as it passes them on.
type forwarder struct {
	domain string
	key    ed25519.PrivateKey
}

func newForwarder(t *testing.T, domain string, zone map[string]string) forwarder {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	zone["arc._domainkey."+domain] = "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	return forwarder{domain, private}
}

func (f forwarder) sign(data string) string {
	hash := sha256.Sum256([]byte(data))
	return base64.StdEncoding.EncodeToString(ed25519.Sign(f.key, hash[:]))
}

// seal adds the forwarder's set to a message: its results, and that the chain
// so far was cv.
func (f forwarder) seal(t *testing.T, message, results, cv string) string {
	t.Helper()
	header, err := readHeader(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	sets, err := arcSets(header)
	if err != nil {
		t.Fatal(err)
	}
	i := len(sets) + 1
	_, body, _ := strings.Cut(message, "\r\n\r\n")
	var canonical strings.Builder
	if err := relaxedBody.copy(&canonical, bufio.NewReader(strings.NewReader(body))); err != nil {
		t.Fatal(err)
	}
	bh := sha256.Sum256([]byte(canonical.String()))
	canon := canonicalization{relaxedHeader: true}
	aar := fmt.Sprintf("ARC-Authentication-Results: i=%d; mx.%s; %s\r\n", i, f.domain, results)
	ams := fmt.Sprintf("ARC-Message-Signature: i=%d; a=ed25519-sha256; c=relaxed/relaxed; d=%s; s=arc; h=from:to:subject;\r\n bh=%s; b=", i, f.domain, base64.StdEncoding.EncodeToString(bh[:]))
	var data strings.Builder
	for _, x := range chosen(header, []string{"from", "to", "subject"}) {
		data.WriteString(canon.field(x) + "\r\n")
	}
	ams += f.sign(data.String()+canon.field(parseOne(t, ams))) + "\r\n"
	seal := fmt.Sprintf("ARC-Seal: i=%d; a=ed25519-sha256; d=%s; s=arc; cv=%s; b=", i, f.domain, cv)
	data.Reset()
	for _, s := range sets {
		results := s.results.field
		data.WriteString(canon.field(results) + "\r\n" + canon.field(s.message.field) + "\r\n" + canon.field(s.seal.field) + "\r\n")
	}
	data.WriteString(canon.field(parseOne(t, aar)) + "\r\n" + canon.field(parseOne(t, ams)) + "\r\n" + canon.field(parseOne(t, seal)))
	return seal + f.sign(data.String()) + "\r\n" + ams + aar + message
}

func parseOne(t *testing.T, text string) field {
	t.Helper()
	header, err := readHeader(strings.NewReader(text))
	if err != nil || len(header) != 1 {
		t.Fatal(len(header), err)
	}
	return header[0]
}

// What a forwarder that is trusted saw when the message came to it counts, as
// long as its seal holds.
func TestARC(t *testing.T) {
	zone := map[string]string{"_dmarc.mail.example": "v=DMARC1; p=reject"}
	friend, stranger := newForwarder(t, "forward.example", zone), newForwarder(t, "evil.example", zone)
	broken := newForwarder(t, "slow.example", zone)
	zone["arc._domainkey.slow.example"] = failing
	resolver := zoneServer(t, zone)
	const plain = "From: Tess <tess@mail.example>\r\nTo: t-x@msg.example\r\nSubject: Re: Callback\r\n\r\nYes!\r\n\r\n"
	const pass, fail = "dmarc=pass header.from=mail.example", "dmarc=fail header.from=mail.example; spf=pass smtp.mailfrom=tess@mail.example"
	sealed := friend.seal(t, plain, pass, "none")
	for name, c := range map[string]struct {
		message string
		aligned bool
		temp    bool
	}{
		"sealed by a friend":                       {sealed, true, false},
		"DKIM passed there":                        {friend.seal(t, plain, "dkim=pass header.d=mail.example", "none"), true, false},
		"SPF passed there":                         {friend.seal(t, plain, "spf=pass smtp.mailfrom=tess@mail.example", "none"), true, false},
		"passed for another domain":                {friend.seal(t, plain, "dkim=pass header.d=other.example", "none"), false, false},
		"failed there":                             {friend.seal(t, plain, fail, "none"), false, false},
		"nothing was found there":                  {friend.seal(t, plain, "none", "none"), false, false},
		"sealed by a stranger":                     {stranger.seal(t, plain, pass, "none"), false, false},
		"a stranger, then a friend":                {friend.seal(t, stranger.seal(t, plain, pass, "none"), fail, "pass"), false, false},
		"a stranger, then a friend, passed":        {friend.seal(t, stranger.seal(t, plain, fail, "none"), pass, "pass"), true, false},
		"a friend, then a stranger":                {stranger.seal(t, sealed, pass, "pass"), false, false},
		"not sealed":                               {plain, false, false},
		"another text":                             {strings.Replace(sealed, "Yes!", "No!", 1), false, false},
		"white space was changed":                  {strings.Replace(sealed, "Yes!\r\n", "Yes! \t\r\n", 1), true, false},
		"another From":                             {strings.Replace(sealed, "tess@mail", "sam@mail", 1), false, false},
		"other results":                            {strings.Replace(friend.seal(t, plain, fail, "none"), fail, pass, 1), false, false},
		"a set is missing":                         {strings.Replace(sealed, "ARC-Authentication-Results", "X", 1), false, false},
		"a chain that its first seal calls failed": {friend.seal(t, plain, pass, "fail"), false, false},
		"a first seal that speaks of a chain":      {friend.seal(t, plain, pass, "pass"), false, false},
		"the key can't be asked for":               {broken.seal(t, plain, pass, "none"), false, true},
	} {
		c1 := New(Options{Resolver: resolver, ARCSealers: []string{"forward.example", "Slow.Example."}})
		got, err := c1.Check(context.Background(), Input{RemoteIP: net.ParseIP("192.0.2.1"), Helo: "x", ReversePath: "bounce@forward.example", Message: func() io.Reader { return strings.NewReader(c.message) }})
		if err != nil || got.Aligned != c.aligned || got.TempError != c.temp || c.aligned && got.Method != "arc" || !c.aligned && got.Policy != PolicyReject {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// Nobody is believed who is not named.
	got, err := New(Options{Resolver: resolver}).Check(context.Background(), Input{RemoteIP: net.ParseIP("192.0.2.1"), Helo: "x", ReversePath: "bounce@forward.example", Message: func() io.Reader { return strings.NewReader(sealed) }})
	if err != nil || got.Aligned {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestARCHasBounds(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "ARC-Seal: i=%d; cv=pass\r\nARC-Message-Signature: i=%d\r\nARC-Authentication-Results: i=%d; x\r\n", i+1, i+1, i+1)
	}
	header, err := readHeader(strings.NewReader(b.String() + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if sets, err := arcSets(header); err == nil {
		t.Errorf("%d sets", len(sets))
	}
}

func FuzzARC(f *testing.F) {
	f.Add("ARC-Seal: i=1; cv=none; d=x.example; s=s; b=AA==\r\nARC-Message-Signature: i=1; h=from; d=x.example; bh=; b=\r\nARC-Authentication-Results: i=1; x; spf=pass\r\nFrom: a@x.example\r\n\r\n body \r\n\r\n")
	f.Add("ARC-Seal: i=+1;;=;b")
	c := New(Options{ARCSealers: []string{"x.example"}})
	f.Fuzz(func(t *testing.T, message string) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // no DNS
		header, err := readHeader(strings.NewReader(message))
		if err != nil {
			return
		}
		if _, status, _ := c.chain(ctx, header, func() io.Reader { return strings.NewReader(message) }); status == chainPass {
			t.Error("a chain holds without a key")
		}
		for _, canon := range []bodyCanonicalization{false, relaxedBody} {
			var out strings.Builder
			if err := canon.copy(&out, bufio.NewReader(strings.NewReader(message))); err != nil {
				t.Error(err)
			}
			var again strings.Builder
			if err := canon.copy(&again, bufio.NewReader(strings.NewReader(out.String()))); err != nil || again.String() != out.String() {
				t.Errorf("%q is not canonical: %q", out.String(), again.String())
			}
		}
	})
}

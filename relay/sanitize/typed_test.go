package sanitize

import (
	"bytes"
	"html"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestTypedStays: where the policy allows it, what was typed passes octet for
// octet, whatever it is and whatever is quoted below.
func TestTypedStays(t *testing.T) {
	for seed := range 2000 {
		g := &grower{Rand: rand.New(rand.NewPCG(uint64(seed), 13)), other: "sam@else.example"}
		typed := g.words() + g.typed() + " " + g.words() + g.typed()
		quoted := "\n" + g.quoted()
		raw := "Content-Type: text/plain; charset=utf-8\r\n\r\n" + strings.ReplaceAll(typed+quoted, "\n", "\r\n")
		shownTyped(t, raw, typed, func(s string) string { return s })

		raw = "Content-Type: text/html; charset=utf-8\r\n\r\n<div>" + strings.ReplaceAll(html.EscapeString(typed), "\n", "<br>\r\n") + "</div>" + g.quotedHTML()
		shownTyped(t, raw, strings.ReplaceAll(typed, "\n", "\n "), func(s string) string { return readHTML(s).flow })
	}
}

// typed is an identifier as somebody may type it.
func (g *grower) typed() string {
	s := g.one("jane.roe@realmail.example", "Jane.Roe+films@RealMail.example", "jroe@work.example", "jr@bücher.example", "www.realmail.example", "https://realmail.example/reel?a=1&b=2")
	if at := strings.IndexByte(s, '@'); at > 0 {
		s = g.one(s, s, s[:at]+" (at) "+s[at+1:], s[:at]+" [at] "+strings.ReplaceAll(s[at+1:], ".", " dot "), "<"+s+">", "mailto:"+s, s[:at]+"\u200b"+s[at:])
	}
	return g.one("Write to ", "mine: ", "", "(", "E-mail: ") + s
}

// shownTyped checks that a rewritten message begins with what was typed.
func shownTyped(t *testing.T, raw, typed string, shown func(string) string) {
	t.Helper()
	var out bytes.Buffer
	res, err := Rewrite(&out, strings.NewReader(raw), Options{Identity: planted, Domain: "msg.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), planted, TypedAllow); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	src := memSource(append(append(bytes.Clone(res.MIMEFields), "\r\n"...), out.Bytes()...))
	rw := &rewriter{}
	root, err := index(src, rw)
	if err != nil {
		t.Fatal(err)
	}
	text, err := rw.text(root, src)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(shown(text), typed) {
		t.Fatalf("typed\n%q\nbut shown is\n%q\n%s", typed, shown(text), raw)
	}
}

package sanitize

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestOthersByPlace: what becomes of an address that is not the writer's
// depends on where it stands, never on which one it is. So nobody learns from
// an answer, or from their copy, whether a guess is somebody's address: all
// that Rewrite is told of people is who the writer is.
func TestOthersByPlace(t *testing.T) {
	for _, pair := range [][2]string{
		{"sam@else.example", "tom@else.example"},                         // of the other side, or nobody's
		{"sam@gmail.com", "tom@gmail.com"},                               // at the writer's provider
		{"ann@realmail.example", "eve@realmail.example"},                 // in the writer's own domain
		{"sam@msg.example.com", "tom@msg.example.com"},                   // contact addresses: there is one, there is none
		{"t-aaaaaaaaaa@msg.example.com", "t-bbbbbbbbbb@msg.example.com"}, // aliases: issued to somebody, to nobody
		{"b-aaaaaaaaaa@msg.example.com", "b-bbbbbbbbbb@msg.example.com"},
		{"jane.rod@realmail.example", "jane.rof@realmail.example"}, // next to the writer's
	} {
		for seed := range 200 {
			typed := []Typed{TypedAllow, TypedRedact, TypedRefuse}[seed%3]
			outcome := func(address string) string {
				g := &grower{Rand: rand.New(rand.NewPCG(uint64(seed), 11)), other: address}
				return strings.ReplaceAll(outcomeOf(t, g.message(), typed), address, "[guess]")
			}
			if a, b := outcome(pair[0]), outcome(pair[1]); a != b {
				t.Fatalf("%s and %s make a difference (seed %d, %s):\n%s\n=====\n%s", pair[0], pair[1], seed, typed, a, b)
			}
		}
	}
}

// outcomeOf is all that can be seen of a message's treatment: the refusal, or
// the decoded parts of the result, their fields and what the gate says.
func outcomeOf(t *testing.T, raw []byte, typed Typed) string {
	o := Options{Identity: jane, Typed: typed, Rand: zeros{}, Domain: "msg.example.com"}
	o.Identity.Addresses = append(o.Identity.Addresses, "jane.roe@gmail.com")
	var out bytes.Buffer
	res, err := Rewrite(&out, bytes.NewReader(raw), o)
	if err != nil {
		return "refused: " + err.Error()
	}
	id := o.Identity
	id.Hosts = res.Hosts
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%q\n%v\n", res.Subject, res.Repaired, Check(res.MIMEFields, bytes.NewReader(out.Bytes()), id, typed))
	decodedTo(t, &b, append(append(bytes.Clone(res.MIMEFields), "\r\n"...), out.Bytes()...))
	return b.String()
}

// decodedTo writes the fields and decoded bodies of a message, and of those in it.
func decodedTo(t *testing.T, b *strings.Builder, raw []byte) {
	rw, src := &rewriter{}, memSource(raw)
	root, err := index(src, rw)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(p *part)
	walk = func(p *part) {
		for _, f := range p.head.fields {
			fmt.Fprintf(b, "%s: %s\n", f.name, f.value)
		}
		for _, c := range p.children {
			walk(c)
		}
		if len(p.children) > 0 {
			return
		}
		body, err := io.ReadAll(rw.body(p, src))
		if err != nil {
			t.Fatal(err)
		}
		if p.kind == "message/rfc822" {
			decodedTo(t, b, body)
			return
		}
		b.Write(body)
	}
	walk(root)
}

// TestTypedPolicies: the same text under the three policies, where only its
// place differs.
func TestTypedPolicies(t *testing.T) {
	for name, c := range map[string]struct{ text, allow, redact, refuse string }{
		"typed":                {"Write to jane.roe@realmail.example!", "Write to jane.roe@realmail.example!", "Write to Jane Roe!", "refused"},
		"typed otherwise":      {"jane.roe [at] realmail.example", "jane.roe [at] realmail.example", "Jane Roe", "refused"},
		"with a tag":           {"jane.roe+set@realmail.example", "jane.roe+set@realmail.example", "Jane Roe", "refused"},
		"second address":       {"or jroe@work.example", "or jroe@work.example", "or Jane Roe", "refused"},
		"between answers":      {"> q\nMine: jane.roe@realmail.example\n> q", "> q\nMine: jane.roe@realmail.example\n> q", "> q\nMine: Jane Roe\n> q", "refused"},
		"domain":               {"See www.realmail.example", "See www.realmail.example", "See www.realmail.example", "See www.realmail.example"},
		"another's":            {"Write to sam@else.example", "Write to sam@else.example", "Write to sam@else.example", "Write to sam@else.example"},
		"quoted":               {"> jane.roe@realmail.example", "> Jane Roe", "> Jane Roe", "> Jane Roe"},
		"below the separator":  {"Yes.\n-- \nJane, jane.roe@realmail.example", "Yes.\n-- \nJane, Jane Roe", "Yes.\n-- \nJane, Jane Roe", "Yes.\n-- \nJane, Jane Roe"},
		"of a program":         {"Sent from the account of jane.roe@realmail.example", "Sent from the account of Jane Roe", "Sent from the account of Jane Roe", "Sent from the account of Jane Roe"},
		"in a phone's line":    {"Von meinem iPhone gesendet (jane.roe@realmail.example)", "Von meinem iPhone gesendet Jane Roe", "Von meinem iPhone gesendet Jane Roe", "Von meinem iPhone gesendet Jane Roe"},
		"one label":            {"Reply-To: jane.roe@realmail.example", "Reply-To: Jane Roe", "Reply-To: Jane Roe", "Reply-To: Jane Roe"},
		"a label people write": {"E-mail: jane.roe@realmail.example", "E-mail: jane.roe@realmail.example", "E-mail: Jane Roe", "refused"},
		"an alias":             {"It is t-k3x9qdm2w7@msg.example.com", "It is [address hidden]", "It is [address hidden]", "It is [address hidden]"},
		"a contact address":    {"It is sam@msg.example.com", "It is sam@msg.example.com", "It is sam@msg.example.com", "It is sam@msg.example.com"},
	} {
		for typed, want := range map[Typed]string{TypedAllow: c.allow, TypedRedact: c.redact, TypedRefuse: c.refuse} {
			rw := &rewriter{o: Options{Identity: jane, Typed: typed}, id: compile(&jane)}
			got, err := rw.plainText(c.text, false)
			if err != nil {
				got = "refused"
			}
			if got != want {
				t.Errorf("%s, %s: is %q, want %q", name, typed, got, want)
			}
		}
	}
}

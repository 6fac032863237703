package senderauth

import (
	"context"
	"io"
	"strings"
	"testing"
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
		// A display name counts for nothing, in whatever charset.
		{"From: =?windows-1252?q?Ren=E9?= <tess@mail.example>", "tess@mail.example", nil},
		{"From: =?iso-2022-jp?B?GyRCOzMbKEI=?= <tess@mail.example>", "tess@mail.example", nil},
		{"From: =?x-nope?q?=00?= <tess@mail.example>", "tess@mail.example", nil},
		{"From: =?utf-8?q?x=2C_y?= <tess@mail.example>", "tess@mail.example", nil},
		{"From: =?utf-8?q?=3Cx=40stranger.example=3E?= <tess@mail.example>", "tess@mail.example", nil},
		{"From: \"Tess: home\" <tess@mail.example>", "tess@mail.example", nil},
		{"From: Tess (home: x) <tess@mail.example>", "tess@mail.example", nil},
		{"From: \"a\\\" <x@stranger.example>\" <tess@mail.example>", "tess@mail.example", nil},
		// An encoded word is no address.
		{"From: =?utf-8?q?tess=40mail.example?=", "", errFrom},
		{"From: =?utf-8?q?tess?=@mail.example", "=?utf-8?q?tess?=@mail.example", nil},
		{"From: <=?utf-8?q?tess=40mail.example=3E?= x@stranger.example>", "", errFrom},
		// Local parts.
		{"From: \"tess\"@mail.example", "tess@mail.example", nil},
		{"From: \"\"@mail.example", "", errFrom},
		{"From: \"a\\\"b\"@mail.example", "", errFrom},
		{"From: .tess@mail.example", "", errFrom},
		{"From: te..ss@mail.example", "", errFrom},
		{"From: tess\u200b@mail.example", "tess\u200b@mail.example", nil}, // another mailbox, nobody's
		// Comments inside an address are read in many ways.
		{"From: tess(x)@mail.example", "", errFrom},
		{"From: tess@(x@stranger.example)mail.example", "", errFrom},
		{"From: (x) tess@mail.example", "", errFrom},
		{"From: tess@mail.example (x", "", errFrom},
		// Domains that look alike are others, or the same, or none.
		{"From: tess@m\u0430il.example", "tess@xn--mil-6cd.example", nil}, // Cyrillic а
		{"From: tess@\uff4dail.example", "tess@mail.example", nil},        // full-width m
		{"From: tess@mail\u3002example", "tess@mail.example", nil},        // ideographic full stop
		{"From: tess@xn--bcher-kva.example", "tess@xn--bcher-kva.example", nil},
		{"From: tess@xn--a.example", "", errFrom},
		{"From: tess@mail..example", "", errFrom},
		{"From: tess@-mail.example", "", errFrom},
		{"From: tess@mail.example%00.stranger.example", "", errFrom},
		{"From: tess@stranger.example\u2044.mail.example", "tess@stranger.xn--example-7d7c.mail.example", nil}, // a fraction slash
		{"From: " + strings.Repeat("a", 250) + "@mail.example", "", errFrom},
		{"Subject: x", "", errNoFrom},
		{"X-From: tess@mail.example", "", errNoFrom},
		// What some program could read as another From field.
		{"From: a@b.example\r\nno field\r\nFrom: c@d.example", "", errManyFrom},
		{"From: a@b.example\r\n\r\r\nFrom: c@d.example", "", errManyFrom},
		{"From: a@b.example\r\nFrom\v: c@d.example", "", errManyFrom},
		{"From: a@b.example\r\nFr\x00om: c@d.example", "", errManyFrom},
		{"From: a@b.example\r\nFrom\r\n c@d.example", "", errManyFrom},
		{"From: a@b.example\nFrom: c@d.example", "", errManyFrom},
		{" From: a@b.example\r\nFrom: c@d.example", "", errManyFrom},
		{"From\u00a0: a@b.example", "", errFrom},
		{" From: a@b.example", "", errFrom},
		{"From: a@b.example\r\r\n", "", errFrom},
		// It ends with the header, and other fields are no From.
		{"From: tess@mail.example\r\n\r\nFrom: x@stranger.example", "tess@mail.example", nil},
		{"From: tess@mail.example\r\nSubject: a\r\n From: x@stranger.example", "tess@mail.example", nil},
		{"From: a@b.example\r\nFROM: c@d.example", "", errManyFrom},
		{"From: a@b.example, c@d.example", "", errAddresses},
		{"From: group: a@b.example;", "", errGroup},
		{"From: group:;", "", errGroup},
		{"From: <>", "", errFrom},
		{"From: nothing", "", errFrom},
		{"From: a@b.example, group: c@d.example;", "", errGroup},
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

func TestALongHeaderProvesNobody(t *testing.T) {
	raw := "From: tess@mail.example\r\nX-Padding: " + strings.Repeat("x", maxHeader) + "\r\nFrom: x@stranger.example\r\n\r\n"
	got, err := New(Options{Envelope: true}).Check(context.Background(), Input{ReversePath: "tess@mail.example", Message: func() io.Reader { return strings.NewReader(raw) }})
	if err != nil || got != (Result{FromError: errLongHeader.Error()}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzFrom(f *testing.F) {
	f.Add("From: Tess <tess@mail.example>")
	f.Add("From: g:a@b.example;\r\n x")
	f.Add("From: \"x\\\"@y\" (c (d)) <a@b.example>\r\nno field\r\nFrom\v: x")
	f.Add("From: =?x-nope?q?=00?= <@r.example:a@b\u3002example>, b@c.example")
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

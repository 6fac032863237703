package imapd

import (
	"reflect"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		value string
		want  []Address
	}{
		{"Tess <tess@msg.example.com>", []Address{{Name: "Tess", Mailbox: "tess", Host: "msg.example.com"}}},
		{`"Casting, Sam" <t-a@x.example>, b@y.example`, []Address{{Name: "Casting, Sam", Mailbox: "t-a", Host: "x.example"}, {Mailbox: "b", Host: "y.example"}}},
		{`"Sam \"the man\" C" <s@x.example>`, []Address{{Name: `Sam "the man" C`, Mailbox: "s", Host: "x.example"}}},
		{"=?utf-8?q?J=C3=BCrgen?= <j@x.example>", []Address{{Name: "=?utf-8?q?J=C3=BCrgen?=", Mailbox: "j", Host: "x.example"}}},
		{"J\xfcrgen <j@x.example>", []Address{{Name: "=?utf-8?q?J=C3=BCrgen?=", Mailbox: "j", Host: "x.example"}}},
		{"Friends: a@x.example, B <b@x.example>;, c@x.example", []Address{{Mailbox: "Friends"}, {Mailbox: "a", Host: "x.example"}, {Name: "B", Mailbox: "b", Host: "x.example"}, {}, {Mailbox: "c", Host: "x.example"}}},
		{"undisclosed-recipients:;", []Address{{Mailbox: "undisclosed-recipients"}, {}}},
		{"open: a@x.example", []Address{{Mailbox: "open"}, {Mailbox: "a", Host: "x.example"}, {}}},
		{"Sam [Casting] <sam@x.example>, nonsense, b@y.example", []Address{{Name: "Sam [Casting]", Mailbox: "sam", Host: "x.example"}, {Mailbox: "b", Host: "y.example"}}},
		{"user@domain (Real (old) Name)", []Address{{Name: "Real (old) Name", Mailbox: "user", Host: "domain"}}},
		{"<@a,@b:user@domain>", []Address{{Route: "@a,@b", Mailbox: "user", Host: "domain"}}},
		{"<sam (the \\) agent) @ (his)\tagency . example>", []Address{{Mailbox: "sam", Host: "agency.example"}}},
		{`<"a (b) c" @x.example>`, []Address{{Mailbox: "a (b) c", Host: "x.example"}}},
		{"Big   Name\t<x@y>", []Address{{Name: "Big Name", Mailbox: "x", Host: "y"}}},
		{`"a b"@x.example`, nil},
		{"", nil},
		{"@", nil},
		{"a@", nil},
		{"<>", nil},
		{"(", nil},
		{`"`, nil},
	} {
		got := addresses(c.value)
		if len(got) != len(c.want) || len(got) > 0 && !reflect.DeepEqual(got, c.want) {
			t.Errorf("addresses(%q) = %+v, want %+v", c.value, got, c.want)
		}
	}
	if n := len(addresses(strings.Repeat("a@x.example, ", 5000) + "b@x.example")); n != maxAddresses {
		t.Errorf("%d addresses of one field", n)
	}
}

func TestEnvelopeTakesTheFirstOfEachField(t *testing.T) {
	e := envelope([]byte("subject : one\r\nSubject: two\r\nFrom: a@x.example\r\nDate: nonsense\r\nIn-Reply-To: <1@x> \"noise\" <2@x>\r\n (folded) <3@x>\r\nMessage-Id: no brackets\r\n\r\nSubject: three\r\n"))
	if e.Subject != "one" || e.Date != "nonsense" || e.MessageID != "no brackets" || e.InReplyTo != `<1@x> "noise" <2@x> (folded) <3@x>` {
		t.Errorf("%+v", e)
	}
	if len(e.Sender) != 1 || len(e.ReplyTo) != 1 {
		t.Errorf("Sender and Reply-To are not From's: %+v", e)
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("From: \"a\" <b@c>\r\nTo: x:;\r\nSubject: =?utf-8?q?=0D=0A?=\r\nDate: Tue, 1 Sep 2026 08:00:00 +0000\r\n\r\n"))
	f.Add([]byte("From: =?x-unknown?b?////?= <@>\r\n\tfolded\r\nIn-Reply-To: <<<>>>\n\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		e := envelope(header)
		for _, list := range [][]Address{e.From, e.Sender, e.ReplyTo, e.To, e.Cc, e.Bcc} {
			for _, a := range list {
				if a.Mailbox == "" && a != (Address{}) {
					t.Fatalf("an address without an address: %+v", a)
				}
				for _, s := range []string{a.Name, a.Route, a.Mailbox, a.Host} {
					if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
						t.Fatalf("%q is not printable ASCII", s)
					}
				}
			}
			if len(list) > maxAddresses+1 {
				t.Fatalf("%d addresses", len(list))
			}
		}
		for _, s := range []string{e.MessageID, e.InReplyTo, e.Subject, e.Date} {
			if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
				t.Fatalf("%q is not printable ASCII", s)
			}
		}
		var all int
		for _, field := range rawFields(header) {
			all += len(field)
		}
		if all > len(header) {
			t.Fatalf("fields of %d octets in a header of %d", all, len(header))
		}
		sentDate(header)
	})
}

package imapd

import (
	"reflect"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		value string
		want  []imap.Address
	}{
		{"Tess <tess@msg.example.com>", []imap.Address{{Name: "Tess", Mailbox: "tess", Host: "msg.example.com"}}},
		{`"Casting, Sam" <t-a@x.example>, b@y.example`, []imap.Address{{Name: "Casting, Sam", Mailbox: "t-a", Host: "x.example"}, {Mailbox: "b", Host: "y.example"}}},
		{"=?utf-8?q?J=C3=BCrgen?= <j@x.example>", []imap.Address{{Name: "Jürgen", Mailbox: "j", Host: "x.example"}}},
		{"=?iso-8859-15?b?SvxyZ2Vu?= <j@x.example>", []imap.Address{{Name: "Jürgen", Mailbox: "j", Host: "x.example"}}},
		{"J\xfcrgen <j@x.example>", []imap.Address{{Name: "Jürgen", Mailbox: "j", Host: "x.example"}}},
		{"Friends: a@x.example, b@x.example;", []imap.Address{{Mailbox: "a", Host: "x.example"}, {Mailbox: "b", Host: "x.example"}}},
		{"undisclosed-recipients:;", nil},
		{"Sam [Casting] <sam@x.example>, nonsense, b@y.example", []imap.Address{{Name: "Sam [Casting]", Mailbox: "sam", Host: "x.example"}, {Mailbox: "b", Host: "y.example"}}},
		{"", nil},
		{"@", nil},
		{"a@", nil},
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
	if e.Subject != "one" || !e.Date.IsZero() || e.MessageID != "" || !reflect.DeepEqual(e.InReplyTo, []string{"1@x", "2@x", "3@x"}) {
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
		for _, list := range [][]imap.Address{e.From, e.Sender, e.ReplyTo, e.To, e.Cc, e.Bcc} {
			for _, a := range list {
				if a.Mailbox == "" && a.Host == "" {
					t.Fatalf("an address without an address: %+v", a)
				}
			}
			if len(list) > maxAddresses {
				t.Fatalf("%d addresses", len(list))
			}
		}
		for _, s := range []string{e.MessageID, strings.Join(e.InReplyTo, "")} {
			if strings.ContainsAny(s, ">\r\n") {
				t.Fatalf("an ID holds %q", s)
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

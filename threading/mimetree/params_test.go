package mimetree

import (
	"reflect"
	"testing"
)

func TestFieldValue(t *testing.T) {
	type params = map[string]string
	for _, c := range []struct {
		value, kind string
		want        params
	}{
		{"text/plain", "text/plain", nil},
		{"", "", nil},
		{"TEXT/Plain; Charset=UTF-8", "text/plain", params{"charset": "UTF-8"}},
		{"text/plain; charset=us-ascii (Plain text)", "text/plain", params{"charset": "us-ascii"}}, // RFC 2045 section 5.1
		{"text/plain (a; b=\"c\") ; (d) charset=x", "text/plain", params{"charset": "x"}},
		{"(first (nested) \\)) text/plain", "text/plain", nil},
		{"text/plain (never ends; charset=x", "text/plain", nil},
		{"text/plain;; charset=x;", "text/plain", params{"charset": "x"}},
		{"text/plain charset=x; a=b", "text/plain", params{"a": "b"}},
		{"text/plain; charset", "text/plain", nil},
		{"text/plain; =x; a = b", "text/plain", params{"a": "b"}},
		{"a/b; x=1; x=2", "a/b", params{"x": "1"}},
		{`a/b; x="quoted \"pair\" \\ C:\tmp;" ; y=z`, "a/b", params{"x": `quoted "pair" \ C:\tmp;`, "y": "z"}},
		{`a/b; x="never ends; y=z`, "a/b", params{"x": "never ends; y=z"}},
		{"attachment; filename=report (1).pdf", "attachment", params{"filename": "report (1).pdf"}},
		{`attachment; filename="=?iso-8859-1?q?r=E9sum=E9.txt?="`, "attachment", params{"filename": "résumé.txt"}},
		{"attachment; filename=r\xe9sum\xe9.txt", "attachment", params{"filename": "résumé.txt"}},
		// RFC 2231 section 4; any charset; and the plain form beside it counts less.
		{"attachment; filename=old.txt; filename*=utf-8'en'r%C3%A9sum%C3%A9.txt", "attachment", params{"filename": "résumé.txt"}},
		{"attachment; filename*=iso-8859-1''r%E9sum%E9.txt", "attachment", params{"filename": "résumé.txt"}},
		{"attachment; filename*=shift_jis''%8A%BF%8E%9A", "attachment", params{"filename": "漢字"}},
		{"attachment; filename*=x-nope''a%20b", "attachment", params{"filename": "a b"}},
		{"attachment; filename*=r%C3%A9sum%C3%A9", "attachment", params{"filename": "résumé"}},
		{"attachment; filename*=utf-8''100%.txt", "attachment", params{"filename": "100%.txt"}},
		// RFC 2231 section 4.1's example, with a character cut by a section.
		{"attachment; filename*0*=utf-8''r%C3; filename*1*=%A9s; filename*2=\"um%20.txt\"", "attachment", params{"filename": "résum%20.txt"}},
		{"attachment; filename*1=b; filename*0=a; filename*3=lost", "attachment", params{"filename": "ab"}},
	} {
		kind, raw := fieldValue(c.value)
		if got := decodeParams(raw); kind != c.kind || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n got %q %q\nwant %q %q", c.value, kind, got, c.kind, c.want)
		}
	}
}

func TestPartHeader(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"", "text/plain 7BIT"},
		{"Content-Type: text\r\n", "text/plain 7BIT"},
		{"Content-Type: text/\r\nContent-Type: image/png\r\n", "image/png 7BIT"},
		{"Content-Type: text/html\r\nContent-Type: image/png\r\n", "text/html 7BIT"},
		{"content-type:\r\n\tText/HTML\r\nCONTENT-TRANSFER-ENCODING: Base64 (why)\r\n", "text/html BASE64"},
		{"Content-Transfer-Encoding: \"quoted-printable\";\r\n", "text/plain QUOTED-PRINTABLE"},
		{"Content-Transfer-Encoding: quoted printable\r\n", "text/plain QUOTED-PRINTABLE"},
		{"Content-Transfer-Encoding: 8-bits\r\n", "text/plain 8BIT"},
		{"Content-Transfer-Encoding: x-uuencode (old)\r\n", "text/plain X-UUENCODE"},
		{"Content-Transfer-Encoding:\r\nContent-Transfer-Encoding: 8bit\r\n", "text/plain 8BIT"},
		{"Content-Type: multipart/mixed\r\n", "text/plain 7BIT"},
		{"Content-Type: multipart/mixed; boundary=\"  \"\r\n", "text/plain 7BIT"},
	} {
		p, _ := newPart([]byte(c.header), "text/plain")
		if got := p.Type + "/" + p.Subtype + " " + p.Encoding; got != c.want {
			t.Errorf("%q is %s, want %s", c.header, got, c.want)
		}
	}
}

package mimetree

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPreview(t *testing.T) {
	for name, c := range map[string]struct{ message, want string }{
		"plain":               {"Content-Type: text/plain\r\n\r\nDear  Tess,\r\n\r\nplease come.\r\n", "Dear Tess, please come."},
		"no MIME":             {"Subject: x\r\n\r\nhello\r\n", "hello"},
		"nothing":             {"Content-Type: text/plain\r\n\r\n", ""},
		"quoted":              {"\r\n> Can you come?\r\nYes.\r\n> And Sam?\r\nYes.\r\n", "Yes. Yes."},
		"all quoted":          {"\r\n> Can you come?\r\n", "> Can you come?"},
		"encoded":             {"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe =\r\naus K=F6ln\r\n", "Grüße aus Köln"},
		"base64":              {"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZSBhdXMgS8O2bG4=\r\n", "Grüße aus Köln"},
		"html":                {"Content-Type: text/html\r\n\r\n<style>p { color: red }</style><p>Dear <b>Tess</b>,<p>come &amp; see", "Dear Tess, come & see"},
		"alternative":         {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nthe text\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>the page\r\n--b--\r\n", "the text"},
		"after an attachment": {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; filename=cv.txt\r\n\r\nmy life\r\n--b\r\n\r\nDear Tess\r\n--b--\r\n", "Dear Tess"},
		"a picture":           {"Content-Type: image/png\r\n\r\nxxxx", ""},
		"long":                {"\r\n" + strings.Repeat("word ", 100), strings.TrimSpace(strings.Repeat("word ", 40))},
		"one long word":       {"\r\n" + strings.Repeat("ü", 300), strings.Repeat("ü", 200)},
		"odd octets":          {"Content-Type: text/plain; charset=utf-8\r\n\r\na\x00\x07b \xff c\r\n", "a b \uFFFD c"},
	} {
		header, body, _ := strings.Cut(c.message, "\r\n\r\n")
		if strings.HasPrefix(c.message, "\r\n") {
			header, body = "", c.message[2:]
		}
		content, err := Read([]byte(header+"\r\n\r\n"), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		root, err := Decode(content.Structure)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if p, from, to := PreviewRange(root); p != nil {
			got = Preview(p, []byte(body)[from:to])
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if utf8.RuneCountInString(got) > MaxPreview {
			t.Errorf("%s: %d characters", name, utf8.RuneCountInString(got))
		}
	}
}

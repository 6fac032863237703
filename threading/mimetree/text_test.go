package mimetree

import (
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

func TestSearchText(t *testing.T) {
	const qp, b64 = "Content-Transfer-Encoding: quoted-printable\n", "Content-Transfer-Encoding: base64\n"
	for _, c := range []struct{ name, msg, want string }{
		{"quoted-printable, an equals sign that encodes nothing", qp + "\nsee ?id=xyz =C3=A9 = \nand=\n so on =", "see ?id=xyz e and so on"},
		{"base64, other characters in between", b64 + "\nSGVs*bG8g\nd29ybGQ=\n", "hello world"},
		{"base64, padding in between", b64 + "\nSGVsbG8g\nd28=\nSGVsbG8=\n", "hello wohello"},
		{"base64, cut", b64 + "\nSGVsbG8gd2", "hello w"},
		{"encoding that is not known", "Content-Transfer-Encoding: x-nope\n\nas it is\n", "as it is"},
		{"one octet that is no UTF-8", "Content-Type: text/plain; charset=utf-8\n\nGrüße \xe9 Łódź\n", "grusse e lodz"},
		{"latin-1 without a label", "X: y\n\ncaf\xe9\n", "cafe"},
		{"browsers refuse this charset", "Content-Type: text/plain; charset=hz-gb-2312\n\n~{<:Ky2;~} x\n", "己所不 x"},
		{"UTF-16 is big-endian", "Content-Type: text/plain; charset=utf-16\n" + b64 + "\nAEEAYgBj\n", "abc"},
		{"html", "Content-Type: text/html\n\n<title>T</title><style/>p{}</style><p>a<b>b</b>c&nbsp;&amp;</p><td>d<td>e<script>f</script><!-- g -->h<a href=i>j</a>\n", "t abc & d ehj"},
		{"html, script without end", "Content-Type: text/html\n\na<script>b\n", "a"},
		{"a text file", "Content-Disposition: attachment; filename=\"Rôles.TXT\"\nContent-Description: =?utf-8?q?The_r=C3=B4les?=\n\nOphelia\n", "ophelia roles.txt the roles"},
		{"no text", "Content-Type: image/png; name=stage.png\n\nPNG\n", "stage.png"},
	} {
		if _, _, text := read(t, c.msg); text != c.want {
			t.Errorf("%s: %q, want %q", c.name, text, c.want)
		}
	}
}

func TestSearchTextIsBounded(t *testing.T) {
	word := strings.Repeat("Bühne ", 200<<10)
	for name, msg := range map[string]string{
		"one line": "X: y\n\n" + word, "lines": "X: y\n\n" + strings.ReplaceAll(word, " ", "\n"),
		"odd": "X: y\n\nx" + strings.Repeat("ü", 600<<10), "html": "Content-Type: text/html\n\n<p>" + word,
		"parts": "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n"+word[:100<<10]+"\n", 8),
	} {
		_, _, text := read(t, msg)
		if n := len(text); n > threading.MaxSearchText || n < threading.MaxSearchText-8 {
			t.Errorf("%s: %d octets", name, n)
		}
		if strings.ContainsAny(text[:1000], "Ãü¼\uFFFD") || threading.Fold(text) != text {
			t.Errorf("%s: %q... is not folded text", name, text[:40])
		}
	}
}

package sanitize

import (
	"strings"
	"testing"
)

func TestNewText(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"plain":           {"Content-Type: text/plain\n\nYes\n\nOn Monday Backstage wrote:\n> Did you?\n> no\n", "Yes"},
		"no content type": {"Subject: x\n\nyes!\n", "yes!"},
		"base64":          {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nSmEKCi0tIApKYW5l\n", "Ja"},
		"alternative": {"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>no</p>\n--b\nContent-Type: text/plain\n\nyes\n--b--\n",
			"yes"},
		"html only": {"Content-Type: text/html\n\n<div>Yes</div><div>thanks</div><div class=\"gmail_quote\"><blockquote>no</blockquote></div>\n", "Yes\nthanks"},
		"attachment": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nno\n--b\nContent-Type: text/plain\n\nyes\n--b--\n",
			"yes"},
		"no text":     {"Content-Type: image/png\n\nxxxx\n", ""},
		"all quoted":  {"\n> yes\n", ""},
		"nothing":     {"", ""},
		"endless one": {"\n" + strings.Repeat("yes\n", 100000), strings.TrimSpace(strings.Repeat("yes\n", maxNewText/4))},
	} {
		got, err := NewText(strings.NewReader(strings.ReplaceAll(c.raw, "\n", "\r\n")))
		if err != nil || strings.ReplaceAll(got, "\r", "") != c.want {
			t.Errorf("%s: %.100q, %v; want %.100q", name, got, err, c.want)
		}
	}
}

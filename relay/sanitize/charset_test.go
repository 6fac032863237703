package sanitize

import (
	"strings"
	"testing"
)

// TestCharsets: texts are read as their readers read them, declared or not.
func TestCharsets(t *testing.T) {
	for name, c := range map[string]struct{ head, body, want string }{
		"utf-8":                  {"text/plain; charset=utf-8", "caf\xc3\xa9 > x", "café > x"},
		"undeclared utf-8":       {"text/plain", "caf\xc3\xa9", "café"},
		"undeclared latin":       {"text/plain", "caf\xe9 \x93so\x94", "café “so”"},
		"said to be ascii":       {"text/plain; charset=us-ascii", "caf\xe9", "café"},
		"wrongly utf-8":          {"text/plain; charset=utf-8", "caf\xe9", "café"},
		"unknown":                {"text/plain; charset=x-klingon", "caf\xc3\xa9", "café"},
		"cyrillic":               {"text/plain; charset=koi8-r", "\xe4\xc1", "Да"},
		"japanese":               {"text/plain; charset=iso-2022-jp", "\x1b$B$O$$\x1b(B", "はい"},
		"japanese, undeclared":   {"text/plain", "\x1b$B$O$$\x1b(B", "はい"},
		"chinese":                {"text/plain; charset=gb2312", "\xba\xc3", "好"},
		"korean":                 {"text/plain; charset=ks_c_5601-1987", "\xb3\xd7", "네"},
		"utf-16, with a mark":    {"text/plain; charset=utf-16", "\xff\xfej\x00a\x00", "ja"},
		"utf-7":                  {"text/plain; charset=utf-7", "caf+AOk- +- a", "café + a"},
		"html names it":          {"text/html", "<meta charset=windows-1251><p>\xc4\xe0</p>", "<p>Да</p>"},
		"html names it, old way": {"text/html", "<meta http-equiv=Content-Type content=\"text/html; charset=gb2312\"><p>\xba\xc3</p>", "<p>好</p>"},
		"html names nothing":     {"text/html", "<p>caf\xe9</p>", "<p>café</p>"},
		"html in utf-8":          {"text/html", "<meta charset=iso-8859-1><p>caf\xc3\xa9</p>", "<p>café</p>"},
	} {
		got := rewritten(t, "Content-Type: "+c.head+"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"+c.body, Options{Identity: jane})
		head, body, _ := strings.Cut(got, "\n\n")
		text := string(decodeQP([]byte(body)))
		if strings.Contains(head, "base64") {
			text = string(decodeBase64([]byte(body)))
		}
		if strings.TrimSpace(text) != c.want || !strings.Contains(head, "charset=utf-8") {
			t.Errorf("%s: is %q, want %q", name, text, c.want)
		}
	}
}

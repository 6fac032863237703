package sanitize

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	htmlcharset "golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/charmap"
)

// undeclared guesses the charset of a text whose header names none: HTML may
// name it itself, and Japanese mail of old days shows it by its escapes.
func undeclared(kind string, b []byte) string {
	if bytes.Contains(b, []byte("\x1b$B")) || bytes.Contains(b, []byte("\x1b$@")) {
		return "iso-2022-jp" // RFC 1468
	}
	if kind != "text/html" || utf8.Valid(b) {
		return ""
	}
	_, name, _ := htmlcharset.DetermineEncoding(b[:min(len(b), 1024)], "text/html")
	return name
}

// decodeCharset makes UTF-8 of b. A charset that is unknown, or that b
// visibly is not in, is taken for UTF-8 if it is valid, else for
// windows-1252, which is what unlabelled 8-bit mail mostly is.
func decodeCharset(b []byte, label string) string {
	label = strings.ToLower(strings.TrimSpace(label))
	switch label {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "x-unknown":
		return toUTF8(b)
	case "utf-7", "unicode-1-1-utf-7":
		return decodeUTF7(toUTF8(b))
	}
	r, err := charset.Reader(label, bytes.NewReader(b))
	if err != nil {
		return toUTF8(b)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		return toUTF8(b)
	}
	return strings.TrimPrefix(string(out), "\ufeff")
}

func toUTF8(b []byte) string {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if utf8.Valid(b) {
		return string(b)
	}
	// Mostly UTF-8 with some damage: repair it. Else it is windows-1252.
	valid, broken := 0, 0
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			broken++
		} else if n > 1 {
			valid++
		}
		i += n
	}
	if valid > broken {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	return string(out)
}

// decodeUTF7 decodes the shifted runs of RFC 2152.
func decodeUTF7(s string) string {
	var b strings.Builder
	for {
		plain, shifted, ok := strings.Cut(s, "+")
		b.WriteString(plain)
		if !ok {
			return b.String()
		}
		n := 0
		for n < len(shifted) && isBase64(shifted[n]) {
			n++
		}
		if n == 0 {
			b.WriteByte('+')
		} else if raw, err := base64.RawStdEncoding.DecodeString(shifted[:n]); err == nil || len(raw) > 1 {
			b.WriteString(decodeCharset(raw[:len(raw)&^1], "utf-16be"))
		}
		s = strings.TrimPrefix(shifted[n:], "-")
	}
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

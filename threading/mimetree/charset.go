package mimetree

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
)

// decodeCharset returns text of any charset as UTF-8. What has no charset, or
// one that is not known, is taken for UTF-8.
func decodeCharset(label, text string) string {
	e := charsetNamed(strings.ToLower(strings.TrimSpace(label)))
	if e == nil {
		return toUTF8(text)
	}
	decoded, err := e.NewDecoder().String(text)
	if err != nil {
		return toUTF8(text)
	}
	return strings.ToValidUTF8(decoded, "\uFFFD")
}

// charsetNamed returns nil for UTF-8 and for what is not known. Labels mean
// what they mean to browsers, where iso-8859-1 is windows-1252; but mail has
// charsets that browsers refuse, and its UTF-16 is big-endian unless it says
// otherwise (RFC 2781 section 4.3).
func charsetNamed(label string) encoding.Encoding {
	switch label {
	case "", "utf-8", "utf8", "us-ascii":
		return nil
	}
	e, name := charset.Lookup(label)
	if e != nil && name == "utf-8" {
		return nil
	}
	if e == nil || name == "replacement" || strings.HasPrefix(name, "utf-16") {
		if e, _ = ianaindex.MIME.Encoding(label); e == nil {
			return nil
		}
	}
	return e
}

// toUTF8 takes each octet that is not part of UTF-8 for windows-1252.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = charmap.Windows1252.DecodeByte(s[i])
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

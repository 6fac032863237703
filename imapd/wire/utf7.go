package wire

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Mailbox names in modified UTF-7 (RFC 3501 section 5.1.3): "&" begins base64
// of UTF-16, "-" ends it, "&-" is "&".

var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

const errMailboxName = syntaxError("The mailbox's name is neither modified UTF-7 nor UTF-8.")

// decodeMailbox returns the name that a client means. UTF-8 is understood in
// any case; a client that announced it means "&" as it stands, and so does one
// after whose "&" no modified UTF-7 comes.
func decodeMailbox(s string, asUTF8 bool) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errMailboxName
	}
	if asUTF8 || !strings.Contains(s, "&") {
		return s, nil
	}
	var out strings.Builder
	for rest := s; ; {
		plain, after, shifted := strings.Cut(rest, "&")
		out.WriteString(plain)
		if !shifted {
			return out.String(), nil
		}
		text, next, ended := strings.Cut(after, "-")
		decoded, ok := decodeShifted(text)
		if !ended || !ok {
			return s, nil
		}
		out.WriteString(decoded)
		rest = next
	}
}

// decodeShifted decodes what stands between "&" and "-".
func decodeShifted(text string) (string, bool) {
	if text == "" {
		return "&", true
	}
	b, err := utf7.DecodeString(text)
	if err != nil || len(b)%2 != 0 {
		return "", false
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	decoded := string(utf16.Decode(units))
	return decoded, !strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

// encodeMailbox is the inverse.
func encodeMailbox(name string) string {
	var out strings.Builder
	var wide []rune
	flush := func() {
		if len(wide) == 0 {
			return
		}
		units := utf16.Encode(wide)
		b := make([]byte, 0, 2*len(units))
		for _, u := range units {
			b = append(b, byte(u>>8), byte(u))
		}
		out.WriteString("&" + utf7.EncodeToString(b) + "-")
		wide = wide[:0]
	}
	for _, c := range name {
		if c < ' ' || c > '~' {
			wide = append(wide, c)
			continue
		}
		flush()
		out.WriteRune(c)
		if c == '&' {
			out.WriteByte('-')
		}
	}
	flush()
	return out.String()
}

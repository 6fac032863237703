package mimetree

import (
	"bytes"
	"io"
	"iter"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// Fields calls its loop with each field of a header: the name as written and
// the value unfolded (RFC 5322 section 2.2.3), not decoded. It ends at the
// empty line; a line that is no field is left out.
func Fields(header []byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for len(header) > 0 {
			field, rest := nextField(header)
			header = rest
			if len(bytes.TrimRight(field, "\r\n")) == 0 {
				return
			}
			colon := bytes.IndexByte(field, ':')
			if colon < 1 || field[0] == ' ' || field[0] == '\t' {
				continue
			}
			name := strings.TrimRight(string(field[:colon]), " \t")
			if strings.ContainsAny(name, " \t") {
				continue
			}
			if !yield(name, unfold(field[colon+1:])) {
				return
			}
		}
	}
}

// nextField cuts a field with its continuation lines.
func nextField(header []byte) (field, rest []byte) {
	for i := 0; i < len(header); {
		n := bytes.IndexByte(header[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		if i == len(header) || header[i] != ' ' && header[i] != '\t' {
			return header[:i], header[i:]
		}
		if n <= 1 && i <= 2 { // an empty line is never continued
			return header[:i], header[i:]
		}
	}
	return header, nil
}

// unfold removes the line ends.
func unfold(value []byte) string {
	if bytes.IndexByte(value, '\n') == len(value)-1 {
		return strings.TrimSpace(string(value))
	}
	out := make([]byte, 0, len(value))
	for _, c := range value {
		if c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return strings.TrimSpace(string(out))
}

// Field returns the first field of that name, whatever its case, unfolded.
func Field(header []byte, name string) (value string, ok bool) {
	for n, v := range Fields(header) {
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

var words = mime.WordDecoder{CharsetReader: func(label string, r io.Reader) (io.Reader, error) {
	return charset.NewReaderLabel(label, r)
}}

// DecodeHeader decodes the encoded words of a value, in any charset (RFC 2047).
// Octets that are no UTF-8 are taken for Latin-1; a word that can't be decoded
// stays as it is.
func DecodeHeader(value string) string {
	value = toUTF8(value)
	if !strings.Contains(value, "=?") {
		return value
	}
	decoded, err := words.DecodeHeader(value)
	if err != nil {
		return value
	}
	return strings.ToValidUTF8(decoded, "\uFFFD")
}

func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// mediaType parses a Content-Type or Content-Disposition value, as far as it
// goes. The type is in lower case; names of parameters too; values decoded.
func mediaType(value string) (string, map[string]string) {
	t, params, err := mime.ParseMediaType(value)
	if err != nil || t == "" {
		t, params = looseMediaType(value)
	}
	for k, v := range params {
		params[k] = DecodeHeader(v)
	}
	return t, params
}

// looseMediaType reads what mime.ParseMediaType gives up on: stray semicolons,
// unquoted values with spaces or odd characters, a parameter given twice (the
// first counts).
func looseMediaType(value string) (string, map[string]string) {
	t, rest, _ := strings.Cut(value, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if i := strings.IndexAny(t, " \t"); i >= 0 {
		t = t[:i]
	}
	params := map[string]string{}
	for len(rest) > 0 && len(params) < 50 {
		var p string
		p, rest = cutParam(rest)
		k, v, ok := strings.Cut(p, "=")
		k = strings.ToLower(strings.TrimSpace(k))
		if _, seen := params[k]; !ok || k == "" || seen {
			continue
		}
		v = strings.TrimSpace(v)
		if len(v) > 1 && v[0] == '"' {
			v = strings.ReplaceAll(strings.TrimSuffix(v[1:], `"`), `\"`, `"`)
		}
		params[k] = v
	}
	return t, params
}

// cutParam cuts at the next semicolon outside of quotes.
func cutParam(s string) (param, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

package sanitize

import (
	"bytes"
	"encoding/hex"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
)

// header holds the fields of a header that the rebuilding needs; all others
// are dropped when read. Values are unfolded.
type header struct {
	fields []field
}

type field struct {
	name  string // lower case
	value []byte
}

// kept are the fields that are looked at, beside those that name hosts.
var kept = map[string]bool{
	"content-type": true, "content-transfer-encoding": true, "content-disposition": true, "content-id": true,
	"subject": true, "from": true, "to": true, "cc": true, "date": true,
}

// add takes a field if it is one of the kept.
func (h *header) add(name, value []byte) bool {
	var buf [64]byte
	if len(name) > len(buf) {
		return false
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	if !kept[string(buf[:len(name)])] && !namesHosts(string(buf[:len(name)])) {
		return false
	}
	h.fields = append(h.fields, field{string(buf[:len(name)]), bytes.Clone(value)})
	return true
}

// extend adds a folded line to the last field.
func (h *header) extend(line []byte) {
	f := &h.fields[len(h.fields)-1]
	f.value = append(f.value, line...)
}

// get returns the first field of that name. Of two Content-Types the first
// counts; what another reader makes of them is no matter, as neither is kept.
func (h *header) get(name string) string {
	for i := range h.fields {
		if h.fields[i].name == name {
			return strings.TrimSpace(string(h.fields[i].value))
		}
	}
	return ""
}

// words decodes encoded words (RFC 2047) and raw 8-bit text, and makes one
// clean line of it.
func words(s string) string {
	s = toUTF8([]byte(s))
	if strings.Contains(s, "=?") {
		d := mime.WordDecoder{CharsetReader: charset.Reader}
		if dec, err := d.DecodeHeader(s); err == nil {
			s = dec
		}
	}
	return oneLine(s)
}

// oneLine replaces control characters by spaces and drops those that change
// the direction of what follows.
func oneLine(s string) string {
	clean := func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029':
			return ' '
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == utf8.RuneError:
			return -1
		}
		return r
	}
	return strings.TrimSpace(strings.Map(clean, s))
}

// cutAt shortens s to at most n octets, at a character.
func cutAt(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// params are the parameters of a MIME field, names in lower case.
type params []param

type param struct{ name, value string }

func (p params) get(name string) string {
	for _, x := range p {
		if x.name == name {
			return x.value
		}
	}
	return ""
}

// parseMedia parses Content-Type and Content-Disposition (RFC 2045 section
// 5.1), also where a quote is missing or a value holds what only a quoted
// one may. Values are decoded, by RFC 2231 and by RFC 2047, which many use.
func parseMedia(s string) (kind string, list params) {
	kind, rest, _ := strings.Cut(s, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if i := strings.IndexAny(kind, " \t"); i > 0 {
		kind = kind[:i]
	}
	if !isMediaToken(kind) {
		kind = ""
	}
	type piece struct {
		value   string
		encoded bool
	}
	var pieces map[string][]piece // of RFC 2231 section 3, by name
	for n := 0; rest != "" && n < 100; n++ {
		var name, value string
		name, value, rest = nextParam(rest)
		if name == "" {
			continue
		}
		base, num, continued := strings.Cut(strings.TrimSuffix(name, "*"), "*")
		if !continued && base == name {
			list = append(list, param{name, words(value)})
			continue
		}
		if pieces == nil {
			pieces = map[string][]piece{}
		}
		if continued && (len(num) > 3 || num == "") {
			continue
		}
		// Pieces come in order in practice; one that is out of order is appended.
		pieces[base] = append(pieces[base], piece{value, strings.HasSuffix(name, "*")})
	}
	for base, ps := range pieces {
		label, raw := "", []byte(nil)
		for i, p := range ps {
			v := p.value
			if p.encoded && i == 0 {
				if cs, after, ok := strings.Cut(v, "'"); ok {
					label = cs
					_, v, _ = strings.Cut(after, "'")
				}
			}
			if p.encoded {
				raw = append(raw, percentDecode(v)...)
			} else {
				raw = append(raw, v...)
			}
		}
		// The extended form is preferred to the plain one (RFC 6266 section 4.3).
		list = append(params{{base, oneLine(decodeCharset(raw, label))}}, list...)
	}
	return kind, list
}

// nextParam cuts one parameter from the front of s.
func nextParam(s string) (name, value, rest string) {
	i := strings.IndexAny(s, "=;")
	if i < 0 {
		return "", "", ""
	}
	if s[i] == ';' {
		return "", "", s[i+1:]
	}
	name = strings.ToLower(strings.TrimSpace(s[:i]))
	s = strings.TrimLeft(s[i+1:], " \t\r\n")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i = 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			_, rest, _ = strings.Cut(s[i:], ";")
			return name, b.String(), rest
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return name, b.String(), ""
}

// isMediaToken reports whether kind can be written into a Content-Type.
func isMediaToken(kind string) bool {
	if len(kind) > 127 {
		return false
	}
	for i := 0; i < len(kind); i++ {
		c := kind[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"[]?=`, c) >= 0 {
			return false
		}
	}
	main, sub, slash := strings.Cut(kind, "/")
	return !slash || main != "" && sub != "" && !strings.Contains(sub, "/")
}

// percentDecode decodes %XX and leaves what is none.
func percentDecode(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			var b [1]byte
			if _, err := hex.Decode(b[:], []byte(s[i+1:i+3])); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}

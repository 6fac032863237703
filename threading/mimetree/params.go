package mimetree

import (
	"strconv"
	"strings"
)

// fieldValue reads a value of Content-Type or Content-Disposition (RFC 2045
// section 5.1, RFC 2183 section 2) as far as it goes: comments are left out;
// stray semicolons, values with spaces or odd characters that should have been
// quoted, and quotes that don't end are put up with. The type and the
// parameters' names are in lower case; values are as they stand, the first one
// where a name is given twice.
func fieldValue(value string) (kind string, params map[string]string) {
	r := valueReader{value}
	r.skipSpace()
	kind = strings.ToLower(r.word())
	for r.nextParam() {
		name, ok := r.paramName()
		if !ok {
			continue
		}
		v := r.paramValue()
		if _, seen := params[name]; seen || len(params) >= maxParams {
			continue
		}
		if params == nil {
			params = map[string]string{}
		}
		params[name] = v
	}
	return kind, params
}

// contentEncoding reads a Content-Transfer-Encoding, without comments and in
// upper case. What can only mean one of the encodings of RFC 2045 section 6.1
// ("8-bit", "quoted printable;") is taken for it.
func contentEncoding(value string) string {
	r := valueReader{strings.Trim(value, ` "'`)}
	r.skipSpace()
	given, _, _ := strings.Cut(r.rest, ";")
	squeezed := strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' || c == '"' {
			return -1
		}
		return c
	}, strings.ToUpper(given))
	switch squeezed {
	case "7BIT", "8BIT", "BINARY", "BASE64":
		return squeezed
	case "7BITS", "8BITS":
		return squeezed[:len("8BIT")]
	case "QUOTEDPRINTABLE":
		return "QUOTED-PRINTABLE"
	}
	return strings.ToUpper(r.word())
}

// valueReader is what is left of a field's value.
type valueReader struct{ rest string }

// skipSpace skips white space and comments (RFC 5322 section 3.2.2).
func (r *valueReader) skipSpace() {
	for {
		r.rest = strings.TrimLeft(r.rest, " \t")
		if !strings.HasPrefix(r.rest, "(") {
			return
		}
		r.rest = r.rest[commentLen(r.rest):]
	}
}

// commentLen is the length of the comment at the start of s, all of s if it
// doesn't end.
func commentLen(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// word reads a token, or two with a slash between.
func (r *valueReader) word() string {
	i := 0
	for i < len(r.rest) && r.rest[i] > ' ' && r.rest[i] < 0x7f && !strings.ContainsRune(`()<>@,;:\"[]?=`, rune(r.rest[i])) {
		i++
	}
	w := r.rest[:i]
	r.rest = r.rest[i:]
	return w
}

// nextParam goes behind the next semicolon that is in no quotes or comment.
func (r *valueReader) nextParam() bool {
	for i := 0; i < len(r.rest); i++ {
		switch r.rest[i] {
		case ';':
			r.rest = r.rest[i+1:]
			return true
		case '"':
			_, n := quoted(r.rest[i:])
			i += n - 1
		case '(':
			i += commentLen(r.rest[i:]) - 1
		}
	}
	r.rest = ""
	return false
}

// paramName reads a name and the equals sign. What no mailer calls a parameter
// is left out.
func (r *valueReader) paramName() (string, bool) {
	r.skipSpace()
	i := strings.IndexAny(r.rest, "=;")
	if i < 1 || r.rest[i] == ';' {
		return "", false
	}
	name := strings.ToLower(strings.TrimRight(r.rest[:i], " \t"))
	r.rest = r.rest[i+1:]
	odd := strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f })
	return name, name != "" && len(name) <= maxParamName && !odd
}

// paramValue reads a quoted string, or all up to the next semicolon but for a
// comment at the end.
func (r *valueReader) paramValue() string {
	r.skipSpace()
	if strings.HasPrefix(r.rest, `"`) {
		v, n := quoted(r.rest)
		r.rest = r.rest[n:]
		return v
	}
	n := strings.IndexByte(r.rest, ';')
	if n < 0 {
		n = len(r.rest)
	}
	v := strings.TrimRight(r.rest[:n], " \t")
	r.rest = r.rest[n:]
	if i := strings.IndexByte(v, '('); i > 0 && strings.ContainsAny(v[i-1:i], " \t") && commentLen(v[i:]) == len(v[i:]) {
		v = strings.TrimRight(v[:i], " \t")
	}
	return v
}

// quoted reads the quoted string at the start of s, and says how long it is.
// A backslash counts only before a quote or another one: some mailers leave
// those of a path as they are.
func quoted(s string) (text string, n int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), i + 1
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), len(s)
}

// decodeParams puts together what RFC 2231 took apart and decodes the values.
func decodeParams(raw map[string]string) map[string]string {
	if len(raw) == 0 {
		return nil
	}
	out := make(map[string]string, len(raw))
	for key := range raw {
		name, _, _ := strings.Cut(key, "*")
		if _, done := out[name]; name != "" && !done {
			out[name] = bounded(paramText(raw, name))
		}
	}
	return out
}

// paramText is one parameter's value. What has a charset of its own goes
// before the plain form, which is there for old readers.
func paramText(raw map[string]string, name string) string {
	if v, ok := raw[name+"*"]; ok { // RFC 2231 section 4
		label, v := cutCharset(v)
		return decodeCharset(label, percentDecoded(v))
	}
	var all strings.Builder
	label, found := "", false
	for i := 0; ; i++ { // RFC 2231 section 3
		section := name + "*" + strconv.Itoa(i)
		v, extended := raw[section+"*"]
		if !extended {
			var ok bool
			if v, ok = raw[section]; !ok {
				break
			}
		}
		if extended && i == 0 {
			label, v = cutCharset(v)
		}
		if extended {
			v = percentDecoded(v)
		}
		found = true
		all.WriteString(v)
	}
	switch {
	case found && label != "":
		return decodeCharset(label, all.String())
	case found:
		return DecodeHeader(all.String())
	case name == "boundary":
		return raw[name] // RFC 2047 section 5 allows no encoded word here, and a boundary may look like one
	}
	return DecodeHeader(raw[name])
}

// cutCharset takes charset and language from the front of an extended value.
func cutCharset(v string) (label, rest string) {
	label, rest, ok := strings.Cut(v, "'")
	if !ok {
		return "", v
	}
	if _, text, ok := strings.Cut(rest, "'"); ok {
		return label, text
	}
	return "", v
}

// percentDecoded undoes %XX; what is no such thing stays.
func percentDecoded(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, ok := hexOctet(s[i+1], s[i+2]); ok {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

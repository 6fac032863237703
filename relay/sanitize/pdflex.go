package sanitize

import (
	"bytes"
	"strconv"
)

// pdfKind is a kind of PDF object (ISO 32000-1 section 7.3).
type pdfKind uint8

const (
	pdfOther pdfKind = iota // number, boolean, null, keyword
	pdfName
	pdfLiteral // (string)
	pdfHex     // <string>
	pdfArray
	pdfDict
	pdfRef
)

// pdfValue is an object in b[start:end].
type pdfValue struct {
	kind       pdfKind
	start, end int
	entries    []pdfEntry // of a dictionary
	items      []pdfValue // of an array: what is no number, name or reference
	ref        pdfID
}

type pdfEntry struct {
	key   string
	value pdfValue
}

type pdfID struct{ number, generation int }

// Bounds of one object.
const (
	maxPDFDepth  = 40
	maxPDFValues = 200000
)

// pdfLexer reads one object. ok turns false where it is malformed or beyond
// bounds.
type pdfLexer struct {
	b      []byte
	at     int
	values int
	ok     bool
}

func pdfSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func pdfDelimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

// skip passes over white space and comments.
func (l *pdfLexer) skip() {
	for l.at < len(l.b) {
		switch c := l.b[l.at]; {
		case pdfSpace(c):
			l.at++
		case c == '%':
			for l.at < len(l.b) && l.b[l.at] != '\n' && l.b[l.at] != '\r' {
				l.at++
			}
		default:
			return
		}
	}
}

func (l *pdfLexer) value(depth int) pdfValue {
	l.skip()
	v := pdfValue{start: l.at, end: l.at}
	if l.values--; l.values < 0 || depth > maxPDFDepth || l.at >= len(l.b) {
		l.ok = false
		return v
	}
	switch c := l.b[l.at]; {
	case c == '(':
		v.kind = pdfLiteral
		l.at += pdfStringEnd(l.b[l.at:])
	case c == '<' && l.at+1 < len(l.b) && l.b[l.at+1] == '<':
		l.at += 2
		l.dict(&v, depth)
	case c == '<':
		v.kind = pdfHex
		end := bytes.IndexByte(l.b[l.at:], '>')
		if end < 0 {
			l.ok, end = false, len(l.b)-l.at-1
		}
		l.at += end + 1
	case c == '[':
		l.at++
		l.array(&v, depth)
	case c == '/':
		v.kind = pdfName
		l.at++
		l.word()
	case pdfDelimiter(c):
		l.ok = false
	default:
		l.word()
	}
	v.end = l.at
	return v
}

// word passes over regular characters.
func (l *pdfLexer) word() {
	for l.at < len(l.b) && !pdfSpace(l.b[l.at]) && !pdfDelimiter(l.b[l.at]) {
		l.at++
	}
}

func (l *pdfLexer) dict(v *pdfValue, depth int) {
	v.kind = pdfDict
	for l.ok {
		l.skip()
		if bytes.HasPrefix(l.b[min(l.at, len(l.b)):], []byte(">>")) {
			l.at += 2
			return
		}
		key := l.value(depth + 1)
		if l.ok = l.ok && key.kind == pdfName; !l.ok {
			return
		}
		value := l.value(depth + 1)
		value = l.reference(value)
		v.entries = append(v.entries, pdfEntry{pdfNameOf(l.b[key.start:key.end]), value})
	}
}

// reference makes a reference of a number, if another and an R follow.
func (l *pdfLexer) reference(v pdfValue) pdfValue {
	if v.kind != pdfOther || v.end == v.start || v.end-v.start > 10 || l.b[v.start] < '0' || l.b[v.start] > '9' {
		return v
	}
	ahead := &pdfLexer{b: l.b[:min(len(l.b), l.at+40)], at: l.at, values: 2, ok: true}
	gen := ahead.value(0)
	r := ahead.value(0)
	if ahead.ok && r.end-r.start == 1 && l.b[r.start] == 'R' {
		number, err := strconv.Atoi(string(l.b[v.start:v.end]))
		generation, err2 := strconv.Atoi(string(l.b[gen.start:gen.end]))
		if err == nil && err2 == nil {
			v.kind, v.end, v.ref = pdfRef, r.end, pdfID{number, generation}
			l.at = r.end
		}
	}
	return v
}

func (l *pdfLexer) array(v *pdfValue, depth int) {
	v.kind = pdfArray
	for l.ok {
		l.skip()
		if l.at < len(l.b) && l.b[l.at] == ']' {
			l.at++
			return
		}
		start := l.at
		item := l.value(depth + 1)
		if item.kind != pdfOther && item.kind != pdfName {
			v.items = append(v.items, item)
		} else if l.values++; l.at == start { // numbers are not kept, and not counted
			l.ok = false
		}
	}
}

// pdfStringEnd is where the literal string at the start of s ends, after its
// bracket (section 7.3.4.2).
func pdfStringEnd(s []byte) int {
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

// pdfNameOf decodes a name: /Auth#6Fr is Author.
func pdfNameOf(b []byte) string {
	b = b[1:]
	if bytes.IndexByte(b, '#') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '#' && i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0 {
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return string(out)
}

// pdfText is what a string says, as octets: text in UTF-16 stays that.
func pdfText(b []byte, v pdfValue) []byte {
	s := b[v.start:v.end]
	switch v.kind {
	case pdfLiteral:
		return pdfUnescape(s[1:max(1, len(s)-1)])
	case pdfHex:
		return pdfUnhex(s)
	}
	return nil
}

func pdfUnhex(s []byte) []byte {
	out := make([]byte, 0, len(s)/2)
	half, high := false, 0
	for _, c := range s {
		h := unhex(c)
		if h < 0 {
			continue
		}
		if half {
			out = append(out, byte(high<<4|h))
		}
		half, high = !half, h
	}
	if half {
		out = append(out, byte(high<<4))
	}
	return out
}

func pdfUnescape(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c >= '0' && c <= '7':
			n := 0
			for k := 0; k < 3 && i < len(s) && s[i] >= '0' && s[i] <= '7'; k++ {
				n = n<<3 | int(s[i]-'0')
				i++
			}
			i--
			out = append(out, byte(n))
		case c == '\n':
		case c == '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
		case c == 'n':
			out = append(out, '\n')
		case c == 'r':
			out = append(out, '\r')
		case c == 't':
			out = append(out, '\t')
		default:
			out = append(out, c)
		}
	}
	return out
}

// get is a dictionary's entry.
func (v *pdfValue) get(key string) (pdfValue, bool) {
	for i := range v.entries {
		if v.entries[i].key == key {
			return v.entries[i].value, true
		}
	}
	return pdfValue{}, false
}

// name is what the entry of a dictionary names, if it is one name.
func (v *pdfValue) name(b []byte, key string) string {
	if list := v.names(b, key); len(list) == 1 {
		return list[0]
	}
	return ""
}

// names are the name, or the list of names, of a dictionary's entry.
func (v *pdfValue) names(b []byte, key string) (list []string) {
	e, _ := v.get(key)
	switch e.kind {
	case pdfName:
		return []string{pdfNameOf(b[e.start:e.end])}
	case pdfArray:
		for f := range bytes.FieldsFuncSeq(bytes.Trim(b[e.start:e.end], "[]"), func(r rune) bool { return r < 0x80 && pdfSpace(byte(r)) }) {
			for _, name := range bytes.Split(f, []byte("/"))[1:] {
				list = append(list, pdfNameOf(append([]byte("/"), name...)))
				if len(list) > 8 {
					return list
				}
			}
		}
	}
	return list
}

// number is what the entry of a dictionary counts; -1 if it is none, or a
// reference.
func (v *pdfValue) number(b []byte, key string) int {
	e, _ := v.get(key)
	n, err := strconv.Atoi(string(b[e.start:e.end]))
	if e.kind != pdfOther || err != nil {
		return -1
	}
	return n
}

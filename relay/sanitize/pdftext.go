package sanitize

import (
	"bytes"
	"unicode/utf16"
)

// Bounds of what of a PDF's text is read.
const (
	maxCMaps    = 32
	maxCMapSize = 1 << 16 // codes
	// maxCMapStream is in octets, compressed.
	maxCMapStream = 64 << 10
)

// cmap says which characters the codes of a font are (ISO 32000-1 section
// 9.10.3).
type cmap struct {
	width int // octets of a code
	text  map[int]string
}

// read looks for addresses in what a PDF shows: in the text of its pages as
// it is written, and as each of its fonts would read it.
func (p *pdf) read() {
	var fonts []cmap
	p.eachStream(maxCMapStream, func(content []byte) {
		if m := readCMap(content); m != nil && len(fonts) < maxCMaps {
			fonts = append(fonts, *m)
		}
	})
	p.eachStream(maxPDFStream, func(content []byte) {
		if p.a.shown || p.a.holds(content) {
			p.a.shown = true
			return
		}
		if !bytes.Contains(content, []byte("Tj")) && !bytes.Contains(content, []byte("TJ")) {
			return
		}
		text := shownText(content)
		p.a.shown = p.a.holds(text)
		for i := range fonts {
			if p.a.left -= len(text); p.a.left < 0 {
				p.a.sealed = true
				return
			}
			p.a.shown = p.a.shown || p.a.holds(fonts[i].decode(text))
		}
	})
}

// eachStream unpacks the streams of up to limit octets that are no pictures. What can't be unpacked
// is not read.
func (p *pdf) eachStream(limit int, f func(content []byte)) {
	for i := range p.objects {
		o := &p.objects[i]
		if o.stop <= o.data || o.stop-o.data > limit {
			continue
		}
		v, ok := p.parse(o.at)
		if !ok || v.name(p.b, "Subtype") == "Image" {
			continue
		}
		if content, ok := p.inflate(&v, p.b[o.data:o.stop]); ok {
			f(content)
		} else if p.a.left < 0 {
			p.a.sealed = true
			return
		}
	}
}

// shownText is all strings of a content stream, one after the other: kerning
// parts a word into several.
func shownText(content []byte) []byte {
	var out []byte
	for at := 0; at < len(content); {
		switch c := content[at]; {
		case c == '(':
			end := at + pdfStringEnd(content[at:])
			out = append(out, pdfUnescape(content[at+1:max(at+1, end-1)])...)
			at = end
		case c == '<' && at+1 < len(content) && content[at+1] != '<':
			end := bytes.IndexByte(content[at:], '>')
			if end < 0 {
				return out
			}
			out = append(out, pdfUnhex(content[at:at+end])...)
			at += end
		default:
			at++
		}
	}
	return out
}

// readCMap reads a ToUnicode stream; nil if it is none.
func readCMap(content []byte) *cmap {
	if !bytes.Contains(content, []byte("begincmap")) {
		return nil
	}
	m := &cmap{width: 2, text: map[int]string{}}
	if _, after, ok := bytes.Cut(content, []byte("begincodespacerange")); ok {
		if codes, _ := hexStrings(after, 1); len(codes) == 1 {
			m.width = max(1, len(codes[0]))
		}
	}
	for rest := content; ; {
		i, section := bytes.Index(rest, []byte("beginbf")), 0
		if i < 0 {
			return m
		}
		rest = rest[i+len("beginbf"):]
		section = bytes.Index(rest, []byte("endbf"))
		if section < 0 {
			section = len(rest)
		}
		if bytes.HasPrefix(rest, []byte("char")) {
			m.chars(rest[:section])
		} else {
			m.ranges(rest[:section])
		}
	}
}

func (m *cmap) chars(b []byte) {
	list, _ := hexStrings(b, 2*maxCMapSize)
	for i := 0; i+1 < len(list); i += 2 {
		m.set(codeOf(list[i]), list[i+1])
	}
}

// ranges reads <from> <to> <first> and <from> <to> [<one> <two> ...].
func (m *cmap) ranges(b []byte) {
	for len(b) > 0 {
		bounds, n := hexStrings(b, 2)
		if len(bounds) < 2 {
			return
		}
		b = bytes.TrimLeft(b[n:], " \r\n\t")
		from, to := codeOf(bounds[0]), codeOf(bounds[1])
		if bytes.HasPrefix(b, []byte("[")) {
			end := bytes.IndexByte(b, ']')
			if end < 0 {
				return
			}
			list, _ := hexStrings(b[:end], maxCMapSize)
			for i, s := range list {
				m.set(from+i, s)
			}
			b = b[end+1:]
			continue
		}
		first, n := hexStrings(b, 1)
		if len(first) < 1 {
			return
		}
		b = b[n:]
		for code := from; code <= to && code-from < 256 && len(first[0]) > 0; code++ {
			s := bytes.Clone(first[0])
			s[len(s)-1] += byte(code - from)
			m.set(code, s)
		}
	}
}

func (m *cmap) set(code int, text []byte) {
	if len(m.text) >= maxCMapSize {
		return
	}
	var units []uint16
	for i := 0; i+1 < len(text) && i < 16; i += 2 {
		units = append(units, uint16(text[i])<<8|uint16(text[i+1]))
	}
	m.text[code] = string(utf16.Decode(units))
}

func (m *cmap) decode(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for ; len(text) >= m.width; text = text[m.width:] {
		out = append(out, m.text[codeOf(text[:m.width])]...)
	}
	return out
}

func codeOf(b []byte) int {
	n := 0
	for _, c := range b[:min(4, len(b))] {
		n = n<<8 | int(c)
	}
	return n
}

// hexStrings reads up to limit strings in angle brackets, and returns where it
// stopped.
func hexStrings(b []byte, limit int) (list [][]byte, at int) {
	for len(list) < limit {
		i := bytes.IndexByte(b[at:], '<')
		if i < 0 {
			break
		}
		end := bytes.IndexByte(b[at+i:], '>')
		if end < 0 {
			break
		}
		list = append(list, pdfUnhex(b[at+i:at+i+end]))
		at += i + end + 1
	}
	return list, at
}

package sanitize

import (
	"bytes"
	"iter"
	"strings"
)

// xmlTag is a tag in b[start:end], or a comment or processing instruction,
// whose name is then "!--" or begins with "?".
type xmlTag struct {
	start, end int
	name       string // without prefix
	full       string // with prefix
	closing    bool
	empty      bool // <a/>
}

// xmlTags iterates over the tags of an XML text, well-formed or not.
func xmlTags(b []byte) iter.Seq[xmlTag] {
	return func(yield func(xmlTag) bool) {
		for at := 0; ; {
			i := bytes.IndexByte(b[at:], '<')
			if i < 0 {
				return
			}
			t := xmlTag{start: at + i}
			rest := b[t.start:]
			switch {
			case bytes.HasPrefix(rest, []byte("<!--")):
				t.name, t.end = "!--", t.start+endOf(rest, "-->")
			case bytes.HasPrefix(rest, []byte("<![CDATA[")):
				at = t.start + endOf(rest, "]]>")
				continue
			case bytes.HasPrefix(rest, []byte("<?")):
				t.end = t.start + endOf(rest, "?>")
				t.name = "?" + xmlName(rest[2:])
			default:
				t.end = t.start + tagLength(rest)
				name := rest[1:]
				if t.closing = bytes.HasPrefix(name, []byte("/")); t.closing {
					name = name[1:]
				}
				t.full = xmlName(name)
				t.name = t.full[strings.IndexByte(t.full, ':')+1:]
				t.empty = t.end-t.start > 2 && b[t.end-2] == '/'
			}
			if !yield(t) {
				return
			}
			at = t.end
		}
	}
}

func endOf(b []byte, mark string) int {
	if i := bytes.Index(b, []byte(mark)); i >= 0 {
		return i + len(mark)
	}
	return len(b)
}

// tagLength is the length of a tag; a > in an attribute does not end it.
func tagLength(b []byte) int {
	quote := byte(0)
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(b)
}

func xmlName(b []byte) string {
	n := 0
	for n < len(b) && n < 100 && b[n] > ' ' && bytes.IndexByte([]byte("/>=<?"), b[n]) < 0 {
		n++
	}
	return string(b[:n])
}

// attributes iterates over a tag's attributes: the full name, and where the
// value stands.
func (t xmlTag) attributes(b []byte) iter.Seq2[string, [2]int] {
	return func(yield func(string, [2]int) bool) {
		at := t.start + 1 + len(t.full)
		for at < t.end {
			eq := bytes.IndexByte(b[at:t.end], '=')
			if eq < 0 {
				return
			}
			name := string(bytes.TrimSpace(b[at : at+eq]))
			at += eq + 1
			for at < t.end && b[at] <= ' ' {
				at++
			}
			if at >= t.end || b[at] != '"' && b[at] != '\'' {
				return
			}
			length := bytes.IndexByte(b[at+1:t.end], b[at])
			if length < 0 || !yield(name, [2]int{at + 1, at + 1 + length}) {
				return
			}
			at += length + 2
		}
	}
}

// element is where an element ends whose start tag is t, with its end tag.
func (t xmlTag) element(b []byte) int {
	if t.empty || t.full == "" {
		return t.end
	}
	depth := 1
	for next := range xmlTags(b[t.end:]) {
		if next.full != t.full || next.empty {
			continue
		}
		if !next.closing {
			depth++
		} else if depth--; depth == 0 {
			return t.end + next.end
		}
	}
	return len(b)
}

package config

import "strings"

// maxNesting bounds how deep keyLines follows arrays and inline tables.
const maxNesting = 50

// keyLines returns the line, counted from 1, on which each key of a TOML
// document first stands: "smtp" for the header [smtp], "smtp.listen" for the
// key in it. The parser does not tell positions of what it accepts, and this
// program's errors name a line; so the document, which is known to be valid,
// is read a second time for nothing but its keys. Of a document that is not
// valid it returns the lines up to where it lost the thread.
func keyLines(document string) map[string]int {
	s := &keyScanner{text: document, line: 1, lines: map[string]int{}}
	var table []string
	for s.blank(true) {
		if s.peek() != '[' {
			if !s.keyValue(table, 0) {
				break
			}
			continue
		}
		for s.peek() == '[' {
			s.next()
		}
		line := s.line
		key, ok := s.key()
		if !ok {
			break
		}
		table = key
		s.note(nil, table, line)
		for s.peek() == ']' {
			s.next()
		}
	}
	return s.lines
}

// keyScanner walks over a TOML document.
type keyScanner struct {
	text  string
	pos   int
	line  int
	lines map[string]int
}

// peek returns the octet at hand, 0 at the end.
func (s *keyScanner) peek() byte {
	if s.pos >= len(s.text) {
		return 0
	}
	return s.text[s.pos]
}

func (s *keyScanner) next() {
	if s.peek() == '\n' {
		s.line++
	}
	s.pos++
}

// blank skips white space and, if lines is set, line ends and comments. It
// reports whether anything follows.
func (s *keyScanner) blank(lines bool) bool {
	for s.pos < len(s.text) {
		switch c := s.peek(); {
		case c == ' ' || c == '\t':
		case lines && (c == '\n' || c == '\r'):
		case lines && c == '#':
			for s.pos < len(s.text) && s.peek() != '\n' {
				s.next()
			}
			continue
		default:
			return true
		}
		s.next()
	}
	return false
}

// note records where a key stands, and the tables it opens by its dots.
func (s *keyScanner) note(table, key []string, line int) {
	path := append(append([]string(nil), table...), key...)
	for n := len(table) + 1; n <= len(path); n++ {
		name := strings.Join(path[:n], ".")
		if _, ok := s.lines[name]; !ok {
			s.lines[name] = line
		}
	}
}

// key reads a key with its dots.
func (s *keyScanner) key() (key []string, ok bool) {
	for {
		s.blank(false)
		part, ok := s.keyPart()
		if !ok {
			return nil, false
		}
		key = append(key, part)
		s.blank(false)
		if s.peek() != '.' {
			return key, true
		}
		s.next()
	}
}

// keyPart reads a bare or quoted key.
func (s *keyScanner) keyPart() (string, bool) {
	start := s.pos
	if c := s.peek(); c == '"' || c == '\'' {
		s.quoted()
		text := s.text[start:s.pos]
		// Escapes stay: no key of ours needs them.
		return text[1:max(1, len(text)-1)], len(text) >= 2
	}
	for strings.IndexByte(" \t\r\n.=[]{},#\"'", s.peek()) < 0 && s.peek() != 0 {
		s.next()
	}
	return s.text[start:s.pos], s.pos > start
}

// keyValue reads "key = value".
func (s *keyScanner) keyValue(table []string, depth int) bool {
	line := s.line
	key, ok := s.key()
	if !ok || s.peek() != '=' {
		return false
	}
	s.next()
	s.note(table, key, line)
	return s.value(append(append([]string(nil), table...), key...), depth)
}

// value skips a value; path names it, for the keys of an inline table.
func (s *keyScanner) value(path []string, depth int) bool {
	if depth > maxNesting || !s.blank(false) {
		return false
	}
	switch s.peek() {
	case '"', '\'':
		return s.quoted()
	case '[':
		return s.list(']', func() bool { return s.value(path, depth+1) })
	case '{':
		return s.list('}', func() bool { return s.keyValue(path, depth+1) })
	}
	start := s.pos
	for strings.IndexByte(",]}\n#", s.peek()) < 0 && s.peek() != 0 {
		s.next()
	}
	return s.pos > start
}

// list skips an array or inline table, its elements by each.
func (s *keyScanner) list(end byte, each func() bool) bool {
	s.next()
	for s.blank(true) {
		switch s.peek() {
		case end:
			s.next()
			return true
		case ',':
			s.next()
		default:
			if !each() {
				return false
			}
		}
	}
	return false
}

// quoted skips a string of any of the four kinds.
func (s *keyScanner) quoted() bool {
	quote := s.text[s.pos : s.pos+1]
	literal := quote == "'"
	if long := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.pos:], long) {
		quote = long
	}
	for range quote {
		s.next()
	}
	for s.pos < len(s.text) {
		switch {
		case strings.HasPrefix(s.text[s.pos:], quote):
			for range quote {
				s.next()
			}
			// A long string may end in one or two quotes of its own.
			for len(quote) == 3 && s.peek() == quote[0] {
				s.next()
			}
			return true
		case !literal && s.peek() == '\\':
			s.next()
			if s.pos < len(s.text) {
				s.next()
			}
		case len(quote) == 1 && s.peek() == '\n':
			return false
		default:
			s.next()
		}
	}
	return false
}

package sanitize

import "strings"

// widen takes in what belongs to an address: a mailto: before it, the whole
// URL around it.
func (v *view) widen(m match, s string) match {
	start := v.linkFrom(m, s)
	if i := strings.Index(s[start:m.start], "://"); i >= 0 || strings.Contains(strings.ToLower(s[start:m.start]), "%3a%2f%2f") {
		return v.widenLink(m, s)
	}
	if head := strings.ToLower(s[start:m.start]); strings.HasSuffix(head, "mailto:") {
		m.start -= len("mailto:")
		if q := strings.IndexAny(s[m.end:], "? \t\r\n<>\"')]"); q >= 0 && s[m.end+q] == '?' {
			m.end = linkEnd(s, m.end)
		}
	}
	return m
}

// linkFrom returns where the word begins that a match is in, and the URL that
// it continues, if it does.
func (v *view) linkFrom(m match, s string) int {
	start := linkStart(s, m.start)
	if start < m.start && !v.whole {
		return lineAbove(s, start)
	}
	return start
}

const linkEnds = " \t\r\n<>\"()[]{}"

// Bounds of what a match takes in, so that matches in one endless word cost
// no more than others.
const (
	maxName = 320  // an address (RFC 3696)
	maxLink = 4000 // each way
)

func linkStart(s string, i int) int {
	for n := 0; i > 0 && n < maxLink && strings.IndexByte(linkEnds, s[i-1]) < 0; n++ {
		i--
	}
	return i
}

func linkEnd(s string, i int) int {
	for n := 0; i < len(s) && n < maxLink && strings.IndexByte(linkEnds, s[i]) < 0; n++ {
		i++
	}
	return i
}

// lineAbove returns where a URL begins that goes on at i, the beginning of a
// line: in a long line above it. Else it returns i.
func lineAbove(s string, i int) int {
	for k := i; i-k < maxLink; {
		end := len(strings.TrimRight(s[:k], "> \t\r\n"))
		if gap := s[end:k]; !strings.Contains(gap, "\n") || strings.Count(gap, "\n") > 1 {
			return i
		}
		line := strings.LastIndexByte(s[max(0, end-maxLink):end], '\n') + max(0, end-maxLink) + 1
		if end-line < 60 || quoteDepth(s[line:end]) != strings.Count(s[end:k], ">") {
			return i
		}
		if k = linkStart(s, end); strings.Contains(s[k:end], "://") {
			return k
		}
	}
	return i
}

// widenLink makes a match cover the whole URL around it. One that reaches the
// end of a long line goes on in the next of that level, where a program may
// have broken it.
func (v *view) widenLink(m match, s string) match {
	m.link = true
	m.start, m.end = v.linkFrom(m, s), linkEnd(s, m.end)
	for n := 0; n < 20 && !v.whole && m.end < len(s) && (s[m.end] == '\n' || s[m.end] == '\r'); n++ {
		line := strings.LastIndexByte(s[:m.end], '\n') + 1
		next := m.end + len(s[m.end:]) - len(strings.TrimLeft(s[m.end:], "\r\n> "))
		if m.end-line < 60 || strings.Count(s[m.end:next], "\n") != 1 || quoteDepth(s[line:m.end]) != strings.Count(s[m.end:next], ">") {
			break
		}
		m.end = linkEnd(s, next)
	}
	for m.end > m.start && strings.IndexByte(".,;!", s[m.end-1]) >= 0 {
		m.end--
	}
	return m
}

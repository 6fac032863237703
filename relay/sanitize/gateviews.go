package sanitize

import "strings"

// The readings below are what a text is searched in beside as it stands. They
// are loops and no regular expressions: the gate reads every text several
// times, and one of a megabyte must cost no more than its octets.

// withoutTags is a text without what looks like a tag: "<", anything but
// angle brackets, ">".
func withoutTags(s string) string {
	var b strings.Builder
	at := 0
	for i := strings.IndexByte(s, '<'); i >= 0; {
		n := strings.IndexAny(s[i+1:], "<>")
		if n < 0 {
			break
		}
		end := i + 1 + n
		if s[end] == '<' { // the first one began nothing
			i = end
			continue
		}
		if at == 0 {
			b.Grow(len(s))
		}
		b.WriteString(s[at:i])
		at = end + 1
		next := strings.IndexByte(s[at:], '<')
		if next < 0 {
			break
		}
		i = at + next
	}
	if at == 0 {
		return s
	}
	b.WriteString(s[at:])
	return b.String()
}

// joined is a text in one line: each line end, with the white space and quote
// marks that follow it, becomes sep.
func joined(s, sep string) string {
	if strings.IndexByte(s, '\n') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\n')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(strings.TrimSuffix(s[:i], "\r"))
		b.WriteString(sep)
		s = strings.TrimLeft(s[i+1:], " \t>")
	}
}

// withoutSpace is a text without white space and quote marks.
func withoutSpace(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c := s[i]; c > ' ' && c != '>' {
			b = append(b, c)
		}
	}
	return string(b)
}

// respelt is a text in which " at ", "(at)" and "[at]" are an @, and the same
// with "dot" a point.
func respelt(s string) string {
	for _, w := range [...][2]string{{"at", "@"}, {"dot", "."}} {
		s = replaceWord(s, w[0], w[1])
	}
	return s
}

const gateSpaces = " \t\r\n\v\f"

// replaceWord replaces a word between spaces or brackets, with these.
func replaceWord(s, word, by string) string {
	var b strings.Builder
	at := 0
	for off := 0; ; {
		i := strings.Index(s[off:], word)
		if i < 0 {
			break
		}
		i += off
		off = i + len(word)
		before := strings.TrimRight(s[at:i], gateSpaces)
		after := strings.TrimLeft(s[off:], gateSpaces)
		spaced := len(before) < i-at && len(after) < len(s)-off
		bracketed := before != "" && after != "" && strings.IndexByte("([{", before[len(before)-1]) >= 0 && strings.IndexByte(")]}", after[0]) >= 0
		switch {
		case bracketed:
			before = strings.TrimRight(before[:len(before)-1], gateSpaces)
			after = strings.TrimLeft(after[1:], gateSpaces)
		case !spaced:
			continue
		}
		b.WriteString(before)
		b.WriteString(by)
		at = len(s) - len(after)
		off = max(off, at)
	}
	if at == 0 {
		return s
	}
	b.WriteString(s[at:])
	return b.String()
}

// unquoted decodes what is left of quoted-printable: soft line breaks, and the
// signs that an address is made of.
func unquoted(s string) string {
	var b strings.Builder
	at := 0
	for off := 0; ; {
		i := strings.IndexByte(s[off:], '=')
		if i < 0 {
			break
		}
		i += off
		off = i + 1
		with, end := "", i
		switch rest := s[i+1:]; {
		case strings.HasPrefix(rest, "\n"):
			end = i + 2
		case strings.HasPrefix(rest, "\r\n"):
			end = i + 3
		case len(rest) >= 2 && strings.Contains(" 40 2e 2d 2b 3c 3e 5f ", " "+rest[:2]+" "):
			with, end = string(rune(unhexByte(rest[0], rest[1]))), i+3
		default:
			continue
		}
		b.WriteString(s[at:i])
		b.WriteString(with)
		at, off = end, end
	}
	if at == 0 {
		return s
	}
	b.WriteString(s[at:])
	return b.String()
}

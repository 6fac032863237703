package sanitize

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// view is a text as a reader with all the world's decoders would see it, to
// search in: lower case, compatibility forms and accents folded (NFKD without
// marks), white space, quote marks, control and invisible characters left
// out, what is percent-encoded, an entity, a quoted-printable leftover or a
// JSON escape decoded, "(at)" and "(dot)" spelt as @ and a point.
type view struct {
	b []byte
	// from and to say, where the view is mapped, which octets of the source a
	// byte of b stands for.
	from, to []int32
	mapped   bool
	dropTags bool
	whole    bool // the text's lines are whole: none was broken by a program
}

func (v *view) emit(c byte, from, to int) {
	v.b = append(v.b, c)
	if v.mapped {
		v.from = append(v.from, int32(from))
		v.to = append(v.to, int32(to))
	}
}

func (v *view) pop() {
	v.b = v.b[:len(v.b)-1]
	if v.mapped {
		v.from = v.from[:len(v.from)-1]
		v.to = v.to[:len(v.to)-1]
	}
}

// What a byte of the source is to a view.
const (
	viewSelf  = iota // stands for itself
	viewDrop         // left out
	viewUpper        // a letter to be lowered
	viewLook         // may begin something
	viewWord         // may begin "at" or "dot", if a word begins here
)

var viewClass = func() (t [256]byte) {
	for c := range t {
		switch {
		case c <= ' ' || c == 0x7f || c == '>':
			t[c] = viewDrop
		case c >= 'A' && c <= 'Z':
			t[c] = viewUpper
		case c >= 0x80 || strings.IndexByte("%=&\\+<", byte(c)) >= 0:
			t[c] = viewLook
		}
	}
	for _, c := range "aAdD" {
		t[c] = viewWord
	}
	return t
}()

// wordStart may stand before "at" and "dot".
var wordStart = [256]bool{' ': true, '\t': true, '\n': true, '(': true, '[': true, '{': true, '_': true, '-': true}

// read makes v the view of s.
func (v *view) read(s string) {
	v.b, v.from, v.to = v.b[:0], v.from[:0], v.to[:0]
	if v.mapped && cap(v.from) < len(s) {
		both := make([]int32, 2*(len(s)+16))
		v.from, v.to = both[:0:len(s)+16], both[len(s)+16:len(s)+16]
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch viewClass[c] {
		case viewSelf:
			v.emit(c, i, i+1)
			i++
		case viewUpper:
			v.emit(c+'a'-'A', i, i+1)
			i++
		case viewDrop:
			i++
		case viewWord:
			if i > 0 && wordStart[s[i-1]] {
				i = v.look(s, i)
				continue
			}
			v.emit(c|0x20, i, i+1)
			i++
		default:
			i = v.look(s, i)
		}
	}
}

// look decodes what may begin at i, and returns where it ends.
func (v *view) look(s string, i int) int {
	c := s[i]
	switch {
	case c >= utf8.RuneSelf:
		return v.rune(s, i)
	case c == '%':
		if b, end := percentAt(s, i); end > i {
			if b >= utf8.RuneSelf {
				return v.percentRune(s, i)
			}
			return v.decoded(b, i, end)
		}
	case c == '=':
		if b, end := leftoverAt(s, i); end > i {
			if b != 0 {
				v.decoded(b, i, end)
			}
			return end
		}
	case c == '&':
		if r, end := entityAt(s, i); end > i {
			return v.runes(r, i, end)
		}
	case c == '\\':
		if r, end := escapeAt(s, i); end > i {
			return v.runes(r, i, end)
		}
	case c == '+' && strings.HasPrefix(s[i:], "+AEA-"): // UTF-7's @
		v.emit('@', i, i+5)
		return i + 5
	case c == '<' && v.dropTags:
		if end := tagEnd(s, i); end > i {
			return end
		}
	case c|0x20 == 'a':
		if end := v.spelt(s, i, "at"); end > i {
			v.emit('@', i, end)
			return end
		}
	case c|0x20 == 'd':
		if end := v.spelt(s, i, "dot"); end > i {
			v.emit('.', i, end)
			return end
		}
	}
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	v.emit(c, i, i+1)
	return i + 1
}

// percentRune emits the character whose octets are percent-encoded at i.
func (v *view) percentRune(s string, i int) int {
	var buf [utf8.UTFMax]byte
	n, end := 0, i
	for n < len(buf) && !utf8.FullRune(buf[:n]) && strings.HasPrefix(s[end:], "%") {
		b, next := percentAt(s, end)
		if next == end {
			break
		}
		buf[n] = b
		n, end = n+1, next
	}
	r, size := utf8.DecodeRune(buf[:n])
	if size < n || r == utf8.RuneError { // no UTF-8: the octet by itself
		_, end = percentAt(s, i)
		return v.decoded(buf[0], i, end)
	}
	return v.runes(r, i, end)
}

// rune emits the character at i, folded.
func (v *view) rune(s string, i int) int {
	r, n := utf8.DecodeRuneInString(s[i:])
	switch {
	case r == utf8.RuneError && n == 1:
		return i + 1
	case r >= 0x3041 && r <= 0xd7a3 && r < 0xa000: // kana, ideographs: nothing to fold
		for k := i; k < i+n; k++ {
			v.emit(s[k], i, i+n)
		}
		return i + n
	}
	return v.runes(r, i, i+n)
}

// runes emits one decoded character that stands for s[from:to].
func (v *view) runes(r rune, from, to int) int {
	if r < utf8.RuneSelf {
		return v.decoded(byte(r), from, to)
	}
	var buf [utf8.UTFMax]byte
	var out [64]byte
	n := utf8.EncodeRune(buf[:], r)
	for _, d := range string(norm.NFKD.Append(out[:0], buf[:n]...)) {
		if unicode.In(d, unicode.Mn, unicode.Cf, unicode.Cc, unicode.Z) || d == '\u115f' || d == '\u1160' || d == '\u3164' {
			continue
		}
		n := utf8.EncodeRune(buf[:], unicode.ToLower(d))
		for k := range n {
			v.emit(buf[k], from, to)
		}
	}
	return to
}

// decoded emits an octet that something stood for.
func (v *view) decoded(b byte, from, to int) int {
	switch viewClass[b] {
	case viewDrop:
	case viewUpper, viewWord:
		v.emit(b|0x20, from, to)
	default:
		v.emit(b, from, to)
	}
	return to
}

// spelt matches "at" or "dot" between spaces or brackets at i, takes back the
// bracket before it and returns the end, after the bracket that closes it.
func (v *view) spelt(s string, i int, word string) int {
	end := i + len(word)
	if i == 0 || end >= len(s) || !strings.EqualFold(s[i:end], word) {
		return i
	}
	before, after := s[i-1], s[end]
	if !wordStart[before] || strings.IndexByte(" \t\n)]}_-", after) < 0 {
		return i
	}
	if n := len(v.b); n > 0 && strings.IndexByte("([{_-", before) >= 0 && v.b[n-1] == before {
		v.pop()
	}
	return end + 1
}

// percentAt decodes %XX at i, however often the percent sign itself was
// encoded.
func percentAt(s string, i int) (byte, int) {
	k := i + 1
	for n := 0; strings.HasPrefix(s[k:], "25") && n < 8 && k+4 <= len(s); n++ {
		k += 2
	}
	if k+1 < len(s) {
		if h, l := unhex(s[k]), unhex(s[k+1]); h >= 0 && l >= 0 {
			return byte(h<<4 | l), k + 2
		}
	}
	return 0, i
}

// leftoverAt decodes what quoted-printable is often left undecoded: a soft
// break, and the signs that an address is made of.
func leftoverAt(s string, i int) (byte, int) {
	if rest := strings.TrimPrefix(s[i+1:], "\r"); strings.HasPrefix(rest, "\n") {
		return 0, len(s) - len(rest) + 1
	}
	if i+2 < len(s) {
		switch b := byte(unhex(s[i+1])<<4 | unhex(s[i+2])&15); {
		case unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0:
		case b == '@' || b == '.' || b == '<' || b == '>' || b == ':' || b == '+' || b == '-' || b == '_' || b == '=':
			return b, i + 3
		}
	}
	return 0, i
}

// entities that an address can be written with; all others are letters.
var entities = map[string]rune{
	"commat": '@', "period": '.', "lowbar": '_', "plus": '+', "hyphen": '-', "dash": '-', "num": '#', "percnt": '%', "equals": '=',
	"colon": ':', "sol": '/', "lt": '<', "gt": '>', "quot": '"', "nbsp": ' ', "shy": '\u00ad', "zwnj": '\u200c', "zwj": '\u200d', "Tab": '\t', "NewLine": '\n',
}

// entityAt decodes a character reference at i, also one that was escaped again.
func entityAt(s string, i int) (rune, int) {
	k := i + 1
	for n := 0; strings.HasPrefix(s[k:], "amp;") && n < 8; n++ {
		k += 4
	}
	if k < len(s) && s[k] == '#' {
		r, digits, base := rune(0), 0, rune(10)
		if k++; k < len(s) && s[k]|0x20 == 'x' {
			base = 16
			k++
		}
		for ; k < len(s) && digits < 10; k++ {
			d := rune(unhex(s[k]))
			if d < 0 || d >= base {
				break
			}
			if r = r*base + d; r > unicode.MaxRune {
				return 0, i
			}
			digits++
		}
		if digits == 0 || r == 0 {
			return 0, i
		}
		if k < len(s) && s[k] == ';' {
			k++
		}
		return r, k
	}
	end := strings.IndexByte(s[k:min(len(s), k+10)], ';')
	if end < 0 {
		return 0, i
	}
	if r, ok := entities[s[k:k+end]]; ok {
		return r, k + end + 1
	}
	return 0, i
}

// escapeAt decodes \u0040 and \x40.
func escapeAt(s string, i int) (rune, int) {
	n := 0
	if i+1 < len(s) {
		switch s[i+1] {
		case 'u':
			n = 4
		case 'x':
			n = 2
		}
	}
	if n == 0 || i+2+n > len(s) {
		return 0, i
	}
	r := rune(0)
	for _, c := range []byte(s[i+2 : i+2+n]) {
		h := unhex(c)
		if h < 0 {
			return 0, i
		}
		r = r<<4 | rune(h)
	}
	return r, i + 2 + n
}

// tagEnd returns the end of what looks like a tag or comment at i.
func tagEnd(s string, i int) int {
	if i+1 >= len(s) {
		return i
	}
	c := s[i+1]
	if c != '/' && c != '!' && (c|0x20 < 'a' || c|0x20 > 'z') {
		return i
	}
	end := strings.IndexByte(s[i:min(len(s), i+2000)], '>')
	if end < 0 || strings.IndexByte(s[i+1:i+end], '<') >= 0 {
		return i
	}
	return i + end + 1
}

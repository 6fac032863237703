package threading

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxSearchText bounds the text of a body that a search looks at, in octets
// after folding.
const MaxSearchText = 256 << 10

// plainLetters are what people type for letters that have no decomposition.
var plainLetters = map[rune]string{
	'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'æ': "ae", 'œ': "oe", 'ı': "i",
	'ς': "σ", // at the end of a word
}

// Fold brings text to the form in which searches compare: case folded,
// compatibility forms and accents dropped, every run of white space one space.
// RFC 5256 section 2.1's i;unicode-casemap is the model; leaving out accents
// as well is what people expect.
func Fold(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	write := func(r rune) {
		switch {
		case unicode.IsSpace(r):
			space = true
			return
		case unicode.Is(unicode.Mn, r), isUnseen(r):
			return
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		r = unicode.ToLower(r)
		if plain, ok := plainLetters[r]; ok {
			b.WriteString(plain)
		} else {
			b.WriteRune(r)
		}
	}
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c == ' ' || c >= '\t' && c <= '\r' {
				space = true
			} else {
				if space {
					b.WriteByte(' ')
					space = false
				}
				b.WriteByte(c)
			}
			i++
			continue
		}
		// One run of non-ASCII text is normalised at a time.
		j := i
		for j < len(s) && s[j] >= utf8.RuneSelf {
			j++
		}
		for _, r := range norm.NFKD.String(s[i:j]) {
			write(r)
		}
		i = j
	}
	if space {
		b.WriteByte(' ')
	}
	return b.String()
}

// isUnseen reports whether a character only tells how its neighbours are shown:
// soft hyphen, joiners, marks of direction.
func isUnseen(r rune) bool {
	switch {
	case r == '\u00ad', r == '\u180e', r == '\ufeff', r >= '\u200b' && r <= '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2060' && r <= '\u2064', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}

// isPlain reports whether Fold would return s itself.
func isPlain(s string) bool {
	space := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' || c >= '\t' && c <= '\r' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return true
}

// A Signature is a Bloom filter over the trigrams of a folded text. A search
// asks it before reading the text: it never denies what is there, and a text
// of n octets takes about n/2 octets, at most maxSignature.
type Signature []byte

const (
	minSignature = 64
	maxSignature = 8 << 10
)

// NewSignature returns the signature of a folded text.
func NewSignature(folded string) Signature {
	size := minSignature
	for size < len(folded)/2 && size < maxSignature {
		size *= 2
	}
	s := make(Signature, size)
	for i := 0; i+3 <= len(folded); i++ {
		a, b := s.bits(folded[i : i+3])
		s[a>>3] |= 1 << (a & 7)
		s[b>>3] |= 1 << (b & 7)
	}
	return s
}

// MayContain reports whether a text with this signature can contain the
// folded needle. Needles under 3 octets always may.
func (s Signature) MayContain(needle string) bool {
	if len(s) < minSignature {
		return true
	}
	for i := 0; i+3 <= len(needle); i++ {
		a, b := s.bits(needle[i : i+3])
		if s[a>>3]&(1<<(a&7)) == 0 || s[b>>3]&(1<<(b&7)) == 0 {
			return false
		}
	}
	return true
}

// bits returns the two bit positions of a trigram.
func (s Signature) bits(t string) (a, b uint32) {
	v := uint32(t[0]) | uint32(t[1])<<8 | uint32(t[2])<<16
	h := uint64(v) * 0x9E3779B97F4A7C15
	mask := uint32(len(s)*8 - 1)
	return uint32(h>>40) & mask, uint32(h>>16) & mask
}

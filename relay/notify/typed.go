package notify

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// leftOut stands in a digest for a word that a member typed.
const leftOut = "[…]"

// What may be, or may be read as, an address or the name of a host: written
// straight, in any encoding that the gate undoes, or spelt out.
var (
	nameLike  = regexp.MustCompile(`(?i)@|\.(\p{L}{2}|xn--)|%[0-9a-f]{2}|=[0-9a-f]{2}|\\u00|&(#|\w+;)|\.\S*</?[a-z!]|</?[a-z!]\S*\.`)
	packed    = regexp.MustCompile(`[A-Za-z0-9+/]{8,}`)
	mixed     = regexp.MustCompile(`[a-z][A-Z0-9+/]|[0-9][A-Za-z+/]`)
	spelledBy = regexp.MustCompile(`(?i)(^|[\s([{])dot($|[\s)\]}])`)
)

// typed is what a member typed as a digest may show it, on one line, and
// whether that is all of it. A digest is one mail of many conversations, in
// places that nobody types into (a link, the preview): the gate would have to
// stop it for an address of anybody whom it speaks of. So no address and no
// host is in it, whoever's it is: what is left out must not tell whose it was.
func typed(s string) (shown string, whole bool) {
	if spelledBy.MatchString(withoutMarks(s)) {
		return leftOut, false
	}
	words := strings.Fields(s)
	whole = true
	for i, w := range words {
		p := withoutMarks(w)
		if nameLike.MatchString(p) || mixed.MatchString(packed.FindString(p)) {
			words[i], whole = leftOut, false
		}
	}
	return strings.Join(words, " "), whole
}

// withoutMarks is a text in NFKC, without invisible characters.
func withoutMarks(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || r == '\u115f' || r == '\u3164' {
			return -1
		}
		return r
	}, norm.NFKC.String(s))
}

package sanitize

import (
	"bytes"
	"html"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
)

// What is searched for.
type searchFor uint8

const (
	searchAddresses searchFor = 1 << iota // real addresses
	searchRelay                           // addresses and links that the relay issued
	searchDomains                         // domains and hosts that point to the writer
	searchAll       = searchAddresses | searchRelay | searchDomains
)

// search is an identity made ready for the gate. It shares nothing with the
// finder that redacts: there one view with all decodings at once and a map
// back, here many readings of a text, each searched.
type search struct {
	addresses []searchAddress
	domains   []string // personal ones, and hosts
	// What a text must hold, of letters and digits, for an address to be
	// found, and for anything else.
	needed, neededElse [][]byte
	relay              string
	link               string
	buf                []byte // of possible
}

type searchAddress struct {
	local  string // without dots and tag
	domain string
}

func newSearch(id Identity) *search {
	s := &search{relay: reading(id.RelayDomain)}
	if s.relay != "" {
		s.neededElse = append(s.neededElse, squeeze(nil, s.relay))
	}
	if _, rest, ok := strings.Cut(id.RelayURL, "://"); ok {
		s.link = reading(strings.TrimRight(rest, "/"))
		s.neededElse = append(s.neededElse, squeeze(nil, s.link))
	}
	for _, a := range id.Addresses {
		local, domain, ok := cutLast(a, "@")
		if !ok || local == "" || domain == "" {
			continue
		}
		local, _, _ = strings.Cut(reading(strings.Trim(local, `"`)), "+")
		local = strings.ReplaceAll(local, ".", "")
		names := []string{reading(domain)}
		if u, err := idna.Punycode.ToUnicode(strings.ToLower(domain)); err == nil && reading(u) != names[0] {
			names = append(names, reading(u))
		}
		if p, err := idna.Punycode.ToASCII(strings.ToLower(domain)); err == nil && p != names[0] {
			names = append(names, reading(p))
		}
		for _, other := range sameMailbox(names[0]) {
			if !slices.Contains(names, other) {
				names = append(names, other)
			}
		}
		for _, name := range names {
			s.addresses = append(s.addresses, searchAddress{local, name})
			if !sharedProvider(name) && !within(s.relay, name) {
				s.domains = append(s.domains, name)
			}
			s.needed = append(s.needed, squeeze(nil, name))
		}
	}
	s.organisations(id)
	for _, h := range id.Hosts {
		if h = reading(h); len(h) >= 6 && !sharedProvider(h) && (s.relay == "" || !strings.HasSuffix(h, s.relay) && !within(s.relay, h)) {
			s.domains = append(s.domains, h)
			s.neededElse = append(s.neededElse, squeeze(nil, h))
		}
	}
	return s
}

// organisations adds the domains that were registered, of which the addresses'
// are a part.
func (s *search) organisations(id Identity) {
	for _, a := range id.Addresses {
		_, name, _ := cutLast(a, "@")
		org, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(name))
		if org = reading(org); err != nil || sharedProvider(org) || within(s.relay, org) || slices.Contains(s.domains, org) {
			continue
		}
		s.domains = append(s.domains, org)
		s.neededElse = append(s.neededElse, squeeze(nil, org))
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// reading is a text in NFKC and lower case, without invisible characters.
func reading(s string) string {
	if !isASCII(s) {
		s = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) || r == '\u115f' || r == '\u3164' {
				return -1
			}
			return r
		}, norm.NFKC.String(s))
	}
	return strings.ToLower(s)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// squeeze appends the ASCII letters and digits of s, in lower case, and what
// is not ASCII.
func squeeze(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			b = append(b, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
			b = append(b, c)
		}
	}
	return b
}

// possible reports whether a reading can hold anything, written straight or
// broken by white space, marks and punctuation. It never says no wrongly.
func (s *search) possible(text string, what searchFor) bool {
	if cap(s.buf) < len(text) {
		s.buf = make([]byte, 0, len(text))
	}
	q := squeeze(s.buf[:0], text)
	holds := func(name []byte) bool { return bytes.Contains(q, name) }
	return slices.ContainsFunc(s.needed, holds) || what != searchAddresses && slices.ContainsFunc(s.neededElse, holds)
}

var jsonLike = regexp.MustCompile(`\\u00([0-9a-f]{2})`)

// finds reports whether any reading of a text, or a block of base64 in it,
// holds what is searched for.
func (s *search) finds(text string, what searchFor) bool {
	return s.findsPlain(text, what) || s.findsPacked(text, what)
}

func (s *search) findsPlain(text string, what searchFor) bool {
	if text == "" {
		return false
	}
	t := reading(text)
	for round := range 4 {
		if s.findsRead(t, what) {
			return true
		}
		next := t
		if strings.Contains(next, "&") {
			next = html.UnescapeString(next)
		}
		if strings.Contains(next, "%") {
			next = unpercent(next)
		}
		if strings.Contains(next, `\u00`) {
			next = jsonLike.ReplaceAllStringFunc(next, func(m string) string { return string(rune(unhexByte(m[4], m[5]))) })
		}
		if strings.Contains(next, "=") {
			next = unquoted(next)
		}
		if next == t || round == 3 {
			break
		}
		t = reading(next)
	}
	return false
}

// findsRead searches one reading, with tags and without, with line breaks and
// without.
func (s *search) findsRead(t string, what searchFor) bool {
	if s.findsView(t, what) {
		return true
	}
	bare := withoutTags(t)
	return len(bare) < len(t) && s.findsView(bare, what)
}

func (s *search) findsView(v string, what searchFor) bool {
	spelled := v
	if strings.Contains(v, "dot") { // a domain that is spelt out shows only then
		spelled = respelt(v)
	}
	if !s.possible(v, what) && (len(spelled) == len(v) || !s.possible(spelled, what)) {
		return false
	}
	if s.in(v, what) || s.in(joined(v, ""), what) || s.in(joined(v, " "), what) {
		return true
	}
	// Broken by spaces the place where a word begins is lost: for addresses only.
	if what&searchAddresses != 0 && s.in(withoutSpace(v), searchAddresses) {
		return true
	}
	if len(spelled) == len(v) {
		spelled = respelt(v)
	}
	return len(spelled) < len(v) && s.in(spelled, what)
}

// in searches a view as it stands.
func (s *search) in(v string, what searchFor) bool {
	found := false
	if what&searchAddresses != 0 {
		for _, a := range s.addresses {
			each(v, a.domain, func(i int) {
				found = found || addressEnds(v[:i], a.local) || rewrittenStarts(v[i+len(a.domain):], a.local)
			})
		}
	}
	if what&searchDomains != 0 {
		for _, d := range s.domains {
			each(v, d, func(i int) {
				end := i + len(d)
				found = found || (i == 0 || !wordByte(v[i-1])) && (end == len(v) || !wordByte(v[end]))
			})
		}
	}
	if what&searchRelay != 0 {
		each(v, "@"+s.relay, func(i int) {
			k := i
			for k > 0 && k > i-64 && (wordByte(v[k-1]) || v[k-1] == '+' || v[k-1] == '.' || v[k-1] == '_') {
				k--
			}
			found = found || s.relay != "" && (strings.HasPrefix(v[k:i], "t-") || strings.HasPrefix(v[k:i], "b-"))
		})
		if s.link != "" {
			found = found || strings.Contains(v, "://"+s.link+"/") || strings.Contains(v, "://"+s.link+"?") || strings.Contains(v, "//"+s.link+"/")
		}
	}
	return found
}

func each(s, sep string, f func(i int)) {
	for off := 0; sep != ""; {
		i := strings.Index(s[off:], sep)
		if i < 0 {
			return
		}
		f(off + i)
		off += i + 1
	}
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c >= 0x80
}

// addressEnds reports whether before ends in the local part and an @, with
// dots and a +tag between as they like.
func addressEnds(before, local string) bool {
	before = strings.TrimRight(before, " \t\r\n")
	if !strings.HasSuffix(before, "@") && !strings.HasSuffix(before, "=") {
		return false
	}
	before = strings.TrimRight(before[:len(before)-1], " \t\r\n\"'")
	for {
		if localIs(before, local) {
			return true
		}
		i := strings.LastIndexByte(before, '+')
		if i < 0 || len(before)-i > 80 || strings.ContainsAny(before[i:], " \t\r\n<>@") {
			return false
		}
		before = before[:i]
	}
}

// rewrittenStarts reports whether what follows a domain is "=", a local part,
// its +tag and "@", as in the addresses that forwarders make (SRS).
func rewrittenStarts(after, local string) bool {
	name, _, ok := strings.Cut(after[:min(len(after), 200)], "@")
	if !ok || !strings.HasPrefix(name, "=") {
		return false
	}
	name, _, _ = strings.Cut(name[1:], "+")
	return strings.ReplaceAll(name, ".", "") == local
}

// localIs reports whether before ends in local, as a word of its own.
func localIs(before, local string) bool {
	k := len(before)
	for n := len(local); n > 0; {
		if k == 0 {
			return false
		}
		k--
		if before[k] == local[n-1] {
			n--
		} else if before[k] != '.' {
			return false
		}
	}
	if k > 0 && before[k-1] == '.' {
		k--
	}
	return k == 0 || !wordByte(before[k-1])
}

func unhexByte(h, l byte) byte { return byte(unhex(h)<<4 | unhex(l)&15) }

// unpercent decodes percent-encoding; what is none stays.
func unpercent(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return string(percentDecode(s))
}

// tokens are the fields that are full of opaque names, and hold nothing that a
// writer chose.
var tokens = regexp.MustCompile(`^(?i:From|To|Cc|Message-ID|In-Reply-To|References):`)

// inHeader searches a header block for addresses: as it stands, unfolded, and
// with its encoded words decoded.
func (s *search) inHeader(header []byte) bool {
	text := unfolded(header)
	if s.findsPlain(text, searchAddresses) {
		return true
	}
	for line := range strings.SplitSeq(text, "\n") {
		if !tokens.MatchString(line) && s.findsPacked(line, searchAddresses) {
			return true
		}
		if !strings.Contains(line, "=?") {
			continue
		}
		var d mime.WordDecoder
		if dec, err := d.DecodeHeader(line); err == nil && dec != line && s.finds(dec, searchAddresses) {
			return true
		}
	}
	return false
}

// unfolded is a header block with a line for each field.
func unfolded(header []byte) string {
	return strings.NewReplacer("\r\n ", " ", "\r\n\t", " ", "\n ", " ", "\n\t", " ", "\r", "").Replace(string(header))
}

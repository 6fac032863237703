package sanitize

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lineKind says who wrote a line.
type lineKind uint8

const (
	lineNew    lineKind = iota // the writer, now
	lineQuoted                 // quoted; or put there by a program; or can't be told
)

// textLine is a line of a text that ends in LF lines.
type textLine struct {
	start, end int // without the LF
	depth      int // quote marks before it
	kind       lineKind
}

// maxWrapped is over how many lines an attribution may be broken.
const maxWrapped = 4

// quoteFinder tells new from quoted in the lines of a text.
type quoteFinder struct {
	s     string
	lines []textLine
}

// classify cuts a text into lines and says of each whether it is new. What
// stands behind a quote mark is quoted; an attribution, if what it announces
// is; all that follows a header block, a separator or the signature's "-- ",
// which a program put there.
func classify(s string) []textLine {
	f := newQuoteFinder(s)
	return f.classify()
}

// newQuoteFinder cuts a text into lines and counts their quote marks.
func newQuoteFinder(s string) quoteFinder {
	f := quoteFinder{s: s, lines: make([]textLine, 0, strings.Count(s, "\n")+1)}
	for i := 0; i <= len(s); {
		end := strings.IndexByte(s[i:], '\n')
		if end < 0 {
			end = len(s)
		} else {
			end += i
		}
		f.lines = append(f.lines, textLine{start: i, end: end, depth: quoteDepth(s[i:end])})
		i = end + 1
	}
	return f
}

func (f *quoteFinder) classify() []textLine {
	for i := 0; i < len(f.lines); i++ {
		l := &f.lines[i]
		if l.depth > 0 {
			l.kind = lineQuoted
			continue
		}
		t := f.trimmed(i)
		switch {
		case t == "":
		case f.endsAllNew(i, t):
			f.quoteFrom(i)
			return f.lines
		default:
			start, ok := f.attribution(i, t)
			if !ok {
				continue
			}
			for k := start; k <= i; k++ {
				f.lines[k].kind = lineQuoted
			}
			if next := f.nextText(i); next < len(f.lines) && f.lines[next].depth == 0 {
				f.quoteFrom(i)
				return f.lines
			}
		}
	}
	return f.lines
}

func (f *quoteFinder) quoteFrom(i int) {
	for ; i < len(f.lines); i++ {
		f.lines[i].kind = lineQuoted
	}
}

// trimmed is a line without what stands around its words.
func (f *quoteFinder) trimmed(i int) string {
	s := f.s[f.lines[i].start:f.lines[i].end]
	if s == "" || s[0] > ' ' && s[0] < utf8.RuneSelf && s[len(s)-1] > ' ' && s[len(s)-1] < utf8.RuneSelf {
		return s
	}
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == 0x7f || r < ' '
	})
}

// nextText is the next line that is not empty.
func (f *quoteFinder) nextText(i int) int {
	for i++; i < len(f.lines) && f.trimmed(i) == ""; i++ {
	}
	return i
}

// quoteDepth counts the quote marks that a line begins with.
func quoteDepth(s string) int {
	depth, spaces := 0, 0
	for i := citedName(s); i < len(s); {
		switch {
		case s[i] == '>':
			depth++
			spaces = 0
			i++
		case (s[i] == ' ' || s[i] == '\t') && spaces < 4:
			spaces++
			i++
		case strings.HasPrefix(s[i:], "\ufeff"):
			i += 3
		case strings.HasPrefix(s[i:], "\u00a0"):
			i += 2
		default:
			return depth
		}
	}
	return depth
}

// citedName returns where the quote mark stands that a name is written
// before, as Emacs and old webmails do: "Sam> text". Else it returns 0.
func citedName(s string) int {
	indent := len(s) - len(strings.TrimLeft(s, " "))
	end := strings.IndexByte(s[indent:min(len(s), indent+16)], '>')
	if end < 1 || indent > 8 {
		return 0
	}
	name := s[indent : indent+end]
	rest := s[indent+end+1:]
	// A small letter, or a point, is rather the end of a wrapped address.
	if first, _ := utf8.DecodeRuneInString(name); !unicode.IsUpper(first) || name[len(name)-1] == ' ' || rest != "" && rest[0] != ' ' && rest[0] != '>' ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && r != ' ' }) {
		return 0
	}
	return indent + end
}

// endsAllNew reports whether nothing after line i counts as new.
func (f *quoteFinder) endsAllNew(i int, t string) bool {
	return t == "--" || t == "__" || isSeparator(t) || f.headerBlock(i, t)
}

// isSeparator reports whether a line is one such as "-----Original Message-----".
func isSeparator(t string) bool {
	dashes := strings.IndexAny(t[:1], "-_=~*") == 0 || strings.HasPrefix(t, "—")
	if !dashes && len(t) > 120 {
		return false
	}
	if !dashes {
		lower := strings.ToLower(t)
		for _, s := range separatorStarts {
			if strings.HasPrefix(lower, s) {
				return true
			}
		}
		return false
	}
	lower := strings.ToLower(strings.TrimLeft(t, "-_=~*— \u00a0\u200e\u200f\ufeff"))
	if len(lower) == len(t) {
		return false
	}
	for _, s := range separators {
		if strings.HasPrefix(lower, s) {
			return true
		}
	}
	return false
}

// headerBlock reports whether a block of labels such as "From: ... Sent: ..."
// begins at line i: two different ones of its lines within the next few.
func (f *quoteFinder) headerBlock(i int, t string) bool {
	kinds := labelOf(t)
	if kinds == 0 {
		return false
	}
	if n := runTogether(t); n >= 3 { // Yahoo runs them all together
		return true
	}
	distinct := 1
	for k, seen := i+1, 0; k < len(f.lines) && seen < 8; k++ {
		next := f.trimmed(k)
		if next == "" {
			if seen++; k > i+2 {
				break
			}
			continue
		}
		seen++
		if kind := labelOf(next); kind != 0 && kind&^kinds != 0 {
			kinds |= kind
			if distinct++; distinct >= 2 && kinds&(labelFrom|labelTo|labelSent) != 0 {
				return true
			}
		}
	}
	return false
}

// labelOf returns what the label at the start of a line names, or 0.
func labelOf(t string) labelKind {
	head := t[:min(len(t), 60)]
	i := strings.IndexByte(head, ':')
	if j := strings.Index(head, "："); j >= 0 && (i < 0 || j < i) {
		i = j
	}
	if i < 0 {
		// Polish Outlook and Portuguese Yahoo leave the colon out.
		for _, bare := range []string{"DW ", "Dw ", "Assunto "} {
			if strings.HasPrefix(t, bare) {
				return labels[strings.ToLower(strings.TrimSpace(bare))]
			}
		}
		return 0
	}
	if i > 40 || strings.HasPrefix(head[i:], "://") {
		return 0
	}
	return labels[strings.ToLower(strings.Trim(head[:i], " \t*_|\u00a0\u200e\u200f\u202a\u202b\u202c\ufeff"))]
}

// runTogether counts the English labels that stand in one line without space
// between.
func runTogether(t string) int {
	n := 0
	for _, l := range []string{"From:", "To:", "Cc:", "Sent:", "Subject:"} {
		if strings.Contains(t, l) {
			n++
		}
	}
	return n
}

// attribution reports whether line i ends an attribution such as "On Monday,
// Sam wrote:", and in which line it begins.
func (f *quoteFinder) attribution(i int, t string) (start int, ok bool) {
	next := f.nextText(i)
	quoteFollows := next < len(f.lines) && f.lines[next].depth > 0
	colon := strings.HasSuffix(t, ":") || strings.HasSuffix(t, "：")
	if !colon && !quoteFollows && !strings.HasSuffix(t, "---") {
		return 0, false
	}
	start = i
	for start > 0 && i-start < maxWrapped-1 && !(beginsAttribution(f.trimmed(start)) && wholeBrackets(f.s[f.lines[start].start:f.lines[i].end])) {
		if f.lines[start-1].kind != lineNew || f.lines[start-1].depth > 0 || f.trimmed(start-1) == "" {
			break
		}
		start--
	}
	joined := t
	if start < i {
		joined = strings.TrimSpace(f.s[f.lines[start].start:f.lines[i].end])
	}
	if len(joined) > 600 {
		return 0, false
	}
	verb := hasVerb(joined)
	address := strings.ContainsAny(joined, "@<＠") || strings.Contains(joined, "mailto:")
	date := digits(joined) >= 3
	switch {
	case quoteFollows && colon && (verb || address || date):
	case quoteFollows && verb && (address || date):
	case verb && (address || date) && (colon || strings.HasSuffix(t, "---")):
	case address && date && strings.Trim(t[max(0, len(t)-4):], " ") != "" && (strings.HasSuffix(t, ">:") || strings.HasSuffix(t, ">：") || strings.HasSuffix(t, "> :")):
	default:
		return 0, false
	}
	if !colon && !verb {
		return 0, false
	}
	return start, true
}

// beginsAttribution reports whether a line looks like the first one: it has
// a date.
func beginsAttribution(t string) bool {
	return digits(t) >= 3
}

// wholeBrackets reports whether the address in a part of an attribution is
// whole: the name before it, or the bracket, is not in the line above.
func wholeBrackets(s string) bool {
	i := strings.IndexAny(s, "<>()")
	return i < 0 || strings.TrimLeft(s[:i], " \t") != "" && (s[i] == '<' || s[i] == '(')
}

// digits counts the digits, of whatever script.
func digits(s string) int {
	n := 0
	for _, r := range s {
		if r >= '0' && r <= '9' || r >= utf8.RuneSelf && unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

func hasVerb(s string) bool {
	s = strings.ToLower(s)
	for _, v := range verbs {
		if strings.Contains(s, v) {
			return true
		}
	}
	return false
}

package sanitize

import "strings"

// newText says of a place in a text whether the writer typed it just now.
type newText func(start, end int) bool

func nothingNew(int, int) bool { return false }

// newLinesOf makes a newText of classified lines. A place that reaches into a
// quoted line is not new. A line that begins with a label (To:, Reply-To:) is
// a program's, where it holds an identifier.
func newLinesOf(s string, list []textLine) newText {
	return func(start, end int) bool {
		lo, hi := 0, len(list)
		for lo < hi { // the first line that ends at or after start
			if mid := (lo + hi) / 2; list[mid].end < start {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		for ; lo < len(list) && list[lo].start < end; lo++ {
			l := list[lo]
			if l.kind != lineNew || automaticLine(s[l.start:l.end]) {
				return false
			}
		}
		return true
	}
}

// automaticLine reports whether a line that holds an identifier was put there
// by a program: a single label, or a mail app's "Sent from the account of".
func automaticLine(line string) bool {
	t := strings.TrimSpace(line)
	if k := labelOf(t); k&(labelFrom|labelTo|labelCc|labelOther) != 0 {
		return true
	}
	return programsLine(strings.ToLower(t))
}

// edit replaces a range of a text.
type edit struct {
	start, end int
	with       string
}

// edits decides about each match: what replaces it, or that it stays. err is
// a refusal.
func (rw *rewriter) edits(s string, list []match, isNew newText) ([]edit, error) {
	var out []edit
	for _, m := range list {
		if m.kind != matchRelay && isNew(m.start, m.end) {
			if m.kind == matchDomain || rw.o.Typed == TypedAllow {
				continue
			}
			if rw.o.Typed == TypedRefuse {
				return nil, errTyped
			}
		}
		out = append(out, rw.replace(s, m))
	}
	return out, nil
}

// replace says what takes a match's place so that the text reads well: the
// name, once. "Jane Roe <jane@...>" becomes "Jane Roe".
func (rw *rewriter) replace(s string, m match) edit {
	e := edit{start: m.start, end: m.end, with: rw.id.name}
	switch {
	case m.kind == matchPacked:
		e.with = "[removed]"
		return e
	case m.kind == matchRelay && m.link:
		e.with = ""
		return e
	case m.link:
		if e.with = rw.unwrap(unbroken(s[m.start:m.end]), maxWraps); e.with == "" {
			e.with = hiddenLink
		}
		return e
	case m.kind == matchRelay:
		e.with = hiddenAddress
	case m.kind == matchDomain: // perhaps a colleague's: the name would be wrong
		e.with = hiddenHost
		return e
	}
	for {
		open, closing, ok := brackets(s, e.start, e.end)
		if !ok {
			return e
		}
		e.start, e.end = open, closing+1
		before := strings.TrimRight(s[max(0, e.start-400):e.start], blanks+">\"'")
		if rw.namedBefore(before, m.kind) {
			e.with = ""
			for e.start > 1 && (s[e.start-1] == ' ' || s[e.start-1] == '\t') && s[e.start-2] != '>' {
				e.start--
			}
		}
	}
}

// unbroken is a link without the line breaks and quote marks that came into it.
func unbroken(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '>' {
			return -1
		}
		return r
	}, s)
}

// blanks may stand between an address and its brackets: white space, and the
// marks of direction that programs put around names in Hebrew and Arabic.
const blanks = " \t\r\n\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

// brackets finds the pair of brackets around s[start:end], also where a line
// was wrapped inside of them.
func brackets(s string, start, end int) (open, closing int, ok bool) {
	before := s[max(0, start-40):start]
	inner := strings.TrimRight(before, blanks)
	if strings.Contains(before[len(inner):], "\n") || strings.HasSuffix(before, "> ") {
		inner = strings.TrimRight(before, ">"+blanks)
	}
	if inner == "" {
		return 0, 0, false
	}
	open = start - len(before) + len(inner) - 1
	i := strings.IndexByte("<[(", s[open])
	closing = len(s) - len(strings.TrimLeft(s[end:min(len(s), end+40)], blanks)) - max(0, len(s)-end-40)
	if i < 0 || closing >= len(s) || s[closing] != ">])"[i] {
		return 0, 0, false
	}
	return open, closing, true
}

// namedBefore reports whether the name of whom an address belongs to stands
// before it, so that the address can go without replacement.
func (rw *rewriter) namedBefore(before string, kind matchKind) bool {
	if i := strings.LastIndexByte(before, '\n'); i >= 0 && len(before)-i > 3 {
		before = before[i+1:]
	}
	if kind != matchRelay {
		return len(before) >= len(rw.id.name) && strings.EqualFold(before[len(before)-len(rw.id.name):], rw.id.name) ||
			len(rw.id.find(before[max(0, len(before)-300):])) > 0 && endsInMatch(rw.id, before)
	}
	before = strings.TrimLeft(before, "> \t")
	if i := strings.LastIndexAny(before, ":：;"); i >= 0 {
		before = before[i+1:]
	}
	return strings.TrimSpace(before) != ""
}

// endsInMatch reports whether a text ends in an identifier, which the name
// will replace.
func endsInMatch(id *identity, s string) bool {
	list := id.find(s)
	return len(list) > 0 && list[len(list)-1].end >= len(s)
}

// apply makes the edits, which are in order and apart or overlap at most by
// the brackets that they took in.
func apply(s string, list []edit) string {
	if len(list) == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	at := 0
	for _, e := range list {
		if e.start > at {
			b.WriteString(s[at:e.start])
		}
		if e.end > at {
			b.WriteString(e.with)
			at = e.end
		}
	}
	b.WriteString(s[at:])
	return b.String()
}

// clean redacts a text in which nothing is new.
func (rw *rewriter) clean(s string) string {
	list := rw.id.find(s)
	if len(list) == 0 {
		return s
	}
	e, _ := rw.edits(s, list, nothingNew)
	return apply(s, e)
}

// subject makes the subject line of what the message's header says.
func (rw *rewriter) subject(raw string) string {
	s := rw.clean(words(raw))
	return cutAt(strings.Join(strings.Fields(s), " "), maxSubject)
}

package sanitize

import (
	"bytes"
	"strings"
)

// maxFooterLines bounds a footer.
const maxFooterLines = 20

// footers finds the relay's notification footers and cautions in what is quoted, and says
// how to remove them: a signature separator, or the line that programs drop
// it before and that is the relay's brand alone, and the lines after it, up to
// an empty one, of which one mentions the relay. lines may be nil: then they
// are classified when they are needed.
func (rw *rewriter) footers(s string, lines []textLine) []edit {
	if !strings.Contains(s, "--") && !strings.Contains(s, cautionMark) && (rw.id.brand == "" || !strings.Contains(s, rw.id.brand)) || !rw.mentionsRelay(s) {
		return nil
	}
	if lines == nil {
		lines = classify(s)
	}
	var out []edit
	for i := 0; i < len(lines); i++ {
		if end := max(rw.footerAt(s, lines, i), rw.cautionAt(s, lines, i)); end > i {
			out = append(out, edit{start: lines[i].start, end: min(len(s), lines[end-1].end+1)})
			i = end - 1
		}
	}
	return out
}

// footerAt returns the line after the footer that begins at line i, or i.
func (rw *rewriter) footerAt(s string, lines []textLine, i int) int {
	text := func(k int) string { return strings.Trim(s[lines[k].start:lines[k].end], "> \t\r\u00a0") }
	isBrand := func(k int) bool {
		return k < len(lines) && rw.id.brand != "" && strings.Trim(text(k), "*_") == rw.id.brand
	}
	separator := text(i) == "--"
	if lines[i].kind == lineNew || !separator && !isBrand(i) {
		return i
	}
	if separator && !isBrand(i+1) && (i == 0 || lines[i-1].kind == lineNew) {
		return i // what was new until here ends in its writer's own signature
	}
	mentioned := separator && isBrand(i+1)
	end := i + 1
	for ; end < len(lines) && end <= i+maxFooterLines && lines[end].depth == lines[i].depth; end++ {
		t := text(end)
		if t == "" && mentioned || t != "" && (isSeparator(t) || labelOf(t)&(labelFrom|labelSent|labelTo) != 0 || hasVerb(t) && strings.HasSuffix(t, ":")) {
			break
		}
		mentioned = mentioned || rw.mentionsLink(t) || separator && rw.mentionsRelay(t)
	}
	if !mentioned {
		return i
	}
	return end
}

// mentionsRelay reports whether the relay's link, domain or brand is in s.
func (rw *rewriter) mentionsRelay(s string) bool {
	return rw.id.brand != "" && strings.Contains(s, rw.id.brand) || rw.mentionsLink(s)
}

// mentionsLink reports whether the relay's link or domain is in s.
func (rw *rewriter) mentionsLink(s string) bool {
	if len(rw.id.relay) == 0 && len(rw.id.link) == 0 {
		return false
	}
	v := &rw.id.scratch
	v.mapped, v.dropTags = false, false
	v.read(s)
	return len(rw.id.relay) > 0 && bytes.Contains(v.b, rw.id.relay) || len(rw.id.link) > 0 && bytes.Contains(v.b, rw.id.link)
}

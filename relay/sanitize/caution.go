package sanitize

import "strings"

// A caution is what the relay itself tells the reader above a message: a line
// that begins with the mark and the brand, and ends at an empty one; in HTML an
// element of a class of its own. It speaks to its reader only, so that Rewrite
// takes it out of what is quoted, like footers.
const (
	cautionMark  = "[!] "
	cautionClass = "sd-caution"
)

// cautionLine is Options.Caution as a text shows it; empty: there is none.
func (rw *rewriter) cautionLine() string {
	s := oneLine(rw.o.Caution)
	if s == "" {
		return ""
	}
	return cautionMark + rw.o.Identity.Brand + ": " + s
}

// cautionAt returns the line after the caution that begins at line i, or i.
func (rw *rewriter) cautionAt(s string, lines []textLine, i int) int {
	text := func(k int) string { return strings.Trim(s[lines[k].start:lines[k].end], "> \t\r\u00a0") }
	if lines[i].kind == lineNew || rw.id.brand == "" || !strings.HasPrefix(text(i), cautionMark+rw.id.brand+":") {
		return i
	}
	end := i + 1
	for end < len(lines) && end <= i+maxFooterLines && lines[end].depth == lines[i].depth && text(end) != "" {
		end++
	}
	return end
}

// writeCaution writes the caution into HTML. The paragraph keeps it apart from
// what follows where a program drops the class.
func writeCaution(b *strings.Builder, line string) {
	b.WriteString(`<div class="` + cautionClass + `"><p style="padding:0.7em;border:2px solid #b35900;font-weight:bold">`)
	escapeText(b, line)
	b.WriteString("</p></div>\n")
}

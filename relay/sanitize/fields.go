package sanitize

import (
	"fmt"
	"mime"
	"strconv"
	"strings"
)

// foldWords writes a field of text: encoded words where needed, folded
// between words, no line longer than 76 where the words allow it.
func foldWords(name, text string) string {
	text = mime.QEncoding.Encode("utf-8", oneLine(text))
	var b strings.Builder
	b.WriteString(name + ":")
	col := len(name) + 1
	for w := range strings.SplitSeq(text, " ") {
		for len(w) > 900 { // RFC 5322 section 2.1.1
			b.WriteString("\r\n " + w[:900])
			w, col = w[900:], 901
		}
		if col+1+len(w) > 76 && col > len(name)+1 && w != "" {
			b.WriteString("\r\n")
			col = 0
		}
		b.WriteString(" " + w)
		col += 1 + len(w)
	}
	return b.String() + "\r\n"
}

// fieldLine writes a field with parameters, folded before each that does not
// fit. A value that is not ASCII is written by RFC 2231.
func fieldLine(name, kind string, list params) string {
	var b strings.Builder
	b.WriteString(name + ": " + kind)
	col := b.Len()
	for _, p := range list {
		for i, s := range paramPieces(p) {
			if b.WriteByte(';'); col+len(s)+2 > 76 || i > 0 {
				b.WriteString("\r\n ")
				col = 0
			} else {
				b.WriteByte(' ')
			}
			b.WriteString(s)
			col += len(s) + 2
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// paramPieces writes a parameter; a long encoded one in several pieces
// (RFC 2231 section 3).
func paramPieces(p param) []string {
	plain, token := true, p.value != ""
	for i := 0; i < len(p.value); i++ {
		c := p.value[i]
		plain = plain && c >= ' ' && c < 0x7f
		token = token && c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
	}
	switch {
	case token:
		return []string{p.name + "=" + p.value}
	case plain:
		return []string{p.name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.value) + `"`}
	}
	var pieces []string
	var b strings.Builder
	for i := 0; i < len(p.value); i++ {
		c := p.value[i]
		if isAlnum(c|0x20) && c < 0x80 || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		if b.Len() > 56 {
			pieces = append(pieces, b.String())
			b.Reset()
		}
	}
	if b.Len() > 0 {
		pieces = append(pieces, b.String())
	}
	if len(pieces) == 1 {
		return []string{p.name + "*=utf-8''" + pieces[0]}
	}
	for i := range pieces {
		label := ""
		if i == 0 {
			label = "utf-8''"
		}
		pieces[i] = p.name + "*" + strconv.Itoa(i) + "*=" + label + pieces[i]
	}
	return pieces
}

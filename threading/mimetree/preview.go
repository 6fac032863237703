package mimetree

import (
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// MaxPreview bounds a preview, in characters (RFC 8970 section 3.2).
const MaxPreview = 200

// maxPreviewText is how much of a part is looked at for a preview, in octets as
// they stand in the message.
const maxPreviewText = 16 << 10

// PreviewRange returns where the text is that a preview is made of: the first
// text part that is shown. The range is empty if there is none.
func PreviewRange(root *Part) (part *Part, from, to int64) {
	part = firstText(root)
	if part == nil {
		return nil, 0, 0
	}
	return part, part.BodyStart, min(part.BodyEnd, part.BodyStart+maxPreviewText)
}

func firstText(p *Part) *Part {
	if p.Type == "text" && !p.Attachment() {
		return p
	}
	for _, c := range p.Children {
		if t := firstText(c); t != nil {
			return t
		}
	}
	return nil
}

// Preview is the first words of a text part, given as it stands in the message
// from PreviewRange: without what is quoted, in one line.
func Preview(p *Part, raw []byte) string {
	text := string(decodeTransfer(p.Encoding, raw))
	if label := strings.ToLower(p.Params["charset"]); label != "" && label != "utf-8" && label != "us-ascii" {
		if r, err := charset.NewReaderLabel(label, strings.NewReader(text)); err == nil {
			if b, err := io.ReadAll(r); err == nil {
				text = string(b)
			}
		}
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if p.Subtype == "html" {
		return firstWords(visibleText(text))
	}
	var own strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, ">") {
			own.WriteString(line)
		}
	}
	if preview := firstWords(own.String()); preview != "" {
		return preview
	}
	return firstWords(text) // all of it is quoted
}

// firstWords cuts text after at most MaxPreview characters, between words if it
// can.
func firstWords(text string) string {
	var b strings.Builder
	n := 0
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r <= ' ' || r == '\u00a0' || r == 0x7f }) {
		k := utf8.RuneCountInString(word)
		if n > 0 && n+1+k > MaxPreview {
			break
		}
		if n > 0 {
			b.WriteByte(' ')
			n++
		}
		if k > MaxPreview {
			word = string([]rune(word)[:MaxPreview])
		}
		b.WriteString(word)
		n += min(k, MaxPreview)
	}
	return b.String()
}

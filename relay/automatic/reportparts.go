package automatic

import (
	"bytes"
	"io"
	"strings"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // texts in any charset
	"golang.org/x/net/html"
)

// reportParts are what a report has to say.
type reportParts struct {
	status []byte // the fields of all its delivery-status parts
	text   string // of its first readable text
}

// Bounds of what is looked at in a report.
const (
	maxReportParts = 30
	maxReportDepth = 5
)

// readParts takes a report apart. What is broken is read as far as it goes.
func readParts(field func(name string) string, raw []byte) reportParts {
	var p reportParts
	if e := entity(field, raw); e != nil {
		left := maxReportParts
		p.walk(e, &left, maxReportDepth)
	}
	if len(p.status) == 0 {
		p.status = looseFields(raw)
	}
	if p.text == "" && len(p.status) == 0 {
		p.text = string(raw) // a report that is none of what it says it is
	}
	return p
}

// looseFields finds the fields of a report that is not in the form it says it
// is, or is attached to another message: paragraphs with an Action and a Status.
func looseFields(raw []byte) []byte {
	var found []byte
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n\n") {
		folded := "\n" + strings.ToLower(paragraph)
		at := strings.Index(folded, "\naction:")
		if at >= 0 && strings.Contains(folded, "\nstatus:") {
			found = append(found, paragraph+"\r\n\r\n"...)
		}
	}
	return found
}

func (p *reportParts) walk(e *gomessage.Entity, left *int, depth int) {
	eachPart(e, left, depth, func(part *gomessage.Entity, kind string) {
		switch {
		case kind == "message/delivery-status", kind == "message/global-delivery-status":
			b, _ := io.ReadAll(part.Body)
			p.status = append(append(p.status, b...), "\r\n\r\n"...)
		case (kind == "" || strings.HasPrefix(kind, "text/") && kind != "text/rfc822-headers") && strings.TrimSpace(p.text) == "":
			b, _ := io.ReadAll(part.Body)
			p.text = string(b)
			if kind == "text/html" {
				p.text = plain(b)
			}
		}
	})
}

// entity reads a message from its header's fields and what follows it; nil if
// it can't be.
func entity(field func(name string) string, raw []byte) *gomessage.Entity {
	var h gomessage.Header
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding"} {
		if v := field(name); v != "" {
			h.Set(name, v)
		}
	}
	e, err := gomessage.New(h, bytes.NewReader(raw))
	if !readable(err) {
		return nil
	}
	return e
}

// readable: a charset or an encoding that is not known leaves the octets.
func readable(err error) bool {
	return err == nil || gomessage.IsUnknownCharset(err) || gomessage.IsUnknownEncoding(err)
}

// eachPart calls do for each part that is not itself made of parts, with its
// type, and goes into no attached message.
func eachPart(e *gomessage.Entity, left *int, depth int, do func(part *gomessage.Entity, kind string)) {
	*left--
	mr := e.MultipartReader()
	if mr == nil || depth == 0 {
		kind, _, _ := e.Header.ContentType()
		do(e, kind)
		return
	}
	for *left > 0 {
		child, err := mr.NextPart()
		if child == nil || !readable(err) {
			return
		}
		eachPart(child, left, depth-1, do)
	}
}

// plain is the text of an HTML page.
func plain(page []byte) string {
	var b strings.Builder
	z := html.NewTokenizer(bytes.NewReader(page))
	hidden := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if !hidden {
				b.Write(z.Text())
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			hidden = string(name) == "style" || string(name) == "script" || string(name) == "title"
			b.WriteByte('\n')
		case html.EndTagToken:
			hidden = false
			b.WriteByte('\n')
		}
	}
}

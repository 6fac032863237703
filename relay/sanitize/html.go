package sanitize

import (
	"strings"

	"golang.org/x/net/html"
)

// openElement is an element whose end is still to come.
type openElement struct {
	name   string
	quoted bool
	hidden hiding
	pre    bool // line breaks in its text are kept
	anchor int
}

// maxOpen bounds how deep elements are followed; deeper ones are flat.
const maxOpen = 400

// htmlReader builds a document.
type htmlReader struct {
	doc  document
	open []openElement
	rest bool   // all that follows is quoted
	skip int    // above zero: dropping until fewer elements are open
	raw  string // the element whose text is not text
	flow []byte
}

// readHTML tokenizes a text. What is not on the list of elements is left out
// with its content (script) or without (unknown).
func readHTML(s string) *document {
	r := &htmlReader{flow: make([]byte, 0, len(s))}
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			r.doc.flow = string(r.flow)
			r.doc.classify()
			return &r.doc
		case html.TextToken:
			r.text(z.Token().Data)
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			r.start(t.Data, t.Attr, kind == html.SelfClosingTagToken)
		case html.EndTagToken:
			name, _ := z.TagName()
			r.end(string(name))
		}
	}
}

func (r *htmlReader) quoted() bool {
	return r.rest || len(r.open) > 0 && r.open[len(r.open)-1].quoted || len(r.open) >= maxOpen
}

func (r *htmlReader) hidden() hiding {
	if len(r.open) == 0 {
		return 0
	}
	return r.open[len(r.open)-1].hidden
}

func (r *htmlReader) anchor() int {
	if len(r.open) == 0 {
		return -1
	}
	return r.open[len(r.open)-1].anchor
}

func (r *htmlReader) text(s string) {
	switch {
	case r.skip > 0:
		return
	case r.raw == "style":
		r.doc.tokens = append(r.doc.tokens, htmlToken{kind: html.TextToken, name: "style", text: s, quoted: true, anchor: -1, flow: -1})
		return
	case r.raw != "":
		return
	}
	r.doc.texts = append(r.doc.texts, len(r.doc.tokens))
	r.doc.tokens = append(r.doc.tokens, htmlToken{kind: html.TextToken, text: s, quoted: r.quoted(), anchor: r.anchor(), flow: len(r.flow)})
	from := len(r.flow)
	r.flow = append(r.flow, s...)
	if len(r.open) > 0 && r.open[len(r.open)-1].pre {
		return
	}
	for i := from; i < len(r.flow); i++ {
		if c := r.flow[i]; c == '\n' || c == '\r' || c == '\t' {
			r.flow[i] = ' '
		}
	}
}

// lineBreak ends the line of the flow, where an element does so. Only p and br
// make empty ones.
func (r *htmlReader) lineBreak(name string) {
	n := len(r.flow)
	if n > 0 && r.flow[n-1] != '\n' || name == "br" {
		r.flow = append(r.flow, '\n')
	}
	if name == "p" {
		r.flow = append(r.flow, '\n')
	}
}

func (r *htmlReader) start(name string, attrs []html.Attribute, selfClosing bool) {
	if dropped[name] == dropRaw {
		r.raw = name
	}
	if r.skip > 0 {
		if !voidElements[name] && !selfClosing && len(r.open) < maxOpen {
			r.open = append(r.open, openElement{name: name, quoted: r.quoted(), anchor: -1})
		}
		return
	}
	if n := len(r.open); n > 0 && impliedEnd[name] && r.open[n-1].name == name {
		r.open = r.open[:n-1]
	}
	kind, known := elements[name]
	quote, after := quoteMarker(name, attrs)
	t := htmlToken{kind: html.StartTagToken, name: name, attrs: attrs, drop: !known, anchor: r.anchor(), hidden: r.hidden() | hidden(attrs)}
	t.quoted = r.quoted() || quote || t.hidden != 0
	if after {
		r.rest, t.quoted = true, true
	}
	if kind&block != 0 {
		r.lineBreak(name)
	}
	index := len(r.doc.tokens)
	r.doc.tokens = append(r.doc.tokens, t)
	if voidElements[name] || len(r.open) >= maxOpen || kind&void != 0 {
		return
	}
	if selfClosing && !known {
		return // <o:p/>: in HTML the slash means nothing, but here it does
	}
	e := openElement{name: name, quoted: t.quoted, hidden: t.hidden, anchor: t.anchor, pre: name == "pre"}
	if n := len(r.open); n > 0 && r.open[n-1].pre {
		e.pre = true
	}
	if name == "a" {
		e.anchor = index
	}
	r.open = append(r.open, e)
	if dropped[name] == dropTree || isFooter(attrs) {
		r.doc.tokens = r.doc.tokens[:index]
		r.skip = len(r.open)
	}
}

// impliedEnd are elements that end where the next of their kind begins.
var impliedEnd = map[string]bool{"p": true, "li": true, "td": true, "th": true, "tr": true, "dt": true, "dd": true}

func (r *htmlReader) end(name string) {
	if r.raw == name {
		r.raw = ""
	}
	i := len(r.open) - 1
	for i >= 0 && r.open[i].name != name {
		i--
	}
	skipped := r.skip > 0
	if i >= 0 {
		r.open = r.open[:i]
		if r.skip > len(r.open) {
			if r.skip == i+1 { // the element that is left out ends
				r.skip = 0
				return
			}
			r.skip, skipped = 0, false // one around it does
		}
	}
	kind, known := elements[name]
	if skipped || !known || i < 0 && kind&block == 0 || voidElements[name] {
		return
	}
	if kind&block != 0 {
		r.lineBreak(name)
	}
	if i >= 0 {
		r.doc.tokens = append(r.doc.tokens, htmlToken{kind: html.EndTagToken, name: name, quoted: r.quoted(), anchor: -1})
	}
}

// htmlText rewrites a text/html body. In a foreign one, nothing is new.
func (rw *rewriter) htmlText(s string, preface opening, foreign bool) (string, error) {
	doc := readHTML(s)
	doc.foreign = foreign
	list := doc.find(rw.id)
	edits, err := rw.edits(doc.flow, list, doc.isNew)
	if err != nil {
		return "", err
	}
	edits = withFooters(rw.footers(doc.flow, doc.marked()), edits)
	// Links whose visible text the writer typed, and may: kept as they are.
	typed := map[int]bool{}
	if rw.o.Typed == TypedAllow {
		for _, m := range list {
			if m.kind == matchAddress && doc.isNew(m.start, m.end) {
				if k := doc.textAt(m.start); k >= 0 {
					typed[doc.tokens[doc.texts[k]].anchor] = true
				}
			}
		}
	}
	for i := range doc.tokens {
		t := &doc.tokens[i]
		switch {
		case t.kind == html.StartTagToken && !t.drop:
			newLink := t.name == "a" && !t.quoted && doc.anchorIsNew(i)
			rw.attributes(t, newLink && typed[i], newLink)
		case t.kind == html.TextToken && t.name == "style":
			t.text = rw.styleSheet(t.text)
		}
	}
	doc.edit(edits)
	return doc.render(preface), nil
}

// render writes the tokens: each tag anew, text escaped. preface, if set,
// becomes a paragraph before everything visible.
func (d *document) render(preface opening) string {
	var b strings.Builder
	n := len(preface.caution) + len(preface.preface) + 200
	for i := range d.tokens {
		n += len(d.tokens[i].text) + 16
	}
	b.Grow(n)
	at := -1 // index of the token that the preface stands before
	if preface != (opening{}) {
		at = d.bodyStart()
	}
	for i := range d.tokens {
		if i == at {
			preface.html(&b)
		}
		t := &d.tokens[i]
		switch {
		case t.drop:
		case t.kind == html.TextToken && t.name == "style":
			b.WriteString(t.text)
		case t.kind == html.TextToken:
			escapeText(&b, t.text)
		case t.kind == html.EndTagToken:
			b.WriteString("</" + t.name + ">")
		default:
			writeTag(&b, t)
		}
	}
	if at >= len(d.tokens) {
		preface.html(&b)
	}
	return b.String()
}

// bodyStart is the index of the first token that is in the body.
func (d *document) bodyStart() int {
	after := 0
	for i := range d.tokens {
		t := &d.tokens[i]
		switch {
		case t.name == "body" && t.kind == html.StartTagToken:
			return i + 1
		case t.name == "html" && t.kind == html.StartTagToken, t.name == "head", t.name == "style",
			t.kind == html.TextToken && strings.TrimSpace(t.text) == "", t.drop:
			if t.kind != html.TextToken || t.name == "style" {
				after = i + 1
			}
		default:
			return after
		}
	}
	return after
}

func writePreface(b *strings.Builder, preface string) {
	b.WriteString("<p>")
	escapeText(b, preface)
	b.WriteString("</p>\n")
}

func writeTag(b *strings.Builder, t *htmlToken) {
	b.WriteByte('<')
	b.WriteString(t.name)
	for _, a := range t.attrs {
		b.WriteByte(' ')
		b.WriteString(a.Key)
		b.WriteString(`="`)
		attrEscaper.WriteString(b, a.Val)
		b.WriteByte('"')
	}
	b.WriteByte('>')
}

var attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "\x00", "")

var textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\u00a0", "&nbsp;", "\x00", "")

func escapeText(b *strings.Builder, s string) {
	if !strings.ContainsAny(s, "&<>\u00a0\x00") {
		b.WriteString(s)
		return
	}
	textEscaper.WriteString(b, s)
}

package sanitize

import (
	"errors"
	"io"
	"strings"
)

// maxNewText bounds what NewText returns, in octets.
const maxNewText = 64 << 10

// NewText returns the text that a message's writer wrote now, without what is
// quoted: of its first text part that is no attachment, at most 64 KiB. HTML
// is read as text where there is no plain one. A message without any text has
// none. The error is the reader's.
func NewText(r io.Reader) (string, error) {
	src, err := open(r)
	if err != nil {
		return "", err
	}
	rw := &rewriter{}
	rw.id = compile(&Identity{})
	root, err := index(src, rw)
	if isRefusal(err) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	p := firstText(root, "text/plain")
	if p == nil {
		p = firstText(root, "text/html")
	}
	if p == nil {
		return "", nil
	}
	s, err := rw.text(p, src)
	var refused *RefusedError
	if errors.As(err, &refused) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	if p.kind == "text/html" {
		s = readHTML(s).newText()
	}
	var b strings.Builder
	for _, l := range classify(s) {
		if l.kind == lineNew && b.Len() < maxNewText {
			b.WriteString(s[l.start:l.end])
			b.WriteByte('\n')
		}
	}
	return strings.TrimSpace(b.String()), nil
}

// AllText returns the text of a message, quoted or not: of its text parts in
// order, also of messages within it, at most 64 KiB of each; HTML is read as
// text. The error is the reader's.
func AllText(r io.Reader) (string, error) {
	src, err := open(r)
	if err != nil {
		return "", err
	}
	rw := &rewriter{}
	rw.id = compile(&Identity{})
	var b strings.Builder
	err = rw.allText(&b, src, 0)
	return b.String(), err
}

func (rw *rewriter) allText(b *strings.Builder, src *source, depth int) error {
	root, err := index(src, rw)
	if isRefusal(err) || depth > maxNested {
		return nil
	} else if err != nil {
		return err
	}
	if depth > 0 {
		b.WriteString("From: " + root.head.get("from") + "\n")
	}
	var visit func(p *part) error
	visit = func(p *part) error {
		switch {
		case p.kind == "message/rfc822":
			inner, err := rw.innerSource(p, src)
			if isRefusal(err) {
				return nil
			} else if err != nil {
				return err
			}
			return rw.allText(b, inner, depth+1)
		case strings.HasPrefix(p.kind, "text/"):
			s, err := rw.text(p, src)
			if isRefusal(err) {
				return nil
			} else if err != nil {
				return err
			}
			if p.kind == "text/html" {
				s = readHTML(s).flow
			}
			b.WriteString(s[:min(len(s), maxNewText)])
			b.WriteByte('\n')
		}
		for _, c := range p.children {
			if err := visit(c); err != nil {
				return err
			}
		}
		return nil
	}
	return visit(root)
}

// firstText is the first part of that kind that is shown as the message, depth
// first, or nil.
func firstText(p *part, kind string) *part {
	if p.kind == kind && !strings.HasPrefix(strings.ToLower(p.head.get("content-disposition")), "attachment") {
		return p
	}
	for _, c := range p.children {
		if t := firstText(c, kind); t != nil {
			return t
		}
	}
	return nil
}

// newText is the visible text of the elements that are not quoted.
func (d *document) newText() string {
	var b strings.Builder
	for i, n := range d.texts {
		t, end := &d.tokens[n], len(d.flow)
		if i+1 < len(d.texts) {
			end = d.tokens[d.texts[i+1]].flow
		}
		if t.quoted {
			b.WriteByte('\n')
		} else {
			b.WriteString(d.flow[t.flow:end])
		}
	}
	return b.String()
}

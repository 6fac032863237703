package imapd

import (
	"bytes"
	"io"

	"github.com/emersion/go-imap/v2"
)

// Section is a part of a message: octets in memory, then a range of the body.
type Section struct {
	m        *Message
	prefix   []byte
	from, to int64
}

// Size is the section's size in octets.
func (x *Section) Size() int64 { return int64(len(x.prefix)) + x.to - x.from }

// partial cuts the section (RFC 9051 section 6.4.5.1).
func (x *Section) partial(p *imap.SectionPartial) {
	if p == nil {
		return
	}
	skip := min(max(p.Offset, 0), x.Size())
	size := min(max(p.Size, 0), x.Size()-skip)
	k := min(skip, int64(len(x.prefix)))
	x.prefix = x.prefix[k:]
	x.from += skip - k
	x.prefix = x.prefix[:min(size, int64(len(x.prefix)))]
	x.to = x.from + size - int64(len(x.prefix))
}

// WriteTo streams the section.
func (x *Section) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(x.prefix)
	if err != nil || x.to == x.from {
		return int64(n), err
	}
	r, err := x.m.body(x.from, x.to)
	if err != nil {
		return int64(n), err
	}
	defer r.Close()
	k, err := io.Copy(w, r)
	return int64(n) + k, err
}

// Section returns BODY[...]. A part that is not there is empty.
func (m *Message) Section(q *imap.FetchItemBodySection) (*Section, error) {
	x := &Section{m: m}
	var err error
	if len(q.Part) == 0 {
		err = m.whole(x, q)
	} else {
		err = m.part(x, q)
	}
	if err != nil {
		return nil, err
	}
	x.partial(q.Partial)
	return x, nil
}

// whole is a section of the message itself.
func (m *Message) whole(x *Section, q *imap.FetchItemBodySection) error {
	if q.Specifier != imap.PartSpecifierText {
		h, err := m.header()
		if err != nil {
			return err
		}
		x.prefix = filterHeader(h, q)
	}
	if q.Specifier == imap.PartSpecifierNone || q.Specifier == imap.PartSpecifierText {
		x.to = m.entry.BodySize
	}
	return nil
}

// part is a section of a part.
func (m *Message) part(x *Section, q *imap.FetchItemBodySection) error {
	root, err := m.structure()
	if err != nil {
		return err
	}
	p := root.Find(q.Part)
	if p == nil {
		return nil
	}
	switch q.Specifier {
	case imap.PartSpecifierNone:
		x.from, x.to = p.BodyStart, p.BodyEnd
	case imap.PartSpecifierMIME:
		if p == root {
			x.prefix, err = m.header()
			return err
		}
		x.from, x.to = p.HeaderStart, p.BodyStart
	case imap.PartSpecifierHeader:
		if !p.Message() {
			return nil
		}
		h, err := m.bodyBytes(p.Children[0].HeaderStart, p.Children[0].BodyStart)
		if err != nil {
			return err
		}
		x.prefix = filterHeader(h, q)
	case imap.PartSpecifierText:
		if p.Message() {
			x.from, x.to = p.Children[0].BodyStart, p.Children[0].BodyEnd
		}
	}
	return nil
}

// filterHeader keeps the fields that are asked for, as they stand, and the
// empty line (RFC 9051 section 6.4.5.1).
func filterHeader(header []byte, q *imap.FetchItemBodySection) []byte {
	if len(q.HeaderFields) == 0 && len(q.HeaderFieldsNot) == 0 {
		return header
	}
	var out bytes.Buffer
	for name, field := range rawFields(header) {
		keep := len(q.HeaderFields) == 0
		for _, f := range q.HeaderFields {
			keep = keep || equalFold(f, name)
		}
		for _, f := range q.HeaderFieldsNot {
			keep = keep && !equalFold(f, name)
		}
		if keep {
			out.Write(field)
		}
	}
	out.WriteString("\r\n")
	return out.Bytes()
}

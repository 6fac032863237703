package mimetree

import (
	"encoding/binary"
	"errors"
	"slices"
)

// formatVersion is the first octet of an encoded tree. After it stands the
// root, each part as: five numbers (header start, length of the header, length
// of the body, lines, count of children; unsigned varints), the strings
// (length, octets) in the order of stringsOf, the languages, the two sets of
// parameters (count, then key and value), the children.
const formatVersion = 1

var errStructure = errors.New("the stored MIME structure is damaged")

// stringsOf are the strings of a part, in the order in which they are encoded.
func stringsOf(p *Part) [8]*string {
	return [8]*string{&p.Type, &p.Subtype, &p.ID, &p.Description, &p.Encoding, &p.MD5, &p.Disposition, &p.Location}
}

func encode(root *Part) []byte {
	return appendPart([]byte{formatVersion}, root)
}

func appendPart(b []byte, p *Part) []byte {
	for _, n := range []int64{p.HeaderStart, p.BodyStart - p.HeaderStart, p.BodyEnd - p.BodyStart, p.Lines, int64(len(p.Children))} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for _, s := range stringsOf(p) {
		b = appendString(b, *s)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Language)))
	for _, l := range p.Language {
		b = appendString(b, l)
	}
	for _, params := range []map[string]string{p.Params, p.DispositionParams} {
		b = binary.AppendUvarint(b, uint64(len(params)))
		keys := make([]string, 0, len(params))
		for k := range params {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			b = appendString(appendString(b, k), params[k])
		}
	}
	for _, c := range p.Children {
		b = appendPart(b, c)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Decode returns the tree of Content.Structure, or an error if that is not what
// Read writes: each part lies within its parent and after its sibling.
func Decode(structure []byte) (*Part, error) {
	if len(structure) == 0 || structure[0] != formatVersion {
		return nil, errStructure
	}
	d := decoder{b: structure[1:], parts: MaxParts + 1}
	p := d.part(0)
	if d.bad || len(d.b) != 0 || p.HeaderStart != 0 || p.BodyStart != 0 {
		return nil, errStructure
	}
	return p, nil
}

// decoder reads an encoded tree; once bad, it reads zeros.
type decoder struct {
	b     []byte
	bad   bool
	parts int // how many more may come
}

func (d *decoder) number(limit uint64) int64 {
	n, k := binary.Uvarint(d.b)
	if k <= 0 || n > limit {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[k:]
	return int64(n)
}

func (d *decoder) string() string {
	n := d.number(uint64(len(d.b)))
	if n > int64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) params() map[string]string {
	n := d.number(uint64(len(d.b)))
	if n == 0 {
		return nil
	}
	m := map[string]string{}
	for ; n > 0 && !d.bad; n-- {
		k := d.string()
		m[k] = d.string()
	}
	return m
}

func (d *decoder) part(depth int) *Part {
	const maxOffset = 1 << 40
	p := &Part{}
	if d.parts--; depth > MaxDepth+1 || d.parts < 0 {
		d.bad, d.b = true, nil
		return p
	}
	p.HeaderStart = d.number(maxOffset)
	p.BodyStart = p.HeaderStart + d.number(maxOffset)
	p.BodyEnd = p.BodyStart + d.number(maxOffset)
	p.Lines = d.number(maxOffset)
	children := d.number(MaxParts)
	for _, s := range stringsOf(p) {
		*s = d.string()
	}
	for n := d.number(uint64(len(d.b))); n > 0 && !d.bad; n-- {
		p.Language = append(p.Language, d.string())
	}
	p.Params, p.DispositionParams = d.params(), d.params()
	for ; children > 0 && !d.bad; children-- {
		p.Children = append(p.Children, d.part(depth+1))
	}
	d.bad = d.bad || !p.consistent()
	return p
}

// consistent reports whether the part has as many parts as its type may have,
// one after the other within its body.
func (p *Part) consistent() bool {
	switch n := len(p.Children); {
	case p.Multipart():
		if n == 0 {
			return false
		}
	case p.Type == "message" && n == 1:
	case n > 0:
		return false
	}
	at := p.BodyStart
	for _, c := range p.Children {
		if c.HeaderStart < at || c.BodyEnd > p.BodyEnd {
			return false
		}
		at = c.BodyEnd
	}
	return true
}

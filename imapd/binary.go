package imapd

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// errUnknownCTE refuses to decode what has an encoding of its own (RFC 9051
// section 7.1).
var errUnknownCTE = no(imap.ResponseCodeUnknownCTE, "This part's content transfer encoding is not known.")

// Binary is a part without its content transfer encoding.
type Binary struct {
	m       *Message
	part    *mimetree.Part // nil: there is none
	whole   bool
	partial *imap.SectionPartial
}

// Binary returns BINARY[...]: the decoded part (RFC 9051 section 6.4.5.1).
func (m *Message) Binary(path []int, partial *imap.SectionPartial) (*Binary, error) {
	root, err := m.structure()
	if err != nil {
		return nil, err
	}
	b := &Binary{m: m, part: root.Find(path), whole: len(path) == 0, partial: partial}
	if b.part == nil || b.whole {
		return b, nil
	}
	switch b.part.Encoding {
	case "7BIT", "8BIT", "BINARY", "BASE64", "QUOTED-PRINTABLE":
		return b, nil
	}
	return nil, errUnknownCTE
}

// open returns the decoded octets. Encodings are read as far as they go.
func (b *Binary) open() (io.Reader, io.Closer, error) {
	if b.part == nil {
		return bytes.NewReader(nil), io.NopCloser(nil), nil
	}
	raw, err := b.m.body(b.part.BodyStart, b.part.BodyEnd)
	if err != nil {
		return nil, nil, err
	}
	var r io.Reader = raw
	switch {
	case b.whole:
		h, err := b.m.header()
		if err != nil {
			return nil, nil, err
		}
		r = io.MultiReader(bytes.NewReader(h), raw)
	case b.part.Encoding == "BASE64":
		r = base64.NewDecoder(base64.StdEncoding, &base64Only{raw})
	case b.part.Encoding == "QUOTED-PRINTABLE":
		r = quotedprintable.NewReader(raw)
	}
	if b.partial != nil {
		if _, err := io.CopyN(io.Discard, r, b.partial.Offset); err != nil && err != io.EOF {
			return bytes.NewReader(nil), raw, nil
		}
		r = io.LimitReader(r, b.partial.Size)
	}
	return r, raw, nil
}

// base64Only leaves out what is not of the alphabet (RFC 2045 section 6.8).
type base64Only struct{ r io.Reader }

// Read implements io.Reader.
func (f *base64Only) Read(p []byte) (int, error) {
	for {
		n, err := f.r.Read(p)
		kept := p[:0]
		for _, c := range p[:n] {
			if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' {
				kept = append(kept, c)
			}
		}
		if len(kept) > 0 || err != nil || len(p) == 0 {
			return len(kept), err
		}
	}
}

// Size counts the decoded octets.
func (b *Binary) Size() (int64, error) { return b.WriteTo(io.Discard) }

// WriteTo streams the decoded octets. Where a damaged encoding ends, they end.
func (b *Binary) WriteTo(w io.Writer) (int64, error) {
	r, c, err := b.open()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	var n int64
	buf := make([]byte, 16<<10)
	for {
		k, rerr := r.Read(buf)
		if k > 0 {
			if _, err := w.Write(buf[:k]); err != nil {
				return n, err
			}
			n += int64(k)
		}
		if rerr != nil {
			return n, nil
		}
	}
}

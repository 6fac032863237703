package sanitize

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
)

// base64Writer writes base64 in lines of 76 characters.
type base64Writer struct {
	w   io.Writer
	in  []byte // not yet encoded
	out []byte
}

const (
	base64Line  = 57 // octets that make a line
	base64Lines = 256
)

func (b *base64Writer) Write(p []byte) (int, error) {
	n := len(p)
	if b.in == nil {
		b.in = make([]byte, 0, base64Line*base64Lines)
		b.out = make([]byte, 0, 78*base64Lines)
	}
	for len(p) > 0 {
		m := min(cap(b.in)-len(b.in), len(p))
		b.in = append(b.in, p[:m]...)
		p = p[m:]
		if len(b.in) == cap(b.in) {
			if err := b.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (b *base64Writer) flush() error {
	b.out = appendBase64(b.out[:0], b.in)
	b.in = b.in[:0]
	_, err := b.w.Write(b.out)
	return err
}

// Close writes what is left.
func (b *base64Writer) Close() error {
	return b.flush()
}

// appendBase64 encodes in, in lines.
func appendBase64(out, in []byte) []byte {
	for len(in) > 0 {
		m := min(base64Line, len(in))
		out = base64.StdEncoding.AppendEncode(out, in[:m])
		out = append(out, '\r', '\n')
		in = in[m:]
	}
	return out
}

const upperHex = "0123456789ABCDEF"

// encodeQP writes a text in quoted-printable (RFC 2045 section 6.7). Beside
// what must be, it encodes what gateways change: white space at the end of a
// line, a leading point, "From " at the beginning.
func encodeQP(buf *bytes.Buffer, s string) {
	const limit = 76
	b := buf.AvailableBuffer()
	defer func() { buf.Write(b) }()
	for len(s) > 0 {
		end := strings.IndexByte(s, '\n')
		eol := end >= 0
		if !eol {
			end = len(s)
		}
		line := s[:end]
		col := 0
		for i := 0; i < len(line); i++ {
			c := line[i]
			quote := c < ' ' && c != '\t' || c >= 0x7f || c == '=' ||
				i == len(line)-1 && (c == ' ' || c == '\t') ||
				col == 0 && (c == '.' || c == 'F' && strings.HasPrefix(line[i:], "From "))
			width := 1
			if quote {
				width = 3
			}
			// A character stays on one line with its continuation octets.
			need := width
			if c >= 0xc0 {
				for k := i + 1; k < len(line) && line[k]&0xc0 == 0x80 && k < i+4; k++ {
					need += 3
				}
			}
			if room := limit - 1 - col; need > room && !(i == len(line)-1 && width <= room+1) {
				b = append(b, "=\r\n"...)
				col = 0
				if c == '.' || c == 'F' && strings.HasPrefix(line[i:], "From ") {
					quote, width = true, 3
				}
			}
			if quote {
				b = append(b, '=', upperHex[c>>4], upperHex[c&15])
			} else {
				b = append(b, c)
			}
			col += width
		}
		if !eol {
			return
		}
		b = append(b, "\r\n"...)
		s = s[end+1:]
	}
}

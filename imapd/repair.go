package imapd

import (
	"bufio"
	"io"
)

// exactly reads left octets; a reader that ends before is an error. A
// connection that breaks must not leave half a message.
type exactly struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// wellFormed turns lone CR and LF into CRLF (RFC 5322 section 2.3), and NUL,
// which no literal may carry (RFC 9051 section 4.3), into 0x80 as other servers
// do: the size stays.
type wellFormed struct {
	r       *bufio.Reader
	pending byte // to be returned first
}

// Read implements io.Reader.
func (c *wellFormed) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if c.pending != 0 {
			p[n], c.pending = c.pending, 0
			n++
			continue
		}
		if n > 0 && c.r.Buffered() == 0 {
			return n, nil
		}
		b, err := c.r.ReadByte()
		if err != nil {
			return n, err
		}
		switch b {
		case '\n':
			p[n], c.pending = '\r', '\n'
		case '\r':
			if next, err := c.r.Peek(1); err == nil && next[0] == '\n' {
				_, _ = c.r.ReadByte()
			}
			p[n], c.pending = '\r', '\n'
		case 0:
			p[n] = 0x80
		default:
			p[n] = b
		}
		n++
	}
	return n, nil
}

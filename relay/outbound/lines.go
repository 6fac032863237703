package outbound

import (
	"bytes"
	"io"
)

// lineWriter passes a message on with every line end as CRLF (RFC 5321 section
// 2.3.8): a bare CR or LF that reached a server could end DATA there and not
// here. It does so before signing, so that the signature is over what is sent.
type lineWriter struct {
	w        io.Writer
	cr       bool // a CR was written whose LF, if there is one, comes next
	last     byte
	eightBit bool // an octet beyond ASCII has passed
}

func (l *lineWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if l.cr && rest[0] == '\n' { // the LF of a CRLF: written with the CR
			l.cr = false
			rest = rest[1:]
			continue
		}
		l.cr = false
		n := bytes.IndexAny(rest, "\r\n")
		if n < 0 {
			n = len(rest)
		}
		if err := l.text(rest[:n]); err != nil {
			return 0, err
		}
		if n == len(rest) {
			break
		}
		if err := l.end(); err != nil {
			return 0, err
		}
		l.cr = rest[n] == '\r'
		rest = rest[n+1:]
	}
	return len(p), nil
}

func (l *lineWriter) text(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if !l.eightBit {
		for _, c := range p {
			if c >= 0x80 {
				l.eightBit = true
				break
			}
		}
	}
	l.last = p[len(p)-1]
	_, err := l.w.Write(p)
	return err
}

func (l *lineWriter) end() error {
	l.last = '\n'
	_, err := l.w.Write([]byte("\r\n"))
	return err
}

// close ends the last line.
func (l *lineWriter) close() error {
	if l.last == '\n' || l.last == 0 {
		return nil
	}
	return l.end()
}

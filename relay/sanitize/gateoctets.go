package sanitize

import (
	"bytes"
	"io"
)

// inOctets searches what is no text for addresses, in ASCII and UTF-16. What
// stands before or after them does not matter: in a certificate the next
// octet is often a digit's.
func (s *search) inOctets(b []byte) bool {
	if bytes.IndexByte(b, '@') < 0 && bytes.IndexByte(b, '=') < 0 {
		return false
	}
	lower := bytes.ToLower(b)
	narrow := lower
	if bytes.IndexByte(lower, 0) >= 0 {
		narrow = bytes.ReplaceAll(lower, []byte{0}, nil)
	}
	for _, a := range s.addresses {
		for _, v := range [][]byte{lower, narrow} {
			found := false
			eachIndex(v, []byte(a.domain), func(i int) {
				if i > 1 && (v[i-1] == '@' || v[i-1] == '=') {
					found = found || localAnywhere(v, i-1, a.local)
				}
			})
			if found {
				return true
			}
		}
	}
	return false
}

// inStream is inOctets for what is too long to be held.
func (s *search) inStream(r io.Reader) (bool, error) {
	const keep = 512
	buf := make([]byte, 64<<10)
	lower := make([]byte, len(buf))
	var wide [][]byte
	for _, a := range s.addresses {
		wide = append(wide, []byte(a.domain), bytes.Join(bytes.Split([]byte(a.domain), nil), []byte{0}))
	}
	have := 0
	for {
		n, err := io.ReadFull(r, buf[have:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, err
		}
		n += have
		for i, c := range buf[:n] {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			lower[i] = c
		}
		for _, w := range wide {
			found := false
			eachIndex(lower[:n], w, func(i int) {
				found = found || s.inOctets(lower[max(0, i-keep/2):min(n, i+len(w)+2)])
			})
			if found {
				return true, nil
			}
		}
		if err != nil {
			return false, nil
		}
		have = copy(buf, buf[n-keep:n])
	}
}

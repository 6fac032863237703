package mimetree

import (
	"bytes"
	"io"
	"iter"
	"mime"
	"strings"
)

// Fields calls its loop with each field of a header: the name as written and
// the value unfolded (RFC 5322 section 2.2.3), not decoded. It ends at the
// empty line; a line that is no field is left out.
func Fields(header []byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for len(header) > 0 {
			field, rest := nextField(header)
			header = rest
			if len(bytes.TrimRight(field, "\r\n")) == 0 {
				return
			}
			colon := bytes.IndexByte(field, ':')
			if colon < 1 || field[0] == ' ' || field[0] == '\t' {
				continue
			}
			name := strings.TrimRight(string(field[:colon]), " \t")
			if strings.ContainsAny(name, " \t") {
				continue
			}
			if !yield(name, unfold(field[colon+1:])) {
				return
			}
		}
	}
}

// nextField cuts a field with its continuation lines.
func nextField(header []byte) (field, rest []byte) {
	for i := 0; i < len(header); {
		n := bytes.IndexByte(header[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		if i == len(header) || header[i] != ' ' && header[i] != '\t' {
			return header[:i], header[i:]
		}
		if n <= 1 && i <= 2 { // an empty line is never continued
			return header[:i], header[i:]
		}
	}
	return header, nil
}

// unfold removes the line ends.
func unfold(value []byte) string {
	value = bytes.TrimRight(value, "\r\n")
	if bytes.IndexByte(value, '\n') < 0 && bytes.IndexByte(value, '\r') < 0 {
		return strings.TrimSpace(string(value))
	}
	out := make([]byte, 0, len(value))
	for _, c := range value {
		if c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return strings.TrimSpace(string(out))
}

// Field returns the first field of that name, whatever its case, unfolded.
func Field(header []byte, name string) (value string, ok bool) {
	for n, v := range Fields(header) {
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

var words = mime.WordDecoder{CharsetReader: func(label string, r io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return strings.NewReader(decodeCharset(label, string(b))), nil
}}

// DecodeHeader decodes the encoded words of a value, in any charset (RFC 2047);
// one that is not known is taken for UTF-8. Octets that are no UTF-8 are taken
// for windows-1252; what is no well-formed word stays as it is. The result is
// UTF-8.
func DecodeHeader(value string) string {
	value = toUTF8(value)
	if !strings.Contains(value, "=?") {
		return value
	}
	decoded, err := words.DecodeHeader(value)
	if err != nil {
		return value
	}
	return toUTF8(decoded)
}

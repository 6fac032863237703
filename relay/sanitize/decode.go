package sanitize

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"strings"
)

// body returns a part's octets, decoded, as a stream. Damage is passed over:
// what is no base64 is left out, an unfinished end is decoded as far as it goes.
func (rw *rewriter) body(p *part, src *source) io.Reader {
	raw := src.section(p.start, p.end)
	switch enc := p.encoding(); enc {
	case "base64":
		return &base64Reader{r: raw}
	case "quoted-printable":
		return &qpReader{br: bufio.NewReaderSize(raw, 4096)}
	case "x-uuencode", "uuencode", "x-uue":
		return &uuReader{br: bufio.NewReaderSize(raw, 4096)}
	case "", "7bit", "8bit", "binary":
		return raw
	default:
		rw.repair("transfer encoding")
		return raw
	}
}

// text returns a text part as UTF-8 with lines that end in LF.
func (rw *rewriter) text(p *part, src *source) (string, error) {
	raw, err := rw.octets(p, src, MaxText)
	if err != nil {
		return "", err
	}
	label := p.params.get("charset")
	if label == "" {
		label = undeclared(p.kind, raw)
	}
	return withLF(decodeCharset(raw, label)), nil
}

// withLF makes every line end, CRLF or bare CR, a LF, and drops NULs.
func withLF(s string) string {
	i := strings.IndexByte(s, '\r')
	if nul := strings.IndexByte(s, 0); i < 0 || nul >= 0 && nul < i {
		i = nul
	}
	if i < 0 {
		return s
	}
	b := make([]byte, i, len(s))
	copy(b, s)
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == 0:
		case c != '\r':
			b = append(b, c)
		case i+1 >= len(s) || s[i+1] != '\n':
			b = append(b, '\n')
		}
	}
	return string(b)
}

// octets returns a part's decoded octets, at most limit of them.
func (rw *rewriter) octets(p *part, src *source, limit int64) ([]byte, error) {
	if src.mem != nil && p.encoding() == "quoted-printable" {
		return decodeQP(src.mem[p.start:p.end]), nil
	}
	if src.mem != nil && p.encoding() == "base64" {
		return decodeBase64(src.mem[p.start:p.end]), nil
	}
	if p.end-p.start > 4*limit {
		return nil, errText
	}
	var b bytes.Buffer
	b.Grow(int(min(p.end-p.start, limit)) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(rw.body(p, src), limit+1)); err != nil {
		return nil, err
	}
	if int64(b.Len()) > limit {
		return nil, errText
	}
	return b.Bytes(), nil
}

// decodeBase64 decodes what is in memory.
func decodeBase64(b []byte) []byte {
	out := make([]byte, 0, len(b)/4*3+3)
	group := make([]byte, 0, len(b))
	flush := func() {
		out, _ = base64.RawStdEncoding.AppendDecode(out, group)
		group = group[:0]
	}
	for _, c := range b {
		if isBase64Table[c] {
			group = append(group, c)
		} else if c == '=' {
			flush()
		}
	}
	flush()
	return out
}

// base64Reader decodes base64 and skips all that is none.
type base64Reader struct {
	r    io.Reader
	in   [32 << 10]byte
	quad [4]byte // the last, unfinished group
	n    int     // of quad
	out  []byte  // decoded, not yet read
	buf  [24<<10 + 8]byte
	err  error
}

func (d *base64Reader) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.decode()
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// decode reads a buffer and decodes the whole groups in it. A group that '='
// or the end cuts short is decoded as far as it goes; more may follow.
func (d *base64Reader) decode() {
	read, err := d.r.Read(d.in[4:])
	d.err = err
	out := d.buf[:0]
	kept := 4 - d.n
	copy(d.in[kept:], d.quad[:d.n])
	w := 4
	flush := func() {
		n, _ := base64.RawStdEncoding.Decode(d.buf[len(out):], d.in[kept:w])
		out = d.buf[:len(out)+n]
		kept = w
	}
	for _, c := range d.in[4 : 4+read] {
		if isBase64Table[c] {
			d.in[w] = c
			w++
		} else if c == '=' {
			flush()
		}
	}
	if err != nil {
		flush()
		d.n = 0
	} else {
		whole := kept + (w-kept)&^3
		d.n = copy(d.quad[:], d.in[whole:w])
		w = whole
		flush()
	}
	d.out = out
}

var isBase64Table = func() (t [256]bool) {
	for i := range t {
		t[i] = isBase64(byte(i))
	}
	return t
}()

// qpReader decodes quoted-printable (RFC 2045 section 6.7). An '=' that
// begins nothing stands for itself.
type qpReader struct {
	br  *bufio.Reader
	out []byte
	buf []byte
}

func (d *qpReader) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		line, err := d.br.ReadSlice('\n')
		if len(line) == 0 {
			return 0, err
		}
		if err == bufio.ErrBufferFull {
			// Don't cut an escape in two.
			if i := bytes.LastIndexByte(line[len(line)-2:], '='); i >= 0 {
				rest := 2 - i
				line = append([]byte(nil), line...)
				for ; rest < 3; rest++ {
					c, err := d.br.ReadByte()
					if err != nil {
						break
					}
					line = append(line, c)
					if c == '\n' {
						break
					}
				}
			}
		}
		d.buf = appendQPLine(d.buf[:0], line)
		d.out = d.buf
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

func decodeQP(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n') + 1
		if i == 0 {
			i = len(b)
		}
		out = appendQPLine(out, b[:i])
		b = b[i:]
	}
	return out
}

func appendQPLine(out, line []byte) []byte {
	text := bytes.TrimRight(line, "\r\n")
	eol := line[len(text):]
	if len(eol) > 0 {
		text = bytes.TrimRight(text, " \t") // white space that a gateway added
		if bytes.HasSuffix(text, []byte("=")) {
			text, eol = text[:len(text)-1], nil
		}
	}
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			break
		}
		out = append(out, text[:i]...)
		if i+2 < len(text) && unhex(text[i+1]) >= 0 && unhex(text[i+2]) >= 0 {
			out = append(out, byte(unhex(text[i+1])<<4|unhex(text[i+2])))
			text = text[i+3:]
			continue
		}
		if i == len(text)-1 && len(eol) == 0 { // soft break at the very end
			text = text[:0]
			break
		}
		out = append(out, '=')
		text = text[i+1:]
	}
	return append(append(out, text...), eol...)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// uuReader decodes uuencode: lines between "begin" and "end".
type uuReader struct {
	br    *bufio.Reader
	begun bool
	out   []byte
	buf   []byte
}

func (d *uuReader) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		line, err := d.br.ReadSlice('\n')
		if len(line) == 0 {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if !d.begun {
			d.begun = bytes.HasPrefix(line, []byte("begin "))
			continue
		}
		if string(line) == "end" {
			d.begun = false
			continue
		}
		d.buf = appendUULine(d.buf[:0], line)
		d.out = d.buf
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

func appendUULine(out, line []byte) []byte {
	if len(line) == 0 {
		return out
	}
	want := int(line[0]-' ') & 63
	start := len(out)
	for line = line[1:]; len(line) > 0 && len(out)-start < want; {
		var q [4]byte
		n := copy(q[:], line)
		line = line[n:]
		for i := range q {
			q[i] = (q[i] - ' ') & 63
		}
		out = append(out, q[0]<<2|q[1]>>4, q[1]<<4|q[2]>>2, q[2]<<6|q[3])
	}
	return out[:min(len(out), start+want)]
}

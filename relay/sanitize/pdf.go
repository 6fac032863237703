package sanitize

import (
	"bufio"
	"bytes"
	"io"
)

// pdfKeys are the entries of a PDF's document information that name people
// and programs (ISO 32000-1 section 14.3.3).
var pdfKeys = [][]byte{[]byte("/Author"), []byte("/Creator"), []byte("/Producer"), []byte("/Title"), []byte("/Subject"), []byte("/Keywords")}

// pdfWindow is how much of a PDF is looked at together: an XMP packet beyond
// it stays.
const pdfWindow = 128 << 10

// stripPDF blanks what a PDF says of its maker: the strings of the document
// information and XMP packets, where they are not compressed. Lengths stay, so
// that all offsets in the file hold.
func stripPDF(w io.Writer, r *bufio.Reader) error {
	buf := make([]byte, 0, 2*pdfWindow)
	for {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		blankXMP(buf)
		blankInfo(buf)
		if err != nil {
			_, err := w.Write(buf)
			return err
		}
		if _, err := w.Write(buf[:pdfWindow]); err != nil {
			return err
		}
		buf = append(buf[:0], buf[pdfWindow:]...)
	}
}

// blankXMP overwrites XMP packets that lie whole in b.
func blankXMP(b []byte) {
	for {
		i := bytes.Index(b, []byte("<x:xmpmeta"))
		if i < 0 {
			return
		}
		end := bytes.Index(b[i:], []byte("</x:xmpmeta>"))
		if end < 0 {
			return
		}
		fill(b[i : i+end+len("</x:xmpmeta>")])
		b = b[i+end:]
	}
}

// blankInfo overwrites the string that follows each of the keys.
func blankInfo(b []byte) {
	for _, key := range pdfKeys {
		eachIndex(b, key, func(i int) {
			s := b[i+len(key):]
			for len(s) > 0 && (s[0] == ' ' || s[0] == '\r' || s[0] == '\n' || s[0] == '\t') {
				s = s[1:]
			}
			switch {
			case len(s) < 2:
			case s[0] == '(':
				fill(s[1:literalEnd(s)])
			case s[0] == '<' && s[1] != '<':
				if end := bytes.IndexByte(s, '>'); end > 0 && end < 4096 {
					for k := 1; k < end; k++ {
						s[k] = ' '
					}
				}
			}
		})
	}
}

// literalEnd is where the literal string at the start of s closes (ISO 32000-1
// section 7.3.4.2).
func literalEnd(s []byte) int {
	depth := 0
	for i := 0; i < len(s) && i < 4096; i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 1
}

func fill(b []byte) {
	for i := range b {
		b[i] = ' '
	}
}

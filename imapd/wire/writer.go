package wire

import (
	"io"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
)

// writeBuffer is how much is gathered before it is written, in octets.
const writeBuffer = 32 << 10

// buffers are the writers': an idle connection has none.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, writeBuffer+4<<10)
	return &b
}}

// writer gathers responses. The first error stays.
type writer struct {
	to   io.Writer
	b    *[]byte // nil: nothing is gathered
	utf8 bool    // the client takes UTF-8 in quoted strings (RFC 9051 section 4.3, RFC 6855)
	err  error
	// owed is how much of a literal that was announced is missing.
	owed int64
}

// broken reports whether a literal broke off.
func (w *writer) broken() bool { return w.owed > 0 }

// room is the buffer.
func (w *writer) room() []byte {
	if w.b == nil {
		w.b = buffers.Get().(*[]byte)
	}
	if len(*w.b) >= writeBuffer {
		w.write()
	}
	return *w.b
}

// write sends what was gathered.
func (w *writer) write() {
	if w.b == nil || len(*w.b) == 0 {
		return
	}
	if w.err == nil {
		_, w.err = w.to.Write(*w.b)
	}
	*w.b = (*w.b)[:0]
}

// flush sends what was gathered and gives the buffer back.
func (w *writer) flush() error {
	w.write()
	if w.b != nil {
		if cap(*w.b) <= 2*writeBuffer {
			buffers.Put(w.b)
		}
		w.b = nil
	}
	return w.err
}

// Write implements io.Writer, for literals.
func (w *writer) Write(p []byte) (int, error) {
	if len(p) >= writeBuffer {
		if w.write(); w.err == nil {
			_, w.err = w.to.Write(p)
		}
		return len(p), w.err
	}
	*w.buffer() = append(w.room(), p...)
	return len(p), w.err
}

func (w *writer) buffer() *[]byte {
	w.room()
	return w.b
}

// text writes as it stands.
func (w *writer) text(parts ...string) *writer {
	b := w.room()
	for _, s := range parts {
		b = append(b, s...)
	}
	*w.b = b
	return w
}

func (w *writer) number(n uint64) *writer {
	b := strconv.AppendUint(w.room(), n, 10)
	*w.b = b
	return w
}

func appendNumber(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

func (w *writer) set(nums []uint32) *writer {
	b := appendSet(w.room(), nums)
	*w.b = b
	return w
}

// quotable reports whether a string can be written in quotes.
func (w *writer) quotable(s string) bool {
	wide := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\r', c == '\n', c == 0:
			return false
		case c >= 0x80:
			wide = true
		}
	}
	return len(s) <= 4096 && (!wide || w.utf8 && utf8.ValidString(s))
}

// str writes a string: in quotes, or as a literal.
func (w *writer) str(s string) *writer {
	if !w.quotable(s) {
		return w.text("{").number(uint64(len(s))).text("}\r\n", s)
	}
	b := append(w.room(), '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	*w.b = append(b, '"')
	return w
}

// nstr writes a string, NIL if it is empty.
func (w *writer) nstr(s string) *writer {
	if s == "" {
		return w.text("NIL")
	}
	return w.str(s)
}

// mailbox writes a mailbox's name.
func (w *writer) mailbox(name string) *writer {
	if name == "INBOX" {
		return w.text(name)
	}
	if !w.utf8 {
		name = encodeMailbox(name)
	}
	return w.str(name)
}

// flags writes a list of flags.
func (w *writer) flags(list []imap.Flag) *writer {
	b := append(w.room(), '(')
	for i, f := range list {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, f...)
	}
	*w.b = append(b, ')')
	return w
}

// attrs writes a list of a mailbox's attributes.
func (w *writer) attrs(list []imap.MailboxAttr) *writer {
	w.text("(")
	for i, a := range list {
		if i > 0 {
			w.text(" ")
		}
		w.text(string(a))
	}
	return w.text(")")
}

func (w *writer) crlf() { w.text("\r\n") }

// literal streams a literal of a known size.
func (w *writer) literal(size int64, binary bool, from io.WriterTo) error {
	if binary {
		w.text("~")
	}
	w.text("{").number(uint64(size)).text("}\r\n")
	w.owed = size
	n, err := from.WriteTo(w)
	if w.owed = size - n; err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Package spool keeps a message while it passes: in memory up to MemoryLimit,
// in a temporary file beyond. The file is unlinked as soon as it is made, so
// that a crash leaves nothing behind; it is never synced, since nothing that
// was answered with 250 depends on it.
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// MemoryLimit is how much of a message is held in memory, in octets.
const MemoryLimit = 256 << 10

// ErrTooLarge is returned by Read when there is more than the limit.
var ErrTooLarge = errors.New("the message is too large")

// Message is a spooled message. It may be read any number of times, also at
// once.
type Message struct {
	at   io.ReaderAt
	size int64
	mem  []byte
	file *os.File // nil: in memory
}

// FromBytes wraps a message that is in memory already. The bytes must not
// change any more.
func FromBytes(b []byte) *Message {
	return &Message{at: bytes.NewReader(b), size: int64(len(b)), mem: b}
}

// Size is the message's size in octets.
func (m *Message) Size() int64 { return m.size }

// Open returns a reader from the first octet. It needs no closing and is
// invalid after Close.
func (m *Message) Open() *io.SectionReader { return io.NewSectionReader(m.at, 0, m.size) }

// CopyTo writes the message from an offset on, without a copy on the way if it
// is in memory.
func (m *Message) CopyTo(w io.Writer, offset int64) error {
	if m.file == nil {
		_, err := w.Write(m.mem[min(offset, m.size):])
		return err
	}
	_, err := io.Copy(w, io.NewSectionReader(m.at, offset, m.size-min(offset, m.size)))
	return err
}

// Close frees the memory or file. It may be called more than once.
func (m *Message) Close() error {
	if m.file == nil {
		return nil
	}
	f := m.file
	m.file = nil
	return f.Close()
}

// Writer collects a message. Its memory grows with the message.
type Writer struct {
	dir  string
	buf  bytes.Buffer
	file *os.File
	size int64
}

// NewWriter returns a writer; dir is for the temporary file, empty for the
// system's.
func NewWriter(dir string) *Writer { return &Writer{dir: dir} }

// Write implements io.Writer. The error is the temporary file's.
func (w *Writer) Write(p []byte) (int, error) {
	if w.file == nil && w.buf.Len()+len(p) > MemoryLimit {
		if err := w.toFile(); err != nil {
			return 0, err
		}
	}
	if w.file == nil {
		n, err := w.buf.Write(p)
		w.size += int64(n)
		return n, err
	}
	n, err := w.file.Write(p)
	w.size += int64(n)
	if err != nil {
		err = fmt.Errorf("write the temporary file: %w", err)
	}
	return n, err
}

// ReadFrom implements io.ReaderFrom: a small message is read straight into
// memory that grows with it.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	var n int64
	if w.file == nil {
		room := int64(MemoryLimit - w.buf.Len())
		k, err := w.buf.ReadFrom(io.LimitReader(r, room))
		n, w.size = k, w.size+k
		if err != nil || k < room {
			return n, err
		}
	}
	k, err := io.Copy(onlyWriter{w}, r)
	return n + k, err
}

// onlyWriter hides ReadFrom.
type onlyWriter struct{ io.Writer }

// toFile moves what was written so far into a temporary file.
func (w *Writer) toFile() error {
	f, err := os.CreateTemp(w.dir, "stagedoor-spool-")
	if err != nil {
		return fmt.Errorf("make a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return fmt.Errorf("unlink the temporary file: %w", err)
	}
	if _, err := f.Write(w.buf.Bytes()); err != nil {
		_ = f.Close()
		return fmt.Errorf("write the temporary file: %w", err)
	}
	w.file, w.buf = f, bytes.Buffer{}
	return nil
}

// Message ends the writing and returns what was written. The Writer must not
// be written to afterwards.
func (w *Writer) Message() (*Message, error) {
	if w.file == nil {
		return FromBytes(w.buf.Bytes()), nil
	}
	m := &Message{at: w.file, size: w.size, file: w.file}
	w.file = nil
	return m, nil
}

// Discard drops what was written. It does nothing after Message.
func (w *Writer) Discard() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	w.buf = bytes.Buffer{}
}

// Read spools r, at most max octets; more is ErrTooLarge, and r is then read to
// that point only.
func Read(r io.Reader, dir string, max int64) (*Message, error) {
	w := NewWriter(dir)
	n, err := io.Copy(w, io.LimitReader(r, max+1))
	if err == nil && n > max {
		err = ErrTooLarge
	}
	if err != nil {
		w.Discard()
		return nil, err
	}
	return w.Message()
}

package sanitize

import (
	"bytes"
	"io"
)

// memoryLimit is up to where a message is read into memory at once.
const memoryLimit = 256 << 10

// source is a message, or a part of one, that is read by offset.
type source struct {
	r    io.ReaderAt
	size int64
	mem  []byte // the whole, if it is small
}

// open makes a source of what is left in r.
func open(r io.Reader) (*source, error) {
	if at, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		start, err := at.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		end, err := at.Seek(0, io.SeekEnd)
		if err != nil {
			return nil, err
		}
		if _, err := at.Seek(start, io.SeekStart); err != nil {
			return nil, err
		}
		return newSource(at, start, end)
	}
	mem, err := io.ReadAll(io.LimitReader(r, MaxMessage+1))
	if err != nil {
		return nil, err
	}
	if len(mem) > MaxMessage {
		return nil, errTooLong
	}
	return memSource(mem), nil
}

// newSource is the octets from start to end of r.
func newSource(r io.ReaderAt, start, end int64) (*source, error) {
	s := &source{r: io.NewSectionReader(r, start, end-start), size: end - start}
	if s.size > memoryLimit {
		return s, nil
	}
	mem := make([]byte, s.size)
	if n, err := s.r.ReadAt(mem, 0); n < len(mem) {
		return nil, err
	}
	return memSource(mem), nil
}

func memSource(b []byte) *source {
	return &source{r: bytes.NewReader(b), size: int64(len(b)), mem: b}
}

// section reads the octets from start to end.
func (s *source) section(start, end int64) io.Reader {
	if s.mem != nil {
		return bytes.NewReader(s.mem[start:end])
	}
	return io.NewSectionReader(s.r, start, end-start)
}

// lines iterates over the lines of a source. A line that is longer than the
// buffer comes in pieces.
type lines struct {
	src  *source
	off  int64  // of the first octet of rest
	rest []byte // read, not yet returned
	buf  []byte
	cut  bool // the last piece did not end its line
}

const lineBuffer = 32 << 10

func newLines(s *source) *lines {
	l := &lines{src: s}
	if s.mem != nil {
		l.rest = s.mem
	} else {
		l.buf = make([]byte, lineBuffer)
	}
	return l
}

// next returns a line with its end, where it starts, and whether it is the
// first piece of its line. At the end it returns io.EOF. The line is valid
// until the next call.
func (l *lines) next() (line []byte, start int64, first bool, err error) {
	i := bytes.IndexByte(l.rest, '\n')
	if i < 0 && l.buf != nil {
		if err := l.fill(); err != nil {
			return nil, 0, false, err
		}
		i = bytes.IndexByte(l.rest, '\n')
	}
	if len(l.rest) == 0 {
		return nil, l.off, false, io.EOF
	}
	if i < 0 {
		i = len(l.rest) - 1
	}
	line, start, first = l.rest[:i+1], l.off, !l.cut
	l.cut = line[i] != '\n'
	l.rest = l.rest[i+1:]
	l.off += int64(i + 1)
	return line, start, first, nil
}

// fill moves the rest to the front of the buffer and reads on.
func (l *lines) fill() error {
	n := copy(l.buf, l.rest)
	want := min(int64(len(l.buf)-n), l.src.size-l.off-int64(n))
	if want > 0 {
		m, err := l.src.r.ReadAt(l.buf[n:n+int(want)], l.off+int64(n))
		if int64(m) < want {
			return err
		}
		n += m
	}
	l.rest = l.buf[:n]
	return nil
}

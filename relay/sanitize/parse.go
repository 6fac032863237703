package sanitize

import (
	"bytes"
	"io"
	"strings"
)

// part is a node of a message's MIME tree: what its header says, and where
// in the source its body is.
type part struct {
	head       header
	kind       string // media type in lower case, "text/plain"
	params     params
	start, end int64 // of the body, still encoded
	children   []*part
}

// encoding is the Content-Transfer-Encoding in lower case.
func (p *part) encoding() string {
	enc, _, _ := strings.Cut(strings.ToLower(p.head.get("content-transfer-encoding")), ";")
	return strings.Trim(enc, " \t\"'")
}

// indexer finds the parts in one pass over the lines, however deep they are
// nested: it knows all open boundaries at once, so that an inner multipart
// that is never closed ends where an outer one goes on.
type indexer struct {
	lines *lines
	rw    *rewriter
	open  []string // boundaries, the outermost first
}

// stop is why the reading of an entity ended: at the delimiter of the open
// boundary with that index, or at the end of the message (-1).
type stop struct {
	level   int
	closing bool
}

var atEOF = stop{level: -1}

// index reads the structure of a message.
func index(src *source, rw *rewriter) (*part, error) {
	x := &indexer{lines: newLines(src), rw: rw}
	p, _, err := x.entity("text/plain", true)
	return p, err
}

// delimiter tells which open boundary a line belongs to, if any (RFC 2046
// section 5.1.1). White space after it is allowed.
func (x *indexer) delimiter(line []byte) (stop, bool) {
	if len(line) < 3 || line[0] != '-' || line[1] != '-' || len(x.open) == 0 {
		return stop{}, false
	}
	line = bytes.TrimRight(line[2:], " \t\r\n")
	for i := len(x.open) - 1; i >= 0; i-- {
		if rest, ok := bytes.CutPrefix(line, []byte(x.open[i])); ok {
			if len(rest) == 0 {
				return stop{level: i}, true
			}
			if string(rest) == "--" {
				return stop{level: i, closing: true}, true
			}
		}
	}
	return stop{}, false
}

// entity reads a header and the body that belongs to it.
func (x *indexer) entity(defaultKind string, top bool) (*part, stop, error) {
	if x.rw.parts++; x.rw.parts > MaxParts {
		return nil, atEOF, errTooDeep
	}
	p := &part{}
	end, ended, pending, err := x.header(&p.head, top)
	if err != nil {
		return nil, atEOF, err
	}
	p.kind, p.params = parseMedia(p.head.get("content-type"))
	if !strings.Contains(p.kind, "/") {
		if p.kind != "" {
			x.rw.repair("content type")
		}
		p.kind = defaultKind
	}
	p.start = x.lines.off
	if pending >= 0 {
		p.start = pending
	}
	p.end = p.start
	if ended {
		return p, end, nil
	}
	if !strings.HasPrefix(p.kind, "multipart/") {
		end, err = x.leaf(p)
		return p, end, err
	}
	end, err = x.multipart(p)
	return p, end, err
}

// leaf skips to the next delimiter. The line end before it belongs to it.
func (x *indexer) leaf(p *part) (stop, error) {
	p.end = x.lines.off
	eol := int64(0)
	for {
		line, start, first, err := x.lines.next()
		if err == io.EOF {
			return atEOF, nil
		} else if err != nil {
			return atEOF, err
		}
		if first {
			if s, ok := x.delimiter(line); ok {
				p.end = max(p.start, p.end-eol)
				return s, nil
			}
		}
		p.end = start + int64(len(line))
		eol = 0
		if bytes.HasSuffix(line, []byte("\r\n")) {
			eol = 2
		} else if bytes.HasSuffix(line, []byte("\n")) {
			eol = 1
		}
	}
}

// multipart reads the parts of p. Without any it is a text: somebody may have
// written something there.
func (x *indexer) multipart(p *part) (stop, error) {
	if len(x.open) >= maxDepth {
		return atEOF, errTooDeep
	}
	level := len(x.open)
	boundary := strings.TrimRight(p.params.get("boundary"), " \t")
	if boundary != "" {
		x.open = append(x.open, boundary)
	}
	defer func() { x.open = x.open[:level] }()
	childKind := "text/plain"
	if p.kind == "multipart/digest" { // RFC 2046 section 5.1.5
		childKind = "message/rfc822"
	}
	end, err := x.skip(p, level)
	for err == nil && end.level == level && !end.closing {
		var child *part
		if child, end, err = x.entity(childKind, false); err != nil {
			return atEOF, err
		}
		p.children = append(p.children, child)
		if end.level == level && end.closing {
			end, err = x.skip(p, level)
		}
	}
	if err != nil {
		return atEOF, err
	}
	if len(p.children) == 0 {
		x.rw.repair("multipart without parts")
		p.kind, p.params = "text/plain", nil
	} else if end.level < 0 && !end.closing {
		x.rw.repair("multipart not closed")
	}
	return end, nil
}

// skip passes over a preamble or epilogue. A multipart that names no boundary
// takes the first line that looks like one.
func (x *indexer) skip(p *part, level int) (stop, error) {
	for {
		line, start, first, err := x.lines.next()
		if err == io.EOF {
			return stop{level: -1, closing: len(p.children) > 0}, nil
		} else if err != nil {
			return atEOF, err
		}
		if !first {
			continue
		}
		if s, ok := x.delimiter(line); ok {
			if s.level == level && s.closing {
				continue
			}
			return s, nil
		}
		if len(p.children) == 0 {
			p.end = start + int64(len(line))
		}
		if len(x.open) == level && bytes.HasPrefix(line, []byte("--")) {
			if guess := bytes.TrimRight(line[2:], " \t\r\n"); len(guess) > 3 && len(guess) <= 200 && bytes.IndexByte(guess, ' ') < 0 {
				x.rw.repair("boundary")
				x.open = append(x.open, string(guess))
				return stop{level: level}, nil
			}
		}
	}
}

// header reads fields up to the empty line. At a delimiter it returns ended.
// A line that is no field ends a part's header (pending is where it starts);
// in the header of a message it is left out, unless nothing came before it.
func (x *indexer) header(h *header, top bool) (end stop, ended bool, pending int64, err error) {
	var size int64
	open := false // the last field is one that is kept, and may be continued
	for fields := 0; ; {
		line, start, first, err := x.lines.next()
		if err == io.EOF {
			return atEOF, true, -1, nil
		} else if err != nil {
			return atEOF, false, -1, err
		}
		if size += int64(len(line)); size > maxHeader {
			return atEOF, false, -1, errHeader
		}
		if s, ok := x.delimiter(line); ok && first {
			return s, true, start, nil
		}
		text := bytes.TrimRight(line, "\r\n")
		switch name, value, ok := splitField(text); {
		case !first:
			if open {
				h.extend(text)
			}
		case len(text) == 0:
			return atEOF, false, -1, nil
		case (text[0] == ' ' || text[0] == '\t') && fields > 0:
			if open {
				h.extend(text)
			}
		case ok:
			fields++
			open = h.add(name, value)
		case top && (fields > 0 || isMboxLine(text)):
			x.rw.repair("header line")
			open = false
		default:
			x.rw.repair("no header")
			x.reread(start)
			return atEOF, false, start, nil
		}
	}
}

// reread gives the line back, to be read as body.
func (x *indexer) reread(start int64) {
	l := x.lines
	if l.buf == nil {
		l.rest = l.src.mem[start:]
	} else {
		l.rest = nil
	}
	l.off, l.cut = start, false
}

// isMboxLine reports whether a line is the "From " line of an mbox file.
func isMboxLine(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From "))
}

// splitField cuts a field at its colon. A field name is printable ASCII
// without colon (RFC 5322 section 2.2); spaces before the colon are tolerated.
func splitField(line []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i < 1 {
		return nil, nil, false
	}
	name = bytes.TrimRight(line[:i], " \t")
	if len(name) == 0 {
		return nil, nil, false
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return nil, nil, false
		}
	}
	return name, line[i+1:], true
}

package mimetree

import "bytes"

// scanner is the state of one pass: the parts that are open, from the root to
// the innermost.
type scanner struct {
	root  *Part
	open  []frame
	parts int // counted, with the first one of each multipart

	off    int64 // of the next octet
	eol    int64 // length of the line end just before off, 0 if there is none
	cr     bool  // the octet before off is a CR
	lines  int64 // line ends seen so far
	inLine int64 // octets of the line that has not ended
	last   int64 // octets of the last line that has, without its end

	inHeader bool
	header   bytes.Buffer // of the innermost part, while inHeader
	overlong bool         // the header is longer than what is looked at

	raw  bytes.Buffer // of the innermost part, if it is text
	text searchText
}

// frame is a part whose end has not been seen.
type frame struct {
	part  *Part
	mark  string // a multipart's boundary; empty: it is none, or the last boundary has been seen
	lines int64  // line ends before the part's body
	// promised: a multipart's first part has been counted before it came, for
	// it gets one in any case.
	promised bool
}

func newScanner(header []byte) *scanner {
	root, mark := newPart(header, "text/plain")
	s := &scanner{root: root, parts: 1}
	s.beginBody(root, mark)
	return s
}

// beginBody opens a part whose header has been read.
func (s *scanner) beginBody(p *Part, mark string) {
	p.BodyStart = s.off
	s.open = append(s.open, frame{part: p, lines: s.lines})
	s.raw.Reset()
	s.inHeader = false
	switch {
	case p.Multipart() && s.room():
		f := &s.open[len(s.open)-1]
		f.mark, f.promised = mark, true
		s.parts++
	case p.Multipart(): // too deep or too many: one leaf
		p.Type, p.Subtype = "application", "octet-stream"
	case p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global") && identity(p.Encoding) && s.room():
		s.parts++
		s.beginHeader()
	}
}

// beginHeader adds a part to the innermost one; its header begins here.
func (s *scanner) beginHeader() {
	parent := s.open[len(s.open)-1].part
	p := &Part{HeaderStart: s.off}
	parent.Children = append(parent.Children, p)
	s.open = append(s.open, frame{part: p})
	s.inHeader, s.overlong = true, false
	s.header.Reset()
}

// room reports whether the innermost part may hold one part more.
func (s *scanner) room() bool { return s.parts < MaxParts && len(s.open) < MaxDepth }

// identity reports whether the encoding leaves the octets as they are.
func identity(encoding string) bool {
	return encoding == "7BIT" || encoding == "8BIT" || encoding == "BINARY"
}

// line takes a line or a piece of one. start: the piece begins a line; ended:
// no piece of the same line follows. What doesn't fit into a piece is no
// boundary (RFC 2046 section 5.1.1 allows 70 characters).
func (s *scanner) line(b []byte, start, ended bool) {
	if start && ended && len(b) > 2 && b[0] == '-' && b[1] == '-' {
		if depth, last := s.boundary(b); depth >= 0 {
			s.closeTo(depth, s.off-s.eol)
			s.advance(b)
			s.afterBoundary(last)
			return
		}
	}
	if s.inHeader {
		s.headerLine(b, start)
		return
	}
	if s.open[len(s.open)-1].part.Type == "text" && !s.text.full() {
		s.raw.Write(b[:min(len(b), maxRawText-s.raw.Len())])
	}
	s.advance(b)
}

// advance counts the octets and the line end.
func (s *scanner) advance(b []byte) {
	n := len(b)
	s.off += int64(n)
	s.inLine += int64(n)
	s.eol = 0
	if b[n-1] == '\n' {
		s.lines++
		s.eol = 1
		if n > 1 && b[n-2] == '\r' || n == 1 && s.cr {
			s.eol = 2
		}
		s.last, s.inLine = s.inLine-s.eol, 0
	}
	s.cr = b[n-1] == '\r'
}

// boundary returns the depth of the multipart whose boundary the line is,
// innermost first, and whether it is the last one; -1 if it is none. The
// multiparts around the innermost are asked as well: the inner ones may lack
// their last boundary (RFC 2046 section 5.1.2).
func (s *scanner) boundary(b []byte) (depth int, last bool) {
	text := bytes.TrimRight(b[2:], " \t\r\n")
	for i := len(s.open) - 1; i >= 0; i-- {
		mark := s.open[i].mark
		switch {
		case mark == "":
		case string(text) == mark:
			return i, false
		case len(text) == len(mark)+2 && string(text[:len(mark)]) == mark && string(text[len(mark):]) == "--":
			return i, true
		}
	}
	return -1, false
}

// afterBoundary begins the innermost multipart's next part, or its epilogue,
// in which its boundary means nothing any more.
func (s *scanner) afterBoundary(last bool) {
	f := &s.open[len(s.open)-1]
	switch {
	case last:
		f.mark = ""
	case f.promised:
		f.promised = false
		s.beginHeader()
	case s.room():
		s.parts++
		s.beginHeader()
	}
}

// headerLine takes a line, or a piece of one, of the innermost part's header.
func (s *scanner) headerLine(b []byte, start bool) {
	end := start && len(bytes.TrimRight(b, "\r\n")) == 0
	if s.overlong = s.overlong || s.header.Len()+len(b) > maxPartHeader; !s.overlong {
		s.header.Write(b)
	}
	s.advance(b)
	if end {
		s.headerEnd()
	}
}

// headerEnd fills the innermost part from its header and opens its body.
func (s *scanner) headerEnd() {
	n := len(s.open) - 1
	p, parent := s.open[n].part, s.open[n-1].part
	def := "text/plain"
	if parent.Multipart() && parent.Subtype == "digest" {
		def = "message/rfc822" // RFC 2046 section 5.1.5
	}
	known, mark := newPart(s.header.Bytes(), def)
	known.HeaderStart = p.HeaderStart
	*p = *known
	s.open = s.open[:n]
	s.beginBody(p, mark)
}

// closeTo closes the parts below depth; their bodies end at end.
func (s *scanner) closeTo(depth int, end int64) {
	for len(s.open)-1 > depth {
		if !s.inHeader {
			s.closeInnermost(end)
			continue
		}
		// A boundary, or the message's end, inside a header.
		n := len(s.open) - 1
		s.headerEnd()
		at := max(end, s.open[n].part.HeaderStart)
		for _, f := range s.open[n:] {
			f.part.HeaderStart, f.part.BodyStart = min(f.part.HeaderStart, at), min(f.part.BodyStart, at)
		}
	}
}

// closeInnermost ends the innermost part's body. Where a boundary ends it, the
// line end before that is not part of it: end is less than off then.
func (s *scanner) closeInnermost(end int64) {
	n := len(s.open) - 1
	f := s.open[n]
	s.open = s.open[:n]
	p := f.part
	p.BodyEnd = max(end, p.BodyStart)
	if k := len(p.Children); k > 0 {
		// The empty line that ends a header may be the line end before a boundary as well.
		p.BodyEnd = max(p.BodyEnd, p.Children[k-1].BodyEnd)
	}
	if p.BodyEnd > p.BodyStart {
		p.Lines = s.lines - f.lines
		unended := s.eol == 0
		if p.BodyEnd < s.off {
			p.Lines--
			unended = s.last > 0
		}
		if unended {
			p.Lines++
		}
	}
	switch {
	case p.Multipart() && len(p.Children) == 0:
		// RFC 9051 section 9: body-type-mpart has at least one body.
		empty, _ := newPart(nil, "text/plain")
		empty.HeaderStart, empty.BodyStart, empty.BodyEnd = p.BodyEnd, p.BodyEnd, p.BodyEnd
		p.Children = []*Part{empty}
	case p.Type == "text":
		raw := s.raw.Bytes() // with the line end that belongs to the boundary
		s.text.part(p, raw[:min(int64(len(raw)), p.BodyEnd-p.BodyStart)])
		s.raw.Reset()
	}
	s.text.name(p)
}

// finish ends what is open where the message ends.
func (s *scanner) finish() {
	s.closeTo(0, s.off)
	s.closeInnermost(s.off)
}

// Package mimetree knows the MIME structure of a stored message: where each
// part's header and body begin and end, so that BODYSTRUCTURE, BODY[n] and
// BINARY[n] are answered from a small index and a range of octets, and the
// text that a search looks at.
//
// Read is one pass over the message. It accepts any octets: what is no MIME is
// one text part. It holds a line, a part's header and the text of one part, all
// bounded.
package mimetree

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/stagedoor/stagedoor/threading"
)

// Bounds of what is indexed. What lies deeper or beyond is left inside the
// part that holds it, as one opaque leaf.
const (
	MaxDepth = 50
	MaxParts = 1000

	maxPartHeader = 64 << 10  // octets of a part's header that are looked at
	maxLine       = 8 << 10   // octets of a line that are held at once
	maxRawText    = 512 << 10 // octets of a text part that are decoded for search
)

// Part is a node of the tree. Offsets count octets from the first octet of
// the message's body, that is, after the top-level header block; the root has
// HeaderStart = BodyStart = 0 and its header is the header block.
type Part struct {
	Type, Subtype     string            // in lower case; default text/plain, in a digest message/rfc822 (RFC 2046 section 5.1.5)
	Params            map[string]string // keys in lower case, values decoded (RFC 2231, RFC 2047)
	ID, Description   string
	Encoding          string // Content-Transfer-Encoding in upper case, default 7BIT
	MD5               string
	Disposition       string // in lower case
	DispositionParams map[string]string
	Language          []string
	Location          string

	HeaderStart int64   // first octet of the part's header
	BodyStart   int64   // first octet of its body
	BodyEnd     int64   // one past its last octet; the line end before a boundary is not part of it (RFC 2046 section 5.1.1)
	Lines       int64   // line ends in the body, counting an unended last line
	Children    []*Part // of multipart/*: the parts, at least one; of message/rfc822 and message/global: the message
}

// Multipart reports whether the part holds parts.
func (p *Part) Multipart() bool { return p.Type == "multipart" }

// Message reports whether the part holds a message whose structure is known.
func (p *Part) Message() bool { return p.Type == "message" && len(p.Children) == 1 }

// Attachment reports whether the part is to be shown as a file.
func (p *Part) Attachment() bool {
	return p.Disposition == "attachment" || p.Filename() != "" && p.Disposition != "inline"
}

// Filename is the part's file name, or nothing.
func (p *Part) Filename() string {
	if n := p.DispositionParams["filename"]; n != "" {
		return n
	}
	return p.Params["name"]
}

// Find returns the part with that number (RFC 9051 section 6.4.5): a 1-based
// path; an empty path is the root. A part that holds no parts is its own part
// 1. nil if there is none.
func (p *Part) Find(path []int) *Part {
	for i, n := range path {
		switch {
		case p.Message() && i > 0:
			p = p.Children[0]
			if !p.Multipart() {
				if n != 1 {
					return nil
				}
				continue
			}
		case !p.Multipart():
			// Part 1 of a message that is no multipart is the message's body.
			if i == 0 && n == 1 {
				continue
			}
			return nil
		}
		if n < 1 || n > len(p.Children) {
			return nil
		}
		p = p.Children[n-1]
	}
	return p
}

// Read parses a message given as header block and body. It returns the encoded
// tree and the folded search text; err is only the reader's.
func Read(header []byte, body io.Reader) (threading.Content, error) {
	s := newScanner(header)
	br := lineReaders.Get().(*bufio.Reader)
	br.Reset(body)
	defer func() {
		br.Reset(nil)
		lineReaders.Put(br)
	}()
	start := true
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			s.line(line, start)
			start = err == nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return threading.Content{}, err
		}
	}
	s.finish()
	return threading.Content{Structure: encode(s.root), Text: s.text.String()}, nil
}

var lineReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, maxLine) }}

// scanner is the state of one pass: the parts that are open, from the root to
// the innermost.
type scanner struct {
	root  *Part
	open  []*Part
	parts int

	off    int64 // of the next octet
	eol    int64 // length of the line end just before off, 0 if there is none
	lines  int64 // line ends seen so far
	inLine int64 // octets of the line that has not ended
	last   int64 // octets of the last line that has, without its end
	starts map[*Part]int64

	inHeader bool
	header   bytes.Buffer // of the innermost part, while inHeader

	raw  bytes.Buffer // of the innermost part, if it is text
	text searchText
}

func newScanner(header []byte) *scanner {
	s := &scanner{root: newPart(header, "text/plain"), parts: 1, starts: map[*Part]int64{}}
	s.begin(s.root)
	return s
}

// begin opens a part whose header has been read.
func (s *scanner) begin(p *Part) {
	p.BodyStart = s.off
	s.starts[p] = s.lines
	s.open = append(s.open, p)
	s.raw.Reset()
	s.inHeader = false
	if p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global") && identity(p.Encoding) && s.room() {
		s.beginHeader(p, s.off)
	}
}

// beginHeader adds a child whose header begins here.
func (s *scanner) beginHeader(parent *Part, at int64) {
	s.parts++
	p := &Part{HeaderStart: at}
	parent.Children = append(parent.Children, p)
	s.open = append(s.open, p)
	s.inHeader = true
	s.header.Reset()
}

func (s *scanner) room() bool { return s.parts < MaxParts && len(s.open) < MaxDepth }

func identity(encoding string) bool {
	return encoding == "7BIT" || encoding == "8BIT" || encoding == "BINARY"
}

// line takes a line, or a piece of one; start: the piece begins a line.
func (s *scanner) line(b []byte, start bool) {
	if start && len(b) > 2 && b[0] == '-' && b[1] == '-' {
		if depth, last := s.boundary(b); depth >= 0 {
			s.closeTo(depth, s.off-s.eol)
			s.advance(b)
			if !last && s.room() {
				s.beginHeader(s.open[depth], s.off)
			}
			return
		}
	}
	if s.inHeader {
		s.headerLine(b)
		return
	}
	if p := s.open[len(s.open)-1]; p.Type == "text" && len(s.open) > 0 && s.raw.Len()+len(b) <= maxRawText && len(p.Children) == 0 {
		s.raw.Write(b)
	}
	s.advance(b)
}

func (s *scanner) advance(b []byte) {
	s.off += int64(len(b))
	s.inLine += int64(len(b))
	s.eol = 0
	if n := len(b); n > 0 && b[n-1] == '\n' {
		s.lines++
		s.eol = 1
		if n > 1 && b[n-2] == '\r' {
			s.eol = 2
		}
		s.last, s.inLine = s.inLine-s.eol, 0
	}
}

// headerLine takes a line of the innermost part's header.
func (s *scanner) headerLine(b []byte) {
	empty := len(bytes.TrimRight(b, "\r\n")) == 0
	if !empty && s.header.Len()+len(b) <= maxPartHeader {
		s.header.Write(b)
	}
	s.advance(b)
	if empty {
		s.headerEnd()
	}
}

// headerEnd fills the innermost part from its header and opens its body.
func (s *scanner) headerEnd() {
	n := len(s.open) - 1
	p := s.open[n]
	def := "text/plain"
	if n > 0 && s.open[n-1].Multipart() && s.open[n-1].Subtype == "digest" {
		def = "message/rfc822"
	}
	at := p.HeaderStart
	*p = *newPart(s.header.Bytes(), def)
	p.HeaderStart = at
	s.open = s.open[:n]
	s.begin(p)
}

// boundary returns the depth of the multipart whose boundary the line is,
// innermost first, and whether it is the last one; -1 if it is none.
func (s *scanner) boundary(b []byte) (depth int, last bool) {
	text := bytes.TrimRight(b[2:], " \t\r\n")
	for i := len(s.open) - 1; i >= 0; i-- {
		p := s.open[i]
		if !p.Multipart() || i == len(s.open)-1 && s.inHeader {
			continue
		}
		mark := p.Params["boundary"]
		if mark == "" || !bytes.HasPrefix(text, []byte(mark)) {
			continue
		}
		switch rest := text[len(mark):]; {
		case len(rest) == 0:
			return i, false
		case string(rest) == "--":
			return i, true
		}
	}
	return -1, false
}

// closeTo closes the parts below depth; their bodies end at end.
func (s *scanner) closeTo(depth int, end int64) {
	for len(s.open)-1 > depth {
		if s.inHeader { // a boundary or the end inside a header
			n := len(s.open) - 1
			s.headerEnd()
			at := max(end, s.open[n].HeaderStart)
			for _, p := range s.open[n:] {
				p.HeaderStart, p.BodyStart = min(p.HeaderStart, at), min(p.BodyStart, at)
			}
			continue
		}
		s.closeInnermost(end)
	}
}

func (s *scanner) closeInnermost(end int64) {
	n := len(s.open) - 1
	p := s.open[n]
	s.open = s.open[:n]
	p.BodyEnd = max(end, p.BodyStart)
	if k := len(p.Children); k > 0 {
		// The empty line that ends a header may be the line end before a boundary as well.
		p.BodyEnd = max(p.BodyEnd, p.Children[k-1].BodyEnd)
	}
	p.Lines = s.lines - s.starts[p]
	if end < s.off { // the line end before the boundary is not the part's
		p.Lines--
	}
	if p.BodyEnd > p.BodyStart && (end < s.off && s.last > 0 || end == s.off && s.eol == 0) {
		p.Lines++ // the unended last line
	}
	p.Lines = max(p.Lines, 0)
	delete(s.starts, p)
	switch {
	case p.Multipart() && len(p.Children) == 0:
		// A multipart has at least one part in BODYSTRUCTURE.
		empty := newPart(nil, "text/plain")
		empty.HeaderStart, empty.BodyStart, empty.BodyEnd = p.BodyEnd, p.BodyEnd, p.BodyEnd
		p.Children = []*Part{empty}
	case p.Type == "text":
		raw := s.raw.Bytes() // without the line end that belongs to the boundary
		s.text.part(p, raw[:min(int64(len(raw)), p.BodyEnd-p.BodyStart)])
		s.raw.Reset()
	}
	s.text.name(p)
}

func (s *scanner) finish() {
	s.closeTo(0, s.off)
	s.closeInnermost(s.off)
}

// newPart reads a part's header.
func newPart(header []byte, def string) *Part {
	p := &Part{Encoding: "7BIT"}
	typ, subtype, _ := strings.Cut(def, "/")
	for name, value := range Fields(header) {
		switch strings.ToLower(name) {
		case "content-type":
			if t, params := mediaType(value); strings.Contains(t, "/") {
				typ, subtype, _ = strings.Cut(t, "/")
				p.Params = params
			}
		case "content-transfer-encoding":
			if e := strings.ToUpper(strings.TrimSpace(value)); e != "" && len(e) < 64 {
				p.Encoding = e
			}
		case "content-id":
			p.ID = strings.TrimSpace(value)
		case "content-description":
			p.Description = strings.TrimSpace(value)
		case "content-md5":
			p.MD5 = strings.TrimSpace(value)
		case "content-disposition":
			p.Disposition, p.DispositionParams = mediaType(value)
		case "content-language":
			for l := range strings.SplitSeq(value, ",") {
				if l = strings.TrimSpace(l); l != "" && len(p.Language) < 20 {
					p.Language = append(p.Language, l)
				}
			}
		case "content-location":
			p.Location = strings.TrimSpace(value)
		}
	}
	p.Type, p.Subtype = typ, subtype
	if p.Multipart() && p.Params["boundary"] == "" {
		p.Type, p.Subtype = "text", "plain" // it can't be taken apart
	}
	return p
}

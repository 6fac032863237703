// Package mimetree knows the MIME structure of a stored message: where each
// part's header and body begin and end, so that BODYSTRUCTURE, BODY[n] and
// BINARY[n] are answered from a small index and a range of octets, and the
// text that a search looks at.
//
// Read is one pass over the message. It accepts any octets: what is no MIME is
// one text part. It holds a line, a part's header and the text of one part, all
// bounded; nothing is kept between two calls but buffers, and no goroutine is
// started. Decode accepts what Read wrote and refuses anything else.
package mimetree

import (
	"bufio"
	"errors"
	"io"
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
	maxString     = 1000      // octets of each string that is kept of a part's header
	maxParams     = 40        // parameters of each field, before RFC 2231 joins them
	maxParamName  = 60
	maxLanguages  = 20
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
		piece := errors.Is(err, bufio.ErrBufferFull)
		if len(line) > 0 {
			s.line(line, start, !piece)
			start = err == nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !piece {
			return threading.Content{}, err
		}
	}
	s.finish()
	return threading.Content{Structure: encode(s.root), Text: s.text.String()}, nil
}

var lineReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, maxLine) }}

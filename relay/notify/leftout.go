package notify

import (
	"bytes"
	"io"
	"mime"
	"mime/quotedprintable"
	"strconv"
	"strings"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// Bounds of what is said about attachments that are left out.
const (
	maxNamed    = 10  // of them, in the footer
	maxFileName = 120 // octets
)

// stub stands in for an attachment that is too large for mail: a short text
// file at the same place, so that the structure stays what it is.
type stub struct {
	part *mimetree.Part
	file LeftOut
}

// tooLarge lists the attachments, of what is shown as the message, that have
// more octets than max; zero: no bound. In signed and encrypted parts nothing
// changes.
func tooLarge(root *mimetree.Part, max int64) []stub {
	if max <= 0 {
		return nil
	}
	var list []stub
	_ = walk(root, func(p *mimetree.Part) error {
		isText := strings.EqualFold(p.Type, "text") && (strings.EqualFold(p.Subtype, "plain") || strings.EqualFold(p.Subtype, "html"))
		if size := octets(p); size > max && (!isText || isAttachment(p)) {
			list = append(list, stub{p, LeftOut{fileName(p), inWords(size)}})
		}
		return nil
	})
	return list
}

// octets is about how large a part is when it is decoded.
func octets(p *mimetree.Part) int64 {
	n := p.BodyEnd - p.BodyStart
	if strings.EqualFold(strings.TrimSpace(p.Encoding), "base64") {
		n = n * 57 / 78 // lines of 76 letters and CRLF (RFC 2045 section 6.8)
	}
	return n
}

// fileName is a part's name on one line; for a part without one, what it is.
func fileName(p *mimetree.Part) string {
	name := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' {
			return ' '
		}
		return r
	}, p.Filename())), " ")
	if name == "" {
		name = strings.ToLower(p.Type + "." + p.Subtype)
	}
	if len(name) > maxFileName {
		name = shorten(name, maxFileName)
	}
	return name
}

// inWords is a size for people.
func inWords(octets int64) string {
	const kb, mb = 1 << 10, 1 << 20
	if octets < mb {
		return strconv.FormatInt((octets+kb-1)/kb, 10) + " KB"
	}
	return strconv.FormatInt((octets+mb/2)/mb, 10) + " MB"
}

// fields are the stub's header fields about its content.
func (s stub) fields() []byte {
	return []byte("Content-Type: text/plain; charset=utf-8\r\n" +
		"Content-Disposition: " + mime.FormatMediaType("attachment", map[string]string{"filename": s.file.Name + ".txt"}) + "\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n")
}

// replace writes the stub as a part; the root's header stands already.
func (s stub) replace(w io.Writer, l Look, root bool) error {
	if !root {
		if _, err := w.Write(append(s.fields(), '\r', '\n')); err != nil {
			return err
		}
	}
	return s.write(w, l)
}

// write writes the stub's body.
func (s stub) write(w io.Writer, l Look) error {
	text := l.says.Say("attachment.left_out", "file", s.file.Name, "size", s.file.Size, "brand", l.Brand) + "\r\n"
	if l.BaseURL != "" {
		text += l.BaseURL + "\r\n"
	}
	qp := quotedprintable.NewWriter(w)
	if _, err := io.WriteString(qp, text); err != nil {
		return err
	}
	return qp.Close()
}

// withContent is a header block whose fields about the content are replaced.
func withContent(header, fields []byte) []byte {
	var out bytes.Buffer
	skipping := false
	for line := range bytes.Lines(header) {
		blank := len(bytes.TrimRight(line, "\r\n")) == 0
		if !blank && (line[0] == ' ' || line[0] == '\t') {
			if !skipping {
				out.Write(line)
			}
			continue
		}
		name, _, _ := bytes.Cut(line, []byte(":"))
		skipping = len(name) > len("content-") && strings.EqualFold(string(name[:len("content-")]), "Content-")
		if blank {
			out.Write(fields)
		}
		if !skipping {
			out.Write(line)
		}
	}
	return out.Bytes()
}

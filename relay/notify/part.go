package notify

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// maxPartHeader bounds the header of a part that is changed, in octets.
const maxPartHeader = 64 << 10

// edit is a part that changes: it gets text put into it, or a stub stands in
// for it.
type edit struct {
	part *mimetree.Part
	at   int64 // where, in octets of the decoded part
	text string
	stub *stub
}

// plan chooses the parts that change: what is left out, in order, and those that
// get the footer: the first text and the first
// HTML that a reader sees as the message. A message without either (only
// attachments) gets none: a part of its own would turn a picture into a
// picture and a stray text.
func plan(root *mimetree.Part, open opener, f footer, left []stub) ([]edit, error) {
	var edits []edit
	var plain, html bool
	err := walk(root, func(p *mimetree.Part) error {
		if len(left) > 0 && left[0].part == p {
			edits = append(edits, edit{part: p, stub: &left[0]})
			left = left[1:]
			return nil
		}
		isPlain, isHTML := strings.EqualFold(p.Subtype, "plain"), strings.EqualFold(p.Subtype, "html")
		if !strings.EqualFold(p.Type, "text") || isAttachment(p) || isPlain && plain || isHTML && html || !isPlain && !isHTML {
			return nil
		}
		e := edit{part: p}
		chars := charset(p)
		if chars == wide {
			return nil
		}
		ok, err := e.place(open, isHTML)
		if err != nil || !ok {
			return err
		}
		if err := e.say(f, isHTML, chars); err != nil {
			return err
		}
		plain, html = plain || isPlain, html || isHTML
		edits = append(edits, e)
		return nil
	})
	return edits, err
}

// walk visits the leaves that are shown as the message, in order. What is
// signed or encrypted must not change, and a forwarded message is not ours.
func walk(p *mimetree.Part, visit func(*mimetree.Part) error) error {
	if !strings.EqualFold(p.Type, "multipart") {
		return visit(p)
	}
	if strings.EqualFold(p.Subtype, "signed") || strings.EqualFold(p.Subtype, "encrypted") {
		return nil
	}
	for _, c := range p.Children {
		if err := walk(c, visit); err != nil {
			return err
		}
	}
	return nil
}

// isAttachment: a text with a file name is a file, even if it is shown inline.
func isAttachment(p *mimetree.Part) bool {
	return strings.EqualFold(p.Disposition, "attachment") || p.DispositionParams["filename"] != "" || p.Params["name"] != ""
}

// width says which characters a part's charset can hold.
type width int

const (
	full   width = iota // all of Unicode, as UTF-8
	narrow              // ASCII and others
	wide                // not even ASCII as single octets
)

func charset(p *mimetree.Part) width {
	cs := strings.ToLower(p.Params["charset"])
	switch {
	case cs == "utf-8", cs == "utf8":
		return full
	case strings.HasPrefix(cs, "utf-16"), strings.HasPrefix(cs, "utf-32"), strings.HasPrefix(cs, "utf-7"),
		strings.HasPrefix(cs, "iso-2022"), strings.HasPrefix(cs, "hz-"), strings.Contains(cs, "ucs"):
		return wide
	}
	return narrow
}

// say puts the footer in.
func (e *edit) say(f footer, html bool, chars width) error {
	makeText, fit := f.text, narrowText
	if html {
		makeText, fit = f.html, narrowHTML
	}
	s, err := makeText()
	if err != nil {
		return err
	}
	if chars == narrow {
		s = fit(s)
	}
	e.text += s
	return nil
}

// place finds where in the decoded part the footer goes, and reports whether
// the part can be decoded at all.
func (e *edit) place(open opener, html bool) (bool, error) {
	b, err := open(e.part.BodyStart, e.part.BodyEnd-e.part.BodyStart)
	if err != nil {
		return false, err
	}
	defer func() { _ = b.Close() }()
	d, ok := decoder(e.part.Encoding, b)
	if !ok {
		return false, nil
	}
	var s scanner
	if _, err := io.CopyBuffer(&s, onlyReader{d}, make([]byte, 16<<10)); err != nil {
		return false, nil
	}
	e.at = s.n
	switch {
	case html && s.found:
		e.at = s.bodyEnd
	case !html && s.n > 0 && s.last != '\n':
		e.text = "\r\n"
	}
	return true, nil
}

// onlyReader hides WriterTo, so that a copy goes in blocks.
type onlyReader struct{ io.Reader }

func decoder(encoding string, r io.Reader) (io.Reader, bool) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "7bit", "8bit", "binary":
		return r, true
	case "quoted-printable":
		return quotedprintable.NewReader(r), true
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r), true
	}
	return nil, false
}

// scanner counts the octets of a text that is written to it and finds its last
// </body.
type scanner struct {
	n       int64
	last    byte
	buf     []byte // the last octets of what came before, then the new ones
	found   bool
	bodyEnd int64
}

const bodyTag = "</body"

func (s *scanner) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.buf = append(s.buf, p...)
	for i := len(s.buf) - len(bodyTag); i >= 0; i-- {
		if i = bytes.LastIndexByte(s.buf[:i+1], '<'); i < 0 {
			break
		}
		if strings.EqualFold(string(s.buf[i:i+len(bodyTag)]), bodyTag) {
			s.found, s.bodyEnd = true, s.n+int64(len(p)-len(s.buf)+i)
			break
		}
	}
	s.buf = append(s.buf[:0], s.buf[max(0, len(s.buf)-len(bodyTag)+1):]...)
	s.n += int64(len(p))
	s.last = p[len(p)-1]
	return len(p), nil
}

// replace writes the part anew; the root's header stands already.
func (e *edit) replace(w io.Writer, open opener, root bool) error {
	if !root {
		if err := copyHeader(w, open, e.part); err != nil {
			return err
		}
	}
	return e.write(w, open)
}

// write writes the part's new body, as quoted-printable: short lines whatever
// the text is, and pure ASCII, so that no server on the way has a reason to
// encode it again and break the signature.
func (e *edit) write(w io.Writer, open opener) error {
	b, err := open(e.part.BodyStart, e.part.BodyEnd-e.part.BodyStart)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	d, _ := decoder(e.part.Encoding, b)
	qp := quotedprintable.NewWriter(w)
	_, err = io.CopyN(qp, d, e.at)
	if err == nil {
		_, err = io.WriteString(qp, e.text)
	}
	if err == nil {
		_, err = io.Copy(qp, d)
	}
	if err == nil {
		err = qp.Close()
	}
	if err != nil {
		return fmt.Errorf("write a part with its footer: %w", err)
	}
	return nil
}

// copyHeader writes a part's header with the encoding that write uses.
func copyHeader(w io.Writer, open opener, p *mimetree.Part) error {
	b, err := open(p.HeaderStart, p.BodyStart-p.HeaderStart)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	header, err := io.ReadAll(io.LimitReader(b, maxPartHeader+1))
	if err != nil {
		return fmt.Errorf("read a part's header: %w", err)
	}
	if len(header) > maxPartHeader {
		return fmt.Errorf("a part's header has more than %d octets", maxPartHeader)
	}
	_, err = w.Write(reencoded(header))
	return err
}

// reencoded is a header block with the field Content-Transfer-Encoding set to
// quoted-printable, where it stood or at the end. Content-MD5 (RFC 1864) would
// be wrong and is left out.
func reencoded(header []byte) []byte {
	const field = "Content-Transfer-Encoding: quoted-printable\r\n"
	var out bytes.Buffer
	out.Grow(len(header) + len(field))
	done, skipping := false, false
	for line := range bytes.Lines(header) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		blank := len(bytes.TrimRight(line, "\r\n")) == 0
		switch {
		case skipping && !blank && (line[0] == ' ' || line[0] == '\t'):
			continue
		case strings.EqualFold(string(name), "Content-Transfer-Encoding"), strings.EqualFold(string(name), "Content-MD5"):
			skipping = true
			continue
		case blank && !done:
			out.WriteString(field)
			done = true
		}
		skipping = false
		out.Write(line)
	}
	if !done { // a block without its empty line
		out.WriteString(field)
	}
	return out.Bytes()
}

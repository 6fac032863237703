package sanitize

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"net/mail"
	"strconv"
	"strings"
	"time"
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// digest makes a value that depends on s and this message's key.
func (rw *rewriter) digest(what, s string) [sha256.Size]byte {
	return sha256.Sum256(append(append(append(make([]byte, 0, 64+len(s)), rw.key[:]...), what...), s...))
}

// boundary makes a fresh one. "=_" can stand neither in quoted-printable nor
// in base64, so that no part can hold it (RFC 2045 section 6.7).
func (rw *rewriter) boundary() string {
	rw.serial++
	d := rw.digest("boundary", strconv.Itoa(rw.serial))
	return "=_" + lowerBase32.EncodeToString(d[:15])
}

// contentID makes the new Content-ID for an old one, always the same.
func (rw *rewriter) contentID(old string) string {
	d := rw.digest("cid", bareID(old))
	domain := rw.o.Domain
	if domain == "" {
		domain = "mail.invalid"
	}
	return lowerBase32.EncodeToString(d[:15]) + "@" + domain
}

// output writes the new message and remembers the first error.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	var n int
	n, o.err = o.w.Write(p)
	return n, o.err
}

func (o *output) string(s string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.w, s)
	}
}

// writeRoot writes the body of the whole and returns the fields that go into
// its header.
func (rw *rewriter) writeRoot(w io.Writer, p *outPart) ([]byte, error) {
	out := &output{w: w}
	var head bytes.Buffer
	head.WriteString("MIME-Version: 1.0\r\n")
	if err := rw.write(out, &head, p); err != nil {
		return nil, err
	}
	return head.Bytes(), out.err
}

// write writes a part's fields to head and its body to out. The two may be
// the same: the fields are written first, and all at once.
func (rw *rewriter) write(out *output, head io.Writer, p *outPart) error {
	switch p.as {
	case outMultipart:
		return rw.writeMultipart(out, head, p)
	case outMessage:
		return rw.writeMessage(out, head, p)
	case outFile:
		return rw.writeFile(out, head, p)
	}
	return rw.writeText(out, head, p)
}

func (rw *rewriter) writeMultipart(out *output, head io.Writer, p *outPart) error {
	boundary := rw.boundary()
	list := params{{"boundary", boundary}}
	if p.kind == "multipart/related" { // RFC 2387 section 3.1
		list = append(params{{"type", p.children[0].kind}}, list...)
	}
	out.separate(head, fieldLine("Content-Type", p.kind, list))
	for _, c := range p.children {
		out.string("--" + boundary + "\r\n")
		if err := rw.write(out, out, c); err != nil {
			return err
		}
		out.string("\r\n")
	}
	out.string("--" + boundary + "--\r\n")
	return out.err
}

// separate writes the fields of a part; where they stand in the body, the
// empty line too.
func (out *output) separate(head io.Writer, fields string) {
	if head == io.Writer(out) {
		out.string(fields)
		out.string("\r\n")
		return
	}
	io.WriteString(head, fields)
}

func (rw *rewriter) writeText(out *output, head io.Writer, p *outPart) error {
	s, err := rw.rewrittenText(p)
	if err != nil {
		return err
	}
	list := params{{"charset", "utf-8"}}
	if p.from != nil && p.from.kind == p.kind {
		for _, name := range []string{"format", "delsp", "method"} { // RFC 3676; RFC 5546
			if v := p.from.params.get(name); v != "" && len(v) < 20 && isMediaToken(v) {
				list = append(list, param{name, strings.ToLower(v)})
			}
		}
	}
	encoding := "quoted-printable"
	if manyNonASCII(s) {
		encoding = "base64"
	}
	if head != io.Writer(out) && s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n" // the message ends with a whole line
	}
	var b bytes.Buffer
	b.Grow(len(s) + len(s)/8 + 256)
	if encoding == "base64" {
		b.Write(appendBase64(b.AvailableBuffer(), []byte(strings.ReplaceAll(s, "\n", "\r\n"))))
	} else {
		encodeQP(&b, s)
	}
	out.separate(head, fieldLine("Content-Type", p.kind, list)+"Content-Transfer-Encoding: "+encoding+"\r\n"+rw.dispositionField(p))
	_, err = out.Write(b.Bytes())
	return err
}

// rewrittenText is the text of a part as it goes on, with the preface.
func (rw *rewriter) rewrittenText(p *outPart) (string, error) {
	if p.from == nil {
		return strings.TrimSuffix(p.preface.text(), "\n"), nil
	}
	s, err := rw.text(p.from, p.src)
	if err != nil {
		return "", err
	}
	if p.kind == "text/html" {
		return rw.htmlText(s, p.preface, p.foreign)
	}
	s, err = p.rewrite(s, p.foreign)
	return p.preface.text() + s, err
}

// manyNonASCII reports whether base64 is shorter than quoted-printable.
func manyNonASCII(s string) bool {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			n++
		}
	}
	return n > len(s)/6
}

// writeMessage writes a message within the message: the fields a person
// reads, then its body.
func (rw *rewriter) writeMessage(out *output, head io.Writer, p *outPart) error {
	out.separate(head, "Content-Type: message/rfc822\r\n"+rw.dispositionField(p))
	var b strings.Builder
	for _, f := range []string{"From", "To", "Cc"} {
		if v := p.from.head.get(strings.ToLower(f)); v != "" {
			b.WriteString(foldWords(f, rw.people(v)))
		}
	}
	b.WriteString(foldWords("Subject", rw.subject(p.from.head.get("subject"))))
	if t, err := mail.ParseDate(p.from.head.get("date")); err == nil {
		b.WriteString("Date: " + t.UTC().Format(time.RFC1123Z) + "\r\n")
	}
	b.WriteString("MIME-Version: 1.0\r\n")
	out.string(b.String())
	return rw.write(out, out, p.children[0])
}

// people is an address list with the writer's addresses replaced: the name
// stays, before an address that is none.
func (rw *rewriter) people(v string) string {
	list, err := mail.ParseAddressList(v)
	if err != nil || len(list) > 200 {
		return strings.NewReplacer("<", "", ">", "").Replace(rw.clean(words(v)))
	}
	var out []string
	for _, a := range list {
		name := rw.clean(oneLine(a.Name))
		if len(rw.id.find(a.Address)) > 0 {
			if name == "" {
				name = rw.id.name
			}
			a.Address = strings.TrimPrefix(noMailbox, "mailto:")
		}
		if name == "" {
			out = append(out, "<"+a.Address+">")
		} else {
			out = append(out, (&mail.Address{Name: name, Address: a.Address}).String())
		}
	}
	return strings.Join(out, ", ")
}

// dispositionField writes Content-Disposition and Content-ID, if the part had
// them.
func (rw *rewriter) dispositionField(p *outPart) string {
	var b strings.Builder
	if p.attached || p.inline || p.name != "" {
		disposition := "inline"
		if p.attached {
			disposition = "attachment"
		}
		var list params
		if name := rw.fileName(p.name); name != "" {
			list = params{{"filename", name}}
		}
		b.WriteString(fieldLine("Content-Disposition", disposition, list))
	}
	if p.from != nil && p.as != outMessage {
		if id := bareID(p.from.head.get("content-id")); id != "" {
			fmt.Fprintf(&b, "Content-ID: <%s>\r\n", rw.contentID(id))
		}
	}
	return b.String()
}

// fileName cleans a file name of identifiers and of what is no name.
func (rw *rewriter) fileName(name string) string {
	name = rw.clean(oneLine(name))
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	name = strings.TrimLeft(strings.TrimSpace(name), ".")
	if len(name) > maxFileName {
		dot := strings.LastIndexByte(name, '.')
		ext := ""
		if dot > 0 && len(name)-dot <= 10 {
			ext = name[dot:]
		}
		name = cutAt(name, maxFileName-len(ext)) + ext
	}
	return name
}

package sanitize

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"sort"
	"strings"

	"github.com/jhillyerd/enmime/v2"
)

// gateMemory is up to which size Check reads a message at once and has enmime
// decode it. A larger one streams through the standard library's decoders.
const gateMemory = 256 << 10

// firstRead is how much room a part gets at first: most replies fit.
const firstRead = 4 << 10

// gateText bounds a text that Check decodes, in octets; Rewrite writes none
// that is longer. Longer parts are searched as octets.
const gateText = 2 * MaxText

// Check is the gate: it decodes the result with other code than wrote it and
// returns a *LeakError if any identifier of the writer is left. header is the
// header block (fields that end in CRLF), body the rebuilt body. typed: what
// Rewrite let pass as typed is not looked for in new text.
//
// In the header block only real addresses are looked for, as it holds its
// reader's own alias; in the body also the relay's addresses and links and,
// outside of new text, domains and hosts that point to the writer. Any other
// error is body's, or says that the result can't be decoded: then it must not
// be sent either.
func Check(header []byte, body io.Reader, id Identity, typed Typed) error {
	if typed == "" {
		typed = TypedAllow
	}
	g := &gate{search: newSearch(id), typed: typed}
	if g.search.inHeader(header) {
		return &LeakError{Part: "the header"}
	}
	var buf bytes.Buffer
	if l, ok := body.(interface{ Len() int }); ok {
		buf.Grow(min(l.Len(), gateMemory) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(body, gateMemory+1)); err != nil {
		return err
	}
	small := buf.Bytes()
	if len(small) > gateMemory {
		return g.stream(rawField(header, "Content-Type"), rawField(header, "Content-Transfer-Encoding"), "", io.MultiReader(bytes.NewReader(small), body), 0, 0)
	}
	return g.message(header, small, 0)
}

// decoder is enmime's. All that is written is labelled and UTF-8: there is no
// character set to guess.
var decoder = enmime.NewParser(enmime.DisableCharacterDetection(true), enmime.DisableTextConversion(true))

// gate is the state of one Check.
type gate struct {
	search *search
	typed  Typed
}

var errUndecodable = errors.New("the rebuilt message can't be decoded again")

// message checks a message in memory: a single text and an alternative by the
// standard library alone, everything else by enmime.
func (g *gate) message(header, body []byte, depth int) error {
	if depth > 2*maxNested {
		return errUndecodable
	}
	kind, list, err := mime.ParseMediaType(rawField(header, "Content-Type"))
	if err != nil {
		return errUndecodable
	}
	if strings.HasPrefix(kind, "text/") {
		var text bytes.Buffer
		text.Grow(len(body) + bytes.MinRead)
		if _, err := text.ReadFrom(stdDecode(rawField(header, "Content-Transfer-Encoding"), bytes.NewReader(body))); err != nil {
			return errUndecodable
		}
		attached := strings.HasPrefix(rawField(header, "Content-Disposition"), "attachment")
		return g.leaf(kind, attached, text.Bytes(), "the text", depth)
	}
	if b := list["boundary"]; b != "" {
		before, _, ok := bytes.Cut(body, []byte("--"+b))
		if !ok || g.search.finds(string(before), searchAll) {
			return &LeakError{Part: "the preamble"}
		}
	}
	if kind == "multipart/alternative" { // the commonest of all, and enmime's reader is slow
		return g.stream(rawField(header, "Content-Type"), "", "", bytes.NewReader(body), 0, depth)
	}
	root, err := decoder.ReadParts(io.MultiReader(strings.NewReader("MIME-Version: 1.0\r\n"), bytes.NewReader(mimeFields(header)), strings.NewReader("\r\n"), bytes.NewReader(body)))
	if err != nil {
		return errUndecodable
	}
	return g.parts(root, depth)
}

// mimeFields are the fields of a header that enmime needs.
func mimeFields(header []byte) []byte {
	var b bytes.Buffer
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding", "Content-Disposition"} {
		if v := rawField(header, name); v != "" {
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	return b.Bytes()
}

func (g *gate) parts(p *enmime.Part, depth int) error {
	for ; p != nil; p = p.NextSibling {
		if p.Parent != nil {
			for _, values := range p.Header {
				for _, v := range values {
					if g.search.finds(v, searchAll) {
						return &LeakError{Part: "the header of a part"}
					}
				}
			}
		}
		if g.search.finds(p.FileName, searchAll) || g.search.finds(p.ContentID, searchAll) || g.search.finds(string(p.Epilogue), searchAll) {
			return &LeakError{Part: "the header of a part"}
		}
		if p.FirstChild != nil {
			if err := g.parts(p.FirstChild, depth); err != nil {
				return err
			}
			continue
		}
		if err := g.leaf(p.ContentType, p.Disposition == "attachment", p.Content, "the part "+p.PartID, depth); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks the decoded content of a part.
func (g *gate) leaf(kind string, attached bool, content []byte, where string, depth int) error {
	leak := &LeakError{Part: fmt.Sprintf("%s (%s)", where, kind)}
	switch {
	case kind == "message/rfc822":
		head, body, ok := bytes.Cut(content, []byte("\r\n\r\n"))
		if !ok {
			if head, body, ok = bytes.Cut(content, []byte("\n\n")); !ok {
				return errUndecodable
			}
		}
		if g.search.finds(unfolded(head), searchAll) || g.search.inHeader(head) {
			return &LeakError{Part: "the header of an attached message"}
		}
		return g.message(append(head, "\r\n"...), body, depth+1)
	case strings.HasPrefix(kind, "text/"):
		if g.leaksText(kind, attached, depth > 0, string(content)) {
			return leak
		}
	default:
		if found, err := g.leaksFile(kind, bytes.NewReader(content)); err != nil || found {
			return leak
		}
	}
	return nil
}

// leaksText searches a text. Only if something is found is it asked what of
// the text is new: what the policy lets its writer type there is taken out,
// and the rest searched again.
func (g *gate) leaksText(kind string, attached, foreign bool, s string) bool {
	if !g.search.finds(s, searchAll) {
		return false
	}
	if g.search.finds(s, searchRelay) || g.typed != TypedAllow && g.search.finds(s, searchAddresses) {
		return true
	}
	switch kind {
	case "text/plain":
		return foreign || g.search.finds(quotedOf(strings.ReplaceAll(s, "\r", "")), searchAll)
	case "text/html":
		return foreign || g.search.finds(g.quotedOfHTML(s), searchAll)
	case "text/calendar", "text/vcard", "text/x-vcard", "text/directory":
		return true
	}
	return !attached // an attached data file says what its writer put there
}

// quotedOf is a text without its new lines.
func quotedOf(s string) string {
	var b strings.Builder
	for _, l := range classify(s) {
		if line := s[l.start:l.end]; l.kind != lineNew || automaticLine(line) {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// quotedOfHTML is what of an HTML text was not typed now: quoted text and
// attributes. The link of an address that is typed is left out.
func (g *gate) quotedOfHTML(s string) string {
	doc := readHTML(s)
	var b strings.Builder
	for i := range doc.tokens {
		t := &doc.tokens[i]
		if t.name == "style" {
			b.WriteString(t.text)
		} else if t.text != "" {
			doc.writeQuoted(&b, t)
		}
		if t.name != "" && t.name != "style" {
			b.WriteByte('\n')
		}
		newLink := t.name == "a" && !t.quoted && doc.anchorIsNew(i)
		for _, a := range t.attrs {
			if newLink && a.Key == "href" && (!g.search.finds(a.Val, searchAddresses) || g.search.finds(doc.anchorText(i), searchAddresses)) {
				continue
			}
			b.WriteString(a.Val)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// writeQuoted writes those lines of a text token that are not new.
func (d *document) writeQuoted(b *strings.Builder, t *htmlToken) {
	end := t.flow + len(t.text)
	first := sort.Search(len(d.lines), func(i int) bool { return d.lines[i].end >= t.flow })
	for _, l := range d.lines[first:] {
		if l.start >= end {
			break
		}
		from, to := max(l.start, t.flow), min(l.end, end)
		if !d.isNew(from, to) {
			b.WriteString(d.flow[from:to])
			b.WriteByte('\n')
		}
	}
}

// anchorText is the text of the a element at i.
func (d *document) anchorText(i int) string {
	var b strings.Builder
	for k := i + 1; k < len(d.tokens) && k < i+200; k++ {
		if t := &d.tokens[k]; t.anchor == i {
			b.WriteString(t.text)
		}
	}
	return b.String()
}

// stream checks a part of a large message: level multiparts down, in depth
// attached messages. Texts are held, all else passes by.
func (g *gate) stream(contentType, encoding, disposition string, r io.Reader, level, depth int) error {
	if level > maxDepth+maxNested {
		return errUndecodable
	}
	kind, list, err := mime.ParseMediaType(contentType)
	if err != nil {
		return errUndecodable
	}
	if strings.HasPrefix(kind, "multipart/") {
		mr := multipart.NewReader(r, list["boundary"])
		for {
			p, err := mr.NextRawPart()
			if err == io.EOF {
				return nil
			} else if err != nil {
				return errUndecodable
			}
			for _, values := range p.Header {
				for _, v := range values {
					if g.search.finds(v, searchAll) || g.search.finds(p.FileName(), searchAll) {
						return &LeakError{Part: "the header of a part"}
					}
				}
			}
			if err := g.stream(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.Header.Get("Content-Disposition"), p, level+1, depth); err != nil {
				return err
			}
		}
	}
	r = stdDecode(encoding, r)
	if kind == "message/rfc822" {
		return g.streamMessage(r, level, depth)
	}
	limit := int64(gateText)
	if !strings.HasPrefix(kind, "text/") {
		limit = gateMemory
	}
	var buf bytes.Buffer
	buf.Grow(firstRead)
	if _, err := buf.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return errUndecodable
	}
	head := buf.Bytes()
	if int64(len(head)) <= limit {
		return g.leaf(kind, strings.HasPrefix(disposition, "attachment"), head, "a part", depth)
	}
	found, err := g.leaksFile(kind, io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return errUndecodable
	}
	if found {
		return &LeakError{Part: fmt.Sprintf("a large part (%s)", kind)}
	}
	return nil
}

// streamMessage checks an attached message: its header is held, its body passes by.
func (g *gate) streamMessage(r io.Reader, level, depth int) error {
	var head bytes.Buffer
	one := make([]byte, 1)
	for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(r, one); err != nil || head.Len() > maxHeader {
			return errUndecodable
		}
		head.WriteByte(one[0])
	}
	h := head.Bytes()
	if g.search.finds(unfolded(h), searchAll) || g.search.inHeader(h) {
		return &LeakError{Part: "the header of an attached message"}
	}
	return g.stream(rawField(h, "Content-Type"), rawField(h, "Content-Transfer-Encoding"), rawField(h, "Content-Disposition"), r, level+1, depth+1)
}

// stdDecode decodes a transfer encoding with the standard library.
func stdDecode(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r)
	}
	return r
}

// rawField is a field of a header block, unfolded.
func rawField(header []byte, name string) string {
	for off := 0; off < len(header); {
		end := bytes.IndexByte(header[off:], '\n')
		if end < 0 {
			end = len(header) - off - 1
		}
		line := header[off : off+end+1]
		off += end + 1
		if len(line) <= len(name) || line[len(name)] != ':' || !strings.EqualFold(string(line[:len(name)]), name) {
			continue
		}
		v := string(line[len(name)+1:])
		for off < len(header) && (header[off] == ' ' || header[off] == '\t') {
			end := bytes.IndexByte(header[off:], '\n')
			if end < 0 {
				end = len(header) - off - 1
			}
			v = strings.TrimRight(v, "\r\n") + string(header[off:off+end+1])
			off += end + 1
		}
		return strings.TrimSpace(v)
	}
	return ""
}

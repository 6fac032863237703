package sanitize

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
)

// writeFile writes an attachment or inline image. Its octets stream through:
// decoded, metadata taken out, searched, encoded again.
func (rw *rewriter) writeFile(out *output, head io.Writer, p *outPart) error {
	if strings.HasPrefix(p.kind, "text/") {
		if done, err := rw.writeTextFile(out, head, p); done || err != nil {
			return err
		}
	}
	if len(rw.id.find(p.kind)) > 0 {
		p.kind = "application/octet-stream"
	}
	var list params
	if cs := p.from.params.get("charset"); cs != "" && strings.HasPrefix(p.kind, "text/") && len(cs) < 40 && isMediaToken(cs) {
		list = params{{"charset", cs}}
	}
	if name := rw.fileName(p.name); name != "" {
		list = append(list, param{"name", name}) // for the readers that look here only
	}
	out.separate(head, fieldLine("Content-Type", p.kind, list)+"Content-Transfer-Encoding: base64\r\n"+rw.dispositionField(p))
	enc := &base64Writer{w: out}
	scan := &scanner{id: rw.id, w: enc}
	if err := rw.copyFile(scan, p); err != nil {
		return err
	}
	if scan.found && !rw.mayHold(p) {
		return refuse("The attached file %s holds your e-mail address where it can't be taken out. Please save it without personal information, or as a PDF, and send it again.", rw.called(p))
	}
	if err := enc.Close(); err != nil {
		return err
	}
	return out.err
}

// called is a file's name as a refusal says it.
func (rw *rewriter) called(p *outPart) string {
	if name := rw.fileName(p.name); name != "" {
		return "“" + name + "”"
	}
	return "without a name"
}

// mayHold reports whether an address in a file's octets is what its writer
// put there to be read: in a data file of text, in the links of a PDF.
func (rw *rewriter) mayHold(p *outPart) bool {
	return rw.o.Typed == TypedAllow && visibleInside(p.kind)
}

func visibleInside(kind string) bool {
	return strings.HasPrefix(kind, "text/") || kind == "application/pdf"
}

// writeTextFile writes an attached text anew if there is something to take
// out of it. Else it is a file like others, and keeps its octets.
func (rw *rewriter) writeTextFile(out *output, head io.Writer, p *outPart) (done bool, err error) {
	s, err := rw.text(p.from, p.src)
	if isRefusal(err) {
		return false, nil // too long: it is only searched
	} else if err != nil {
		return false, err
	}
	list := rw.id.find(s)
	if len(list) == 0 {
		return false, nil
	}
	text := *p
	text.as = outText
	switch p.kind {
	case "text/plain":
		text.rewrite = rw.plainText
	case "text/html":
	default:
		for _, m := range list {
			if m.kind == matchRelay {
				return false, refuse("The attached file %s contains one of the relay's addresses, which was given to you alone. Please remove it and send the message again.", rw.called(p))
			}
		}
		if rw.o.Typed == TypedAllow || !slices.ContainsFunc(list, func(m match) bool { return m.kind != matchDomain }) {
			return false, nil
		}
		return false, refuse("The attached file %s contains your e-mail address. Addresses can't be given here: please remove it and send the message again.", rw.called(p))
	}
	return true, rw.writeText(out, head, &text)
}

// copyFile writes an attachment's octets to w without their metadata.
func (rw *rewriter) copyFile(w io.Writer, p *outPart) error {
	r := bufio.NewReaderSize(rw.body(p.from, p.src), 64<<10)
	magic, _ := r.Peek(4)
	if string(magic) == "PK\x03\x04" {
		return rw.copyZip(w, r)
	}
	return stripMetadata(w, r)
}

// stripMetadata copies a picture without what it says about its maker, and
// any other file as it is. A picture that is damaged ends where it breaks.
func stripMetadata(w io.Writer, r io.Reader) error {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(r, 64<<10)
	}
	magic, _ := br.Peek(12)
	var err error
	switch {
	case bytes.HasPrefix(magic, []byte("\xff\xd8\xff")):
		err = stripJPEG(w, br)
	case bytes.HasPrefix(magic, []byte(pngMagic)):
		err = stripPNG(w, br)
	case bytes.HasPrefix(magic, []byte("GIF8")):
		err = stripGIF(w, br)
	case len(magic) == 12 && string(magic[:4]) == "RIFF" && string(magic[8:]) == "WEBP":
		err = stripWebP(w, br)
	case bytes.HasPrefix(magic, []byte("%PDF-")):
		err = stripPDF(w, br)
	default:
		_, err = io.Copy(w, br)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// scanner passes octets on and looks for an address of the writer's in them.
type scanner struct {
	id     *identity
	w      io.Writer
	window []byte // lower case, the end of what passed
	needs  [][]byte
	found  bool
}

// scanKeep is how much of what passed is looked at again with what follows.
const scanKeep = 512

func (s *scanner) Write(p []byte) (int, error) {
	n := len(p)
	if s.needs == nil {
		s.needs = s.id.rawDomains()
	}
	for rest := p; len(rest) > 0 && !s.found; {
		m := min(len(rest), 32<<10)
		s.look(rest[:m])
		rest = rest[m:]
	}
	if _, err := s.w.Write(p); err != nil {
		return 0, err
	}
	return n, nil
}

func (s *scanner) look(p []byte) {
	if s.window == nil {
		s.window = make([]byte, 0, scanKeep+32<<10)
	}
	at := len(s.window)
	s.window = append(s.window, p...)
	for i, c := range s.window[at:] {
		if c >= 'A' && c <= 'Z' {
			s.window[at+i] = c + 'a' - 'A'
		}
	}
	for _, need := range s.needs {
		eachIndex(s.window, need, func(i int) {
			if !s.found {
				s.found = s.id.inOctets(s.window[max(0, i-scanKeep/2):min(len(s.window), i+len(need)+8)])
			}
		})
	}
	if len(s.window) > scanKeep {
		s.window = append(s.window[:0], s.window[len(s.window)-scanKeep:]...)
	}
}

// rawDomains are the domains of the writer and the relay as octets, in ASCII
// and UTF-16.
func (id *identity) rawDomains() [][]byte {
	list := [][]byte{}
	add := func(name []byte) {
		if len(name) == 0 {
			return
		}
		list = append(list, name)
		wide := make([]byte, 0, 2*len(name))
		for i, c := range name {
			if i > 0 {
				wide = append(wide, 0)
			}
			wide = append(wide, c)
		}
		list = append(list, wide)
	}
	for i := range id.domains {
		add(id.domains[i].name)
	}
	add(id.relay)
	return list
}

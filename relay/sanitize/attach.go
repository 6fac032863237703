package sanitize

import (
	"errors"
	"io"
	"slices"
	"strings"
)

// writeFile writes an attachment or inline image. Its octets stream through:
// decoded, metadata taken out, searched, encoded again.
func (rw *rewriter) writeFile(out *output, head io.Writer, p *outPart) error {
	if strings.HasPrefix(p.kind, "text/") {
		start := make([]byte, 64)
		n, _ := io.ReadFull(rw.body(p.from, p.src), start)
		if c, is := rw.o.Unwanted.lookAt(start[:n]); is {
			return rw.refuseFile(p, &unwantedFile{content: c})
		}
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
	a := &attachment{rw: rw, text: strings.HasPrefix(p.kind, "text/"), loose: looseKind[p.kind], left: maxInflated}
	if err := a.copy(enc, rw.body(p.from, p.src)); errors.Is(err, errBomb) {
		return refuse("The attached file %s unpacks to far more than its size. Please save it again, or send it as a PDF.", rw.called(p))
	} else if errors.Is(err, errUnwanted) {
		return rw.refuseFile(p, a.unwanted)
	} else if err != nil {
		return err
	}
	switch {
	case a.sealed:
		return refuse("The attached file %s is protected, so that the relay can't take your address out of it. Please save it without protection and send it again.", rw.called(p))
	case a.hidden:
		return refuse("The attached file %s holds your e-mail address where it can't be taken out. Please save it without personal information, or as a PDF, and send it again.", rw.called(p))
	case a.shown && rw.o.Typed != TypedAllow:
		return refuse("The attached file %s contains your e-mail address. Addresses can't be given here: please remove it and send the message again.", rw.called(p))
	}
	if err := enc.Close(); err != nil {
		return err
	}
	return out.err
}

// looseKind are media types that mail programs give to texts too.
var looseKind = map[string]bool{
	"application/octet-stream": true, "application/txt": true, "application/csv": true, "application/json": true, "application/xml": true, "application/markdown": true,
}

// called is a file's name as a refusal says it.
func (rw *rewriter) called(p *outPart) string {
	if name := rw.fileName(p.name); name != "" {
		return "“" + name + "”"
	}
	return "without a name"
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

package imapd

import (
	"mime"
	"net/mail"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// BodyStructure is the message's BODYSTRUCTURE (RFC 9051 section 7.5.2). With
// utf8 the client takes UTF-8 in strings; without, what is not ASCII is written
// as encoded words (RFC 2047), which clients decode here too.
func (m *Message) BodyStructure(utf8 bool) (imap.BodyStructure, error) {
	root, err := m.structure()
	if err != nil {
		return nil, err
	}
	text := printable
	if !utf8 {
		text = func(s string) string { return mime.QEncoding.Encode("utf-8", printable(s)) }
	}
	return (&structureWriter{m, text}).part(root)
}

// nested is an envelope in go-imap's words.
func nested(e *Envelope) *imap.Envelope {
	of := func(list []Address) (out []imap.Address) {
		for _, a := range list {
			out = append(out, imap.Address{Name: a.Name, Mailbox: a.Mailbox, Host: a.Host})
		}
		return out
	}
	date, _ := mail.ParseDate(e.Date)
	out := &imap.Envelope{Date: date, Subject: e.Subject, From: of(e.From), Sender: of(e.Sender), ReplyTo: of(e.ReplyTo), To: of(e.To), Cc: of(e.Cc), Bcc: of(e.Bcc), MessageID: e.MessageID}
	if e.InReplyTo != "" {
		out.InReplyTo = []string{e.InReplyTo}
	}
	return out
}

// printable replaces what no quoted string may hold (RFC 9051 section 9:
// QUOTED-CHAR).
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// structureWriter turns a tree of parts into go-imap's words.
type structureWriter struct {
	m    *Message
	text func(string) string
}

func (w *structureWriter) params(params map[string]string) map[string]string {
	if len(params) == 0 {
		return nil
	}
	out := make(map[string]string, len(params))
	for k, v := range params {
		out[w.text(k)] = w.text(v)
	}
	return out
}

func (w *structureWriter) list(values []string) []string {
	var out []string
	for _, v := range values {
		out = append(out, w.text(v))
	}
	return out
}

func (w *structureWriter) part(p *mimetree.Part) (imap.BodyStructure, error) {
	var disposition *imap.BodyStructureDisposition
	if p.Disposition != "" {
		disposition = &imap.BodyStructureDisposition{Value: w.text(p.Disposition), Params: w.params(p.DispositionParams)}
	}
	if p.Multipart() {
		bs := &imap.BodyStructureMultiPart{Subtype: w.text(p.Subtype)}
		for _, c := range p.Children {
			child, err := w.part(c)
			if err != nil {
				return nil, err
			}
			bs.Children = append(bs.Children, child)
		}
		bs.Extended = &imap.BodyStructureMultiPartExt{Params: w.params(p.Params), Disposition: disposition, Language: w.list(p.Language), Location: w.text(p.Location)}
		return bs, nil
	}
	bs := &imap.BodyStructureSinglePart{
		Type: w.text(p.Type), Subtype: w.text(p.Subtype), Params: w.params(p.Params), ID: w.text(p.ID), Description: w.text(p.Description),
		Encoding: w.text(strings.ToLower(p.Encoding)), Size: uint32(p.BodyEnd - p.BodyStart),
		Extended: &imap.BodyStructureSinglePartExt{Disposition: disposition, Language: w.list(p.Language), Location: w.text(p.Location)},
	}
	switch {
	case p.Message():
		child := p.Children[0]
		h, err := w.m.bodyBytes(child.HeaderStart, child.BodyStart)
		if err != nil {
			return nil, err
		}
		inner, err := w.part(child)
		if err != nil {
			return nil, err
		}
		bs.MessageRFC822 = &imap.BodyStructureMessageRFC822{Envelope: nested(envelope(h)), BodyStructure: inner, NumLines: p.Lines}
	case p.Type == "text":
		bs.Text = &imap.BodyStructureText{NumLines: p.Lines}
	case p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global"):
		// Its structure is not known (it is encoded, or too deep): the syntax has no place for that, so it is shown as octets.
		bs.Type, bs.Subtype = "application", "octet-stream"
	}
	return bs, nil
}

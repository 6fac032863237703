package wire

import (
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// envelope writes an ENVELOPE (RFC 9051 section 7.5.2).
func (w *writer) envelope(_ *writer, e *imapd.Envelope) {
	w.text("(").nstr(e.Date).text(" ").nstr(e.Subject)
	for _, list := range [][]imapd.Address{e.From, e.Sender, e.ReplyTo, e.To, e.Cc, e.Bcc} {
		w.text(" ").addresses(list)
	}
	w.text(" ").nstr(e.InReplyTo).text(" ").nstr(e.MessageID).text(")")
}

func (w *writer) addresses(list []imapd.Address) {
	if len(list) == 0 {
		w.text("NIL")
		return
	}
	w.text("(")
	for i := range list {
		a := &list[i]
		w.text("(").nstr(a.Name).text(" ").nstr(a.Route).text(" ").nstr(a.Mailbox).text(" ").nstr(a.Host).text(")")
	}
	w.text(")")
}

// structure writes BODY or BODYSTRUCTURE (RFC 9051 section 7.5.2).
func (w *writer) structure(bs imap.BodyStructure, extended bool) {
	switch bs := bs.(type) {
	case *imap.BodyStructureMultiPart:
		w.multipart(bs, extended)
	case *imap.BodyStructureSinglePart:
		w.singlePart(bs, extended)
	}
}

func (w *writer) multipart(bs *imap.BodyStructureMultiPart, extended bool) {
	w.text("(")
	for _, child := range bs.Children {
		w.structure(child, extended)
	}
	if len(bs.Children) == 0 { // the grammar has no multipart without a part
		w.text(`("text" "plain" NIL NIL NIL "7bit" 0 0)`)
	}
	w.text(" ").str(bs.Subtype)
	if extended && bs.Extended != nil {
		x := bs.Extended
		w.text(" ").params(x.Params)
		w.extension(x.Disposition, x.Language, x.Location)
	}
	w.text(")")
}

func (w *writer) singlePart(bs *imap.BodyStructureSinglePart, extended bool) {
	w.text("(").str(bs.Type).text(" ").str(bs.Subtype).text(" ").params(bs.Params).text(" ").nstr(bs.ID).text(" ").nstr(bs.Description).text(" ")
	encoding := bs.Encoding
	if encoding == "" {
		encoding = "7bit"
	}
	w.str(encoding).text(" ").number(uint64(bs.Size))
	if m := bs.MessageRFC822; m != nil {
		w.text(" ")
		w.envelope(w, imapd.EnvelopeOf(m.Envelope))
		w.text(" ").structure(m.BodyStructure, extended)
		w.text(" ").number(uint64(m.NumLines))
	} else if bs.Text != nil {
		w.text(" ").number(uint64(bs.Text.NumLines))
	}
	if extended && bs.Extended != nil {
		x := bs.Extended
		w.text(" NIL") // MD5
		w.extension(x.Disposition, x.Language, x.Location)
	}
	w.text(")")
}

func (w *writer) params(params map[string]string) *writer {
	if len(params) == 0 {
		return w.text("NIL")
	}
	w.text("(")
	for i, k := range slices.Sorted(maps.Keys(params)) {
		if i > 0 {
			w.text(" ")
		}
		w.str(k).text(" ").str(params[k])
	}
	return w.text(")")
}

func (w *writer) extension(d *imap.BodyStructureDisposition, language []string, location string) {
	w.text(" ")
	if d == nil {
		w.text("NIL")
	} else {
		w.text("(").str(d.Value).text(" ").params(d.Params).text(")")
	}
	w.text(" ")
	switch len(language) {
	case 0:
		w.text("NIL")
	case 1:
		w.str(language[0])
	default:
		w.text("(")
		for i, l := range language {
			if i > 0 {
				w.text(" ")
			}
			w.str(l)
		}
		w.text(")")
	}
	w.text(" ").nstr(location)
}

package imapd

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// BodyStructure is the message's BODYSTRUCTURE (RFC 9051 section 7.5.2).
func (m *Message) BodyStructure() (imap.BodyStructure, error) {
	root, err := m.structure()
	if err != nil {
		return nil, err
	}
	return m.bodyStructure(root)
}

func (m *Message) bodyStructure(p *mimetree.Part) (imap.BodyStructure, error) {
	var disposition *imap.BodyStructureDisposition
	if p.Disposition != "" {
		disposition = &imap.BodyStructureDisposition{Value: p.Disposition, Params: p.DispositionParams}
	}
	if p.Multipart() {
		bs := &imap.BodyStructureMultiPart{Subtype: p.Subtype}
		for _, c := range p.Children {
			child, err := m.bodyStructure(c)
			if err != nil {
				return nil, err
			}
			bs.Children = append(bs.Children, child)
		}
		bs.Extended = &imap.BodyStructureMultiPartExt{Params: p.Params, Disposition: disposition, Language: p.Language, Location: p.Location}
		return bs, nil
	}
	bs := &imap.BodyStructureSinglePart{
		Type: p.Type, Subtype: p.Subtype, Params: p.Params, ID: p.ID, Description: p.Description,
		Encoding: strings.ToLower(p.Encoding), Size: uint32(p.BodyEnd - p.BodyStart),
		Extended: &imap.BodyStructureSinglePartExt{Disposition: disposition, Language: p.Language, Location: p.Location},
	}
	switch {
	case p.Message():
		child := p.Children[0]
		h, err := m.bodyBytes(child.HeaderStart, child.BodyStart)
		if err != nil {
			return nil, err
		}
		inner, err := m.bodyStructure(child)
		if err != nil {
			return nil, err
		}
		bs.MessageRFC822 = &imap.BodyStructureMessageRFC822{Envelope: envelope(h), BodyStructure: inner, NumLines: p.Lines}
	case p.Type == "text":
		bs.Text = &imap.BodyStructureText{NumLines: p.Lines}
	case p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global"):
		// Its structure is not known (it is encoded, or too deep): the syntax has no place for that, so it is shown as octets.
		bs.Type, bs.Subtype = "application", "octet-stream"
	}
	return bs, nil
}

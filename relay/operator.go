package relay

import (
	"context"
	"fmt"
	"net/mail"
	"strings"

	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// passedOn are the fields of a message to the operator that stay as they are:
// what its body needs to be read, and what makes it part of a conversation.
var passedOn = []string{"In-Reply-To", "References", "Auto-Submitted", "TLS-Required", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}

// toOperator queues what was written to postmaster, abuse or support for the
// operator (RFC 5321 section 4.5.1, RFC 2142). From becomes our own address,
// so that DMARC holds; the writer stands in Reply-To: the operator, who has
// the key to all addresses, is no participant. replyTo, if set, is used instead
// of the message's From.
func (p *Pipeline) toOperator(ctx context.Context, t Target, h *head, msg *spool.Message, replyTo string) error {
	own := t.Handle + "@" + p.o.Domain
	from := mail.Address{Address: replyTo}
	if list := h.mailboxes("From"); len(list) > 0 {
		from.Name = list[0].Name
		if replyTo == "" {
			from.Address = list[0].Address
		}
	}
	var w headerWriter
	w.addresses("From", mail.Address{Name: from.Name + " via " + t.Handle, Address: own})
	w.addresses("To", mail.Address{Name: p.o.Brand + " " + t.Handle, Address: own})
	if from.Address != "" {
		w.addresses("Reply-To", from)
	}
	w.unstructured("Subject", mimetree.DecodeHeader(h.get("Subject")))
	w.field("Date", p.o.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	w.messageIDs("Message-ID", p.messageIDOf(p.o.Store.IDs().Next()))
	for _, name := range passedOn {
		if v := asciiOnly(h.get(name)); v != "" {
			w.field(name, v)
		}
	}
	// Trace fields stay (RFC 5321 section 6.3): what goes round is counted.
	for name, v := range mimetree.Fields(h.raw) {
		if v = asciiOnly(strings.TrimSpace(v)); v != "" && strings.EqualFold(name, "Received") {
			w.field("Received", v)
		}
	}
	w.WriteString("\r\n")
	bw := p.o.Store.NewBody(ctx)
	defer bw.Discard()
	if err := msg.CopyTo(bw, h.size); err != nil {
		return fmt.Errorf("store the message to the operator: %w", err)
	}
	body, err := bw.Finish()
	if err != nil {
		return fmt.Errorf("store the message to the operator: %w", err)
	}
	if err := p.o.Store.EnqueueOperator(ctx, w.Bytes(), body); err != nil {
		return fmt.Errorf("queue the message to the operator: %w", err)
	}
	return nil
}

// asciiOnly returns the value if it may stand in a header as it is.
func asciiOnly(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] >= 0x7f {
			return ""
		}
	}
	return s
}

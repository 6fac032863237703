package relay

import (
	"context"
	"errors"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// ContactForm starts a thread without a mail client.
type ContactForm struct {
	Writer     threading.Member
	To         threading.Member
	Subject    string
	Production string // slug, may be empty
	Role       string // slug, may be empty; needs a production
	Text       string
}

// Bounds of a ContactForm, in octets.
const (
	MaxContactSubject = 500
	MaxContactText    = 1 << 20
)

// Contact files the form's message as the first of a new thread. What is wrong
// with the form is a *Refusal.
func (p *Pipeline) Contact(ctx context.Context, f ContactForm) (threading.Filed, error) {
	a, err := p.checkContact(ctx, f)
	if err != nil {
		return threading.Filed{}, err
	}
	msg, err := p.contactMessage(f)
	if err != nil {
		return threading.Filed{}, err
	}
	defer msg.Close()
	h, err := readHead(msg.Open())
	if err != nil {
		return threading.Filed{}, err
	}
	pl := &plan{writer: f.Writer, letters: []*letter{p.newLetter(f.Writer, []addressee{a})}}
	filed, err := p.fileAll(ctx, pl, h, msg)
	if err != nil {
		return threading.Filed{}, err
	}
	return filed[0], nil
}

func (p *Pipeline) checkContact(ctx context.Context, f ContactForm) (addressee, error) {
	a := addressee{member: f.To}
	switch {
	case f.Writer.Status != threading.MemberActive:
		return a, refuse(550, 5, 7, 1, "The writer's account is not active.")
	case f.To.Status != threading.MemberActive:
		return a, errNoSuchMember
	case strings.TrimSpace(f.Text) == "":
		return a, refuse(554, 5, 6, 0, "The message is empty: write something first.")
	case len(f.Text) > MaxContactText:
		return a, refuse(552, 5, 3, 4, "The message is too long: at most %d octets are allowed.", MaxContactText)
	case len(f.Subject) > MaxContactSubject:
		return a, refuse(552, 5, 3, 4, "The subject is too long: at most %d octets are allowed.", MaxContactSubject)
	case !utf8.ValidString(f.Subject), strings.ContainsAny(f.Subject, "\r\n\x00"):
		return a, refuse(554, 5, 6, 0, "The subject must be one line of text.")
	case f.Role != "" && f.Production == "":
		return a, refuse(554, 5, 6, 0, "A role belongs to a production: name the production as well.")
	}
	if f.Production == "" {
		return a, nil
	}
	var err error
	a.production, err = p.o.Store.ProductionBySlug(ctx, f.Production)
	if err == nil && f.Role != "" {
		a.role, err = p.o.Store.RoleBySlug(ctx, a.production.ID, f.Role)
	}
	if errors.Is(err, store.ErrNotFound) {
		return a, errNoSuchRole
	}
	return a, err
}

// contactMessage writes the form as a message, so that it takes the same way
// as all others.
func (p *Pipeline) contactMessage(f ContactForm) (*spool.Message, error) {
	var w headerWriter
	from := p.contactAddress(f.Writer)
	w.addresses("From", from)
	w.addresses("To", p.contactAddress(f.To))
	w.unstructured("Subject", f.Subject)
	w.messageIDs("Message-ID", fmt.Sprintf("contact.%d@%s", p.o.Store.IDs().Next(), p.o.Domain))
	w.field("MIME-Version", "1.0")
	w.field("Content-Type", "text/plain; charset=utf-8")
	w.field("Content-Transfer-Encoding", "quoted-printable")
	w.WriteString("\r\n")
	q := quotedprintable.NewWriter(&w)
	text := strings.ReplaceAll(strings.ToValidUTF8(f.Text, "\uFFFD"), "\r\n", "\n")
	if _, err := q.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n"))); err != nil {
		return nil, err
	}
	if err := q.Close(); err != nil {
		return nil, err
	}
	return spool.FromBytes(w.Bytes()), nil
}

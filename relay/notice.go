package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Notice is a message that the relay itself writes to one member.
type Notice struct {
	To      threading.Member
	From    string // local part of our domain, which takes answers
	ReplyTo string // address; empty: From
	Subject string
	Text    string // lines end in LF; nothing is wrapped
	HTML    string // the same as HTML; may be empty
	Fields  []Field
	// Others are the members that it speaks of: the gate makes sure that no
	// address of theirs is in it. Excerpts: it repeats what they wrote, and what
	// they typed passes as far as privacy.typed_address lets it.
	Others   []threading.Member
	Excerpts bool
}

// Field is a header field; its value is ASCII.
type Field struct{ Name, Value string }

// Compose makes what is queued of a notice, through the gate. A *Refusal means
// that the gate stopped it.
func (p *Pipeline) Compose(ctx context.Context, n Notice) (store.Notice, error) {
	header, body, err := p.write(n)
	if err != nil {
		return store.Notice{}, err
	}
	typed := sanitize.TypedRedact
	if n.Excerpts {
		typed = p.o.TypedAddress
	}
	for _, m := range n.Others {
		if m.ID == n.To.ID {
			continue
		}
		id, err := p.identity(ctx, m)
		if err != nil {
			return store.Notice{}, err
		}
		id.RelayDomain, id.RelayURL, id.Brand = "", "", "" // the links are the reader's own
		err = sanitize.Check(header, bytes.NewReader(body), id, typed)
		var leak *sanitize.LeakError
		if errors.As(err, &leak) {
			p.o.Logger.Error("the gate stopped a notice", "to", n.To.Handle, "part", leak.Part)
			return store.Notice{}, errLeak(leak.Part)
		} else if err != nil {
			return store.Notice{}, fmt.Errorf("check a notice: %w", err)
		}
	}
	bw := p.o.Store.NewBody(ctx)
	defer bw.Discard()
	if _, err := bw.Write(body); err != nil {
		return store.Notice{}, fmt.Errorf("store a notice: %w", err)
	}
	stored, err := bw.Finish()
	if err != nil {
		return store.Notice{}, fmt.Errorf("store a notice: %w", err)
	}
	return store.Notice{MemberID: n.To.ID, Header: header, Body: stored}, nil
}

// write writes a notice: plain text, or an alternative of plain text and HTML.
func (p *Pipeline) write(n Notice) (header, body []byte, err error) {
	var w headerWriter
	w.addresses("From", mail.Address{Name: p.o.Brand, Address: n.From + "@" + p.o.Domain})
	w.addresses("To", p.contactAddress(n.To))
	if n.ReplyTo != "" {
		w.addresses("Reply-To", mail.Address{Address: n.ReplyTo})
	}
	w.unstructured("Subject", n.Subject)
	w.field("Date", p.o.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	w.messageIDs("Message-ID", p.messageIDOf(p.o.Store.IDs().Next()))
	w.field("Auto-Submitted", "auto-generated") // RFC 3834 section 5
	for _, f := range n.Fields {
		w.field(f.Name, f.Value)
	}
	w.field("MIME-Version", "1.0")
	var b bytes.Buffer
	if n.HTML == "" {
		w.field("Content-Type", "text/plain; charset=utf-8")
		w.field("Content-Transfer-Encoding", "quoted-printable")
		err = writeQuoted(&b, n.Text)
	} else {
		m := multipart.NewWriter(&b)
		w.field("Content-Type", mime.FormatMediaType("multipart/alternative", map[string]string{"boundary": m.Boundary()}))
		for _, alt := range []struct{ kind, text string }{{"text/plain", n.Text}, {"text/html", n.HTML}} {
			var part io.Writer
			part, err = m.CreatePart(textproto.MIMEHeader{"Content-Type": {alt.kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
			if err == nil {
				err = writeQuoted(part, alt.text)
			}
			if err != nil {
				return nil, nil, err
			}
		}
		err = m.Close()
	}
	w.WriteString("\r\n")
	return w.Bytes(), b.Bytes(), err
}

func writeQuoted(w io.Writer, text string) error {
	q := quotedprintable.NewWriter(w)
	if _, err := io.WriteString(q, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		return err
	}
	return q.Close()
}

// questionNotice asks a member whether they wrote a held message. It shows
// nothing of it.
func (p *Pipeline) questionNotice(ctx context.Context, h store.Held, to threading.Member, v *threading.ThreadView) (store.Notice, error) {
	l := p.o.Languages.Of(to.Language)
	names := strings.Join(otherNames(v, to.ID), ", ")
	token := p.o.Store.Keyring().Token(seal.TokenHeld, h.ID)
	at := func(t time.Time) string { return l.Time(t.In(to.Location())) }
	text := l.Say("hello", "name", to.DisplayName()) + "\n\n" + l.Say("question.sent", "time", at(h.HeldAt), "names", names) + "\n"
	if about := aboutIn(l, v); about != "" {
		text += l.Say("question.about", "about", about) + "\n"
	}
	if h.Proven {
		text += l.Say("question.unregistered")
	} else {
		text += l.Say("question.unproven")
	}
	if p.o.BaseURL != "" {
		text += "\n\n" + l.Say("question.page", "url", p.o.BaseURL+"/held/"+token)
	} else {
		text += "\n\n" + l.Say("question.mail")
	}
	text += "\n\n" + l.Say("question.end", "time", at(h.ExpiresAt), "names", names) + "\n"
	return p.Compose(ctx, Notice{
		To: to, From: threading.AliasPrefix + token, Subject: l.Say("question.subject", "names", names), Text: text, Others: v.Participants,
	})
}

// aboutIn is ThreadView.About in a language.
func aboutIn(l *language.Language, v *threading.ThreadView) string {
	if v.Role.ID == 0 {
		return v.Production.Title
	}
	return l.Say("about", "role", v.Role.Title, "production", v.Production.Title)
}

// addressNotice is mailed to an address that a member wants to add.
func (p *Pipeline) addressNotice(ctx context.Context, q store.AddressRequest, m threading.Member) (store.Notice, error) {
	if p.o.BaseURL == "" {
		return store.Notice{}, errors.New("addresses can't be confirmed: http.base_url is not set")
	}
	l := p.o.Languages.Of(m.Language)
	text := l.Say("address.text", "name", m.DisplayName(), "brand", p.o.Brand,
		"url", p.o.BaseURL+"/address/"+p.o.Store.Keyring().Token(seal.TokenAddress, q.ID), "time", l.Time(q.ExpiresAt.In(m.Location())))
	return p.Compose(ctx, Notice{To: m, From: "postmaster", Subject: l.Say("address.subject"), Text: text + "\n"})
}

// otherNames are the names of a thread's participants beside one; in a thread
// with oneself, one's own.
func otherNames(v *threading.ThreadView, viewer threading.ID) []string {
	var names []string
	for _, m := range v.Participants {
		if m.ID != viewer || len(v.Participants) == 1 {
			names = append(names, m.DisplayName())
		}
	}
	return names
}

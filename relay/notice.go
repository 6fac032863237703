package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// notice is a message that the relay itself writes to one member.
type notice struct {
	to      threading.Member
	from    string // local part that takes answers
	subject string
	text    string // lines end in LF; the writer wraps nothing
}

// compose makes what is queued of a notice, through the gate: nobody but its
// reader may be recognised in it. others are those it speaks of.
func (p *Pipeline) compose(ctx context.Context, n notice, others []threading.Member) (store.Notice, error) {
	var w headerWriter
	w.addresses("From", mail.Address{Name: p.o.Brand, Address: n.from + "@" + p.o.Domain})
	w.addresses("To", p.contactAddress(n.to))
	w.unstructured("Subject", n.subject)
	w.field("Date", p.o.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	w.messageIDs("Message-ID", p.messageIDOf(p.o.Store.IDs().Next()))
	w.field("Auto-Submitted", "auto-generated") // RFC 3834 section 5
	w.field("MIME-Version", "1.0")
	w.field("Content-Type", "text/plain; charset=utf-8")
	w.field("Content-Transfer-Encoding", "quoted-printable")
	w.WriteString("\r\n")
	var body bytes.Buffer
	q := quotedprintable.NewWriter(&body)
	if _, err := io.WriteString(q, strings.ReplaceAll(n.text, "\n", "\r\n")); err != nil {
		return store.Notice{}, err
	}
	if err := q.Close(); err != nil {
		return store.Notice{}, err
	}
	for _, m := range others {
		if m.ID == n.to.ID {
			continue
		}
		id, err := p.identity(ctx, m)
		if err != nil {
			return store.Notice{}, err
		}
		id.RelayDomain, id.RelayURL, id.Brand = "", "", "" // the links are the reader's own
		err = sanitize.Check(w.Bytes(), bytes.NewReader(body.Bytes()), id, sanitize.TypedRedact)
		var leak *sanitize.LeakError
		if errors.As(err, &leak) {
			p.o.Logger.Error("the gate stopped a notice", "to", n.to.Handle, "part", leak.Part)
			return store.Notice{}, errLeak(leak.Part)
		} else if err != nil {
			return store.Notice{}, fmt.Errorf("check a notice: %w", err)
		}
	}
	bw := p.o.Store.NewBody(ctx)
	defer bw.Discard()
	if err := spool.FromBytes(body.Bytes()).CopyTo(bw, 0); err != nil {
		return store.Notice{}, fmt.Errorf("store a notice: %w", err)
	}
	stored, err := bw.Finish()
	if err != nil {
		return store.Notice{}, fmt.Errorf("store a notice: %w", err)
	}
	return store.Notice{MemberID: n.to.ID, Header: w.Bytes(), Body: stored}, nil
}

// questionNotice asks a member whether they wrote a held message. It shows
// nothing of it.
func (p *Pipeline) questionNotice(ctx context.Context, h store.Held, to threading.Member, v *threading.ThreadView) (store.Notice, error) {
	names := strings.Join(otherNames(v, to.ID), ", ")
	token := p.o.Store.Keyring().Token(seal.TokenHeld, h.ID)
	at := func(t time.Time) string { return t.In(location(to.Timezone)).Format("2 January 2006, 15:04 MST") }
	var b strings.Builder
	fmt.Fprintf(&b, "Hello %s,\n\n", to.DisplayName())
	fmt.Fprintf(&b, "on %s a message was sent to your conversation with %s.\n", at(h.HeldAt), names)
	if about := v.About(); about != "" {
		fmt.Fprintf(&b, "The conversation is about %s.\n", about)
	}
	if h.Proven {
		b.WriteString("It came from an e-mail address that is not registered with your account,\nso we have kept it back. Did you write it?\n\n")
	} else {
		b.WriteString("The mail server that it came from could not confirm its sender,\nso we have kept it back. Did you write it?\n\n")
	}
	if p.o.BaseURL != "" {
		fmt.Fprintf(&b, "Open this page and say yes or no:\n%s/held/%s\n\n", p.o.BaseURL, token)
		b.WriteString("Or answer this message with the single word \"yes\" or \"no\",\n")
	} else {
		b.WriteString("Please answer this message with the single word \"yes\" or \"no\",\n")
	}
	b.WriteString("from an address that is registered with your account.\n\n")
	fmt.Fprintf(&b, "If you say no, or nothing until %s,\nthe message is thrown away. %s will not learn of it.\n", at(h.ExpiresAt), names)
	return p.compose(ctx, notice{
		to: to, from: threading.AliasPrefix + token, subject: "Did you write to " + names + "?", text: b.String(),
	}, v.Participants)
}

// addressNotice is mailed to an address that a member wants to add.
func (p *Pipeline) addressNotice(ctx context.Context, q store.AddressRequest, m threading.Member) (store.Notice, error) {
	if p.o.BaseURL == "" {
		return store.Notice{}, errors.New("addresses can't be confirmed: http.base_url is not set")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Hello,\n\nthe member %s of %s wants to write from this e-mail address.\n\n", m.DisplayName(), p.o.Brand)
	fmt.Fprintf(&b, "If that is you, open this page and confirm it:\n%s/address/%s\n\n", p.o.BaseURL, p.o.Store.Keyring().Token(seal.TokenAddress, q.ID))
	fmt.Fprintf(&b, "The link works until %s. If you don't know what this is about,\ndo nothing: the address is not added, and you get no further message.\n",
		q.ExpiresAt.In(location(m.Timezone)).Format("2 January 2006, 15:04 MST"))
	return p.compose(ctx, notice{to: m, from: "postmaster", subject: "Is this your e-mail address?", text: b.String()}, nil)
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

// location is a time zone by name; UTC where it is not known.
func location(zone string) *time.Location {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return time.UTC
	}
	return loc
}

package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// file sanitizes a planned message and files all its letters in one
// transaction.
func (p *Pipeline) file(ctx context.Context, pl *plan, h *head, msg *spool.Message) error {
	_, err := p.fileAll(ctx, pl, h, msg)
	return err
}

func (p *Pipeline) fileAll(ctx context.Context, pl *plan, h *head, msg *spool.Message) ([]threading.Filed, error) {
	identity, err := p.identity(ctx, pl.writer)
	if err != nil {
		return nil, err
	}
	if pl.alsoFrom != "" {
		identity.Addresses = append(identity.Addresses, pl.alsoFrom)
	}
	digest, err := contentDigest(h, msg)
	if err != nil {
		return nil, err
	}
	if err := p.withinPace(ctx, pl, h, digest); err != nil {
		return nil, err
	}
	now := p.o.Now()
	bodies := map[string]*rebuilt{} // by preface: letters that say the same share one body
	defer func() {
		for _, rb := range bodies {
			_ = rb.spooled.Close()
		}
	}()
	filings := make([]threading.Filing, 0, len(pl.letters))
	for _, l := range pl.letters {
		preface := l.preface()
		rb := bodies[preface]
		if rb == nil {
			if rb, err = p.rebuild(ctx, msg, identity, preface); err != nil {
				return nil, err
			}
			bodies[preface] = rb
		}
		f, err := p.filing(pl, l, h, rb, digest, now)
		if err != nil {
			return nil, err
		}
		if err := p.gate(ctx, f, rb, identity); err != nil {
			return nil, err
		}
		filings = append(filings, f)
	}
	filed, err := p.o.Store.File(ctx, filings...)
	if err = paceRefusal(err); err != nil {
		return nil, fmt.Errorf("file the message: %w", err)
	}
	for _, f := range filed {
		p.o.Logger.Info("filed", "thread", p.o.Store.Keyring().Token(seal.TokenThread, f.ThreadID), "writer", pl.writer.Handle,
			"octets", msg.Size(), "duplicate", f.Duplicate)
	}
	return filed, nil
}

// identity is all that points to a writer.
func (p *Pipeline) identity(ctx context.Context, writer threading.Member) (sanitize.Identity, error) {
	addrs, err := p.o.Store.Addresses(ctx, writer.ID)
	if err != nil {
		return sanitize.Identity{}, fmt.Errorf("read the writer's addresses: %w", err)
	}
	id := sanitize.Identity{Name: writer.DisplayName(), RelayDomain: p.o.Domain, RelayURL: p.o.BaseURL, Brand: p.o.Brand}
	for _, a := range addrs {
		id.Addresses = append(id.Addresses, a.Real)
	}
	return id, nil
}

// preface is the line that stands at the top of a thread's first message if
// the thread is about something.
func (l *letter) preface() string {
	if about := l.view.About(); l.newThread != nil && about != "" {
		return "About: " + about
	}
	return ""
}

// contentDigest is what makes a retry the same message: its body and the
// fields that the writer chose. Trace fields differ from try to try.
func contentDigest(h *head, msg *spool.Message) (string, error) {
	d := sha256.New()
	for _, name := range []string{"From", "Date", "Subject", "Message-ID"} {
		_, _ = io.WriteString(d, h.get(name)+"\n")
	}
	if err := msg.CopyTo(d, h.size); err != nil {
		return "", fmt.Errorf("read the spooled message: %w", err)
	}
	return string(d.Sum(nil)), nil
}

// rebuilt is a sanitized message: spooled, and in the store's hands.
type rebuilt struct {
	sanitize.Result
	body threading.Body
	// gated: the body has passed the gate; letters that share it need not
	// send it through again.
	gated   bool
	spooled *spool.Message
}

// rebuild sanitizes the message. The result is spooled once, so that the index
// and the gate read exactly what is stored.
func (p *Pipeline) rebuild(ctx context.Context, msg *spool.Message, id sanitize.Identity, preface string) (*rebuilt, error) {
	w := spool.NewWriter(p.o.TempDir)
	defer w.Discard()
	res, err := sanitize.Rewrite(w, msg.Open(), sanitize.Options{
		Identity: id, Typed: p.o.TypedAddress, RemoteImages: p.o.RemoteImages, Unwanted: p.o.Unwanted, Preface: preface, Domain: p.o.Domain, TempDir: p.o.TempDir,
	})
	var refused *sanitize.RefusedError
	if errors.As(err, &refused) {
		return nil, refuse(554, 5, 6, 0, "%s", refused.Reason)
	} else if err != nil {
		return nil, fmt.Errorf("rebuild the message: %w", err)
	}
	out, err := w.Message()
	if err != nil {
		return nil, err
	}
	rb := &rebuilt{Result: res, spooled: out}
	if err := p.store(ctx, rb); err != nil {
		_ = out.Close()
		return nil, err
	}
	return rb, nil
}

// store hands the rebuilt body to the store, with its index.
func (p *Pipeline) store(ctx context.Context, rb *rebuilt) error {
	content, err := mimetree.Read(append(bytes.Clone(rb.MIMEFields), '\r', '\n'), rb.spooled.Open())
	if err != nil {
		return fmt.Errorf("index the message: %w", err)
	}
	bw := p.o.Store.NewBody(ctx)
	defer bw.Discard()
	if err := rb.spooled.CopyTo(bw, 0); err != nil {
		return fmt.Errorf("store the body: %w", err)
	}
	if rb.body, err = bw.Finish(); err != nil {
		return fmt.Errorf("store the body: %w", err)
	}
	rb.body.Content = content
	return nil
}

// filing composes what one letter puts into the mailboxes.
func (p *Pipeline) filing(pl *plan, l *letter, h *head, rb *rebuilt, digest string, now time.Time) (threading.Filing, error) {
	l.messageID = p.o.Store.IDs().Next()
	l.date = now
	l.automatic = pl.automatic
	l.mime = rb.MIMEFields
	l.subject = rb.Subject
	switch {
	case l.subject != "":
	case l.newThread != nil:
		l.subject = "(no subject)"
	default:
		l.subject = "Re: " + l.view.Thread.Subject
	}
	if l.newThread != nil {
		l.newThread.Thread.Subject = subjectBase(l.subject)
		l.newThread.Thread.CreatedAt, l.newThread.Thread.LastAt = now, now
	}
	foreign := h.messageID()
	f := threading.Filing{
		NewThread: l.newThread,
		Message:   threading.Message{ID: l.messageID, ThreadID: l.view.Thread.ID, WriterID: l.writer.ID, BodyID: rb.body.ID, FiledAt: now},
		Body:      rb.body,
		Dedupe:    p.dedupe(l, h, digest),

		NotifyAfter: p.o.NotifyAfter,
	}
	if f.Automatic = pl.automatic; !f.Automatic {
		f.Pace = p.paceOf(pl.writer)
	}
	f.Mark = p.mark(pl, l, h, rb.Subject)
	if _, domain := splitRecipient(foreign); foreign != "" && !p.ours(domain) {
		f.Message.ForeignID = foreign
	}
	for _, m := range l.view.Participants {
		if m.Status == threading.MemberRemoved {
			continue
		}
		c := threading.Copy{MemberID: m.ID, Header: p.headerFor(l, m), Mailbox: threading.UseInbox}
		if m.ID == l.writer.ID {
			c.Mailbox, c.Flags = threading.UseSent, threading.FlagSeen
			if pl.byClient && foreign != "" {
				c.ClientID = seal.ClientID(p.o.Store.Keyring(), m.ID, foreign)
			}
		} else {
			c.Notify = !pl.automatic && m.Status == threading.MemberActive
		}
		f.Copies = append(f.Copies, c)
	}
	if len(l.view.Participants) == 1 {
		// A note to oneself arrives as well.
		c := f.Copies[0]
		c.Mailbox, c.Flags, c.ClientID = threading.UseInbox, 0, nil
		f.Copies = append(f.Copies, c)
	}
	return f, nil
}

// dedupe is by what a sender's retry of a letter is recognised.
func (p *Pipeline) dedupe(l *letter, h *head, digest string) []byte {
	key := l.view.Thread.ID.String()
	if l.newThread != nil {
		key = l.to
	}
	return p.o.Store.Keyring().Hash("dedupe", l.writer.ID.String(), key, h.messageID(), digest)
}

// gate proves that what the others get has no identifier of the writer left.
// It fails closed.
func (p *Pipeline) gate(ctx context.Context, f threading.Filing, rb *rebuilt, id sanitize.Identity) error {
	id.Hosts = rb.Hosts // what the message's own Received fields gave away
	for _, c := range f.Copies {
		if c.MemberID == f.Message.WriterID {
			continue
		}
		header, body := c.Header, io.Reader(strings.NewReader("\r\n"))
		if rb.gated {
			header = bytes.Replace(header, rb.MIMEFields, []byte("Content-Type: text/plain\r\n"), 1)
		} else {
			body = rb.spooled.Open()
		}
		err := sanitize.Check(header, body, id, p.o.TypedAddress)
		var leak *sanitize.LeakError
		if errors.As(err, &leak) {
			p.o.Logger.Error("the gate stopped a message", "writer", id.Name, "part", leak.Part)
			if err := p.o.Store.Record(ctx, "leak", f.Message.ThreadID, "the gate found an identifier of the writer in "+leak.Part); err != nil {
				return fmt.Errorf("count what the gate stopped: %w", err)
			}
			return errLeak(leak.Part)
		} else if err != nil {
			return fmt.Errorf("check the rebuilt message: %w", err)
		}
		rb.gated = true
	}
	return nil
}

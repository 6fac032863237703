package relay

import (
	"bytes"
	"cmp"
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
	"github.com/stagedoor/stagedoor/threading/store"
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
	bodies := rebuilds{p: p, msg: msg, identity: identity, made: map[above]*rebuilt{}}
	defer bodies.close()
	warn, counted := &warner{p: p, msg: msg}, &counter{p: p, msg: msg}
	filings := make([]threading.Filing, 0, len(pl.letters))
	for _, l := range pl.letters {
		v, err := p.versions(ctx, pl, l, h, &bodies, warn, now)
		if err != nil {
			return nil, err
		}
		f, err := p.filing(pl, l, h, v, digest, now)
		if err != nil {
			return nil, err
		}
		if f.Text, err = counted.of(l); err != nil {
			return nil, err
		}
		if err := p.gate(ctx, f, v, identity); err != nil {
			return nil, err
		}
		filings = append(filings, f)
	}
	filed, err := p.o.Store.File(ctx, filings...)
	switch {
	case errors.Is(err, store.ErrSameText):
		return nil, errSameText
	case errors.Is(err, store.ErrSameTextByMany):
		return nil, errSameTextByMany
	case errors.Is(err, store.ErrSpent):
		return nil, errFormSpent
	}
	if err = paceRefusal(err); err != nil {
		return nil, fmt.Errorf("file the message: %w", err)
	}
	for _, f := range filed {
		p.o.Logger.Info("filed", "thread", p.o.Store.Keyring().Token(seal.TokenThread, f.ThreadID), "writer", pl.writer.Handle,
			"octets", msg.Size(), "duplicate", f.Duplicate)
		if f.Held {
			p.o.Logger.Warn("it is held for the operator (stagedoor held list)", "message", p.o.Store.Keyring().Token(seal.TokenMessage, f.MessageID), "writer", pl.writer.Handle)
		}
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

// above is what stands above a rebuilt message. Letters of which it is the same
// share one body.
type above struct{ preface, caution string }

// rebuilds are a message's rebuilt versions.
type rebuilds struct {
	p        *Pipeline
	msg      *spool.Message
	identity sanitize.Identity
	made     map[above]*rebuilt
}

func (r *rebuilds) with(ctx context.Context, a above) (*rebuilt, error) {
	if rb := r.made[a]; rb != nil {
		return rb, nil
	}
	rb, err := r.p.rebuild(ctx, r.msg, r.identity, a)
	if err == nil {
		r.made[a] = rb
	}
	return rb, err
}

func (r *rebuilds) close() {
	for _, rb := range r.made {
		_ = rb.spooled.Close()
	}
}

// versions are what the participants of one letter get: the message as it is,
// and, those in warned, with a warning above it.
type versions struct {
	plain, cautioned *rebuilt
	warned           map[threading.ID]bool
}

func (v *versions) of(member threading.ID) *rebuilt {
	if v.warned[member] {
		return v.cautioned
	}
	return v.plain
}

// versions rebuilds the message for a letter, and has it scanned.
func (p *Pipeline) versions(ctx context.Context, pl *plan, l *letter, h *head, bodies *rebuilds, warn *warner, now time.Time) (*versions, error) {
	v := &versions{}
	var err error
	if v.plain, err = bodies.with(ctx, above{preface: l.preface()}); err != nil {
		return v, err
	}
	p.name(pl, l, v.plain, now)
	var line string
	found, err := warn.scan(ctx, l, v.plain)
	if err != nil {
		return v, err
	}
	if l.marked, l.hold = found.mark, found.hold; l.marked {
		v.warned, line = l.readers(), markSays
	} else if !pl.automatic && p.o.Caution != nil {
		if v.warned, err = p.strangers(ctx, l); err == nil && len(v.warned) > 0 {
			line, err = warn.warning(h.decoded("Subject"))
		}
	}
	if err != nil || line == "" {
		v.warned = nil
		return v, err
	}
	v.cautioned, err = bodies.with(ctx, above{l.preface(), line})
	return v, err
}

// name gives a letter what its header blocks are made of.
func (p *Pipeline) name(pl *plan, l *letter, rb *rebuilt, now time.Time) {
	l.messageID, l.date, l.automatic, l.subject = p.o.Store.IDs().Next(), now, pl.automatic, rb.Subject
	switch {
	case l.subject != "":
	case l.newThread != nil: // a list of messages shows what it can
		l.subject = cmp.Or(l.view.About(), "(no subject)")
	default:
		l.subject = "Re: " + l.view.Thread.Subject
	}
}

// rebuild sanitizes the message. The result is spooled once, so that the index
// and the gate read exactly what is stored.
func (p *Pipeline) rebuild(ctx context.Context, msg *spool.Message, id sanitize.Identity, a above) (*rebuilt, error) {
	w := spool.NewWriter(p.o.TempDir)
	defer w.Discard()
	res, err := sanitize.Rewrite(w, msg.Open(), sanitize.Options{
		Identity: id, Typed: p.o.TypedAddress, RemoteImages: p.o.RemoteImages, Unwanted: p.o.Unwanted, Preface: a.preface, Caution: a.caution, Domain: p.o.Domain, TempDir: p.o.TempDir,
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
func (p *Pipeline) filing(pl *plan, l *letter, h *head, v *versions, digest string, now time.Time) (threading.Filing, error) {
	if l.newThread != nil {
		l.newThread.Thread.Subject = subjectBase(l.subject)
		l.newThread.Thread.CreatedAt, l.newThread.Thread.LastAt = now, now
	}
	foreign := h.messageID()
	f := threading.Filing{
		NewThread: l.newThread,
		Message:   threading.Message{ID: l.messageID, ThreadID: l.view.Thread.ID, WriterID: l.writer.ID, BodyID: v.plain.body.ID, FiledAt: now, TLS: l.tls},
		Body:      v.plain.body,
		Dedupe:    p.dedupe(l, h, digest),
		Single:    pl.single,
		Hold:      l.hold,

		NotifyAfter: p.o.NotifyAfter,
	}
	if f.Automatic = pl.automatic; !f.Automatic {
		f.Pace = p.paceOf(pl.writer)
	}
	f.Mark = p.mark(pl, l, h, v.plain.Subject)
	if v.cautioned != nil {
		f.Other = &v.cautioned.body
	}
	if _, domain := splitRecipient(foreign); foreign != "" && !p.ours(domain) {
		f.Message.ForeignID = foreign
	}
	for _, m := range l.view.Participants {
		if m.Status == threading.MemberRemoved {
			continue
		}
		l.mime = v.of(m.ID).MIMEFields
		c := threading.Copy{MemberID: m.ID, Other: v.warned[m.ID], Header: p.headerFor(l, m), Mailbox: threading.UseInbox}
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
func (p *Pipeline) gate(ctx context.Context, f threading.Filing, v *versions, id sanitize.Identity) error {
	id.Hosts = v.plain.Hosts // what the message's own Received fields gave away
	for _, c := range f.Copies {
		if c.MemberID == f.Message.WriterID {
			continue
		}
		rb := v.of(c.MemberID)
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

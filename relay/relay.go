// Package relay is the way of a message: identify who writes in which thread,
// sanitize, file and notify. Its doors (ingress, submission, web) differ only
// in how they prove the writer; they all end in a Pipeline.
//
// What a Pipeline accepts is on disk when it returns: the message in every
// participant's mailbox, the thread, and the notifications in the queue, in
// one transaction. What it does not accept it refuses with a *Refusal, in
// words for a person; any other error is the relay's own fault and temporary.
// A Pipeline holds no goroutine and no state of its own: all state is in the
// store.
package relay

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/stagedoor/stagedoor/relay/automatic"
	"github.com/stagedoor/stagedoor/relay/caution"
	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Options configure a Pipeline.
type Options struct {
	Store        *store.Store
	Domain       string              // every alias and contact address ends in it; lower-case A-labels
	Brand        string              // "Sam Casting via Backstage"
	Languages    *language.Catalogue // that members are written to in; nil: the built-in ones
	BaseURL      string              // of the relay's links; may be empty
	Operator     string              // real address that postmaster@ and so on go to; empty: none
	TypedAddress sanitize.Typed
	RemoteImages sanitize.RemoteImages // empty: they are kept
	Unwanted     sanitize.Unwanted     // attached files that are refused
	// Caution is what first messages of strangers are looked through for; nil:
	// nobody is warned. SafetyURL, if set, is linked from the warning.
	Caution   *caution.Set
	SafetyURL string
	Scanning  Scanning
	SameText  SameText
	// HoldFor is how long a message waits for its member to say who wrote it;
	// zero: nothing is held but what came by LMTP, for a week.
	HoldFor time.Duration
	// Pace bounds how much a member writes; NewPace while the member is newer than
	// NewFor.
	Pace, NewPace threading.Pace
	NewFor        time.Duration
	// ExpireAfter is after how long without a message a conversation takes no
	// more; zero: never.
	ExpireAfter time.Duration
	// NotifyAfter is how long the mail about a message waits, since its reader may
	// see it elsewhere first.
	NotifyAfter time.Duration
	Groups      bool // To and Cc of one message share a thread
	// FileOutOfOffice files vacation notices for whom they answer; else they are
	// only noted.
	FileOutOfOffice bool
	TempDir         string // for messages over spool.MemoryLimit
	Logger          *slog.Logger
	Now             func() time.Time // nil: time.Now
}

// Pipeline takes messages from the doors to both mailboxes. It is safe for
// concurrent use.
type Pipeline struct{ o Options }

// New returns a Pipeline.
func New(o Options) *Pipeline {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.TypedAddress == "" {
		o.TypedAddress = sanitize.TypedAllow
	}
	if o.Languages == nil {
		o.Languages = language.BuiltIn()
	}
	return &Pipeline{o: o}
}

// Inbound is a message that came by SMTP or LMTP.
type Inbound struct {
	ReversePath string // empty for <>
	Targets     []Target
	Message     *spool.Message
	Auth        senderauth.Result
	// RequireTLS: it came with REQUIRETLS (RFC 8689).
	RequireTLS bool
	// NeverRefuse: the client has answered for the message already (LMTP
	// behind an MTA, which would bounce): hold or record instead of refusing.
	NeverRefuse bool
}

// Receive takes an inbound message. It returns one error for each target. On
// the MX they are all nil (the message is durably filed or recorded) or all
// the same refusal: SMTP has one answer for all recipients, and a sender that
// hears no must not have been heard by half of them. With NeverRefuse a
// refusal becomes a held or recorded message, so that only temporary errors
// are left.
func (p *Pipeline) Receive(ctx context.Context, in Inbound) []error {
	errs := make([]error, len(in.Targets))
	if in.NeverRefuse {
		for i, t := range in.Targets {
			errs[i] = p.receiveOrHold(ctx, in, t)
		}
		return errs
	}
	err := p.receive(ctx, in, in.Targets)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (p *Pipeline) receive(ctx context.Context, in Inbound, targets []Target) error {
	head, err := readHead(in.Message.Open())
	if err != nil {
		return err
	}
	in.Targets = targets
	var people, rest []Target
	for _, t := range targets {
		switch {
		case in.RequireTLS && t.Kind == threading.RecipientOperator:
			return errRequireTLS
		case t.alone() && len(targets) > 1:
			return errControl
		case t.alone(), t.Kind == threading.RecipientBounce, t.Kind == threading.RecipientOperator:
			rest = append(rest, t)
		default:
			people = append(people, t)
		}
	}
	verdict, err := recognise(head, in.ReversePath, in.Message)
	if err != nil {
		return err
	}
	switch {
	case len(people) == 0:
	case verdict.Kind == automatic.Person:
		err = p.receivePerson(ctx, in, people, head)
	default:
		err = p.receiveAutomatic(ctx, in, people, head, verdict)
	}
	for _, t := range rest {
		if err != nil {
			break
		}
		err = p.receiveControl(ctx, in, t, head, verdict)
	}
	return err
}

// receivePerson relays a person's message to an alias, a contact or a role
// address, or holds it.
func (p *Pipeline) receivePerson(ctx context.Context, in Inbound, people []Target, h *head) error {
	if err := p.loops(h, in.Auth); err != nil {
		return err
	}
	writer, err := p.proveWriter(ctx, in.Auth, people)
	var miss *nearMiss
	if errors.As(err, &miss) {
		if in.RequireTLS {
			return miss.Refusal // what is held may have to be asked about, and passed on, by other ways
		}
		return p.holdInbound(ctx, in, miss)
	} else if err != nil {
		return err
	}
	plan, err := p.plan(ctx, writer, people, h)
	if err != nil {
		return err
	}
	plan.ask(askedTLS(h, in.RequireTLS))
	return p.file(ctx, plan, h, in.Message)
}

// receiveControl takes what is for the relay itself, or for its operator.
// Whatever arrives at a reverse-path is automatic.
func (p *Pipeline) receiveControl(ctx context.Context, in Inbound, t Target, h *head, v automatic.Verdict) error {
	switch {
	case t.Kind == threading.RecipientBounce:
		return p.receiveBounce(ctx, in, t, h, v)
	case t.Kind == threading.RecipientOperator:
		if err := p.loops(h, in.Auth); err != nil {
			return err
		}
		if v.Kind == automatic.Complaint {
			if err := p.receiveComplaint(ctx, in, h); err != nil {
				return err
			}
		} else if err := p.operatorPace(ctx, in, h); err != nil {
			return err
		}
		return p.toOperator(ctx, t, h, in.Message, "")
	case v.Kind != automatic.Person:
		return p.o.Store.Record(ctx, "automatic", 0, string(v.Kind)+": "+v.Why)
	case t.Kind == threading.RecipientReport:
		return p.reportInbound(ctx, in)
	case t.Held != 0:
		return p.answerByMail(ctx, in, t)
	}
	return p.settingsByMail(ctx, in, t, h)
}

// holdBehindMTA is how long what came by LMTP is held where nothing else is.
const holdBehindMTA = 7 * 24 * time.Hour

// receiveOrHold is receive for one target of an MTA that has said 250 already.
func (p *Pipeline) receiveOrHold(ctx context.Context, in Inbound, t Target) error {
	err := p.receive(ctx, in, []Target{t})
	var r *Refusal
	if !errors.As(err, &r) || r.Temporary() {
		return err
	}
	if t.Kind != threading.RecipientAlias || t.alone() || errors.Is(err, errForged) && in.Auth.Policy == senderauth.PolicyReject {
		return p.o.Store.Record(ctx, "refused", t.Alias.ThreadID, r.Text)
	}
	raw, rerr := io.ReadAll(in.Message.Open())
	if rerr != nil {
		return rerr
	}
	local, _ := splitRecipient(t.Address)
	now := p.o.Now()
	err = p.o.Store.Hold(ctx, store.Held{
		MemberID: t.Alias.ViewerID, AliasID: t.Alias.ID, Recipient: local, Reason: r.Text,
		Sender: in.Auth.From, Raw: raw, HeldAt: now, ExpiresAt: now.Add(cmp.Or(p.o.HoldFor, holdBehindMTA)),
	}, nil)
	if errors.Is(err, store.ErrTooManyHeld) {
		return p.o.Store.Record(ctx, "refused", t.Alias.ThreadID, r.Text)
	}
	return err
}

// Submit takes a message from a mail client whose member is proven. All
// targets are filed in one transaction, or none. requireTLS: it came with
// REQUIRETLS.
func (p *Pipeline) Submit(ctx context.Context, writer threading.Member, targets []Target, msg *spool.Message, requireTLS bool) error {
	head, err := readHead(msg.Open())
	if err != nil {
		return err
	}
	verdict, err := recognise(head, "submission", msg)
	if err != nil {
		return err
	}
	if verdict.Kind != automatic.Person {
		// A client's read receipt or vacation notice: taken, and gone no further.
		return p.o.Store.Record(ctx, "automatic", 0, string(verdict.Kind)+": "+verdict.Why)
	}
	var people []Target
	for _, t := range targets {
		switch {
		case requireTLS && t.Kind == threading.RecipientOperator:
			return errRequireTLS
		case t.Kind == threading.RecipientReport && len(targets) > 1:
			return errControl
		case t.Kind == threading.RecipientReport:
			return p.reportByMail(ctx, writer, msg)
		case t.Kind != threading.RecipientOperator:
			people = append(people, t)
		}
	}
	if len(people) > 0 {
		plan, err := p.plan(ctx, writer, people, head)
		if err != nil {
			return err
		}
		plan.byClient = true
		plan.ask(askedTLS(head, requireTLS))
		if err := p.file(ctx, plan, head, msg); err != nil {
			return err
		}
	}
	for _, t := range targets {
		if t.Kind == threading.RecipientOperator {
			addrs, err := p.o.Store.Addresses(ctx, writer.ID)
			if err != nil {
				return err
			}
			replyTo := writer.Handle + "@" + p.o.Domain
			if len(addrs) > 0 {
				replyTo = addrs[0].Real // the operator, who has the key to all addresses, can answer it
			}
			if err := p.toOperator(ctx, t, head, msg, replyTo); err != nil {
				return err
			}
		}
	}
	return nil
}

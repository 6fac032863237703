package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// nearMiss is a message to an alias whose writer may well be its holder: it
// came from an address that is proven but not registered, or that can't be
// proven and whose domain does not ask for such mail to be rejected. Which
// addresses are registered makes no difference to the answer: whoever got hold
// of an alias must not be able to try addresses on it.
type nearMiss struct {
	*Refusal // the answer where it can't be held
	proven   bool
}

func (n *nearMiss) Unwrap() error { return n.Refusal }

// holdInbound keeps a near miss and asks the alias's holder whether they wrote
// it. It returns the refusal if there is no way to ask, or too many questions
// are open.
func (p *Pipeline) holdInbound(ctx context.Context, in Inbound, miss *nearMiss) error {
	if len(in.Targets) != 1 || in.Targets[0].Kind != threading.RecipientAlias || p.o.HoldFor <= 0 || p.o.BaseURL == "" && !miss.proven {
		return miss.Refusal
	}
	t := in.Targets[0]
	view, err := p.o.Store.Thread(ctx, t.Alias.ThreadID)
	if err != nil {
		return fmt.Errorf("read the thread: %w", err)
	}
	holder, ok := view.Participant(t.Alias.ViewerID)
	if !ok || holder.Status != threading.MemberActive || p.takesMore(&view, threading.Member{}) != nil {
		return miss.Refusal
	}
	addrs, err := p.o.Store.Addresses(ctx, holder.ID)
	if err != nil {
		return err
	}
	if len(addrs) == 0 {
		return miss.Refusal // nobody to ask
	}
	raw, err := io.ReadAll(in.Message.Open())
	if err != nil {
		return err
	}
	local, _ := splitRecipient(t.Address)
	now := p.o.Now()
	h := store.Held{
		ID: p.o.Store.IDs().Next(), MemberID: holder.ID, AliasID: t.Alias.ID, Recipient: local, Reason: miss.Text,
		Sender: in.Auth.From, Proven: miss.proven, Raw: raw, HeldAt: now, ExpiresAt: now.Add(p.o.HoldFor),
	}
	question, err := p.questionNotice(ctx, h, holder, &view)
	if err != nil {
		return err
	}
	err = p.o.Store.Hold(ctx, h, &question)
	if errors.Is(err, store.ErrTooManyHeld) {
		return miss.Refusal
	}
	if err == nil {
		p.o.Logger.Info("held until the member says who wrote it", "thread", p.o.Store.Keyring().Token(seal.TokenThread, view.Thread.ID), "member", holder.Handle)
	}
	return err
}

// ErrNoQuestion means that a question's token is none, or that it has been
// answered or is over.
var ErrNoQuestion = errors.New("there is no such question: it has been answered, or its time is over")

// Question is a held message as its page shows it: nothing of the message
// itself, which may not be the member's.
type Question struct {
	Others     []string // whom the conversation is with, by name
	About      string   // the production and role, may be empty
	HeldAt     time.Time
	ExpiresAt  time.Time
	Registered bool // the message came from an address that is the member's
	Proven     bool // its domain vouches for it
	// CanRegister: it came from a proven address that is not the member's; it
	// can be added if the link mailed to it is opened.
	CanRegister bool

	held   store.Held
	view   threading.ThreadView
	member threading.Member
}

// Location is the member's time zone.
func (q *Question) Location() *time.Location { return q.member.Location() }

// QuestionOf returns the question that a token stands for. ErrNoQuestion.
func (p *Pipeline) QuestionOf(ctx context.Context, token string) (*Question, error) {
	id, ok := p.o.Store.Keyring().ParseToken(seal.TokenHeld, token)
	if !ok {
		return nil, ErrNoQuestion
	}
	return p.question(ctx, id)
}

func (p *Pipeline) question(ctx context.Context, id threading.ID) (*Question, error) {
	h, err := p.o.Store.HeldMessage(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && h.AliasID == 0 {
		return nil, ErrNoQuestion
	} else if err != nil {
		return nil, err
	}
	q := &Question{HeldAt: h.HeldAt, ExpiresAt: h.ExpiresAt, Proven: h.Proven, held: h}
	alias, err := p.o.Store.Alias(ctx, h.AliasID)
	if err == nil {
		q.view, err = p.o.Store.Thread(ctx, alias.ThreadID)
	}
	if err == nil {
		q.member, err = p.o.Store.Member(ctx, h.MemberID)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && q.member.Status != threading.MemberActive {
		return nil, ErrNoQuestion
	} else if err != nil {
		return nil, err
	}
	q.Others, q.About = otherNames(&q.view, h.MemberID), q.view.About()
	owner, err := p.o.Store.MemberByAddress(ctx, h.Sender)
	switch {
	case err == nil:
		q.Registered = owner.ID == h.MemberID
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	// Whether the address is somebody else's must not show here.
	q.CanRegister = h.Proven && !q.Registered
	return q, nil
}

// Confirm relays the held message as its member's. register also asks the
// owner of the address that it came from whether it may be added. ErrNoQuestion,
// or a *Refusal that says why the message can't be relayed; it is kept then
// until its time is over.
func (p *Pipeline) Confirm(ctx context.Context, q *Question, register bool) error {
	msg := spool.FromBytes(q.held.Raw)
	h, err := readHead(msg.Open())
	if err != nil {
		return err
	}
	l, err := p.reply(ctx, q.member, q.view.Thread.ID, h)
	if err != nil {
		return err
	}
	pl := &plan{writer: q.member, letters: []*letter{l}, alsoFrom: q.held.Sender}
	if err := p.file(ctx, pl, h, msg); err != nil {
		return err
	}
	if register && q.CanRegister {
		if err := p.RequestAddress(ctx, q.member, q.held.Sender); err != nil && !errors.Is(err, store.ErrAskedAlready) && !errors.Is(err, store.ErrLimit) {
			return err
		}
	}
	return p.answered(ctx, q)
}

// Deny throws the held message away. ErrNoQuestion.
func (p *Pipeline) Deny(ctx context.Context, q *Question) error {
	if err := p.o.Store.Record(ctx, "denied", q.view.Thread.ID, "the member did not write it"); err != nil {
		return err
	}
	return p.answered(ctx, q)
}

func (p *Pipeline) answered(ctx context.Context, q *Question) error {
	if err := p.o.Store.Release(ctx, q.held.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("forget a held message: %w", err)
	}
	return nil
}

// answerByMail takes a reply to a question: from a registered address, proven,
// and with yes or no as its first word. Anything else is refused: a word too
// many is better than a message that its member did not write.
func (p *Pipeline) answerByMail(ctx context.Context, in Inbound, t Target) error {
	q, err := p.question(ctx, t.Held)
	if errors.Is(err, ErrNoQuestion) {
		return errNoQuestion
	} else if err != nil {
		return err
	}
	writer, err := p.registered(ctx, in.Auth)
	if err != nil {
		return err
	}
	if !in.Auth.Aligned || writer.ID != q.member.ID {
		return errNotAsked
	}
	text, err := sanitize.NewText(in.Message.Open())
	if err != nil {
		return err
	}
	switch yesOrNo(text) {
	case "yes":
		err = p.Confirm(ctx, q, false)
	case "no":
		err = p.Deny(ctx, q)
	default:
		return errYesOrNo
	}
	if errors.Is(err, ErrNoQuestion) {
		return errNoQuestion
	}
	return err
}

// answerWords are the first words that answer a question.
var answerWords = map[string]string{
	"yes": "yes", "y": "yes", "ja": "yes", "oui": "yes", "sí": "yes", "si": "yes", "sì": "yes", "sim": "yes", "tak": "yes", "да": "yes", "はい": "yes", "是": "yes",
	"no": "no", "n": "no", "nein": "no", "nee": "no", "non": "no", "não": "no", "nie": "no", "nej": "no", "нет": "no", "いいえ": "no", "否": "no", "不是": "no",
}

// yesOrNo returns "yes" or "no" if that is the first line of an answer, else
// nothing.
func yesOrNo(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return answerWords[strings.ToLower(strings.Trim(first, " \t\r\"'“”„.,!。！"))]
}

// RequestAddress mails a link to an address that a member wants to add. It is
// theirs once the link is opened and the page says yes. store.ErrAskedAlready,
// store.ErrLimit.
func (p *Pipeline) RequestAddress(ctx context.Context, m threading.Member, addr string) error {
	return p.o.Store.RequestAddress(ctx, m.ID, addr, func(q store.AddressRequest) (store.Notice, error) {
		return p.addressNotice(ctx, q, m)
	})
}

// AddressRequest says which member wants the address that a link was mailed
// to. ErrNoQuestion.
func (p *Pipeline) AddressRequest(ctx context.Context, token string) (threading.Member, error) {
	id, ok := p.o.Store.Keyring().ParseToken(seal.TokenAddress, token)
	if !ok {
		return threading.Member{}, ErrNoQuestion
	}
	q, err := p.o.Store.AddressRequest(ctx, id)
	var m threading.Member
	if err == nil {
		m, err = p.o.Store.Member(ctx, q.MemberID)
	}
	if errors.Is(err, store.ErrNotFound) {
		return m, ErrNoQuestion
	}
	return m, err
}

// GrantAddress makes the address that the link was mailed to the member's.
// ErrNoQuestion; store.ErrExists if it is somebody's already.
func (p *Pipeline) GrantAddress(ctx context.Context, token string) error {
	id, ok := p.o.Store.Keyring().ParseToken(seal.TokenAddress, token)
	if !ok {
		return ErrNoQuestion
	}
	err := p.o.Store.GrantAddress(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoQuestion
	}
	return err
}

package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// plan is what a message of a proven writer becomes: one letter for each
// thread that it goes to.
type plan struct {
	writer  threading.Member
	letters []*letter
	// byClient: the writer's mail client submitted it and may APPEND it to
	// Sent as well.
	byClient bool
	// automatic: no person wrote it. It is filed and says so, and nothing is
	// mailed because of it.
	automatic bool
	// alsoFrom is an address that the writer used though it is not registered;
	// it points to them like the others.
	alsoFrom string
	// single, if set, is what is good for one message.
	single []byte
}

// plan decides the threads. The recipient decides: a reply alias means its
// thread; a contact or role address the thread that In-Reply-To or References
// name if its participants are the same, else a new one. Recipients that lead
// to the same thread are one; oneself is dropped, unless there is nobody else.
func (p *Pipeline) plan(ctx context.Context, writer threading.Member, targets []Target, h *head) (*plan, error) {
	pl := &plan{writer: writer}
	inThread := map[threading.ID]bool{} // threads and members that are reached already
	var fresh []addressee
	var shared []addressee // of To and Cc, for a group
	self := false
	for _, t := range targets {
		if t.Kind != threading.RecipientAlias || inThread[t.Alias.ThreadID] {
			continue
		}
		inThread[t.Alias.ThreadID] = true
		l, err := p.reply(ctx, writer, t.Alias.ThreadID, h)
		if err != nil {
			return nil, err
		}
		for _, m := range l.view.Participants {
			inThread[m.ID] = true
		}
		pl.letters = append(pl.letters, l)
	}
	visible := p.visible(h)
	for _, t := range targets {
		if t.Kind != threading.RecipientContact && t.Kind != threading.RecipientRole {
			continue
		}
		a, err := p.addressee(ctx, writer, t)
		switch {
		case err != nil:
			return nil, named(err, t, len(targets))
		case a.member.ID == writer.ID:
			self = true
		case a.production.ID == 0 && inThread[a.member.ID]:
		case p.o.Groups && a.production.ID == 0 && visible[strings.ToLower(t.Handle)]:
			inThread[a.member.ID] = true
			shared = append(shared, a)
		default:
			if a.production.ID == 0 {
				inThread[a.member.ID] = true
			} else if inThread[a.role.ID] {
				continue
			}
			inThread[a.role.ID] = true
			fresh = append(fresh, a)
		}
	}
	if len(shared) > 0 {
		if err := p.start(ctx, pl, h, shared...); err != nil {
			return nil, err
		}
	}
	for _, a := range fresh {
		if err := p.start(ctx, pl, h, a); err != nil {
			return nil, err
		}
	}
	if len(pl.letters) == 0 {
		if !self {
			return nil, errNoRecipient
		}
		if err := p.start(ctx, pl, h, addressee{member: writer}); err != nil {
			return nil, err
		}
	}
	for _, l := range pl.letters {
		if err := p.wantsAnswers(ctx, l); err != nil {
			return nil, err
		}
	}
	return pl, nil
}

// wantsAnswers refuses a letter to one member whom its writer has blocked: the
// answer would go nowhere.
func (p *Pipeline) wantsAnswers(ctx context.Context, l *letter) error {
	if len(l.view.Participants) != 2 {
		return nil
	}
	for _, m := range l.view.Participants {
		if m.ID == l.writer.ID {
			continue
		}
		if blocked, err := p.o.Store.Blocked(ctx, l.writer.ID, m.ID); err != nil {
			return err
		} else if blocked {
			return errBlocked(m.DisplayName())
		}
	}
	return nil
}

// named puts the recipient that the writer gave before a refusal, when there
// was more than one.
func named(err error, t Target, n int) error {
	var r *Refusal
	if n < 2 || !errors.As(err, &r) {
		return err
	}
	return &Refusal{Code: r.Code, Enhanced: r.Enhanced, Text: fmt.Sprintf("%s: %s Nothing was sent to the other recipients either.", t.Address, r.Text)}
}

// visible are the local parts, in lower case, of our addresses in To and Cc.
func (p *Pipeline) visible(h *head) map[string]bool {
	if !p.o.Groups {
		return nil
	}
	seen := map[string]bool{}
	for _, name := range []string{"To", "Cc"} {
		for _, a := range h.addresses(name) {
			if local, domain := splitRecipient(a); p.ours(domain) {
				seen[threading.ParseLocal(local).Handle] = true
			}
		}
	}
	delete(seen, "")
	return seen
}

// reply is a letter in a thread that exists.
func (p *Pipeline) reply(ctx context.Context, writer threading.Member, threadID threading.ID, h *head) (*letter, error) {
	view, err := p.o.Store.Thread(ctx, threadID)
	if err != nil {
		return nil, fmt.Errorf("read the thread: %w", err)
	}
	reached := len(view.Participants) == 1
	var other threading.Member
	for _, m := range view.Participants {
		if m.ID == writer.ID {
			continue
		}
		reached = reached || m.Status != threading.MemberRemoved
		if len(view.Participants) == 2 {
			other = m
		}
	}
	if err := p.takesMore(&view, other); err != nil {
		return nil, err
	}
	switch {
	case !reached:
		return nil, errLeft
	case inTurns(view.Chain, p.o.Store.IDs().Next().Time()) && view.Chain[len(view.Chain)-1].WriterID != writer.ID:
		return nil, errLoop
	}
	return &letter{view: view, writer: writer, parent: p.parent(ctx, &view, writer, h)}, nil
}

// parent is the message of the thread that the header says it answers, else
// the newest.
func (p *Pipeline) parent(ctx context.Context, v *threading.ThreadView, writer threading.Member, h *head) threading.ID {
	for _, id := range append(h.messageIDs("In-Reply-To"), h.lastReferences(1)...) {
		ours, isOurs := p.parseMessageID(id)
		for _, c := range v.Chain {
			if isOurs && c.MessageID == ours && c.KnownTo(writer.ID) || c.WriterID == writer.ID && c.ForeignID == id {
				return c.MessageID
			}
		}
		if isOurs {
			if t, err := p.o.Store.ThreadOf(ctx, ours); err == nil && t == v.Thread.ID {
				return ours
			}
		}
	}
	for _, c := range slices.Backward(v.Chain) {
		if c.KnownTo(writer.ID) {
			return c.MessageID
		}
	}
	return 0
}

// lastReferences returns the last n msg-ids of References, the newest first.
func (h *head) lastReferences(n int) []string {
	ids := h.messageIDs("References")
	var last []string
	for i := len(ids) - 1; i >= 0 && len(last) < n; i-- {
		last = append(last, ids[i])
	}
	return last
}

// parseMessageID returns the message that a Message-ID of ours stands for.
func (p *Pipeline) parseMessageID(id string) (threading.ID, bool) {
	token, domain := splitRecipient(id)
	if !p.ours(domain) {
		return 0, false
	}
	return p.o.Store.Keyring().ParseToken(seal.TokenMessage, token)
}

// start adds the letter to members who were written to at their contact
// address, or at a role's: in the thread that the header names if its
// participants are the same, else in a new one.
func (p *Pipeline) start(ctx context.Context, pl *plan, h *head, to ...addressee) error {
	if to[0].production.ID == 0 {
		l, err := p.continued(ctx, pl.writer, h, to)
		if err != nil || l != nil {
			if l != nil {
				pl.letters = append(pl.letters, l)
			}
			return err
		}
	}
	if err := p.takesFirst(ctx, pl.writer, to); err != nil {
		return err
	}
	pl.letters = append(pl.letters, p.newLetter(pl.writer, to))
	return nil
}

// continued returns a letter in the open thread that In-Reply-To or References
// name, if its participants are the writer and these; else nil.
func (p *Pipeline) continued(ctx context.Context, writer threading.Member, h *head, to []addressee) (*letter, error) {
	for _, id := range append(h.messageIDs("In-Reply-To"), h.lastReferences(3)...) {
		msg, ok := p.parseMessageID(id)
		if !ok {
			continue
		}
		thread, err := p.o.Store.ThreadOf(ctx, msg)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		l, err := p.reply(ctx, writer, thread, h)
		var r *Refusal
		if errors.As(err, &r) {
			continue
		} else if err != nil {
			return nil, err
		}
		if sameParticipants(&l.view, writer, to) {
			return l, nil
		}
	}
	return nil, nil
}

func sameParticipants(v *threading.ThreadView, writer threading.Member, to []addressee) bool {
	want := map[threading.ID]bool{writer.ID: true}
	for _, a := range to {
		want[a.member.ID] = true
	}
	for _, m := range v.Participants {
		if !want[m.ID] {
			return false
		}
		delete(want, m.ID)
	}
	return len(want) == 0
}

// newLetter is the first letter of a new thread, with an alias for each
// (viewer, other) pair.
func (p *Pipeline) newLetter(writer threading.Member, to []addressee) *letter {
	ids := p.o.Store.IDs()
	nt := &threading.NewThread{Thread: threading.Thread{
		ID: ids.Next(), StartedBy: writer.ID, Status: threading.ThreadOpen,
		ProductionID: to[0].production.ID, RoleID: to[0].role.ID,
	}}
	l := &letter{newThread: nt, writer: writer}
	people := []threading.Member{writer}
	var key strings.Builder
	fmt.Fprintf(&key, "%d/%d", to[0].production.ID, to[0].role.ID)
	for _, a := range to {
		if a.member.ID != writer.ID {
			people = append(people, a.member)
		}
		fmt.Fprintf(&key, "/%d", a.member.ID)
	}
	for _, viewer := range people {
		nt.Participants = append(nt.Participants, viewer.ID)
		for _, other := range people {
			if viewer.ID != other.ID {
				nt.Aliases = append(nt.Aliases, threading.Alias{ID: ids.Next(), ThreadID: nt.Thread.ID, ViewerID: viewer.ID, OtherID: other.ID})
			}
		}
	}
	l.to = key.String()
	l.view = threading.ThreadView{Thread: nt.Thread, Production: to[0].production, Role: to[0].role, Participants: people, Aliases: nt.Aliases}
	return l
}

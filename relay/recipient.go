package relay

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/net/idna"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Target is a recipient that was accepted at RCPT.
type Target struct {
	Address string // as given
	threading.Recipient
	Alias threading.Alias // of RecipientAlias
	// Of RecipientBounce: the queue row that it answers, or the member's address
	// that was written to.
	Bounce, Returned threading.ID
	// Of a control address, whose Kind is RecipientAlias: the held message that it
	// answers the question about, or the member whose settings it changes; Topic is
	// the thread that the notification was about, zero: none.
	Held, Settings, Topic threading.ID
}

// alone reports whether the target tells the relay something: such a message
// has no other recipient.
func (t Target) alone() bool {
	return t.Held != 0 || t.Settings != 0 || t.Kind == threading.RecipientReport
}

// Recipient checks a recipient address at RCPT time on the MX. It refuses
// (*Refusal) foreign domains, unknown aliases and what has no shape of ours;
// contact and role addresses are accepted by their shape, so that RCPT tells
// nobody which members there are.
func (p *Pipeline) Recipient(ctx context.Context, address string) (Target, error) {
	local, domain := splitRecipient(address)
	switch {
	case domain == "" && strings.EqualFold(local, "postmaster"): // RFC 5321 section 4.5.1
	case !p.ours(domain):
		return Target{}, errForeign
	}
	t := Target{Address: address, Recipient: threading.ParseLocal(local)}
	switch t.Kind {
	case threading.RecipientUnknown:
		return Target{}, errNoSuchAddress
	case threading.RecipientAlias:
		// A made-up token fails to decrypt: guessing costs no query.
		id, ok := p.o.Store.Keyring().ParseToken(seal.TokenAlias, t.Token)
		if !ok {
			return p.control(ctx, t)
		}
		alias, err := p.o.Store.Alias(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return Target{}, errNoSuchAddress
		} else if err != nil {
			return Target{}, err
		}
		t.Alias = alias
	case threading.RecipientBounce:
		var byRow, byAddress bool
		t.Bounce, byRow = p.o.Store.Keyring().ParseToken(seal.TokenBounce, t.Token)
		t.Returned, byAddress = p.o.Store.Keyring().ParseToken(seal.TokenReturn, t.Token)
		if !byRow && !byAddress {
			return Target{}, errNoSuchAddress
		}
	case threading.RecipientOperator:
		if p.o.Operator == "" {
			return Target{}, errNoOperator
		}
	}
	return t, nil
}

// control is an address through which a member tells the relay something: it
// has an alias's shape and a token of another kind.
func (p *Pipeline) control(ctx context.Context, t Target) (Target, error) {
	var held, settings bool
	t.Held, held = p.o.Store.Keyring().ParseToken(seal.TokenHeld, t.Token)
	t.Settings, settings = p.o.Store.Keyring().ParseToken(seal.TokenSettings, t.Token)
	if held || settings {
		return t, nil
	}
	id, ok := p.o.Store.Keyring().ParseToken(seal.TokenTopic, t.Token)
	if !ok {
		return t, errNoSuchAddress
	}
	alias, err := p.o.Store.Alias(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return t, errNoSuchAddress
	}
	t.Settings, t.Topic = alias.ViewerID, alias.ThreadID
	return t, err
}

// SubmissionRecipient is Recipient for a proven writer: it says at once, while
// the mail client's window is still open, that a contact or role address does
// not exist or that an alias is another's.
func (p *Pipeline) SubmissionRecipient(ctx context.Context, writer threading.Member, address string) (Target, error) {
	t, err := p.Recipient(ctx, address)
	if errors.Is(err, errForeign) {
		return t, errOutside
	} else if err != nil {
		return t, err
	}
	switch t.Kind {
	case threading.RecipientAlias:
		if t.Alias.ViewerID != writer.ID {
			return t, errNoSuchAddress
		}
	case threading.RecipientBounce:
		return t, errNoSuchAddress
	case threading.RecipientContact, threading.RecipientRole:
		_, err = p.addressee(ctx, writer, t)
	}
	return t, err
}

// addressee is whom a contact or role address reaches, and what about.
type addressee struct {
	member     threading.Member
	production threading.Production
	role       threading.Role
}

// addressee looks a contact or role address up for a proven writer.
func (p *Pipeline) addressee(ctx context.Context, writer threading.Member, t Target) (addressee, error) {
	var a addressee
	var err error
	if t.Kind == threading.RecipientContact {
		a.member, err = p.o.Store.MemberByHandle(ctx, t.Handle)
		if errors.Is(err, store.ErrNotFound) || err == nil && a.member.Status != threading.MemberActive {
			return a, errNoSuchMember
		}
		return a, err
	}
	if a.production, err = p.o.Store.ProductionBySlug(ctx, t.Production); err == nil {
		if a.role, err = p.o.Store.RoleBySlug(ctx, a.production.ID, t.Role); err == nil {
			a.member, err = p.o.Store.Member(ctx, a.production.OwnerID)
		}
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && a.member.Status != threading.MemberActive:
		return a, errNoSuchRole
	case err != nil:
		return a, err
	case !a.production.ClosedAt.IsZero():
		return a, errProductionClosed(a.production)
	case a.member.ID == writer.ID:
		return a, errOwnRole
	}
	return a, nil
}

// ours reports whether a recipient's domain is the relay's, in whatever case
// and spelling (A-label or U-label).
func (p *Pipeline) ours(domain string) bool {
	domain = strings.TrimSuffix(domain, ".")
	if strings.EqualFold(domain, p.o.Domain) {
		return true
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	return err == nil && strings.EqualFold(ascii, p.o.Domain)
}

func splitRecipient(address string) (local, domain string) {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return address[:at], address[at+1:]
	}
	return address, ""
}

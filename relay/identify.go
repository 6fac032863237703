package relay

import (
	"context"
	"errors"

	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// proveWriter returns the one member who is proven to have written an inbound
// message to these targets. The answers to a contact or role address don't
// depend on whether it exists; those to an alias, whose owner knows that it
// does, say what is wrong.
func (p *Pipeline) proveWriter(ctx context.Context, auth senderauth.Result, targets []Target) (threading.Member, error) {
	var holder threading.ID // zero: no alias among the targets
	for _, t := range targets {
		if t.Kind != threading.RecipientAlias {
			continue
		}
		if holder != 0 && holder != t.Alias.ViewerID {
			return threading.Member{}, errNotHolder
		}
		holder = t.Alias.ViewerID
	}
	if auth.FromError != "" {
		return threading.Member{}, refuse(550, 5, 7, 1, "We can't tell who wrote this message: %s.", auth.FromError)
	}
	if !auth.Aligned && auth.TempError {
		return threading.Member{}, errAuthTemporary
	}
	member, err := p.registered(ctx, auth)
	if err != nil {
		return threading.Member{}, err
	}
	known := member.ID != 0
	switch {
	case holder == 0 && (!known || !auth.Aligned):
		return threading.Member{}, errNotMember
	case holder == 0:
		return member, nil
	case !auth.Aligned && auth.Policy == senderauth.PolicyReject:
		return threading.Member{}, errForged
	case !auth.Aligned:
		return threading.Member{}, &nearMiss{Refusal: errForged}
	case !known || member.ID != holder:
		return threading.Member{}, &nearMiss{Refusal: errNotHolder, proven: true}
	}
	return member, nil
}

// registered returns the active member whose address is in From; the zero
// Member if it is nobody's.
func (p *Pipeline) registered(ctx context.Context, auth senderauth.Result) (threading.Member, error) {
	m, err := p.o.Store.MemberByAddress(ctx, auth.From)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Status != threading.MemberActive {
		return threading.Member{}, nil
	}
	return m, err
}

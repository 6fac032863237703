package relay

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// MailSignInLink mails a link that signs in to the member with that handle,
// contact address or real address, and leads to a page then (a path below the
// base URL, which the door has checked; empty: the account). It is no error if there is none, or if
// links that the requester asked for still work: callers say the same in all cases.
func (p *Pipeline) MailSignInLink(ctx context.Context, name, to, requester string) error {
	m, err := p.memberByName(ctx, strings.TrimSpace(name))
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Status != threading.MemberActive {
		return nil
	} else if err != nil {
		return err
	}
	_, err = p.o.Store.NewSignInLink(ctx, m.ID, requester, func(id threading.ID) (store.Notice, error) {
		return p.signInNotice(ctx, m, id, to)
	})
	if errors.Is(err, store.ErrTooManyLinks) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func (p *Pipeline) memberByName(ctx context.Context, name string) (threading.Member, error) {
	local, domain := splitRecipient(name)
	if domain == "" || p.ours(domain) {
		return p.o.Store.MemberByHandle(ctx, strings.ToLower(local))
	}
	return p.o.Store.MemberByAddress(ctx, name)
}

func (p *Pipeline) signInNotice(ctx context.Context, m threading.Member, id threading.ID, to string) (store.Notice, error) {
	link := p.o.BaseURL + "/signin/" + p.o.Store.Keyring().Token(seal.TokenSignIn, id)
	if to != "" {
		link += "?to=" + url.QueryEscape(to)
	}
	l := p.o.Languages.Of(m.Language)
	text := l.Say("hello", "name", m.DisplayName()) + "\n\n" + l.Say("signin.text",
		"url", link, "n", int(store.SignInLinkFor.Minutes()))
	return p.Compose(ctx, Notice{To: m, From: "postmaster", Subject: l.Say("signin.subject", "brand", p.o.Brand), Text: text + "\n"})
}

// DeviceLink makes a link that signs a member, who is signed in, in on another
// device. store.ErrTooManyLinks.
func (p *Pipeline) DeviceLink(ctx context.Context, m threading.Member) (string, error) {
	id, err := p.o.Store.NewSignInLink(ctx, m.ID, "", nil)
	if err != nil {
		return "", err
	}
	return p.o.BaseURL + "/signin/" + p.o.Store.Keyring().Token(seal.TokenSignIn, id), nil
}

// SignInLink says whether the link with that token works. ErrNoQuestion.
func (p *Pipeline) SignInLink(ctx context.Context, token string) error {
	id, ok := p.o.Store.Keyring().ParseToken(seal.TokenSignIn, token)
	if !ok {
		return ErrNoQuestion
	}
	err := p.o.Store.SignInLink(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoQuestion
	}
	return err
}

// UseSignInLink takes the link and returns whom it signs in. ErrNoQuestion.
func (p *Pipeline) UseSignInLink(ctx context.Context, token string) (threading.Member, error) {
	id, ok := p.o.Store.Keyring().ParseToken(seal.TokenSignIn, token)
	if !ok {
		return threading.Member{}, ErrNoQuestion
	}
	memberID, err := p.o.Store.UseSignInLink(ctx, id)
	var m threading.Member
	if err == nil {
		m, err = p.o.Store.Member(ctx, memberID)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Status != threading.MemberActive {
		return m, ErrNoQuestion
	}
	return m, err
}

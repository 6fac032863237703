package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// errRequireTLS: the operator must not miss mail because their own mail server
// does not offer REQUIRETLS.
var errRequireTLS = refuse(550, 5, 7, 30, "A message to this address can't be passed on with REQUIRETLS. Please send it without.")

// askedTLS is what a message's writer asks of its way: by REQUIRETLS, which
// comes before the field (RFC 8689 section 4.1), or by TLS-Required: No
// (section 5).
func askedTLS(h *head, require bool) threading.TLS {
	switch {
	case require:
		return threading.TLSRequired
	case h.count("TLS-Required") == 1 && strings.EqualFold(h.get("TLS-Required"), "No"):
		return threading.TLSOptional
	}
	return ""
}

// ask notes what a message's writer asks of its way in each of its letters.
func (pl *plan) ask(tls threading.TLS) {
	for _, l := range pl.letters {
		l.tls = tls
	}
}

// Withheld tells a member by mail that a message is in their mailbox which
// can't be mailed to them, since their mail server does not do what its writer
// asked by REQUIRETLS. The notice shows nothing of the message. The writer is
// not told: the message is filed, and what the other's mail server can do is
// the other's business.
func (p *Pipeline) Withheld(ctx context.Context, memberID, threadID threading.ID) error {
	m, err := p.o.Store.Member(ctx, memberID)
	var view threading.ThreadView
	if err == nil {
		view, err = p.o.Store.Thread(ctx, threadID)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read whom to tell of a message: %w", err)
	}
	l := p.o.Languages.Of(m.Language)
	names := strings.Join(otherNames(&view, m.ID), ", ")
	text := l.Say("hello", "name", m.DisplayName()) + "\n\n" + l.Say("withheld.text", "names", names) + "\n"
	if p.o.BaseURL != "" {
		text += l.Say("withheld.page", "url", p.o.BaseURL+"/account/connect") + "\n"
	}
	n, err := p.Compose(ctx, Notice{To: m, From: "postmaster", Subject: l.Say("withheld.subject", "names", names), Text: text, Others: view.Participants})
	if err != nil {
		return err
	}
	if err := p.o.Store.EnqueueNotice(ctx, n); err != nil {
		return fmt.Errorf("queue a notice: %w", err)
	}
	return nil
}

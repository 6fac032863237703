package imapd

import (
	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
)

// prepareAll makes the member's mailbox of all conversations, where the store
// is to have one. That it can't be made keeps nobody from signing in.
func (s *Session) prepareAll() {
	if err := s.store().EnsureAll(s.ctx, s.member.ID); err != nil && s.ctx.Err() == nil {
		s.srv.o.Logger.Error("can't make the mailbox of all conversations", "member", s.member.Handle, "error", err)
	}
}

// expungeable refuses EXPUNGE in the mailbox of all conversations: what is in
// it goes where it is deleted elsewhere.
func (s *Session) expungeable() error {
	if s.box.Use == threading.UseAll {
		return no(imap.ResponseCodeCannot, "This mailbox shows what is in others: delete messages there.")
	}
	return nil
}

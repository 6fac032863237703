package imapd

import "github.com/stagedoor/stagedoor/threading"

// Counts is a mailbox with its counts.
type Counts = threading.MailboxStatus

// Counts returns all mailboxes with their counts, for NOTIFY.
func (s *Session) Counts() ([]Counts, error) {
	var list []Counts
	err := aside(func() (err error) {
		list, err = s.store().MailboxStatuses(s.ctx, s.member.ID)
		return err
	})
	return list, err
}

// Done is closed when the session ends.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

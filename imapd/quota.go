package imapd

import (
	"fmt"

	"github.com/emersion/go-imap/v2"
)

// Quota is the STORAGE of a member's one quota root (RFC 9208 section 5.1), in
// units of 1,024 octets. The root's name is empty.
type Quota struct {
	Usage, Limit int64
}

// Quota answers GETQUOTA. nil: there is no bound, and so no quota root.
func (s *Session) Quota(root string) (*Quota, error) {
	if root != "" {
		return nil, no(imap.ResponseCodeNonExistent, "There is no such quota root: yours has an empty name.")
	}
	octets, quota, err := s.store().Usage(s.ctx, s.member.ID)
	if err != nil {
		return nil, fmt.Errorf("read the quota: %w", err)
	}
	if quota == 0 {
		return nil, nil
	}
	return &Quota{Usage: (octets + 1023) / 1024, Limit: quota / 1024}, nil
}

// QuotaRoot answers GETQUOTAROOT: every mailbox has the same root.
func (s *Session) QuotaRoot(mailbox string) (*Quota, error) {
	if _, err := s.store().Mailbox(s.ctx, s.member.ID, mailbox); err != nil {
		return nil, answer(err, imap.ResponseCodeNonExistent)
	}
	return s.Quota("")
}

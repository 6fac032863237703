package imapd

import (
	"context"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
)

// A message is \Recent in the first session that is told of it (RFC 3501
// section 2.3.2). Which was the first is kept in memory, and written down when
// the mailbox is left: after a crash some messages are new once more, as the
// RFC has it where that can't be known.

// flagRecent is RFC 3501's; RFC 9051 has it no more.
const flagRecent imap.Flag = `\Recent`

// maxRecent bounds the mailboxes that are kept in memory.
const maxRecent = 100000

// claim makes the messages up to next, that no session was told of, this
// session's to tell of.
func (s *Session) claim(b *selected, next uint32) {
	srv := s.srv
	srv.mu.Lock()
	defer srv.mu.Unlock()
	from, known := srv.recent[b.ID]
	from = max(from, b.RecentFrom)
	if from >= next {
		return
	}
	if !b.readOnly && (known || len(srv.recent) < maxRecent) {
		srv.recent[b.ID] = next
	}
	b.recent = append(b.recent, threading.UIDRange{First: from, Last: next - 1})
}

// recentFrom is the first UID of a mailbox that no session was told of.
func (s *Session) recentFrom(mb *threading.Mailbox) uint32 {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	return max(s.srv.recent[mb.ID], mb.RecentFrom)
}

// noteRecent writes down what the session told of in its mailbox.
func (s *Session) noteRecent() {
	b := s.box
	if b == nil || b.readOnly || len(b.recent) == 0 {
		return
	}
	next := b.recent[len(b.recent)-1].Last + 1
	// That it can't be written shows messages as new once more.
	_ = aside(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 5*time.Second)
		defer cancel()
		return s.store().SetRecentFrom(ctx, s.member.ID, b.ID, next)
	})
}

// countRecent is how many of the session's recent messages are there.
func (b *selected) countRecent() uint32 { return uint32(b.count(b.recent)) }

// flags are an entry's flags as this session's client sees them.
func (s *Session) flags(e *threading.Entry) []imap.Flag {
	list := flagsOf(e.Flags, e.Keywords)
	if !s.IMAP4rev2 && len(s.box.recent) > 0 && s.box.recent.Contains(e.UID) {
		list = append(list, flagRecent)
	}
	return list
}

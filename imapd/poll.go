package imapd

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Update is something that a client is told unasked: an expunge, a number of
// messages, or new flags.
type Update struct {
	Expunged    uint32 // sequence number
	ExpungedUID uint32
	Exists      uint32
	New         uint32 // how many of them the client did not know
	Recent      uint32 // how many of them are \Recent
	Fetch       *FlagsUpdate
}

// FlagsUpdate are a message's new flags.
type FlagsUpdate struct {
	Seq    uint32
	UID    imap.UID
	Flags  []imap.Flag // nil: not told
	ModSeq uint64
}

// Poll returns what happened in the selected mailbox since the last time, in
// the order in which it is to be told: expunges, flags, new messages. Sequence
// numbers are those that hold when the update is told. ErrSignedOut ends the
// session.
func (s *Session) Poll(allowExpunge bool) ([]Update, error) {
	if err := s.recheck(); err != nil {
		return nil, err
	}
	b := s.box
	if b == nil {
		return nil, nil
	}
	var entries []threading.Entry
	if s.feed.ModSeq() > b.modseq {
		ch, err := s.changes()
		if err != nil {
			return nil, err
		}
		for _, uid := range ch.Expunged {
			if b.seq(uid) != 0 {
				b.gone = append(b.gone, uid)
			}
		}
		entries = slices.DeleteFunc(ch.Entries, func(e threading.Entry) bool { return b.knows(&e) })
		b.modseq = ch.ModSeq
	}
	b.told = nil
	var updates []Update
	if allowExpunge {
		b.missed = false
		if len(b.gone) > 0 {
			updates = b.expunge()
		}
	}
	return s.take(entries, updates), nil
}

// maxPolls bounds how many sessions ask the store for changes at once: of
// thousands that one commit wakes, the others wait in line.
const maxPolls = 8

// changes asks the store what changed.
func (s *Session) changes() (ch store.Changes, err error) {
	select {
	case s.srv.polls <- struct{}{}:
		defer func() { <-s.srv.polls }()
	case <-s.ctx.Done():
		return ch, s.ctx.Err()
	}
	err = aside(func() (err error) {
		if ch, err = s.store().Changes(s.ctx, s.member.ID, s.box.ID, s.box.modseq); err != nil || !ch.Incomplete {
			return err
		}
		// More is gone than the store remembers: compare.
		uids, _, err := s.store().UIDs(s.ctx, s.member.ID, s.box.ID)
		for _, uid := range s.box.uids {
			if _, there := slices.BinarySearch(uids, uid); !there {
				ch.Expunged = append(ch.Expunged, uid)
			}
		}
		return err
	})
	return ch, err
}

// take adds new entries, and what to tell of these and of the changed ones.
func (s *Session) take(entries []threading.Entry, updates []Update) []Update {
	b := s.box
	known := len(b.uids)
	var last uint32
	if known > 0 {
		last = b.uids[known-1]
	}
	for i := range entries {
		e := &entries[i]
		if seq := b.seq(e.UID); seq != 0 {
			updates = append(updates, Update{Fetch: &FlagsUpdate{Seq: seq, UID: imap.UID(e.UID), Flags: s.flags(e), ModSeq: e.ModSeq}})
		} else if e.UID > last {
			b.uids = append(b.uids, e.UID)
		}
	}
	if n := len(b.uids); n > known {
		if !s.IMAP4rev2 {
			s.claim(b, b.uids[n-1]+1)
		}
		updates = append(updates, Update{Exists: uint32(n), New: uint32(n - known), Recent: b.countRecent()})
	}
	return updates
}

// expunge removes what is gone and returns what to tell, the highest sequence
// number first, so that none changes before it is told.
func (b *selected) expunge() []Update {
	slices.Sort(b.gone)
	gone := slices.Compact(b.gone)
	var updates []Update
	for _, uid := range slices.Backward(gone) {
		if seq := b.seq(uid); seq != 0 {
			updates = append(updates, Update{Expunged: seq, ExpungedUID: uid})
		}
	}
	b.uids = slices.DeleteFunc(b.uids, func(uid uint32) bool {
		_, found := slices.BinarySearch(gone, uid)
		return found
	})
	b.gone = nil
	return updates
}

// ExpungesWait reports whether messages are gone that the client was not told of
// yet, because sequence numbers must not move.
func (s *Session) ExpungesWait() bool {
	return s.box != nil && (s.box.missed || len(s.box.gone) > 0)
}

// Changed is sent to when there may be something to poll for. It has one
// reader at a time.
func (s *Session) Changed() <-chan struct{} { return s.feed.C }

// Messages is how many messages of the selected mailbox the client knows.
func (s *Session) Messages() uint32 {
	if s.box == nil {
		return 0
	}
	return uint32(len(s.box.uids))
}

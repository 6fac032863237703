package imapd

import (
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Update is something that a client is told unasked: exactly one field is set.
type Update struct {
	Expunge uint32 // sequence number
	Exists  uint32 // number of messages
	Fetch   *FlagsUpdate
}

// FlagsUpdate are a message's new flags.
type FlagsUpdate struct {
	Seq   uint32
	UID   imap.UID
	Flags []imap.Flag
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
	if allowExpunge && len(b.gone) > 0 {
		for _, seq := range b.expunge() {
			updates = append(updates, Update{Expunge: seq})
		}
	}
	return b.take(entries, updates), nil
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
func (b *selected) take(entries []threading.Entry, updates []Update) []Update {
	known := len(b.uids)
	var last uint32
	if known > 0 {
		last = b.uids[known-1]
	}
	for i := range entries {
		e := &entries[i]
		if seq := b.seq(e.UID); seq != 0 {
			updates = append(updates, Update{Fetch: &FlagsUpdate{Seq: seq, UID: imap.UID(e.UID), Flags: flagsOf(e.Flags, e.Keywords)}})
		} else if e.UID > last {
			b.uids = append(b.uids, e.UID)
		}
	}
	if n := len(b.uids); n > known {
		updates = append(updates, Update{Exists: uint32(n)})
	}
	return updates
}

// expunge removes what is gone and returns the sequence numbers to tell,
// highest first, so that none changes before it is told.
func (b *selected) expunge() []uint32 {
	slices.Sort(b.gone)
	gone := slices.Compact(b.gone)
	var seqs []uint32
	for _, uid := range slices.Backward(gone) {
		if seq := b.seq(uid); seq != 0 {
			seqs = append(seqs, seq)
		}
	}
	b.uids = slices.DeleteFunc(b.uids, func(uid uint32) bool {
		_, found := slices.BinarySearch(gone, uid)
		return found
	})
	b.gone = nil
	return seqs
}

// KeepAlive is how often an idling client hears something, so that no NAT box
// forgets the connection.
const KeepAlive = 4 * time.Minute

// Idle calls tell with what happens until stop is closed or the session ends.
func (s *Session) Idle(stop <-chan struct{}, tell func([]Update) error) error {
	tick := time.NewTicker(KeepAlive)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-s.ctx.Done():
			return nil
		default:
		}
		updates, err := s.Poll(true)
		if err != nil {
			return err
		}
		if len(updates) > 0 {
			if err := tell(updates); err != nil {
				return err
			}
		}
		select {
		case <-s.feed.C:
		case <-tick.C:
			// Saying again how many messages there are is allowed at any time (RFC 9051 section 7.4.1).
			if s.box != nil {
				if err := tell([]Update{{Exists: uint32(len(s.box.uids))}}); err != nil {
					return err
				}
			}
		case <-stop:
			return nil
		case <-s.ctx.Done():
			return nil
		}
	}
}

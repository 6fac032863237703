package imapd

import (
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
)

// selected is the mailbox that a session has open, as its client knows it.
type selected struct {
	threading.Mailbox
	readOnly bool
	uids     []uint32 // by sequence number, from 1
	modseq   uint64   // what uids are true of
	// gone are expunged UIDs that the client has not been told of yet.
	gone []uint32
	// own are mod-sequences of changes that this session made and has
	// answered for: they are not told again.
	own []uint64
}

// seq returns a UID's sequence number, 0 if the client doesn't know it.
func (b *selected) seq(uid uint32) uint32 {
	if i, ok := slices.BinarySearch(b.uids, uid); ok {
		return uint32(i + 1)
	}
	return 0
}

// permanent are the flags that STORE keeps; \* allows new keywords.
var permanent = []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft, imap.FlagWildcard}

// Select opens a mailbox; it closes the one that is open.
func (s *Session) Select(name string, readOnly bool) (*imap.SelectData, error) {
	s.Unselect()
	mb, err := s.store().Mailbox(s.ctx, s.member.ID, name)
	if err != nil {
		return nil, answer(err, imap.ResponseCodeNonExistent)
	}
	uids, modseq, err := s.store().UIDs(s.ctx, s.member.ID, mb.ID)
	if err != nil {
		return nil, answer(err, imap.ResponseCodeNonExistent)
	}
	s.box = &selected{Mailbox: mb, readOnly: readOnly, uids: slices.Clip(uids), modseq: modseq}
	next := mb.UIDNext
	if n := len(uids); n > 0 {
		next = max(next, uids[n-1]+1)
	}
	flags := permanent[:len(permanent)-1]
	d := &imap.SelectData{Flags: flags, PermanentFlags: permanent, NumMessages: uint32(len(uids)), UIDNext: imap.UID(next), UIDValidity: mb.UIDValidity}
	if readOnly {
		d.PermanentFlags = []imap.Flag{}
	}
	d.List = &imap.ListData{Delim: threading.HierarchySep, Mailbox: mb.Name}
	return d, nil
}

// Unselect closes the mailbox without expunging.
func (s *Session) Unselect() {
	s.box = nil
	s.searchResult = nil
}

// writable refuses changes to a mailbox that was opened by EXAMINE.
func (s *Session) writable() error {
	if s.box.readOnly {
		return no(imap.ResponseCodeNoPerm, "The mailbox is open for reading only.")
	}
	return nil
}

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
// the order in which it is to be told.
func (s *Session) Poll(allowExpunge bool) ([]Update, error) {
	b := s.box
	if b == nil {
		return nil, nil
	}
	var updates []Update
	if s.feed.ModSeq() > b.modseq {
		ch, err := s.store().Changes(s.ctx, s.member.ID, b.ID, b.modseq)
		if err != nil {
			return nil, err
		}
		b.modseq = ch.ModSeq
		for _, uid := range ch.Expunged {
			if b.seq(uid) != 0 {
				b.gone = append(b.gone, uid)
			}
		}
		updates = b.take(ch.Entries)
		b.own = nil
	}
	if allowExpunge && len(b.gone) > 0 {
		updates = append(b.expunge(), updates...)
	}
	return updates, nil
}

// take adds new entries and returns what to tell of them. Sequence numbers are
// those after the expunges that are told before, so they are counted late.
func (b *selected) take(entries []threading.Entry) []Update {
	var updates []Update
	known := len(b.uids)
	var last uint32
	if known > 0 {
		last = b.uids[known-1]
	}
	for _, e := range entries {
		if e.UID > last {
			b.uids = append(b.uids, e.UID)
			last = e.UID
			continue
		}
		if !slices.Contains(b.own, e.ModSeq) && b.seq(e.UID) != 0 {
			updates = append(updates, Update{Fetch: &FlagsUpdate{UID: imap.UID(e.UID), Flags: flagsOf(e.Flags, e.Keywords)}})
		}
	}
	if len(b.uids) > known {
		updates = append(updates, Update{Exists: 1})
	}
	return updates
}

// expunge removes what is gone, highest first, so that the numbers need not be
// recounted.
func (b *selected) expunge() []Update {
	slices.Sort(b.gone)
	b.gone = slices.Compact(b.gone)
	var updates []Update
	for i := len(b.gone) - 1; i >= 0; i-- {
		if seq := b.seq(b.gone[i]); seq != 0 {
			updates = append(updates, Update{Expunge: seq})
		}
	}
	gone := b.gone
	b.uids = slices.DeleteFunc(b.uids, func(uid uint32) bool {
		_, found := slices.BinarySearch(gone, uid)
		return found
	})
	b.gone = nil
	return updates
}

// Number fills in the sequence numbers and counts that Poll left open, when the
// update is told.
func (s *Session) Number(u Update) Update {
	switch {
	case u.Exists != 0:
		u.Exists = uint32(len(s.box.uids))
	case u.Fetch != nil:
		u.Fetch.Seq = s.box.seq(uint32(u.Fetch.UID))
	}
	return u
}

// KeepAlive is how often an idling client hears something, so that no NAT box
// forgets the connection.
const KeepAlive = 4 * time.Minute

// Idle calls tell with what happens until stop is closed.
func (s *Session) Idle(stop <-chan struct{}, tell func([]Update) error) error {
	tick := time.NewTicker(KeepAlive)
	defer tick.Stop()
	for {
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
				if err := tell([]Update{{Exists: 1}}); err != nil {
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

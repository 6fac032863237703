package imapd

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// selected is the mailbox that a session has open, as its client knows it.
type selected struct {
	threading.Mailbox
	readOnly bool
	uids     []uint32 // by sequence number, from 1
	modseq   uint64   // what uids, and the flags told, are true of
	// gone are expunged UIDs that the client has not been told of yet.
	gone []uint32
	// missed: a scan did not find some that the client knows.
	missed bool
	// told are the mod-sequences, by UID, of entries whose flags the client
	// has been told since modseq: a poll doesn't repeat them. Emptied by it.
	told map[uint32]uint64
	// recent are the UIDs that this session was the first to be told of.
	recent threading.UIDSet
}

// seq returns a UID's sequence number, 0 if the client doesn't know it.
func (b *selected) seq(uid uint32) uint32 {
	if i, ok := slices.BinarySearch(b.uids, uid); ok {
		return uint32(i + 1)
	}
	return 0
}

// tell notes that the client learns the entry's flags as they are.
func (b *selected) tell(e *threading.Entry) {
	if e.ModSeq <= b.modseq {
		return
	}
	if b.told == nil {
		b.told = map[uint32]uint64{}
	}
	b.told[e.UID] = e.ModSeq
}

// knows reports whether the client has been told of the entry's flags.
func (b *selected) knows(e *threading.Entry) bool {
	return e.ModSeq <= b.modseq || b.told[e.UID] == e.ModSeq
}

// permanent are the flags that STORE keeps; \* allows new keywords.
var permanent = []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft, imap.FlagWildcard}

// SelectOptions are those of SELECT and EXAMINE.
type SelectOptions struct {
	ReadOnly bool
	// Aside: the client is not told of what is in it.
	Aside   bool
	QResync *QResync
}

// QResync is what a client knew of a mailbox (RFC 7162 section 3.2.5).
type QResync struct {
	UIDValidity uint32
	ModSeq      uint64
	Known       threading.UIDSet // nil: all
}

// Selected is what a client is told of the mailbox that it opens.
type Selected struct {
	*imap.SelectData
	MailboxID string
	// Vanished and Changed are what happened since what the client knew.
	Vanished threading.UIDSet
	Changed  []FlagsUpdate
}

// Select opens a mailbox; it closes the one that is open.
func (s *Session) Select(name string, o SelectOptions) (*Selected, error) {
	s.Unselect()
	var mb threading.Mailbox
	var c store.Contents
	var highest uint64
	err := aside(func() (err error) {
		if mb, err = s.store().Mailbox(s.ctx, s.member.ID, name); err != nil {
			return err
		}
		if highest, err = s.store().HighestModSeq(s.ctx, s.member.ID, mb.ID); err != nil {
			return err
		}
		c, err = s.store().Contents(s.ctx, s.member.ID, mb.ID)
		return err
	})
	if err != nil {
		return nil, answer(err, imap.ResponseCodeNonExistent)
	}
	s.box = &selected{Mailbox: mb, readOnly: o.ReadOnly, uids: slices.Clip(c.UIDs), modseq: c.ModSeq}
	next := mb.UIDNext
	if n := len(c.UIDs); n > 0 {
		next = max(next, c.UIDs[n-1]+1)
	}
	if !o.Aside && !s.IMAP4rev2 {
		s.claim(s.box, next)
	}
	flags := slices.Clone(permanent[:len(permanent)-1])
	for _, k := range c.Keywords {
		flags = append(flags, imap.Flag(k))
	}
	d := &imap.SelectData{Flags: flags, PermanentFlags: append(slices.Clone(flags), imap.FlagWildcard), NumMessages: uint32(len(c.UIDs)), UIDNext: imap.UID(next), UIDValidity: mb.UIDValidity,
		NumRecent: s.box.countRecent(), HighestModSeq: highest}
	if o.ReadOnly {
		d.PermanentFlags = []imap.Flag{}
	}
	d.List = &imap.ListData{Delim: threading.HierarchySep, Mailbox: mb.Name}
	out := &Selected{SelectData: d, MailboxID: s.objectID(seal.TokenMailbox, mb.ID)}
	if c.FirstUnseen != 0 {
		d.FirstUnseenSeqNum = s.box.seq(c.FirstUnseen)
	}
	if q := o.QResync; q != nil && q.UIDValidity == mb.UIDValidity {
		out.Vanished, out.Changed, err = s.resync(q.Known, q.ModSeq)
	}
	return out, err
}

// resync returns what vanished of the messages that a client knew (nil: of
// all), and the flags that changed, since a mod-sequence.
func (s *Session) resync(known threading.UIDSet, since uint64) (vanished threading.UIDSet, changed []FlagsUpdate, err error) {
	gone, entries, err := s.changedSince(known, since)
	if err != nil {
		return nil, nil, err
	}
	for i := range entries {
		e := &entries[i]
		if seq := s.box.seq(e.UID); seq != 0 && (known == nil || known.Contains(e.UID)) {
			s.box.tell(e)
			changed = append(changed, FlagsUpdate{Seq: seq, UID: imap.UID(e.UID), Flags: s.flags(e), ModSeq: e.ModSeq})
		}
	}
	return gone, changed, nil
}

func (s *Session) changesSince(since uint64) (ch store.Changes, err error) {
	err = aside(func() (err error) {
		ch, err = s.store().Changes(s.ctx, s.member.ID, s.box.ID, since)
		return err
	})
	return ch, err
}

// changedSince returns what vanished of a set (nil: of all that there could be)
// and the entries that changed, since a mod-sequence.
func (s *Session) changedSince(known threading.UIDSet, since uint64) (gone threading.UIDSet, entries []threading.Entry, err error) {
	ch, err := s.changesSince(since)
	if err != nil {
		return nil, nil, err
	}
	all := known
	if all == nil && s.box.UIDNext > 1 {
		all = threading.UIDSet{{First: 1, Last: s.box.UIDNext - 1}}
	}
	here := threading.UIDsOf(s.box.uids)
	gone = all.Subtract(here)
	if !ch.Incomplete {
		gone = gone.Intersect(threading.UIDsOf(ch.Expunged))
	}
	return gone, ch.Entries, nil
}

// Unselect closes the mailbox without expunging.
func (s *Session) Unselect() {
	s.noteRecent()
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

// HighestModSeq is the mod-sequence up to which the client knows what happened
// in the selected mailbox.
func (s *Session) HighestModSeq() (uint64, error) {
	m, err := s.store().HighestModSeq(s.ctx, s.member.ID, s.box.ID)
	if err == nil && len(s.box.gone) == 0 {
		return max(1, min(m, s.box.modseq)), nil
	}
	return 1, err
}

// SelectedName is the name of the mailbox that is open; empty: none is.
func (s *Session) SelectedName() string {
	if s.box == nil {
		return ""
	}
	return s.box.Name
}

package imapd

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
)

// selected is the mailbox that a session has open, as its client knows it.
type selected struct {
	threading.Mailbox
	readOnly bool
	uids     []uint32 // by sequence number, from 1
	modseq   uint64   // what uids, and the flags told, are true of
	// gone are expunged UIDs that the client has not been told of yet.
	gone []uint32
	// told are the mod-sequences, by UID, of entries whose flags the client
	// has been told since modseq: a poll doesn't repeat them. Emptied by it.
	told map[uint32]uint64
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

// Select opens a mailbox; it closes the one that is open.
func (s *Session) Select(name string, readOnly bool) (*imap.SelectData, error) {
	s.Unselect()
	var mb threading.Mailbox
	var uids []uint32
	var modseq uint64
	err := aside(func() (err error) {
		if mb, err = s.store().Mailbox(s.ctx, s.member.ID, name); err != nil {
			return err
		}
		uids, modseq, err = s.store().UIDs(s.ctx, s.member.ID, mb.ID)
		return err
	})
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

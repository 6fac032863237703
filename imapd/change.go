package imapd

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
)

// storeOps are STORE's ways to change flags.
var storeOps = map[imap.StoreFlagsOp]threading.FlagOp{
	imap.StoreFlagsSet: threading.FlagsReplace, imap.StoreFlagsAdd: threading.FlagsAdd, imap.StoreFlagsDel: threading.FlagsRemove,
}

// StoreOptions are those of STORE.
type StoreOptions struct {
	UnchangedSince *uint64 // RFC 7162 section 3.1.3
	// ModSeqs: the client is told of mod-sequences, also where the change is
	// silent.
	ModSeqs bool
}

// Store changes flags and calls tell for each message in the set, with its
// flags as they are then; with change.Silent only for those that another
// session changed as well (RFC 9051 section 6.4.6). It returns the UIDs that
// were left alone because they changed since.
func (s *Session) Store(set imap.NumSet, change *imap.StoreFlags, o StoreOptions, tell func(FlagsUpdate) error) (modified threading.UIDSet, err error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	flags, keywords, err := parseFlags(change.Flags)
	if err != nil {
		return nil, err
	}
	uids := s.uids(set)
	if len(uids) == 0 {
		return nil, nil
	}
	op := storeOps[change.Op]
	expected := map[uint32]threading.Entry{}
	if change.Silent {
		if expected, err = s.expect(uids, op, flags, keywords); err != nil {
			return nil, err
		}
	}
	var entries []threading.Entry
	if o.UnchangedSince != nil {
		entries, modified, err = s.store().StoreFlagsUnchanged(s.ctx, s.member.ID, s.box.ID, uids, *o.UnchangedSince, op, flags, keywords)
	} else {
		entries, err = s.store().StoreFlags(s.ctx, s.member.ID, s.box.ID, uids, op, flags, keywords)
	}
	if err != nil {
		return nil, answer(err, imap.ResponseCodeNonExistent)
	}
	for i := range entries {
		e := &entries[i]
		seq := s.box.seq(e.UID)
		if seq == 0 {
			continue
		}
		before := s.box.modseq
		s.box.tell(e)
		u := FlagsUpdate{Seq: seq, UID: imap.UID(e.UID), ModSeq: e.ModSeq}
		if x, ok := expected[e.UID]; !ok || x.Flags != e.Flags || !slices.Equal(x.Keywords, e.Keywords) {
			u.Flags = s.flags(e)
		} else if !o.ModSeqs || e.ModSeq <= before {
			continue
		}
		if err := tell(u); err != nil {
			return nil, err
		}
	}
	return modified, nil
}

// Seqs are the sequence numbers of UIDs that the client knows.
func (s *Session) Seqs(set threading.UIDSet) (seqs []uint32) {
	for _, r := range set {
		for i, _ := slices.BinarySearch(s.box.uids, r.First); i < len(s.box.uids) && s.box.uids[i] <= r.Last; i++ {
			seqs = append(seqs, uint32(i+1))
		}
	}
	return seqs
}

// Nums are the UIDs of a set that the client knows.
func (s *Session) Nums(set threading.UIDSet) (uids []uint32) {
	for _, seq := range s.Seqs(set) {
		uids = append(uids, s.box.uids[seq-1])
	}
	return uids
}

// expect returns the flags that a client will believe the messages to have
// after its silent change: those whose flags it knows now. The others it must
// be told of.
func (s *Session) expect(uids threading.UIDSet, op threading.FlagOp, flags threading.Flags, keywords []string) (map[uint32]threading.Entry, error) {
	expected := map[uint32]threading.Entry{}
	err := s.store().Entries(s.ctx, s.member.ID, s.box.ID, uids, func(e threading.Entry) error {
		if s.box.knows(&e) {
			x := threading.Entry{}
			x.Flags, x.Keywords = op.Apply(e.Flags, e.Keywords, flags, keywords)
			expected[e.UID] = x
		}
		return nil
	})
	return expected, err
}

// CloseMailbox removes the messages with \Deleted, as CLOSE does, and nothing
// if the mailbox was opened by EXAMINE (RFC 9051 section 6.4.1).
func (s *Session) CloseMailbox() error {
	if s.box.readOnly || s.expungeable() != nil {
		return nil
	}
	_, err := s.Expunge(nil)
	return err
}

// Expunge removes the messages with \Deleted (of the set; nil: of all) and
// returns them in the order in which they are to be told.
func (s *Session) Expunge(set *imap.UIDSet) ([]Update, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	if err := s.expungeable(); err != nil {
		return nil, err
	}
	var uids threading.UIDSet
	if set != nil {
		if uids = s.uids(*set); len(uids) == 0 {
			return nil, nil
		}
	}
	gone, err := s.store().Expunge(s.ctx, s.member.ID, s.box.ID, uids)
	if err != nil {
		return nil, err
	}
	return s.forget(gone), nil
}

// forget removes UIDs, and returns what the client is to be told.
func (s *Session) forget(gone []uint32) []Update {
	s.box.gone = append(s.box.gone, gone...)
	return s.box.expunge()
}

// Copy copies messages into another mailbox; move takes them away here, and
// returns what to tell of that. The result is nil if there was nothing to copy.
func (s *Session) Copy(set imap.NumSet, dest string, move bool) (*imap.CopyData, []Update, error) {
	if move {
		if err := s.writable(); err != nil {
			return nil, nil, err
		}
	}
	// Named even for an empty set, so that a client learns to create it.
	if _, err := s.store().Mailbox(s.ctx, s.member.ID, dest); err != nil {
		return nil, nil, answer(err, imap.ResponseCodeTryCreate)
	}
	uids := s.uids(set)
	if len(uids) == 0 {
		return nil, nil, nil
	}
	res, err := s.store().Copy(s.ctx, s.member.ID, s.box.ID, uids, dest, move)
	if err != nil {
		return nil, nil, answer(err, imap.ResponseCodeTryCreate)
	}
	if len(res.From) == 0 {
		return nil, nil, nil
	}
	data := &imap.CopyData{UIDValidity: res.UIDValidity, SourceUIDs: uidSet(res.From), DestUIDs: uidSet(res.To)}
	if !move {
		return data, nil, nil
	}
	return data, s.forget(res.From), nil
}

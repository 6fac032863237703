package imapd

import (
	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Store changes flags and calls tell for each message in the set, with its
// flags as they are then.
func (s *Session) Store(set imap.NumSet, change *imap.StoreFlags, tell func(FlagsUpdate) error) error {
	if err := s.writable(); err != nil {
		return err
	}
	flags, keywords, err := parseFlags(change.Flags)
	if err != nil {
		return err
	}
	uids := s.uids(set)
	if len(uids) == 0 {
		return nil
	}
	op := map[imap.StoreFlagsOp]threading.FlagOp{
		imap.StoreFlagsSet: threading.FlagsReplace, imap.StoreFlagsAdd: threading.FlagsAdd, imap.StoreFlagsDel: threading.FlagsRemove,
	}[change.Op]
	entries, err := s.store().StoreFlags(s.ctx, s.member.ID, s.box.ID, uids, op, flags, keywords)
	if err != nil {
		return answer(err, imap.ResponseCodeNonExistent)
	}
	s.box.answered(entries)
	if change.Silent {
		return nil
	}
	for _, e := range entries {
		seq := s.box.seq(e.UID)
		if seq == 0 {
			continue
		}
		if err := tell(FlagsUpdate{Seq: seq, UID: imap.UID(e.UID), Flags: flagsOf(e.Flags, e.Keywords)}); err != nil {
			return err
		}
	}
	return nil
}

// Expunge removes the messages with \Deleted (of the set; nil: of all) and
// returns their sequence numbers in the order in which they are to be told.
func (s *Session) Expunge(set *imap.UIDSet) ([]uint32, error) {
	if s.box.readOnly {
		if set == nil {
			return nil, nil // CLOSE of a mailbox opened by EXAMINE removes nothing (RFC 9051 section 6.4.1)
		}
		return nil, s.writable()
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

// forget removes UIDs that the client is being told of, and returns their
// sequence numbers.
func (s *Session) forget(gone []uint32) []uint32 {
	s.box.gone = append(s.box.gone, gone...)
	var seqs []uint32
	for _, u := range s.box.expunge() {
		seqs = append(seqs, u.Expunge)
	}
	return seqs
}

// Copy copies messages into another mailbox; move takes them away here, and
// returns the sequence numbers that they had. The result is nil if there was
// nothing to copy.
func (s *Session) Copy(set imap.NumSet, dest string, move bool) (*imap.CopyData, []uint32, error) {
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
	var res store.CopyResult
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

package imapd

import (
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Bounds of what is read at once with header blocks.
const (
	maxBatch        = 1 << 20 // octets of header blocks
	maxBatchEntries = 100
)

// scan calls f for each message of the set that the client knows, by ascending
// UID, with what is wanted. Where header blocks are wanted, as many are read
// at once as fit into maxBatch.
func (s *Session) scan(set threading.UIDSet, want store.Want, f func(*store.Scanned) error) error {
	known := func(x *store.Scanned) error {
		if s.box.seq(x.UID) == 0 {
			return nil // it came after the client was last told
		}
		return f(x)
	}
	if !want.Header {
		if want.Text {
			return s.store().Scan(s.ctx, s.member.ID, s.box.ID, set, want, func(x store.Scanned) error { return known(&x) })
		}
		return s.store().Entries(s.ctx, s.member.ID, s.box.ID, set, func(e threading.Entry) error { return known(&store.Scanned{Entry: e}) })
	}
	var batch threading.UIDSet
	var octets int64
	entries := 0
	flush := func() error {
		if entries == 0 {
			return nil
		}
		err := s.store().Scan(s.ctx, s.member.ID, s.box.ID, batch, want, func(x store.Scanned) error { return known(&x) })
		batch, octets, entries = nil, 0, 0
		return err
	}
	err := s.store().Entries(s.ctx, s.member.ID, s.box.ID, set, func(e threading.Entry) error {
		if entries == maxBatchEntries || octets+e.HeaderSize > maxBatch {
			if err := flush(); err != nil {
				return err
			}
		}
		batch.AddUID(e.UID)
		octets += e.HeaderSize
		entries++
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

package imapd

import (
	"slices"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// scan calls f for each message of the set that the client knows, by ascending
// UID, with what is wanted. The store bounds what it reads at once.
func (s *Session) scan(set threading.UIDSet, want store.Want, f func(*store.Scanned) error) error {
	left := s.box.count(set)
	err := s.store().Scan(s.ctx, s.member.ID, s.box.ID, set, want, func(x store.Scanned) error {
		if s.box.seq(x.UID) == 0 {
			return nil // it came after the client was last told
		}
		left--
		return f(&x)
	})
	s.box.missed = s.box.missed || err == nil && left > 0
	return err
}

// count is how many messages of the set the client knows.
func (b *selected) count(set threading.UIDSet) (n int) {
	for _, r := range set {
		from, _ := slices.BinarySearch(b.uids, r.First)
		to, found := slices.BinarySearch(b.uids, r.Last)
		if found {
			to++
		}
		n += max(0, to-from)
	}
	return n
}

package imapd

import (
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// scan calls f for each message of the set that the client knows, by ascending
// UID, with what is wanted. The store bounds what it reads at once.
func (s *Session) scan(set threading.UIDSet, want store.Want, f func(*store.Scanned) error) error {
	return s.store().Scan(s.ctx, s.member.ID, s.box.ID, set, want, func(x store.Scanned) error {
		if s.box.seq(x.UID) == 0 {
			return nil // it came after the client was last told
		}
		return f(&x)
	})
}

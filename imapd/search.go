package imapd

import (
	"errors"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Search returns the messages that match, by UID or by sequence number. Text
// is compared as threading.Fold folds it: without regard to case and accents,
// in whatever charset it was written. What the entries alone can tell is
// answered from them; header blocks and texts are read only where the criteria
// ask for them, and only of the messages that the index does not rule out.
func (s *Session) Search(byUID bool, c *imap.SearchCriteria, o *imap.SearchOptions) (*imap.SearchData, error) {
	found, err := s.find(c)
	if err != nil {
		return nil, err
	}
	return s.searchData(byUID, found, o), nil
}

// find returns the UIDs of the messages that match, ascending.
func (s *Session) find(c *imap.SearchCriteria) ([]uint32, error) {
	q, err := s.compile(c, 0)
	if err != nil {
		return nil, err
	}
	if q.all() {
		return s.box.uids, nil
	}
	scope, err := s.narrow(q, q.scope())
	if err != nil {
		return nil, err
	}
	var found []uint32
	texts := q.texts()
	err = s.scan(scope, q.want(), func(x *store.Scanned) error {
		m := &candidate{Scanned: x, load: func() (string, bool, error) { return s.store().Text(s.ctx, x.BodyID, texts) }}
		if q.matches(m) {
			found = append(found, x.UID)
		}
		return errors.Join(m.err, s.ctx.Err())
	})
	return found, err
}

// searchData builds the answer, and saves the result where that is asked for
// (RFC 5182 section 2.1).
func (s *Session) searchData(byUID bool, found []uint32, o *imap.SearchOptions) *imap.SearchData {
	if o.ReturnSave {
		s.searchResult = savedResult(found, o)
	}
	nums := found
	if !byUID {
		nums = make([]uint32, len(found))
		for i, uid := range found {
			nums[i] = s.box.seq(uid)
		}
	}
	d := &imap.SearchData{Count: uint32(len(nums))}
	if n := len(nums); n > 0 {
		d.Min, d.Max = nums[0], nums[n-1]
	}
	if byUID {
		d.All = uidSet(nums)
		return d
	}
	var set imap.SeqSet
	for _, r := range threading.UIDsOf(nums) {
		set.AddRange(r.First, r.Last)
	}
	d.All = set
	return d
}

// savedResult is what SAVE keeps: the minimum and maximum where only these are
// asked for, else all (RFC 5182 section 2.4).
func savedResult(found []uint32, o *imap.SearchOptions) threading.UIDSet {
	if len(found) > 0 && (o.ReturnMin || o.ReturnMax) && !o.ReturnAll && !o.ReturnCount {
		var kept []uint32
		if o.ReturnMin {
			kept = append(kept, found[0])
		}
		if o.ReturnMax {
			kept = append(kept, found[len(found)-1])
		}
		return threading.UIDsOf(kept)
	}
	return threading.UIDsOf(found)
}

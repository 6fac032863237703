package imapd

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stagedoor/stagedoor/threading/store"
)

// SortCriterion is a key to sort by (RFC 5256 section 3, RFC 5957 section 3):
// ARRIVAL, CC, DATE, FROM, SIZE, SUBJECT, TO, DISPLAYFROM or DISPLAYTO.
type SortCriterion struct {
	Key     string
	Reverse bool
}

// maxSortCriteria bounds the keys of one SORT.
const maxSortCriteria = 20

// sortKey is what a key reads of the index, and how it compares.
type sortKey struct {
	column  store.Columns
	compare func(a, b *store.Keys) int
}

// caseMap compares as i;unicode-casemap does (RFC 5051), which turns letters to
// upper case: "[" and "_" come after them. Text is in lower case here.
func caseMap(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := upperByte(a[i]), upperByte(b[i]); x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

func upperByte(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// sortKeys are the keys. Text was folded when the index was made, which is
// finer than the i;unicode-casemap that RFC 5256 section 2 asks for only in
// leaving out accents.
var sortKeys = map[string]sortKey{
	"ARRIVAL":     {store.ColumnSaved, func(a, b *store.Keys) int { return cmp.Compare(a.Saved, b.Saved) }},
	"CC":          {store.ColumnCc, func(a, b *store.Keys) int { return caseMap(a.Cc, b.Cc) }},
	"DATE":        {store.ColumnSent, func(a, b *store.Keys) int { return cmp.Compare(a.Sent, b.Sent) }},
	"FROM":        {store.ColumnFrom, func(a, b *store.Keys) int { return caseMap(a.From, b.From) }},
	"SIZE":        {store.ColumnSize, func(a, b *store.Keys) int { return cmp.Compare(a.Size, b.Size) }},
	"SUBJECT":     {store.ColumnSubject, func(a, b *store.Keys) int { return caseMap(a.Subject, b.Subject) }},
	"TO":          {store.ColumnTo, func(a, b *store.Keys) int { return caseMap(a.To, b.To) }},
	"DISPLAYFROM": {store.ColumnDisplayFrom, func(a, b *store.Keys) int { return caseMap(a.DisplayFrom, b.DisplayFrom) }},
	"DISPLAYTO":   {store.ColumnDisplayTo, func(a, b *store.Keys) int { return caseMap(a.DisplayTo, b.DisplayTo) }},
}

// Sort returns the messages that match, in order.
// It reads the mailbox's index and no message, but for those that the search
// criteria must look into.
func (s *Session) Sort(by []SortCriterion, c *Criteria) (*Found, error) {
	if len(by) == 0 || len(by) > maxSortCriteria {
		return nil, bad("SORT needs between one and twenty keys.")
	}
	var want store.Columns
	compare := make([]func(a, b *store.Keys) int, len(by))
	for i, criterion := range by {
		key, ok := sortKeys[strings.ToUpper(criterion.Key)]
		if !ok {
			return nil, bad("This server doesn't know that SORT key.")
		}
		want |= key.column
		compare[i] = key.compare
		if criterion.Reverse {
			compare[i] = func(a, b *store.Keys) int { return key.compare(b, a) }
		}
	}
	keys, modseqs, err := s.keys(c, want)
	if err != nil {
		return nil, err
	}
	order := make([]*store.Keys, len(keys))
	for i := range keys {
		order[i] = &keys[i]
	}
	slices.SortFunc(order, func(a, b *store.Keys) int {
		for _, f := range compare {
			if n := f(a, b); n != 0 {
				return n
			}
		}
		return cmp.Compare(a.UID, b.UID) // as they stand in the mailbox, also if reversed (RFC 5256 section 3)
	})
	uids := make([]uint32, len(order))
	for i, k := range order {
		uids[i] = k.UID
	}
	found := s.found(uids, sorted(uids, modseqs))
	found.Sorted = true
	return found, nil
}

// sorted are the mod-sequences in the order of the UIDs; nil if there are none.
func sorted(uids []uint32, modseqs map[uint32]uint64) []uint64 {
	if modseqs == nil {
		return nil
	}
	out := make([]uint64, len(uids))
	for i, uid := range uids {
		out[i] = modseqs[uid]
	}
	return out
}

// keys returns the keys of the messages that match, by ascending UID, and their
// mod-sequences where one is asked for.
func (s *Session) keys(c *Criteria, want store.Columns) ([]store.Keys, map[uint32]uint64, error) {
	found, modseqs, err := s.find(c, nil)
	if err != nil || len(found) == 0 {
		return nil, nil, err
	}
	var of map[uint32]uint64
	if modseqs != nil {
		of = make(map[uint32]uint64, len(found))
		for i, uid := range found {
			of[uid] = modseqs[i]
		}
	}
	select {
	case s.srv.sorts <- struct{}{}:
		defer func() { <-s.srv.sorts }()
	case <-s.ctx.Done():
		return nil, nil, s.ctx.Err()
	}
	all, err := s.store().Keys(s.ctx, s.member.ID, s.box.ID, want)
	if err != nil {
		return nil, nil, err
	}
	out, i := all[:0], 0
	for _, k := range all {
		for i < len(found) && found[i] < k.UID {
			i++
		}
		if i < len(found) && found[i] == k.UID {
			out = append(out, k)
		}
	}
	return out, of, nil
}

// maxSorts bounds how many mailboxes are sorted or threaded at once: each takes
// memory for all of its messages.
const maxSorts = 4

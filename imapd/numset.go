package imapd

import (
	"slices"
	"sort"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
)

// uids returns the messages that a client's set names, among those that it
// knows. "*" is the last one; "$" the saved search result.
func (s *Session) uids(set imap.NumSet) threading.UIDSet {
	if len(s.box.uids) == 0 {
		return nil
	}
	if imap.IsSearchRes(set) {
		return s.searchResult
	}
	switch set := set.(type) {
	case imap.SeqSet:
		return s.box.bySeq(set)
	case imap.UIDSet:
		return s.box.byUID(set)
	}
	return nil
}

// bySeq turns sequence numbers into UIDs: a range of one is a range of the
// other.
func (b *selected) bySeq(set imap.SeqSet) threading.UIDSet {
	n := uint32(len(b.uids))
	var out threading.UIDSet
	for _, r := range set {
		first, last := ordered(r.Start, r.Stop, n)
		if first > n {
			continue
		}
		last = min(last, n)
		out = append(out, threading.UIDRange{First: b.uids[first-1], Last: b.uids[last-1]})
	}
	return normalize(out)
}

func (b *selected) byUID(set imap.UIDSet) threading.UIDSet {
	last := b.uids[len(b.uids)-1]
	var out threading.UIDSet
	for _, r := range set {
		from, to := ordered(uint32(r.Start), uint32(r.Stop), last)
		out = append(out, threading.UIDRange{First: from, Last: min(to, last)})
		if from > last {
			out = out[:len(out)-1]
		}
	}
	return normalize(out)
}

// ordered resolves "*" (0) and puts the smaller number first (RFC 9051 section
// 9: seq-range).
func ordered(a, b, last uint32) (first, second uint32) {
	if a == 0 {
		a = last
	}
	if b == 0 {
		b = last
	}
	return max(min(a, b), 1), max(a, b)
}

// normalize sorts the ranges and joins those that touch.
func normalize(set threading.UIDSet) threading.UIDSet {
	sort.Slice(set, func(i, j int) bool { return set[i].First < set[j].First })
	out := set[:0]
	for _, r := range set {
		if n := len(out); n > 0 && r.First <= out[n-1].Last+1 && out[n-1].Last+1 != 0 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return slices.Clip(out)
}

// uidSet is the set that a response carries.
func uidSet(uids []uint32) imap.UIDSet {
	var set imap.UIDSet
	for _, r := range threading.UIDsOf(uids) {
		set.AddRange(imap.UID(r.First), imap.UID(r.Last))
	}
	return set
}

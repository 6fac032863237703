package wire

import (
	"strings"

	"github.com/emersion/go-imap/v2"
)

// maxRanges bounds the ranges of one set.
const maxRanges = 50000

// seqSet reads a sequence-set of sequence numbers or UIDs, or "$" (RFC 9051
// section 9; RFC 5182).
func (r *reader) numSet(byUID bool) imap.NumSet {
	if r.accept('$') {
		return imap.SearchRes()
	}
	if byUID {
		var set imap.UIDSet
		r.ranges(func(a, b uint32) { set = append(set, imap.UIDRange{Start: imap.UID(a), Stop: imap.UID(b)}) })
		return set
	}
	var set imap.SeqSet
	r.ranges(func(a, b uint32) { set = append(set, imap.SeqRange{Start: a, Stop: b}) })
	return set
}

// uidSet reads a set of UIDs without "$".
func (r *reader) uidSet() imap.UIDSet {
	set, _ := r.numSet(true).(imap.UIDSet)
	if r.err == nil && (set == nil || imap.IsSearchRes(set)) {
		r.bad("There should be a set of UIDs.")
	}
	return set
}

// ranges calls add for each range; 0 is "*".
func (r *reader) ranges(add func(a, b uint32)) {
	for n := 0; r.err == nil; n++ {
		if n == maxRanges {
			r.bad("The set has too many ranges.")
			return
		}
		a := r.seqNumber()
		b := a
		if r.accept(':') {
			b = r.seqNumber()
		}
		if r.err == nil {
			add(a, b)
		}
		if !r.accept(',') {
			return
		}
	}
}

func (r *reader) seqNumber() uint32 {
	if r.accept('*') {
		return 0
	}
	n := r.number()
	if r.err == nil && n == 0 {
		r.bad("A message number is not zero.")
	}
	return n
}

// isSet reports whether an octet begins a sequence-set.
func isSet(c byte) bool { return c >= '0' && c <= '9' || c == '*' || c == '$' }

// numList reads positive and negative numbers of a PARTIAL range (RFC 9394
// section 3.1): both from the beginning, or both from the end.
func (r *reader) partialRange() (p partial) {
	first := func() int64 {
		negative := r.accept('-')
		n := int64(r.number())
		if n == 0 && r.err == nil {
			r.bad("A range of results begins with 1 or -1.")
		}
		if negative {
			return -n
		}
		return n
	}
	p.from = first()
	r.expect(':')
	p.to = first()
	if r.err == nil && (p.from < 0) != (p.to < 0) {
		r.bad("A range of results goes from one end.")
	}
	if p.from > p.to && p.from > 0 || p.from < p.to && p.from < 0 {
		p.from, p.to = p.to, p.from
	}
	return p
}

// partial is a range of results: 1 is the first, -1 the last; from is nearer to
// the end that it counts from. Zero: none.
type partial struct{ from, to int64 }

func (p partial) given() bool { return p.from != 0 }

// of cuts a list.
func (p partial) of(nums []uint32) []uint32 {
	n := int64(len(nums))
	from, to := p.from-1, p.to
	if p.from < 0 {
		from, to = n+p.to, n+p.from+1
	}
	from, to = max(0, min(from, n)), max(0, min(to, n))
	if from >= to {
		return nil
	}
	return nums[from:to]
}

// appendSet writes numbers that ascend as a set.
func appendSet(b []byte, nums []uint32) []byte {
	for i := 0; i < len(nums); {
		k := i
		for k+1 < len(nums) && nums[k+1] == nums[k]+1 {
			k++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, uint64(nums[i]))
		if k > i {
			b = appendNumber(append(b, ':'), uint64(nums[k]))
		}
		i = k + 1
	}
	return b
}

// upper is strings.ToUpper for keywords.
func upper(s string) string { return strings.ToUpper(s) }

package imapd

import (
	"slices"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
)

// narrowFrom is how many messages a mailbox has before its index is asked:
// fewer are looked at faster.
const narrowFrom = 500

// narrow asks the mailbox's index which messages can match at all, and returns
// those of the scope. What is left is looked at as ever: the index rules out,
// and never rules in.
func (s *Session) narrow(q *query, scope threading.UIDSet) (threading.UIDSet, error) {
	if len(s.box.uids) < narrowFrom {
		return scope, nil
	}
	needles := q.needles()
	if len(needles) == 0 {
		return scope, nil
	}
	sets, err := s.store().Candidates(s.ctx, s.member.ID, s.box.ID, needles)
	if err != nil {
		return nil, err
	}
	found := make(map[string]threading.UIDSet, len(needles))
	for i, needle := range needles {
		found[needle] = sets[i]
	}
	return scope.Intersect(q.candidates(found)), nil
}

// indexed are the texts of a query, without those nested in it, that the index
// can look for.
func (q *query) indexed() []string {
	list := slices.Concat(q.body, q.text)
	for _, h := range q.headers {
		if isAddressField(h.name) { // of an address only the atoms are sure to stand as they are
			list = append(list, strings.FieldsFunc(h.value, func(r rune) bool { return r == '@' || r == '.' })...)
		} else {
			list = append(list, h.value)
		}
	}
	return slices.DeleteFunc(list, func(needle string) bool { return len(needle) < 3 })
}

// needles are all texts that can narrow the search, each once. What is negated
// can't.
func (q *query) needles() []string {
	list := q.indexed()
	for _, pair := range q.or {
		list = append(list, pair[0].needles()...)
		list = append(list, pair[1].needles()...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// candidates are the messages that can match, by what the index found.
func (q *query) candidates(found map[string]threading.UIDSet) threading.UIDSet {
	set := threading.UIDSet{{First: 1, Last: 1<<32 - 1}}
	for _, needle := range q.indexed() {
		set = set.Intersect(found[needle])
	}
	for _, pair := range q.or {
		set = set.Intersect(pair[0].candidates(found).Union(pair[1].candidates(found)))
	}
	return set
}

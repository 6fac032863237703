package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/store"
)

// maxCriteria bounds how deep a search is nested.
const maxCriteria = 100

// Search returns the messages that match, by UID or by sequence number. Text
// is compared as threading.Fold folds it: without regard to case and accents,
// in whatever charset it was written.
func (s *Session) Search(byUID bool, c *imap.SearchCriteria, o *imap.SearchOptions) (*imap.SearchData, error) {
	q := query{s: s}
	if err := q.prepare(c, 0); err != nil {
		return nil, err
	}
	var found []uint32
	all := threading.UIDSet{{First: 1, Last: 1<<32 - 1}}
	take := func(x *store.Scanned) {
		if seq := s.box.seq(x.UID); seq != 0 && q.matches(c, &candidate{Scanned: x, seq: seq}) {
			found = append(found, x.UID)
		}
	}
	var err error
	if q.want.Header || q.want.Text {
		err = s.store().Scan(s.ctx, s.member.ID, s.box.ID, all, q.want, func(x store.Scanned) error { take(&x); return nil })
	} else {
		err = s.store().Entries(s.ctx, s.member.ID, s.box.ID, all, func(e threading.Entry) error { take(&store.Scanned{Entry: e}); return nil })
	}
	if err != nil {
		return nil, err
	}
	return s.searchData(byUID, found, o), nil
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

// query is a search that is prepared: needles folded, sets resolved.
type query struct {
	s       *Session
	want    store.Want
	needles map[string]string // folded, by what the client wrote
}

// prepare finds out what has to be read.
func (q *query) prepare(c *imap.SearchCriteria, depth int) error {
	if depth > maxCriteria {
		return no(imap.ResponseCodeLimit, "The search is nested too deep.")
	}
	q.want.Header = q.want.Header || len(c.Header) > 0 || len(c.Text) > 0 || !c.SentSince.IsZero() || !c.SentBefore.IsZero()
	for _, list := range [][]string{c.Body, c.Text} {
		for _, text := range list {
			q.want.Text = true
			q.needle(text)
		}
	}
	for i := range c.Not {
		if err := q.prepare(&c.Not[i], depth+1); err != nil {
			return err
		}
	}
	for i := range c.Or {
		for j := range c.Or[i] {
			if err := q.prepare(&c.Or[i][j], depth+1); err != nil {
				return err
			}
		}
	}
	if depth == 0 && len(q.needles) == 1 {
		// With one needle a signature that rules it out saves reading the text;
		// with several it would not say which.
		for _, folded := range q.needles {
			q.want.TextNeedles = []string{folded}
		}
	}
	return nil
}

// needle folds what is searched for.
func (q *query) needle(text string) string {
	if q.needles == nil {
		q.needles = map[string]string{}
	}
	folded, ok := q.needles[text]
	if !ok {
		folded = strings.TrimSpace(threading.Fold(text))
		q.needles[text] = folded
	}
	return folded
}

// candidate is a message that may match.
type candidate struct {
	*store.Scanned
	seq    uint32
	folded []foldedField // decoded when first asked for
}

type foldedField struct{ name, value string }

func (c *candidate) fields() []foldedField {
	if c.folded == nil {
		c.folded = []foldedField{}
		for name, value := range mimetree.Fields(c.Header) {
			c.folded = append(c.folded, foldedField{strings.ToLower(name), threading.Fold(mimetree.DecodeHeader(value))})
		}
	}
	return c.folded
}

func (q *query) matches(c *imap.SearchCriteria, m *candidate) bool {
	return q.matchesEntry(c, m) && q.matchesHeader(c, m) && q.matchesText(c, m) && q.matchesNested(c, m)
}

// matchesEntry compares what the entry alone says.
func (q *query) matchesEntry(c *imap.SearchCriteria, m *candidate) bool {
	for _, set := range c.SeqNum {
		if !q.s.uids(set).Contains(m.UID) {
			return false
		}
	}
	for _, set := range c.UID {
		if !q.s.uids(set).Contains(m.UID) {
			return false
		}
	}
	saved := day(m.SavedAt)
	switch {
	case !c.Since.IsZero() && saved.Before(day(c.Since)),
		!c.Before.IsZero() && !saved.Before(day(c.Before)),
		c.Larger > 0 && m.Size() <= c.Larger,
		c.Smaller > 0 && m.Size() >= c.Smaller,
		slices.ContainsFunc(c.Flag, func(f imap.Flag) bool { return !hasFlag(&m.Entry, f) }),
		slices.ContainsFunc(c.NotFlag, func(f imap.Flag) bool { return hasFlag(&m.Entry, f) }):
		return false
	}
	return true
}

// matchesHeader compares fields and the Date.
func (q *query) matchesHeader(c *imap.SearchCriteria, m *candidate) bool {
	if !c.SentSince.IsZero() || !c.SentBefore.IsZero() {
		sent := sentDate(m.Header)
		if sent.IsZero() || !c.SentSince.IsZero() && sent.Before(day(c.SentSince)) || !c.SentBefore.IsZero() && !sent.Before(day(c.SentBefore)) {
			return false
		}
	}
	for _, h := range c.Header {
		name, value := strings.ToLower(h.Key), q.needle(h.Value)
		if !slices.ContainsFunc(m.fields(), func(f foldedField) bool { return f.name == name && strings.Contains(f.value, value) }) {
			return false
		}
	}
	return true
}

// matchesText compares the text of the body, or of body and header.
func (q *query) matchesText(c *imap.SearchCriteria, m *candidate) bool {
	inBody := func(text string) bool { return !m.TextRuledOut && strings.Contains(m.Text, q.needle(text)) }
	for _, text := range c.Body {
		if !inBody(text) {
			return false
		}
	}
	for _, text := range c.Text {
		value := q.needle(text)
		if !slices.ContainsFunc(m.fields(), func(f foldedField) bool { return strings.Contains(f.value, value) }) && !inBody(text) {
			return false
		}
	}
	return true
}

func (q *query) matchesNested(c *imap.SearchCriteria, m *candidate) bool {
	for i := range c.Not {
		if q.matches(&c.Not[i], m) {
			return false
		}
	}
	for i := range c.Or {
		if !q.matches(&c.Or[i][0], m) && !q.matches(&c.Or[i][1], m) {
			return false
		}
	}
	return true
}

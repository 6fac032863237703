package imapd

import (
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Criteria are what SEARCH looks for: go-imap's, and the keys of extensions that
// it has no words for. All of them must match.
type Criteria struct {
	imap.SearchCriteria
	Nots []Criteria
	Ors  [][2]Criteria
	// NotBefore and NotAfter bound INTERNALDATE to the second, both included (RFC
	// 5032: YOUNGER and OLDER). Zero: any.
	NotBefore, NotAfter time.Time
	// SavedSince and SavedBefore are days of SAVEDATE (RFC 8514 section 4.3).
	SavedSince, SavedBefore time.Time
	EmailIDs, ThreadIDs     []string // RFC 8474 section 6
}

// maxCriteria bounds how deep a search is nested.
const maxCriteria = 100

// query is a search that is prepared: needles folded, sets resolved to UIDs,
// dates cut to days. All its parts must match.
type query struct {
	sets                  []threading.UIDSet
	since, before         time.Time // days of INTERNALDATE; zero: any
	sentSince, sentBefore time.Time // days of the Date field
	larger, smaller       int64     // octets; zero: any
	flags, notFlags       []imap.Flag
	headers               []field
	body, text            []string  // folded
	notBefore, notAfter   time.Time // of INTERNALDATE; zero: any
	placedSince           time.Time // days of SAVEDATE; zero: any
	placedBefore          time.Time
	modseq                uint64         // at least; zero: any
	items, threads        []threading.ID // zero: one that there isn't
	not                   []*query
	or                    [][2]*query
}

// field is a header field: the name in lower case, the value folded.
type field struct{ name, value string }

// compile prepares a search.
func (s *Session) compile(c *Criteria, depth int) (*query, error) {
	if depth > maxCriteria {
		return nil, no(imap.ResponseCodeLimit, "The search is nested too deep.")
	}
	q := &query{
		since: day(c.Since), before: day(c.Before), sentSince: day(c.SentSince), sentBefore: day(c.SentBefore),
		larger: c.Larger, smaller: c.Smaller, flags: c.Flag, notFlags: c.NotFlag, body: foldAll(c.Body), text: foldAll(c.Text),
	}
	for _, set := range c.SeqNum {
		q.sets = append(q.sets, s.uids(set))
	}
	for _, set := range c.UID {
		q.sets = append(q.sets, s.uids(set))
	}
	s.compileRecent(q)
	for _, h := range c.Header {
		q.headers = append(q.headers, field{strings.ToLower(h.Key), foldNeedle(h.Value)})
	}
	q.notBefore, q.notAfter, q.placedSince, q.placedBefore = c.NotBefore, c.NotAfter, day(c.SavedSince), day(c.SavedBefore)
	if c.ModSeq != nil {
		q.modseq = c.ModSeq.ModSeq
	}
	for _, id := range c.EmailIDs {
		q.items = append(q.items, s.parseObjectID(seal.TokenItem, id))
	}
	for _, id := range c.ThreadIDs {
		q.threads = append(q.threads, s.parseObjectID(seal.TokenThread, id))
	}
	return q, s.compileNested(q, c, depth+1)
}

// compileRecent turns \Recent into the UIDs that have it.
func (s *Session) compileRecent(q *query) {
	isRecent := func(f imap.Flag) bool { return strings.EqualFold(string(f), string(flagRecent)) }
	var recent threading.UIDSet
	if s.box != nil && !s.IMAP4rev2 {
		recent = s.box.recent
	}
	if slices.ContainsFunc(q.flags, isRecent) {
		q.flags = slices.DeleteFunc(slices.Clone(q.flags), isRecent)
		q.sets = append(q.sets, recent)
	}
	if slices.ContainsFunc(q.notFlags, isRecent) {
		q.notFlags = slices.DeleteFunc(slices.Clone(q.notFlags), isRecent)
		if len(recent) > 0 {
			q.not = append(q.not, &query{sets: []threading.UIDSet{recent}})
		}
	}
}

// compileNested prepares what is negated, and the alternatives.
func (s *Session) compileNested(q *query, c *Criteria, depth int) error {
	nots, ors := c.Nots, c.Ors
	for _, n := range c.Not {
		nots = append(nots, Criteria{SearchCriteria: n})
	}
	for _, pair := range c.Or {
		ors = append(ors, [2]Criteria{{SearchCriteria: pair[0]}, {SearchCriteria: pair[1]}})
	}
	for i := range nots {
		n, err := s.compile(&nots[i], depth)
		if err != nil {
			return err
		}
		q.not = append(q.not, n)
	}
	for i := range ors {
		var pair [2]*query
		for j := range pair {
			var err error
			if pair[j], err = s.compile(&ors[i][j], depth); err != nil {
				return err
			}
		}
		q.or = append(q.or, pair)
	}
	return nil
}

func foldNeedle(text string) string { return strings.TrimSpace(threading.Fold(text)) }

func foldAll(texts []string) []string {
	var folded []string
	for _, t := range texts {
		folded = append(folded, foldNeedle(t))
	}
	return folded
}

// scope is what has to be looked at: all, unless the search names a set.
func (q *query) scope() threading.UIDSet {
	if len(q.sets) > 0 {
		return q.sets[0]
	}
	return threading.UIDSet{{First: 1, Last: 1<<32 - 1}}
}

// all reports whether everything matches.
func (q *query) all() bool {
	return len(q.sets)+len(q.flags)+len(q.notFlags)+len(q.headers)+len(q.body)+len(q.text)+len(q.not)+len(q.or)+len(q.items)+len(q.threads) == 0 &&
		q.notBefore.IsZero() && q.notAfter.IsZero() && q.placedSince.IsZero() && q.placedBefore.IsZero() && q.modseq == 0 &&
		q.since.IsZero() && q.before.IsZero() && q.sentSince.IsZero() && q.sentBefore.IsZero() && q.larger == 0 && q.smaller == 0
}

// want says what has to be read beside the entries. Texts are read one by one,
// where header and entry leave it open whether a message matches.
func (q *query) want() store.Want {
	var w store.Want
	q.each(func(q *query) {
		w.Header = w.Header || len(q.headers) > 0 || len(q.text) > 0 || !q.sentSince.IsZero() || !q.sentBefore.IsZero()
	})
	return w
}

// texts are the needles that are looked for in bodies. A body's signature is
// asked for them if there is one only; with several it would not say which of
// them it rules out.
func (q *query) texts() []string {
	var list []string
	q.each(func(q *query) { list = append(append(list, q.body...), q.text...) })
	slices.Sort(list)
	if list = slices.Compact(list); len(list) > 1 {
		return nil
	}
	return list
}

// each calls f for the query and all that are nested in it.
func (q *query) each(f func(*query)) {
	f(q)
	for _, n := range q.not {
		n.each(f)
	}
	for _, pair := range q.or {
		pair[0].each(f)
		pair[1].each(f)
	}
}

// candidate is a message that may match.
type candidate struct {
	*store.Scanned
	folded []field // decoded when first asked for
	// load reads the text, or nothing if no needle is in it; nil: it was read.
	load func() (text string, ruledOut bool, err error)
	err  error // of load
}

// inBody reports whether the text has a needle.
func (m *candidate) inBody(needle string) bool {
	if m.load != nil {
		m.Text, _, m.err = m.load()
		m.load = nil
	}
	return m.err == nil && strings.Contains(m.Text, needle)
}

func (m *candidate) fields() []field {
	if m.folded == nil {
		m.folded = []field{}
		for name, value := range mimetree.Fields(m.Header) {
			m.folded = append(m.folded, field{strings.ToLower(name), threading.Fold(mimetree.DecodeHeader(value))})
		}
	}
	return m.folded
}

// matches compares what is cheapest first.
func (q *query) matches(m *candidate) bool {
	return q.matchesEntry(m) && q.matchesSent(m) && q.matchesHeaders(m) && q.matchesText(m) && q.matchesNested(m)
}

// matchesEntry compares what the entry alone says.
func (q *query) matchesEntry(m *candidate) bool {
	for _, set := range q.sets {
		if !set.Contains(m.UID) {
			return false
		}
	}
	return within(day(m.SavedAt), q.since, q.before) && q.matchesMoment(m) && m.ModSeq >= q.modseq &&
		!slices.ContainsFunc(q.items, func(id threading.ID) bool { return m.ItemID != id }) &&
		!slices.ContainsFunc(q.threads, func(id threading.ID) bool { return m.ThreadID != id || id == 0 }) &&
		(q.larger == 0 || m.Size() > q.larger) && (q.smaller == 0 || m.Size() < q.smaller) &&
		!slices.ContainsFunc(q.flags, func(f imap.Flag) bool { return !hasFlag(&m.Entry, f) }) &&
		!slices.ContainsFunc(q.notFlags, func(f imap.Flag) bool { return hasFlag(&m.Entry, f) })
}

// matchesMoment compares when a message was filed to the second, and the day it
// came into its mailbox.
func (q *query) matchesMoment(m *candidate) bool {
	saved := m.SavedAt.Truncate(time.Second)
	return (q.notBefore.IsZero() || !saved.Before(q.notBefore)) && (q.notAfter.IsZero() || !saved.After(q.notAfter)) &&
		within(day(m.PlacedAt), q.placedSince, q.placedBefore)
}

// matchesSent compares the Date field. A message without one was sent on no
// day.
func (q *query) matchesSent(m *candidate) bool {
	if q.sentSince.IsZero() && q.sentBefore.IsZero() {
		return true
	}
	sent := sentDate(m.Header)
	return !sent.IsZero() && within(sent, q.sentSince, q.sentBefore)
}

func within(day, since, before time.Time) bool {
	return (since.IsZero() || !day.Before(since)) && (before.IsZero() || day.Before(before))
}

// matchesHeaders compares fields by name.
func (q *query) matchesHeaders(m *candidate) bool {
	for _, h := range q.headers {
		if !slices.ContainsFunc(m.fields(), func(f field) bool {
			return f.name == h.name && (strings.Contains(f.value, h.value) || inAddresses(f, h.value))
		}) {
			return false
		}
	}
	return true
}

// isAddressField reports whether FROM, TO, CC or BCC looks into a field: as it
// stands in the envelope (RFC 9051 section 6.4.4).
func isAddressField(name string) bool {
	return name == "from" || name == "to" || name == "cc" || name == "bcc"
}

// inAddresses reports whether a needle is in one of a field's addresses, which
// may be written with comments and spaces in them (RFC 5322 section 4.4).
func inAddresses(f field, needle string) bool {
	return isAddressField(f.name) && strings.Contains(f.value, "@") && (strings.Contains(f.value, "(") || strings.ContainsAny(f.value, " \"")) &&
		slices.ContainsFunc(addresses(f.value), func(a Address) bool { return strings.Contains(a.Mailbox+"@"+a.Host, needle) })
}

// matchesText compares the text of the body, or of body and header.
func (q *query) matchesText(m *candidate) bool {
	for _, needle := range q.body {
		if !m.inBody(needle) {
			return false
		}
	}
	for _, needle := range q.text {
		if !slices.ContainsFunc(m.fields(), func(f field) bool { return strings.Contains(f.value, needle) }) && !m.inBody(needle) {
			return false
		}
	}
	return true
}

func (q *query) matchesNested(m *candidate) bool {
	return !slices.ContainsFunc(q.not, func(n *query) bool { return n.matches(m) }) &&
		!slices.ContainsFunc(q.or, func(pair [2]*query) bool { return !pair[0].matches(m) && !pair[1].matches(m) })
}

// hasFlag reports whether an entry has a flag, of either kind.
func hasFlag(e *threading.Entry, flag imap.Flag) bool {
	for _, f := range systemFlags {
		if strings.EqualFold(string(flag), string(f.flag)) {
			return e.Flags&f.bit != 0
		}
	}
	return slices.ContainsFunc(e.Keywords, func(k string) bool { return strings.EqualFold(k, string(flag)) })
}

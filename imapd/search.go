package imapd

import (
	"errors"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Found is what a search finds, in the order in which it is told.
type Found struct {
	UIDs, Seqs []uint32
	// ModSeqs are the messages' mod-sequences, if the search asked for a
	// mod-sequence; else nil.
	ModSeqs []uint64
	Sorted  bool // in an order of their own
}

// Search returns the messages that match, ascending. Text is compared as
// threading.Fold folds it: without regard to case and accents, in whatever
// charset it was written. What the entries alone can tell is answered from
// them; header blocks and texts are read only where the criteria ask for them,
// and only of the messages that the index does not rule out. progress, if not
// nil, is called now and then with how many of how many messages were looked
// at.
func (s *Session) Search(c *Criteria, progress func(done, all int) error) (*Found, error) {
	uids, modseqs, err := s.find(c, progress)
	if err != nil {
		return nil, err
	}
	return s.found(uids, modseqs), nil
}

// found adds the sequence numbers.
func (s *Session) found(uids []uint32, modseqs []uint64) *Found {
	f := &Found{UIDs: uids, Seqs: make([]uint32, len(uids)), ModSeqs: modseqs}
	for i, uid := range uids {
		f.Seqs[i] = s.box.seq(uid)
	}
	return f
}

// Save keeps UIDs as what "$" stands for (RFC 5182 section 2.1).
func (s *Session) Save(uids []uint32) { s.searchResult = threading.UIDsOf(uids) }

// SearchMailbox searches a mailbox without opening it for the client (RFC 7377),
// and returns its UIDVALIDITY. The one that is open is searched as the client
// knows it.
func (s *Session) SearchMailbox(name string, c *Criteria) (*Found, uint32, error) {
	in := s
	if name != s.SelectedName() {
		in = &Session{srv: s.srv, ctx: s.ctx, ip: s.ip, member: s.member, feed: s.feed}
		if _, err := in.Select(name, SelectOptions{ReadOnly: true, Aside: true}); err != nil {
			return nil, 0, err
		}
	}
	f, err := in.Search(c, nil)
	return f, in.box.UIDValidity, err
}

// progressEvery is how many messages are looked at between two reports.
const progressEvery = 2000

// find returns the UIDs of the messages that match, ascending, and their
// mod-sequences where one is asked for.
func (s *Session) find(c *Criteria, progress func(done, all int) error) (uids []uint32, modseqs []uint64, err error) {
	q, err := s.compile(c, 0)
	if err != nil {
		return nil, nil, err
	}
	if q.all() {
		return s.box.uids, nil, nil
	}
	scope, err := s.narrow(q, q.scope())
	if err != nil {
		return nil, nil, err
	}
	texts, sequenced, done := q.texts(), q.sequenced(), 0
	err = s.scan(scope, q.want(), func(x *store.Scanned) error {
		m := &candidate{Scanned: x, load: func() (string, bool, error) {
			text, ruledOut, err := s.store().Text(s.ctx, x.BodyID, texts)
			if errors.Is(err, store.ErrNotFound) { // expunged since it was scanned
				s.box.missed, err = true, nil
			}
			return text, ruledOut, err
		}}
		if q.matches(m) {
			uids = append(uids, x.UID)
			if sequenced {
				modseqs = append(modseqs, x.ModSeq)
			}
		}
		if done++; progress != nil && done%progressEvery == 0 {
			if err := progress(done, len(s.box.uids)); err != nil {
				return err
			}
		}
		return errors.Join(m.err, s.ctx.Err())
	})
	return uids, modseqs, err
}

// sequenced reports whether a mod-sequence is asked for.
func (q *query) sequenced() (yes bool) {
	q.each(func(q *query) { yes = yes || q.modseq != 0 })
	return yes
}

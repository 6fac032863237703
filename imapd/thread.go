package imapd

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading/store"
)

// Thread is a message and what answers it. Num is zero for one that is not
// among the messages that were asked for; it has two children at least.
type Thread struct {
	Num      uint32
	Children []*Thread
}

// threadRefs is REFERENCES without its guess by subjects. A conversation of the
// relay stays together whatever its messages refer to, and the one with the
// newest message comes last.
const threadRefs imap.ThreadAlgorithm = "REFS"

// Thread returns the messages that match as trees (RFC 5256 section 3).
func (s *Session) Thread(byUID bool, algorithm imap.ThreadAlgorithm, c *Criteria) ([]*Thread, error) {
	num := func(k *store.Keys) uint32 {
		if byUID {
			return k.UID
		}
		return s.box.seq(k.UID)
	}
	switch imap.ThreadAlgorithm(strings.ToUpper(string(algorithm))) {
	case imap.ThreadOrderedSubject:
		keys, _, err := s.keys(c, store.ColumnSent|store.ColumnSubject)
		return orderedSubject(keys, num), err
	case imap.ThreadReferences:
		keys, _, err := s.keys(c, store.ColumnSent|store.ColumnSubject|store.ColumnReferences)
		if err != nil {
			return nil, err
		}
		f := plant(keys)
		f.joinSubjects()
		return f.threads(num), nil
	case threadRefs:
		keys, _, err := s.keys(c, store.ColumnSent|store.ColumnSaved|store.ColumnThread|store.ColumnReferences)
		if err != nil {
			return nil, err
		}
		f := plant(keys)
		f.joinConversations()
		return f.threads(num), nil
	}
	return nil, bad("This server doesn't know that THREAD algorithm.")
}

// orderedSubject puts messages of one base subject under the first of them.
func orderedSubject(keys []store.Keys, num func(*store.Keys) uint32) []*Thread {
	slices.SortFunc(keys, func(a, b store.Keys) int {
		return cmp.Or(caseMap(a.Subject, b.Subject), cmp.Compare(a.Sent, b.Sent), cmp.Compare(a.UID, b.UID))
	})
	type root struct {
		*Thread
		first *store.Keys
	}
	var roots []root
	for i := range keys {
		k := &keys[i]
		t := &Thread{Num: num(k)}
		if i > 0 && keys[i-1].Subject == k.Subject {
			first := roots[len(roots)-1]
			first.Children = append(first.Children, t)
			continue
		}
		roots = append(roots, root{t, k})
	}
	slices.SortFunc(roots, func(a, b root) int {
		return cmp.Or(cmp.Compare(a.first.Sent, b.first.Sent), cmp.Compare(a.first.UID, b.first.UID))
	})
	out := make([]*Thread, len(roots))
	for i := range roots {
		out[i] = roots[i].Thread
	}
	return out
}

// AppendThreads writes trees as a THREAD response has them (RFC 5256 section
// 5: thread-list).
func AppendThreads(b []byte, threads []*Thread) []byte {
	for _, t := range threads {
		b = append(b, '(')
		for sep := false; t != nil; {
			if t.Num != 0 {
				if sep {
					b = append(b, ' ')
				}
				b = strconv.AppendUint(b, uint64(t.Num), 10)
				sep = true
			}
			if len(t.Children) == 1 {
				t = t.Children[0]
				continue
			}
			if sep && len(t.Children) > 0 {
				b = append(b, ' ')
			}
			b = AppendThreads(b, t.Children)
			break
		}
		b = append(b, ')')
	}
	return b
}

package imapd

import (
	"testing"

	"github.com/emersion/go-imap/v2"
)

// BenchmarkSearch100k searches a mailbox of 100,000 messages; beside it are
// those of others that STAGEDOOR_BESIDE asks for, in thousands.
func BenchmarkSearch100k(b *testing.B) {
	x := newBig(b, 100_000)
	x.beside()
	x.pack()
	s := x.session()
	text := func(t ...string) *imap.SearchCriteria { return &imap.SearchCriteria{Text: t} }
	for _, c := range []struct {
		name     string
		criteria *imap.SearchCriteria
		found    uint32
	}{
		{"TEXT of one message", text("number n77777n"), 1},
		{"TEXT of none", text("zamboni"), 0},
		{"TEXT of 1 percent", text("Production 13"), 1031},
		{"TEXT of two words", text("Role 13", "n1300"), 1},
		{"FROM", &imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "From", Value: "castïng 49"}}}, 2000},
		{"Message-ID", &imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Message-ID", Value: "<m4711@msg.example.com>"}}}, 1},
		{"UNSEEN", &imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, 100_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				d, err := s.Search(plain(*c.criteria), nil)
				if err != nil {
					b.Fatal(err)
				}
				if len(d.UIDs) != int(c.found) {
					b.Fatalf("%d found, want %d", len(d.UIDs), c.found)
				}
			}
		})
	}
}

// BenchmarkSort100k sorts and threads all of a mailbox of 100,000 messages.
func BenchmarkSort100k(b *testing.B) {
	x := newBig(b, 100_000)
	x.pack()
	s := x.session()
	for _, by := range [][]SortCriterion{{{Key: "ARRIVAL", Reverse: true}}, {{Key: "DATE"}}, {{Key: "SUBJECT"}, {Key: "DATE"}}, {{Key: "DISPLAYFROM"}, {Key: "SIZE"}}} {
		b.Run("SORT "+by[0].Key, func(b *testing.B) {
			for b.Loop() {
				if got, err := s.Sort(by, &Criteria{}); err != nil || len(got.UIDs) != 100_000 {
					b.Fatal(len(got.UIDs), err)
				}
			}
		})
	}
	for _, algorithm := range []imap.ThreadAlgorithm{imap.ThreadReferences, threadRefs, imap.ThreadOrderedSubject} {
		b.Run("THREAD "+string(algorithm), func(b *testing.B) {
			for b.Loop() {
				if got, err := s.Thread(true, algorithm, &Criteria{}); err != nil || len(got) != 25_000 {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}

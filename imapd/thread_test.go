package imapd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// keysFrom reads messages, one a line: "id < references : thread subject". They
// were sent and saved in the order of the lines, and have their numbers.
func keysFrom(lines string) []store.Keys {
	hash := func(id string) uint64 {
		h := uint64(14695981039346656037)
		for _, c := range []byte(id) {
			h = (h ^ uint64(c)) * 1099511628211
		}
		return h
	}
	var keys []store.Keys
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		ids, rest, _ := strings.Cut(line, ":")
		id, refs, _ := strings.Cut(ids, "<")
		k := store.Keys{UID: uint32(i + 1), Sent: int64(i), Saved: int64(i)}
		if id = strings.TrimSpace(id); id != "-" {
			k.MessageID = hash(id)
		}
		for ref := range strings.FieldsSeq(refs) {
			k.References = append(k.References, hash(ref))
		}
		var thread int64
		if n, _ := fmt.Sscanf(strings.TrimSpace(rest), "#%d", &thread); n == 1 {
			k.Thread = threading.ID(thread)
			_, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
		k.Subject, k.Reply = threading.BaseSubject(threading.Fold(rest))
		keys = append(keys, k)
	}
	return keys
}

func uidOf(k *store.Keys) uint32 { return k.UID }

func TestThreads(t *testing.T) {
	for name, c := range map[string]struct{ messages, references, refs, subjects string }{
		"a chain":                            {"a: S\nb < a: Re: S\nc < a b: Re: S", "(1 2 3)", "(1 2 3)", "(1 (2)(3))"},
		"two answers":                        {"a: S\nb < a: Re: S\nc < a: Re: S\nd < a b: Re: S", "(1 (2 4)(3))", "(1 (2 4)(3))", "(1 (2)(3)(4))"},
		"the answer came first":              {"b < a: Re: S\na: S", "(2 1)", "(2 1)", "(1 2)"},
		"the one in the middle is not there": {"a: S\nc < a b: Re: S\nd < a b: Re: S", "(1 (2)(3))", "(1 (2)(3))", "(1 (2)(3))"},
		"the first is not there":             {"b < a: Re: S\nc < a: Re: S", "((1)(2))", "((1)(2))", "(1 2)"},
		"only one answer is there":           {"c < a b: Re: S", "(1)", "(1)", "(1)"},
		"nobody answers":                     {"a: S\nb: T\nc: U", "(1)(2)(3)", "(1)(2)(3)", "(1)(2)(3)"},
		"joined by subject":                  {"a: S\nb: Re: S\nc: Re: S", "(1 (2)(3))", "(1)(2)(3)", "(1 (2)(3))"},
		"two of one subject":                 {"a: S\nb: S", "((1)(2))", "(1)(2)", "(1 2)"},
		"two of one subject and an answer":   {"a: S\nb: S\nc: Re: S", "((1)(2)(3))", "(1)(2)(3)", "(1 (2)(3))"},
		"an answer, then the first":          {"a: Re: S\nb: S", "(2 1)", "(1)(2)", "(1 2)"},
		"below one that is not there":        {"b < a: Re: S\nc < a: Re: S\nd: S", "(3 (1)(2))", "((1)(2))(3)", "(1 (2)(3))"},
		"no subject joins nothing":           {"a:\nb: Re:", "(1)(2)", "(1)(2)", "(1 2)"},
		"a loop":                             {"a < b: S\nb < a: S", "(2 1)", "(2 1)", "(1 2)"},
		"a loop of three":                    {"a < c: S\nb < a: S\nc < b: S", "(3 1 2)", "(3 1 2)", "(1 (2)(3))"},
		"it refers to itself":                {"a < a: S", "(1)", "(1)", "(1)"},
		"one Message-ID twice":               {"a: S\na: T\nb < a: Re: S", "(1 3)(2)", "(2)(1 3)", "(1 3)(2)"},
		"no Message-ID":                      {"-: S\n- < a: T\na: U", "(1)(3 2)", "(1)(3 2)", "(1)(2)(3)"},
		"one conversation, no references":    {"a: #7 S\nb: #8 T\nc: #7 U", "(1)(2)(3)", "(2)((1)(3))", "(1)(2)(3)"},
		"what a client put there":            {"a: S\nb: T", "(1)(2)", "(1)(2)", "(1)(2)"},
		"the newest conversation is last":    {"a: #7 S\nb: #8 T\nc < a: #7 Re: S", "(1 3)(2)", "(2)(1 3)", "(1 3)(2)"},
		"a branch within a branch":           {"a: S\nb < a: S\nc < b: S\nd < b: S\ne < a: S", "(1 (2 (3)(4))(5))", "(1 (2 (3)(4))(5))", "(1 (2)(3)(4)(5))"},
	} {
		f := plant(keysFrom(c.messages))
		f.joinSubjects()
		if got := string(AppendThreads(nil, f.threads(uidOf))); got != c.references {
			t.Errorf("%s: REFERENCES %s, want %s", name, got, c.references)
		}
		f = plant(keysFrom(c.messages))
		f.joinConversations()
		if got := string(AppendThreads(nil, f.threads(uidOf))); got != c.refs {
			t.Errorf("%s: REFS %s, want %s", name, got, c.refs)
		}
		if got := string(AppendThreads(nil, orderedSubject(keysFrom(c.messages), uidOf))); got != c.subjects {
			t.Errorf("%s: ORDEREDSUBJECT %s, want %s", name, got, c.subjects)
		}
	}
}

// Whatever messages refer to, each is answered once.
func TestEveryMessageIsInOneThread(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		keys := make([]store.Keys, 1+r.IntN(60))
		for i := range keys {
			keys[i] = store.Keys{UID: uint32(i + 1), Sent: int64(r.IntN(20)), Saved: int64(r.IntN(20)), MessageID: uint64(r.IntN(50)), Thread: threading.ID(r.IntN(9)),
				Subject: []string{"", "s", "t"}[r.IntN(3)], Reply: r.IntN(2) == 0}
			for range r.IntN(6) {
				keys[i].References = append(keys[i].References, uint64(1+r.IntN(60)))
			}
		}
		for name, join := range map[string]func(*forest){"REFERENCES": (*forest).joinSubjects, "REFS": (*forest).joinConversations} {
			f := plant(keys)
			join(f)
			var got []uint32
			var walk func([]*Thread)
			walk = func(list []*Thread) {
				for _, x := range list {
					if x.Num != 0 {
						got = append(got, x.Num)
					} else if len(x.Children) < 2 {
						t.Errorf("%s: a gap with %d children", name, len(x.Children))
					}
					walk(x.Children)
				}
			}
			walk(f.threads(uidOf))
			slices.Sort(got)
			if len(got) != len(keys) || got[0] != 1 || len(slices.Compact(got)) != len(keys) {
				t.Fatalf("%s: %d messages are in %v", name, len(keys), got)
			}
		}
	}
}

// What refers to each other in the worst order takes a bounded number of steps.
func TestThreadsAreBounded(t *testing.T) {
	const n = 20000
	keys := make([]store.Keys, n)
	for i := range keys { // each hangs the whole chain below itself
		keys[i] = store.Keys{UID: uint32(i + 1), MessageID: uint64(i + 1), References: []uint64{uint64(n + i + 1), uint64(i + 2)}}
	}
	f := plant(keys)
	if f.steps > maxSteps+1 {
		t.Errorf("%d steps", f.steps)
	}
	if got := f.threads(uidOf); len(got) == 0 {
		t.Error("no threads")
	}
}

// Sort and Thread of a real mailbox: the same from the messages as from the
// index's blocks, also for messages that came or went after.
func TestSortAndThreadFollowTheMailbox(t *testing.T) {
	x := newBig(t, 0)
	numbers := make([]int, 1100)
	for i := range numbers {
		numbers[i] = i * 37 % 1100
	}
	x.file(numbers...)
	sorts := map[string][]SortCriterion{}
	for key := range sortKeys {
		sorts[key] = []SortCriterion{{Key: key}}
		sorts["REVERSE "+key] = []SortCriterion{{Key: key, Reverse: true}}
	}
	sorts["FROM, then DATE"] = []SortCriterion{{Key: "from"}, {Key: "DATE", Reverse: true}}
	ask := func() map[string]string {
		s, out := x.session(), map[string]string{}
		for name, by := range sorts {
			got, err := s.Sort(by, &Criteria{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = fmt.Sprint(got.UIDs)
		}
		for _, algorithm := range []imap.ThreadAlgorithm{"REFERENCES", "REFS", "ORDEREDSUBJECT"} {
			got, err := s.Thread(true, algorithm, plain(imap.SearchCriteria{UID: []imap.UIDSet{{{Start: 1, Stop: 1050}}}}))
			if err != nil {
				t.Fatalf("%s: %v", algorithm, err)
			}
			out[string(algorithm)] = string(AppendThreads(nil, got))
		}
		return out
	}
	before := ask()
	x.pack()
	compareAnswers(t, "packed", ask(), before)
	if got := before["REFERENCES"]; strings.Count(got, "(") < 250 {
		t.Errorf("threads: %s", got)
	}
	// By date: the dates are those that message made.
	var want []uint32
	for uid := uint32(1); uid <= 1100; uid++ {
		want = append(want, uid)
	}
	date := func(uid uint32) int { return (int(uid-1) * 37 % 1100) * 7919 % 1_000_000 }
	slices.SortStableFunc(want, func(a, b uint32) int { return date(a) - date(b) })
	if before["DATE"] != fmt.Sprint(want) {
		t.Error("DATE is another order than that of the dates")
	}
	s := x.session()
	if _, err := s.store().StoreFlags(t.Context(), x.tess.ID, x.inbox.ID, threading.UIDSet{{First: 10, Last: 20}}, threading.FlagsAdd, threading.FlagDeleted, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store().Expunge(t.Context(), x.tess.ID, x.inbox.ID, nil); err != nil {
		t.Fatal(err)
	}
	x.file(5000)
	got := ask()
	if n := strings.Count(got["DATE"], " ") + 1; n != 1100-11+1 {
		t.Errorf("%d messages are sorted after some went and one came", n)
	}
}

func compareAnswers(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s answers\n%.300s, want\n%.300s", when, name, got[name], want[name])
		}
	}
}

func TestSortAndThreadRefuse(t *testing.T) {
	s := newBig(t, 3).session()
	for _, by := range [][]SortCriterion{nil, {{Key: "COLOUR"}}, slices.Repeat([]SortCriterion{{Key: "DATE"}}, 21)} {
		if _, err := s.Sort(by, &Criteria{}); err == nil {
			t.Errorf("SORT by %v is answered", by)
		}
	}
	if _, err := s.Thread(true, "BRAIDED", &Criteria{}); err == nil {
		t.Error("an unknown THREAD is answered")
	}
}

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

func TestEntriesOfSparseSets(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of entries")
	}
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	const n = 3*slice + 7
	x.putMany(mb, n)
	huge := threading.UIDSet{}
	for uid := uint32(2); uid < 2_000_000_000; uid += 40_000 {
		huge = append(huge, threading.UIDRange{First: uid, Last: uid})
	}
	odd := threading.UIDSet{}
	for uid := uint32(1); uid < 2*n; uid += 2 {
		odd = append(odd, threading.UIDRange{First: uid, Last: uid})
	}
	for _, c := range []struct {
		name string
		set  threading.UIDSet
	}{
		{"none", nil},
		{"all", everyUID},
		{"the last UID there can be", threading.UIDSet{{First: 1<<32 - 1, Last: 1<<32 - 1}}},
		{"across slices", threading.UIDSet{{First: slice - 1, Last: slice + 1}, {First: 2 * slice, Last: 2 * slice}}},
		{"exactly a slice", threading.UIDSet{{First: 1, Last: slice}}},
		{"every other", odd},
		{"50,000 ranges", huge},
		{"beyond the end", threading.UIDSet{{First: n, Last: n + 10}}},
		{"nine ranges with the last UID", append(slices.Clone(odd[:8]), threading.UIDRange{First: n - 1, Last: 1<<32 - 1})},
	} {
		var want, got, scanned []uint32
		for uid := uint32(1); uid <= n; uid++ {
			if c.set.Contains(uid) {
				want = append(want, uid)
			}
		}
		err := x.Entries(x.ctx, mb.MemberID, mb.ID, c.set, func(e threading.Entry) error {
			got = append(got, e.UID)
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d entries, want %d; %v", c.name, len(got), len(want), err)
		}
		err = x.Scan(x.ctx, mb.MemberID, mb.ID, c.set, Want{}, func(e Scanned) error {
			scanned = append(scanned, e.UID)
			return nil
		})
		if err != nil || !slices.Equal(scanned, want) {
			t.Errorf("%s: %d scanned, want %d; %v", c.name, len(scanned), len(want), err)
		}
	}
}

func TestEntriesStopsAtAnErrorAndMayCallTheStore(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	x.putMany(mb, 10)
	stop, n := errors.New("enough"), 0
	err := x.Entries(x.ctx, mb.MemberID, mb.ID, everyUID, func(e threading.Entry) error {
		if _, err := x.Item(x.ctx, mb.MemberID, e.ItemID); err != nil {
			return err
		}
		if _, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, threading.UIDsOf([]uint32{e.UID}), threading.FlagsAdd, threading.FlagSeen, nil); err != nil {
			return err
		}
		if n++; n == 3 {
			return stop
		}
		return nil
	})
	if err != stop || n != 3 {
		t.Errorf("called %d times, then %v", n, err)
	}
}

func TestTextNeverRulesOutAMatch(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	texts := []string{"", "a", "ab", "Ophelia in Hamlet", "Grüße aus der Straße, ÄÖÜ", "日本語のテキスト", strings.Repeat("lorem ipsum dolor sit amet ", 2000)}
	for i := range 2*scanSlice + 5 {
		texts = append(texts, fmt.Sprintf("message number %d of many", i))
	}
	for _, s := range texts {
		x.put(mb, s, 0)
	}
	for _, needle := range []string{"", "a", "ab", "ophelia", "hamlet", "Straße", "grusse", "日本", "テキ", "dolor sit", "number 117 of", "not there", "zzz"} {
		folded := threading.Fold(needle)
		matched, ruledOut := 0, 0
		err := x.Scan(x.ctx, mb.MemberID, mb.ID, everyUID, Want{Header: true, Text: true}, func(s Scanned) error {
			if string(s.Header) != "Subject: x\r\n\r\n" {
				t.Errorf("UID %d has the header %q", s.UID, s.Header)
			}
			text := threading.Fold(texts[s.UID-1])
			if s.Text != text {
				t.Errorf("UID %d has another text", s.UID)
			}
			asked, out, err := x.Text(x.ctx, s.BodyID, []string{folded})
			switch is := strings.Contains(text, folded); {
			case out && is:
				t.Errorf("%q is ruled out in UID %d", needle, s.UID)
			case out && asked != "", !out && asked != text:
				t.Errorf("UID %d has the text %q; ruled out: %v", s.UID, asked, out)
			case out:
				ruledOut++
			case is:
				matched++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if needle == "zzz" && ruledOut < len(texts)-3 {
			t.Errorf("only %d of %d texts are ruled out", ruledOut, len(texts))
		}
		if needle == "number 117 of" && matched != 1 {
			t.Errorf("%q matches %d times", needle, matched)
		}
	}
	if _, _, err := x.Text(x.ctx, 1, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("the text of a body that is gone: %v", err)
	}
}

// More snapshots than there are connections begin before any of their queries
// was prepared.
func TestManyFirstReadsAtOnce(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	x.putMany(mb, 10)
	fresh := x.open(false)
	ctx, cancel := context.WithTimeout(x.ctx, 10*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 8 * readers {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				_, _, err = fresh.UIDs(ctx, mb.MemberID, mb.ID)
			} else {
				_, err = fresh.Changes(ctx, mb.MemberID, mb.ID, 0)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestReadsOfAMemberThatIsNot(t *testing.T) {
	x := newFixture(t)
	if _, _, err := x.UIDs(x.ctx, 5, 5); !errors.Is(err, ErrNotFound) {
		t.Errorf("UIDs: %v", err)
	}
	if _, err := x.Changes(x.ctx, 5, 5, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("Changes: %v", err)
	}
	if err := x.Ping(x.ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

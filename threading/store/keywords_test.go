package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// A mailbox goes on telling the keywords that clients may still know of its
// messages: also when none has them any more, they were expunged, or the daemon
// was started again.
func TestKeywordsAreRemembered(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	inbox, archives := x.mailbox(tess, threading.Inbox), x.mailbox(tess, "Archives")
	told := func(mb threading.Mailbox) []string {
		t.Helper()
		c, err := x.Contents(x.ctx, mb.MemberID, mb.ID)
		if err != nil {
			t.Fatal(err)
		}
		return c.Keywords
	}
	want := func(when string, words ...string) {
		t.Helper()
		for _, mb := range []threading.Mailbox{inbox, archives} {
			if got := told(mb); !slices.Equal(got, words) {
				t.Errorf("%s: %s tells %q, want %q", when, mb.Name, got, words)
			}
		}
	}
	store := func(op threading.FlagOp, words ...string) {
		t.Helper()
		if _, err := x.StoreFlags(x.ctx, tess.ID, inbox.ID, everyUID, op, 0, words); err != nil {
			t.Fatal(err)
		}
	}
	x.put(inbox, "x", 0, "$Appended")
	want("after APPEND", "$Appended")
	store(threading.FlagsAdd, "$Added", "$appended")
	want("after +FLAGS", "$Added", "$Appended")
	store(threading.FlagsReplace, "$Replaced")
	want("after FLAGS", "$Added", "$Appended", "$Replaced")
	store(threading.FlagsRemove, "$Replaced", "$Never")
	want("after -FLAGS", "$Added", "$Appended", "$Replaced")
	if _, err := x.StoreFlags(x.ctx, tess.ID, inbox.ID, everyUID, threading.FlagsAdd, threading.FlagDeleted, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Expunge(x.ctx, tess.ID, inbox.ID, nil); err != nil {
		t.Fatal(err)
	}
	want("after EXPUNGE", "$Added", "$Appended", "$Replaced")
	if got := told(x.mailbox(x.member("sam"), threading.Inbox)); len(got) != 0 {
		t.Errorf("another member is told %q", got)
	}

	// Those of before they were remembered are when they go.
	otto := x.mailbox(x.member("otto"), threading.Inbox)
	x.put(otto, "x", 0, "$Old")
	if err := x.c.commit(x.ctx, func(t *tx) error {
		_, err := t.exec("UPDATE member_state SET keywords = ''")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.StoreFlags(x.ctx, otto.MemberID, otto.ID, everyUID, threading.FlagsRemove, 0, []string{"$Old"}); err != nil {
		t.Fatal(err)
	}
	if got := told(otto); !slices.Equal(got, []string{"$Old"}) {
		t.Errorf("of before is told %q", got)
	}

	// There is a bound, and what a message has is told beyond it.
	for i := range maxKnown {
		x.put(archives, "y", 0, fmt.Sprintf("k%d", i))
	}
	x.put(archives, "z", 0, "beyond")
	var keywords string
	if err := x.row(x.ctx, "SELECT keywords FROM member_state WHERE member_id = ?", []any{tess.ID}, &keywords); err != nil || len(strings.Fields(keywords)) != maxKnown {
		t.Errorf("%d are remembered: %v", len(strings.Fields(keywords)), err)
	}
	if !slices.Contains(told(archives), "beyond") || slices.Contains(told(inbox), "beyond") {
		t.Error("beyond the bound a mailbox tells what its messages have")
	}
}

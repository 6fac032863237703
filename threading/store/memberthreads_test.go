package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// A member's threads are those of which they have messages, the newest first,
// with whom they are and how the member is told of them.
func TestMemberThreads(t *testing.T) {
	x := newFixture(t)
	tess, sam, otto := x.member("tess"), x.member("sam"), x.member("otto")
	list := func() string {
		t.Helper()
		var all []string
		var after MemberThread
		for { // in pages of one
			page, err := x.MemberThreads(x.ctx, tess.ID, after.Newest, 1)
			x.do(err)
			if len(page) == 0 {
				return strings.Join(all, " ")
			}
			after = page[0]
			if len(after.Participants) != 1 || len(after.Aliases) != 1 || after.Aliases[0].ViewerID != tess.ID || after.Aliases[0].OtherID != after.Participants[0].ID {
				t.Errorf("with %+v by %+v", after.Participants, after.Aliases)
			}
			all = append(all, fmt.Sprint(after.Participants[0].Handle, ":", after.Thread.ID.String()[15:], ":", after.Alerts))
		}
	}
	is := func(when string, want ...string) {
		t.Helper()
		if got := list(); got != strings.Join(want, " ") {
			t.Errorf("%s: %s, want %v", when, got, want)
		}
	}
	is("at first")
	first := x.file(x.start(sam, tess, "from Sam"))[0].ThreadID
	second := x.file(x.start(tess, otto, "to Otto"))[0].ThreadID
	x.file(x.start(sam, otto, "of others"))
	short := func(who fmt.Stringer) string { return who.String()[15:] }
	is("two", "otto:"+short(second)+":", "sam:"+short(first)+":")
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, second, threading.AlertsNever))
	x.file(x.reply(first, tess, sam, "an answer"))
	is("one is muted, one has something new", "sam:"+short(first)+":", "otto:"+short(second)+":never")
	// Who is blocked moves nothing.
	x.do(x.Block(x.ctx, tess.ID, otto.ID))
	x.file(x.reply(second, otto, tess, "nothing"))
	x.file(x.start(otto, tess, "nothing"))
	is("Otto is blocked", "sam:"+short(first)+":", "otto:"+short(second)+":never")
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, second, threading.AlertsDaily))
	is("told once a day", "sam:"+short(first)+":", "otto:"+short(second)+":daily")
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, second, threading.AlertsNever))
	x.do(x.RemoveMember(x.ctx, sam.ID))
	is("Sam has left", ":"+short(first)+":", "otto:"+short(second)+":never")
}

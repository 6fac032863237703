package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

func (x *fixture) paced(p threading.Pace, f threading.Filing) *PaceError {
	x.t.Helper()
	f.Pace = p
	_, err := x.File(x.ctx, f)
	var e *PaceError
	if err != nil && !errors.As(err, &e) {
		x.t.Fatal(err)
	}
	return e
}

// So many new conversations in an hour and in a day; answers have a bound of
// their own. What is refused leaves nothing.
func TestPace(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	p := threading.Pace{ThreadsPerHour: 3, ThreadsPerDay: 5, MessagesPerHour: 2}
	start := func() *PaceError { return x.paced(p, x.start(sam, tess, "hello")) }
	for i := range 3 {
		if e := start(); e != nil {
			t.Fatalf("conversation %d: %v", i, e)
		}
	}
	e := start()
	if e == nil || !e.Threads || e.Limit != 3 || e.Within != time.Hour || e.After <= 0 || e.After > time.Hour+time.Second {
		t.Fatalf("the fourth in an hour: %+v", e)
	}
	if n := x.count("threads"); n != 3 {
		t.Errorf("%d threads", n)
	}
	if err := x.WithinPace(x.ctx, sam.ID, p, 1, 0); !errors.As(err, &e) || e.Limit != 3 {
		t.Errorf("asked before: %v", err)
	}
	if err := x.WithinPace(x.ctx, tess.ID, p, 1, 1); err != nil {
		t.Errorf("of somebody else: %v", err)
	}
	x.clock.advance(e.After)
	if e := start(); e != nil {
		t.Errorf("when there should be room: %v", e)
	}
	x.clock.advance(time.Hour)
	if e := start(); e != nil {
		t.Errorf("the fifth of the day: %v", e)
	}
	x.clock.advance(time.Hour)
	if e := start(); e == nil || e.Limit != 5 || e.Within != 24*time.Hour || e.After < 20*time.Hour || e.After > 24*time.Hour {
		t.Errorf("the sixth of the day: %+v", e)
	}
	x.clock.advance(25 * time.Hour)
	if e := start(); e != nil {
		t.Errorf("the next day: %v", e)
	}

	thread := x.file(x.start(tess, sam, "hello"))[0].ThreadID
	for i := range 3 {
		if e := x.paced(p, x.reply(thread, sam, tess, "answer")); (e != nil) != (i == 2) || e != nil && (e.Threads || e.Limit != 2) {
			t.Errorf("answer %d: %+v", i, e)
		}
	}
	x.clock.advance(48 * time.Hour)
	x.sweep()
	if n := x.count("pace"); n != 0 {
		t.Errorf("%d rows of pace are kept", n)
	}
}

// The count is one for all processes, and is there after a restart.
func TestPaceIsShared(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	p := threading.Pace{ThreadsPerHour: 2}
	other := &fixture{Store: x.open(false), t: t, ctx: x.ctx, clock: x.clock, path: x.path}
	if e := x.paced(p, x.start(sam, tess, "one")); e != nil {
		t.Fatal(e)
	}
	if e := other.paced(p, other.start(sam, tess, "two")); e != nil {
		t.Fatal(e)
	}
	if e := x.paced(p, x.start(sam, tess, "three")); e == nil {
		t.Error("two processes count by themselves")
	}
	x.do(other.Close())
	again := &fixture{Store: x.open(false), t: t, ctx: x.ctx, clock: x.clock, path: x.path}
	if e := again.paced(p, again.start(sam, tess, "four")); e == nil {
		t.Error("a restart forgets")
	}
}

// More at once than ever fit has no time to wait for.
func TestPaceOfMany(t *testing.T) {
	x := newFixture(t)
	sam := x.member("sam")
	var e *PaceError
	if err := x.WithinPace(x.ctx, sam.ID, threading.Pace{ThreadsPerHour: 3}, 4, 0); !errors.As(err, &e) || e.After != 0 {
		t.Errorf("%v", err)
	}
}

// What it costs does not grow with what there is.
func TestPaceCostsTheSame(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	p := threading.Pace{ThreadsPerHour: 1000, ThreadsPerDay: 1000, MessagesPerHour: 1000}
	var n [2]int
	for i := range n {
		n[i] = x.statements(func() error {
			f := x.start(sam, tess, "hello")
			f.Pace = p
			return second(x.File(x.ctx, f))
		})
		for range 50 {
			x.clock.advance(time.Minute)
			x.paced(p, x.start(sam, tess, "more"))
		}
	}
	if n[0] != n[1] {
		t.Errorf("%d statements at first, %d later", n[0], n[1])
	}
}

// First contact is over once who was written to has answered.
func TestKnows(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	knows := func(a, b threading.Member) bool {
		ok, err := x.Knows(x.ctx, a.ID, b.ID)
		x.do(err)
		return ok
	}
	thread := x.file(x.start(sam, tess, "hello"))[0].ThreadID
	if knows(tess, sam) || !knows(sam, tess) {
		t.Error("who was only written to knows the writer")
	}
	away := x.reply(thread, tess, sam, "I am away")
	away.Automatic = true
	x.file(away)
	if knows(tess, sam) {
		t.Error("a vacation notice is an answer")
	}
	x.file(x.reply(thread, tess, sam, "hello yourself"))
	if !knows(tess, sam) {
		t.Error("an answer is none")
	}
}

// The migration and AddMember agree on what a handle looks like.
func TestLookAlikeHandles(t *testing.T) {
	x := newFixture(t)
	for i, handle := range []string{"tess", "bill-0", "rnona", "vvim5", "x10i"} {
		x.member(handle)
		_, err := x.AddMember(x.ctx, threading.Member{Handle: threading.Skeleton(handle), Name: "Other"}, []string{fmt.Sprintf("other%d@mail.example", i)})
		if !errors.Is(err, ErrExists) {
			t.Errorf("%s beside %s: %v", threading.Skeleton(handle), handle, err)
		}
	}
	for handle, like := range map[string]string{"te55": "tess", "biii-o": "bill-0", "mona": "rnona", "wims": "vvim5"} {
		_, err := x.AddMember(x.ctx, threading.Member{Handle: handle, Name: "Other"}, []string{handle + "@mail.example"})
		if !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "can be taken for "+like) {
			t.Errorf("%s: %v", handle, err)
		}
	}
	var migrated, made string
	x.do(x.row(x.ctx, "SELECT REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(handle, '0', 'o'), '1', 'l'), 'i', 'l'), '5', 's'), 'rn', 'm'), 'vv', 'w'), skeleton FROM members WHERE handle = 'x10i'", nil, &migrated, &made))
	if migrated != made {
		t.Errorf("%s and %s", migrated, made)
	}
	tess, err := x.MemberByHandle(x.ctx, "tess")
	x.do(err)
	x.do(x.RemoveMember(x.ctx, tess.ID))
	x.member("te55") // nobody is left whom it could be taken for
}

func TestCloseProduction(t *testing.T) {
	x := newFixture(t)
	sam := x.member("sam")
	p, err := x.AddProduction(x.ctx, threading.Production{Slug: "hamlet", Title: "Hamlet", OwnerID: sam.ID})
	x.do(err)
	state := func() (closed time.Time, offered int) {
		got, err := x.ProductionBySlug(x.ctx, "hamlet")
		x.do(err)
		list, err := x.ProductionsOf(x.ctx, sam.ID, sam.ID)
		x.do(err)
		return got.ClosedAt, len(list)
	}
	x.do(x.CloseProduction(x.ctx, p.ID, true))
	at, offered := state()
	if !at.Equal(x.clock.Now()) || offered != 0 {
		t.Errorf("closed at %v, offered %d times", at, offered)
	}
	x.clock.advance(time.Hour)
	x.do(x.CloseProduction(x.ctx, p.ID, true))
	if again, _ := state(); !again.Equal(at) {
		t.Errorf("closed again at %v", again)
	}
	x.do(x.CloseProduction(x.ctx, p.ID, false))
	if at, offered := state(); !at.IsZero() || offered != 1 {
		t.Errorf("opened again: closed at %v, offered %d times", at, offered)
	}
	if err := x.CloseProduction(x.ctx, 1, true); !errors.Is(err, ErrNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
}

package store

import (
	"errors"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

const (
	immediate = threading.AlertsImmediate
	daily     = threading.AlertsDaily
	never     = threading.AlertsNever
	usual     = threading.AlertsUsual
)

// How a member is told of a thread: as the thread's own setting says, whatever
// the member's is; without one, as the member's.
func TestAlertsOfAThread(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	thread := x.file(x.start(sam, tess, "one"))[0].ThreadID
	x.file(x.start(sam, tess, "another thread"))
	queued := func() int {
		t.Helper()
		q, err := x.Queue(x.ctx, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(q)
	}
	for _, c := range []struct{ member, own, want threading.Alerts }{
		{immediate, usual, immediate}, {immediate, never, never}, {immediate, daily, daily},
		{daily, usual, daily}, {daily, immediate, immediate}, {daily, never, never},
		{never, usual, never}, {never, immediate, immediate}, {never, daily, daily},
	} {
		x.do(x.SetAlerts(x.ctx, tess.ID, c.member))
		x.do(x.SetThreadAlerts(x.ctx, tess.ID, thread, c.own))
		if own, err := x.ThreadAlerts(x.ctx, tess.ID, thread); err != nil || own != c.own {
			t.Errorf("%+v: the thread's own is %q, %v", c, own, err)
		}
		if got, err := x.AlertsFor(x.ctx, tess.ID, thread, 0); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
		before := queued()
		x.file(x.reply(thread, sam, tess, "again"))
		if n := queued() - before; (n == 1) != (c.want == immediate) {
			t.Errorf("%+v: %d notifications", c, n)
		}
	}
	// Who wants nothing any more is told of nothing.
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, thread, immediate))
	x.do(x.SetAlerts(x.ctx, tess.ID, never))
	if got, err := x.AlertsFor(x.ctx, tess.ID, thread, 0); err != nil || got != never {
		t.Errorf("after stopping all: %q, %v", got, err)
	}
	stranger := x.member("otto")
	if err := x.SetThreadAlerts(x.ctx, stranger.ID, thread, immediate); !errors.Is(err, ErrNotFound) {
		t.Errorf("who takes no part: %v", err)
	}
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, thread, daily))
	x.do(x.RemoveMember(x.ctx, tess.ID))
	if err := x.SetThreadAlerts(x.ctx, tess.ID, thread, daily); !errors.Is(err, ErrNotFound) || x.count("thread_alerts") != 0 {
		t.Errorf("a former member: %v, %d left", err, x.count("thread_alerts"))
	}
}

// Moving to Junk mutes a thread; moving it back brings its own setting back.
func TestJunkKeepsTheThreadsSetting(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	thread := x.file(x.start(sam, tess, "spam?"))[0].ThreadID
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, thread, daily))
	for _, c := range []struct {
		from, to string
		want     threading.Alerts
	}{{"INBOX", "Junk", never}, {"Junk", "INBOX", daily}} {
		x.move(tess, c.from, c.to)
		if own, err := x.ThreadAlerts(x.ctx, tess.ID, thread); err != nil || own != c.want {
			t.Errorf("from %s to %s: %q, %v", c.from, c.to, own, err)
		}
	}
}

// Whichever way a setting changes, digests are due to those who want one of any
// thread, and to nobody else.
func TestDigestsAreDueToThoseWhoWantOne(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	thread := x.file(x.start(sam, tess, "one"))[0].ThreadID
	update := func(a threading.Alerts) error {
		m, err := x.Member(x.ctx, tess.ID)
		x.do(err)
		m.Alerts = a
		x.change(m)
		return nil
	}
	set := func(a threading.Alerts) error { return x.SetAlerts(x.ctx, tess.ID, a) }
	own := func(a threading.Alerts) error { return x.SetThreadAlerts(x.ctx, tess.ID, thread, a) }
	for i, c := range []struct {
		change func(threading.Alerts) error
		alerts threading.Alerts
		due    bool
	}{
		{set, daily, true}, {set, never, false}, {set, daily, true}, {set, immediate, false},
		{update, daily, true}, {own, daily, true}, {update, immediate, true}, {own, usual, false},
		{own, daily, true}, {set, never, false}, {own, daily, true}, {own, never, false},
		{update, daily, true}, {own, immediate, true}, {update, never, false},
	} {
		x.do(c.change(c.alerts))
		x.clock.advance(48 * time.Hour)
		due, err := x.DueDigests(x.ctx, 10)
		if err != nil || (len(due) == 1) != c.due {
			t.Fatalf("change %d: %d digests are due, %v", i, len(due), err)
		}
		for _, d := range due {
			x.do(x.FileDigest(x.ctx, d, x.clock.Now(), nil))
		}
	}
}

// A digest that is due stays due while other settings change.
func TestADueDigestIsNotPutOff(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	thread := x.file(x.start(sam, tess, "one"))[0].ThreadID
	x.do(x.SetAlerts(x.ctx, tess.ID, daily))
	x.clock.advance(48 * time.Hour)
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, thread, daily))
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, thread, never))
	m, err := x.Member(x.ctx, tess.ID)
	x.do(err)
	m.Name = "Tess T."
	x.change(m)
	if due, err := x.DueDigests(x.ctx, 10); err != nil || len(due) != 1 {
		t.Errorf("%d are due, %v", len(due), err)
	}
}

// A digest tells of each message once: not of what was mailed at once before
// the setting changed.
func TestADigestTellsWhatNothingElseTold(t *testing.T) {
	x := newFixture(t)
	var err error
	x.Store, err = Open(x.ctx, Options{DSN: "sqlite:" + x.path, Keyring: fixtureKeyring(t), IDs: threading.NewIDSourceAt(x.clock.Now), Now: x.clock.Now})
	x.do(err)
	defer x.Store.Close()
	tess, sam := x.member("tess"), x.member("sam")
	one := x.file(x.start(sam, tess, "at once"))[0].ThreadID
	two := x.file(x.start(sam, tess, "at once too"))[0].ThreadID
	began := x.clock.Now()
	say := func(thread threading.ID, text string) {
		x.file(x.reply(thread, sam, tess, text))
		x.clock.advance(time.Minute)
	}
	told := func() map[threading.ID]int {
		t.Helper()
		list, total, err := x.UnreadThreads(x.ctx, tess.ID, began.Add(-time.Hour), x.clock.Now(), 10)
		if err != nil || total != len(list) {
			t.Fatalf("%d of %d, %v", len(list), total, err)
		}
		n := map[threading.ID]int{}
		for _, u := range list {
			n[u.ThreadID] = u.Messages
		}
		return n
	}
	x.clock.advance(time.Minute)
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, one, daily))
	say(one, "for the digest")
	say(two, "at once")
	if n := told(); n[one] != 1 || n[two] != 0 {
		t.Errorf("one thread daily: %v", n)
	}
	x.do(x.SetAlerts(x.ctx, tess.ID, daily))
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, two, immediate))
	say(one, "for the digest")
	say(two, "at once")
	if n := told(); n[one] != 2 || n[two] != 0 {
		t.Errorf("all daily but one: %v", n)
	}
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, two, usual))
	say(two, "for the digest")
	if n := told(); n[one] != 2 || n[two] != 1 {
		t.Errorf("all daily: %v", n)
	}
}

package store

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

func (x *fixture) do(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *fixture) everything(threading.Mailbox) threading.UIDSet {
	return threading.UIDSet{{First: 1, Last: 1<<32 - 1}}
}

// move moves all messages of a mailbox.
func (x *fixture) move(m threading.Member, from, to string) {
	x.t.Helper()
	_, err := x.Copy(x.ctx, m.ID, x.mailbox(m, from).ID, x.everything(threading.Mailbox{}), to, true)
	x.do(err)
}

// What a blocked member writes is filed for that member, and for nobody who
// blocked them; it does not come later either.
func TestBlock(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	first := x.file(x.start(sam, tess, "before"))[0]
	x.do(x.Block(x.ctx, tess.ID, sam.ID))
	x.do(x.Block(x.ctx, tess.ID, sam.ID))
	x.file(x.reply(first.ThreadID, sam, tess, "in the thread"))
	x.file(x.start(sam, tess, "in another"))
	inbox, sent := x.mailbox(tess, "INBOX"), x.mailbox(sam, "Sent")
	if n, m := len(x.entries(inbox)), len(x.entries(sent)); n != 1 || m != 3 {
		t.Errorf("Tess has %d, Sam has sent %d", n, m)
	}
	if q, err := x.Queue(x.ctx, 10); err != nil || len(q) != 1 {
		t.Errorf("%d notifications, %v", len(q), err)
	}
	x.file(x.reply(first.ThreadID, tess, sam, "the other way it still goes"))
	if n := len(x.entries(x.mailbox(sam, "INBOX"))); n != 1 {
		t.Errorf("Sam has %d", n)
	}
	if list, err := x.BlockedMembers(x.ctx, tess.ID); err != nil || len(list) != 1 || list[0].ID != sam.ID {
		t.Errorf("blocked are %v, %v", list, err)
	}
	x.do(x.Unblock(x.ctx, tess.ID, sam.ID))
	if n := len(x.entries(inbox)); n != 1 {
		t.Errorf("after unblocking Tess has %d", n)
	}
	x.file(x.reply(first.ThreadID, sam, tess, "after"))
	if n := len(x.entries(inbox)); n != 2 {
		t.Errorf("a message after that: Tess has %d", n)
	}
	if blocked, err := x.Blocked(x.ctx, tess.ID, sam.ID); err != nil || blocked {
		t.Errorf("blocked: %v, %v", blocked, err)
	}
}

// What a blocked member starts is none of the other's threads; what those have
// deleted stays one if they wrote in it.
func TestThreadsOfWhoBlocked(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	before := x.file(x.start(sam, tess, "before"))[0].ThreadID
	x.do(x.Block(x.ctx, tess.ID, sam.ID))
	blocked := x.file(x.start(sam, tess, "blocked"))[0].ThreadID
	own := x.file(x.start(tess, sam, "the other way"))[0].ThreadID
	for _, c := range []struct {
		who  threading.Member
		want []threading.ID
	}{{tess, []threading.ID{own, before}}, {sam, []threading.ID{own, blocked, before}}} {
		list, err := x.ThreadsByAge(x.ctx, ThreadFilter{Member: c.who.ID, Limit: 10})
		x.do(err)
		var got []threading.ID
		for _, v := range list {
			got = append(got, v.Thread.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("of %s: %v, want %v", c.who.Handle, got, c.want)
		}
	}
}

// Moving to Junk reports and mutes, and blocks nobody; moving back undoes it.
func TestJunk(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	thread := x.file(x.start(sam, tess, "spam?"))[0].ThreadID
	x.file(x.reply(thread, tess, sam, "her own answer"))
	x.put(x.mailbox(tess, "INBOX"), "what a client put there", 0)
	open := func(want int, when string) {
		t.Helper()
		list, err := x.Reports(x.ctx, threading.ReportOpen, 10)
		if err != nil || len(list) != want {
			t.Fatalf("%s: %d open reports, %v", when, len(list), err)
		}
		if want == 1 && (list[0].ReporterID != tess.ID || list[0].OtherID != sam.ID || list[0].ThreadID != thread || list[0].Via != threading.ReportJunk) {
			t.Errorf("%s: %+v", when, list[0])
		}
		if muted := x.count("mutes"); muted != want {
			t.Errorf("%s: %d muted", when, muted)
		}
	}
	x.move(tess, "INBOX", "Junk")
	x.move(tess, "Sent", "Junk") // nobody reports themselves
	open(1, "moved to Junk")
	if n := x.count("blocks"); n != 0 {
		t.Error("moving to Junk blocked somebody")
	}
	x.file(x.reply(thread, sam, tess, "again"))
	if q, _ := x.Queue(x.ctx, 10); len(q) != 2 { // of the first two
		t.Errorf("%d notifications; the thread is muted", len(q))
	}
	x.move(tess, "Junk", "INBOX")
	open(0, "moved back")
	x.move(tess, "INBOX", "Junk")
	list, err := x.Reports(x.ctx, threading.ReportOpen, 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("moved again: %v, %v", list, err)
	}
	x.move(tess, "Junk", "Trash")
	if list, _ := x.Reports(x.ctx, threading.ReportOpen, 10); len(list) != 2 {
		t.Errorf("after deleting: %d open reports", len(list))
	}
	x.do(x.ResolveReport(x.ctx, list[0].ID, "talked to"))
	if r, err := x.Report(x.ctx, list[0].ID); err != nil || r.Status != threading.ReportResolved || r.Resolution != "talked to" || r.ResolvedAt.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
}

// A conversation that the member has muted stays so when a message of it comes
// out of Junk, also if that was chosen while it was there.
func TestJunkKeepsTheMembersOwnMute(t *testing.T) {
	for name, before := range map[string]bool{"muted before": true, "muted while it was there": false} {
		x := newFixture(t)
		tess, sam := x.member("tess"), x.member("sam")
		thread := x.file(x.start(sam, tess, "spam?"))[0].ThreadID
		mute := func() { x.do(x.SetThreadAlerts(x.ctx, tess.ID, thread, threading.AlertsNever)) }
		if before {
			mute()
		}
		x.move(tess, "INBOX", "Junk")
		if !before {
			mute()
		}
		x.move(tess, "Junk", "INBOX")
		if a, err := x.ThreadAlerts(x.ctx, tess.ID, thread); err != nil || a != threading.AlertsNever {
			t.Errorf("%s: %q, %v", name, a, err)
		}
	}
}

// A message that goes to Junk and back, and there again, is reported as often;
// the platform hears of it once.
func TestJunkBackAndForth(t *testing.T) {
	h := newHooked(t)
	for range 3 {
		h.move(h.tess, "INBOX", "Junk")
		if list, err := h.Reports(h.ctx, threading.ReportOpen, 10); err != nil || len(list) != 1 {
			t.Fatalf("%d reports, %v", len(list), err)
		}
		h.move(h.tess, "Junk", "INBOX")
		if list, err := h.Reports(h.ctx, threading.ReportOpen, 10); err != nil || len(list) != 0 {
			t.Fatalf("moved back: %d reports, %v", len(list), err)
		}
	}
	if list, err := h.WebhookEvents(h.ctx, h.hook.ID, false, 0, 10); err != nil || len(list) != 1 {
		t.Errorf("%d events, %v", len(list), err)
	}
}

// While a report is open its thread is kept, whatever the reporter deletes.
func TestEvidenceIsKept(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	thread := x.file(x.start(sam, tess, "pay me first"))[0].ThreadID
	r, _, err := x.AddReport(x.ctx, threading.Report{ReporterID: tess.ID, OtherID: sam.ID, ThreadID: thread, Via: threading.ReportPage, Reason: "wants money"})
	x.do(err)
	q, err := x.Queue(x.ctx, 10)
	x.do(err)
	x.do(x.Done(x.ctx, q[0].ID))
	inbox := x.mailbox(tess, "INBOX")
	_, err = x.StoreFlags(x.ctx, tess.ID, inbox.ID, x.everything(inbox), threading.FlagsAdd, threading.FlagDeleted, nil)
	x.do(err)
	_, err = x.Expunge(x.ctx, tess.ID, inbox.ID, nil)
	x.do(err)
	later := func() {
		x.clock.advance(100 * 24 * time.Hour)
		x.sweep()
	}
	later()
	items, err := x.Evidence(x.ctx, r, 10)
	if err != nil || len(items) != 1 || string(x.readBody(items[0].BodyID, 0, -1)) != "pay me first" {
		t.Fatalf("evidence %v, %v", items, err)
	}
	x.do(x.ResolveReport(x.ctx, r.ID, "suspended"))
	later()
	if items, err := x.Evidence(x.ctx, r, 10); err != nil || len(items) != 0 {
		t.Errorf("after it is resolved: %v, %v", items, err)
	}
	_, _, err = x.AddReport(x.ctx, threading.Report{ReporterID: sam.ID, OtherID: tess.ID, ThreadID: thread})
	if !errors.Is(err, ErrNothingToReport) {
		t.Errorf("of somebody who wrote nothing: %v", err)
	}
}

// A report is news once, and again when it was resolved: then it is as open as
// the first time.
func TestReportedAgain(t *testing.T) {
	h := newHooked(t)
	report := func(reason string, news bool, events int) {
		t.Helper()
		r, made, err := h.AddReport(h.ctx, threading.Report{ReporterID: h.tess.ID, OtherID: h.sam.ID, ThreadID: h.thread, Via: threading.ReportPage, Reason: reason})
		if err != nil || made != news {
			t.Fatalf("news: %v, %v", made, err)
		}
		if list, err := h.WebhookEvents(h.ctx, h.hook.ID, false, 0, 10); err != nil || len(list) != events {
			t.Errorf("%d events, %v", len(list), err)
		}
		r, err = h.Report(h.ctx, r.ID)
		if err != nil || r.Reason != reason || r.Status != threading.ReportOpen || r.Resolution != "" || !r.ResolvedAt.IsZero() {
			t.Errorf("%+v, %v", r, err)
		}
	}
	report("wants money", true, 1)
	report("wants more money", false, 1)
	list, err := h.Reports(h.ctx, threading.ReportOpen, 10)
	h.do(err)
	h.do(h.ResolveReport(h.ctx, list[0].ID, "talked to"))
	report("still wants money", true, 2)
}

// Of a long thread the reported message is shown with what led to it, and with
// what came after as far as there is room.
func TestEvidenceOfALongThread(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	thread := x.file(x.start(sam, tess, "0"))[0].ThreadID
	for i := 1; i < 6; i++ {
		x.file(x.reply(thread, sam, tess, strconv.Itoa(i)))
	}
	r, _, err := x.AddReport(x.ctx, threading.Report{ReporterID: tess.ID, OtherID: sam.ID, ThreadID: thread, Via: threading.ReportPage})
	x.do(err)
	x.file(x.reply(thread, sam, tess, "6"))
	x.file(x.reply(thread, sam, tess, "7"))
	for limit, want := range map[int]string{1: "5", 3: "345", 7: "0123456", 100: "01234567"} {
		items, err := x.Evidence(x.ctx, r, limit)
		x.do(err)
		var got string
		for _, it := range items {
			got += string(x.readBody(it.BodyID, 0, -1))
		}
		if got != want {
			t.Errorf("at most %d: %s, want %s", limit, got, want)
		}
	}
}

func TestAudit(t *testing.T) {
	x := newFixture(t)
	x.do(x.Audit(x.ctx, "root", "report show", "7"))
	x.do(x.Audit(x.ctx, "ops", "member show --reveal", "tess"))
	x.clock.advance(1000 * 24 * time.Hour)
	x.sweep()
	list, err := x.AuditLog(x.ctx, 10)
	if err != nil || len(list) != 2 || list[0].Actor != "ops" || list[1].Subject != "7" || list[0].At.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

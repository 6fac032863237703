package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// hooked is a fixture with a webhook for everything, and a thread from Sam to
// Tess.
type hooked struct {
	*fixture
	hook      threading.Webhook
	sam, tess threading.Member
	thread    threading.ID
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	h := &hooked{fixture: newFixture(t)}
	h.sam, h.tess = h.member("sam"), h.member("tess")
	h.thread = h.file(h.start(h.sam, h.tess, "before the webhook"))[0].ThreadID
	var err error
	if h.hook, err = h.AddWebhook(h.ctx, threading.Webhook{URL: "https://platform.example/hook", Events: threading.EventAll, Secret: []byte("secret")}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hooked) lease(s *Store) []threading.WebhookEvent {
	h.t.Helper()
	list, err := s.LeaseWebhookEvents(h.ctx, h.hook.ID, 10, time.Minute)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

func (h *hooked) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestWebhooksAreKept(t *testing.T) {
	h := newHooked(t)
	got, err := h.open(false).Webhook(h.ctx, h.hook.ID)
	if err != nil || got.URL != h.hook.URL || string(got.Secret) != "secret" || got.Events != threading.EventAll {
		t.Errorf("%+v, %v", got, err)
	}
	var sealed []byte
	h.must(h.row(h.ctx, "SELECT secret FROM webhooks", nil, &sealed))
	if string(sealed) == "secret" {
		t.Error("the secret stands in the database")
	}
	for range MaxWebhooks - 1 {
		_, err = h.AddWebhook(h.ctx, threading.Webhook{URL: "https://x.example/", Events: threading.EventAll})
		h.must(err)
	}
	if _, err = h.AddWebhook(h.ctx, threading.Webhook{URL: "https://x.example/"}); err == nil {
		t.Error("there is no bound")
	}
}

// What is filed is told in the order of filing, one after another in a thread;
// threads don't wait for each other.
func TestEventsOfAThreadAreInOrder(t *testing.T) {
	h := newHooked(t)
	otto := h.member("otto")
	other := h.file(h.start(otto, h.tess, "another thread"))[0]
	var want []threading.ID
	for i := range 3 {
		want = append(want, h.file(h.reply(h.thread, h.sam, h.tess, fmt.Sprint(i)))[0].MessageID)
	}
	first := h.lease(h.Store)
	if len(first) != 2 || first[0].RefID != other.MessageID || first[1].RefID != want[0] || first[1].MemberID != h.tess.ID || first[1].OtherID != h.sam.ID || first[1].Detail != "immediate" {
		t.Fatalf("%+v", first)
	}
	if again := h.lease(h.open(false)); len(again) != 0 {
		t.Errorf("another process gets %+v", again)
	}
	// It fails, and the thread waits for it.
	h.must(h.RetryWebhookEvent(h.ctx, first[1], h.clock.Now().Add(time.Hour), "answered 500"))
	h.must(h.WebhookEventDone(h.ctx, first[0]))
	h.clock.advance(time.Minute)
	if list := h.lease(h.Store); len(list) != 0 {
		t.Errorf("the thread did not wait: %+v", list)
	}
	h.clock.advance(time.Hour)
	for i, id := range want {
		list := h.lease(h.Store)
		if len(list) != 1 || list[0].RefID != id {
			t.Fatalf("%d: %+v", i, list)
		}
		if i == 1 {
			h.must(h.WebhookEventDead(h.ctx, list[0], "answered 500"))
		} else {
			h.must(h.WebhookEventDone(h.ctx, list[0]))
		}
	}
	state, err := h.WebhookState(h.ctx)
	if err != nil || state.Waiting != 0 || state.Dead != 1 || !state.Oldest.IsZero() {
		t.Errorf("%+v, %v", state, err)
	}
	if n, err := h.ReviveWebhookEvents(h.ctx, h.hook.ID, 0); err != nil || n != 1 {
		t.Error(n, err)
	}
	if list := h.lease(h.Store); len(list) != 1 || list[0].RefID != want[1] || list[0].Attempts != 1 {
		t.Errorf("%+v", list)
	}
}

// What was given up is told again in its order, before what came after it, and
// after what is on its way.
func TestRevivedEventsAreInOrder(t *testing.T) {
	h := newHooked(t)
	var want []threading.ID
	write := func(text string) {
		want = append(want, h.file(h.reply(h.thread, h.sam, h.tess, text))[0].MessageID)
	}
	next := func(i int) threading.WebhookEvent {
		t.Helper()
		list := h.lease(h.Store)
		if len(list) != 1 || list[0].RefID != want[i] {
			t.Fatalf("instead of %d alone: %+v", i, list)
		}
		return list[0]
	}
	revive := func(n int) {
		t.Helper()
		if got, err := h.ReviveWebhookEvents(h.ctx, h.hook.ID, 0); err != nil || got != n {
			t.Fatal(got, err)
		}
	}
	write("one")
	write("two")
	write("three")
	for i := range 2 {
		h.must(h.WebhookEventDead(h.ctx, next(i), "answered 500"))
	}
	h.must(h.RetryWebhookEvent(h.ctx, next(2), h.clock.Now().Add(time.Second), "answered 500"))
	h.clock.advance(time.Minute)
	revive(2)
	h.must(h.WebhookEventDead(h.ctx, next(0), "answered 500"))
	on := next(1)
	revive(1)
	if list := h.lease(h.Store); len(list) != 0 {
		t.Errorf("two of a thread are on their way: %+v", list)
	}
	h.must(h.WebhookEventDone(h.ctx, on))
	h.must(h.WebhookEventDone(h.ctx, next(0)))
	h.must(h.WebhookEventDone(h.ctx, next(2)))
}

// Who dies with a lease loses it, and what they say after that is not heard.
func TestWebhookLease(t *testing.T) {
	h := newHooked(t)
	h.file(h.reply(h.thread, h.sam, h.tess, "one"))
	lost := h.lease(h.Store)
	h.clock.advance(time.Minute)
	taken := h.lease(h.open(false))
	if len(taken) != 1 || taken[0].ID != lost[0].ID || taken[0].Attempts != 2 {
		t.Fatalf("%+v", taken)
	}
	h.must(h.WebhookEventDone(h.ctx, lost[0]))
	h.must(h.WebhookEventDead(h.ctx, lost[0], "x"))
	h.must(h.RetryWebhookEvent(h.ctx, lost[0], h.clock.Now(), "x"))
	if list, err := h.WebhookEvents(h.ctx, h.hook.ID, false, 0, 10); err != nil || len(list) != 1 || list[0].LastError != "" {
		t.Errorf("%+v, %v", list, err)
	}
}

// Nothing tells what a blocked member wrote; a note's writer is the platform; a
// report and an address that takes no mail are events too.
func TestWhatIsAnEvent(t *testing.T) {
	h := newHooked(t)
	h.must(h.Block(h.ctx, h.tess.ID, h.sam.ID))
	h.file(h.reply(h.thread, h.sam, h.tess, "blocked"))
	if list := h.lease(h.Store); len(list) != 0 {
		t.Fatalf("a blocked message: %+v", list)
	}
	h.must(h.Unblock(h.ctx, h.tess.ID, h.sam.ID))
	h.must(h.SetThreadAlerts(h.ctx, h.tess.ID, h.thread, threading.AlertsNever))
	h.file(h.reply(h.thread, h.sam, h.tess, "muted"))
	_, _, err := h.AddReport(h.ctx, threading.Report{ReporterID: h.tess.ID, OtherID: h.sam.ID, ThreadID: h.thread, Via: threading.ReportPage})
	h.must(err)
	list, err := h.Addresses(h.ctx, h.tess.ID)
	h.must(err)
	for range 2 { // told once
		_, _, err = h.AddressFailed(h.ctx, list[0].ID, "mail to it came back (5.1.1)", 0)
		h.must(err)
	}
	got, err := h.WebhookEvents(h.ctx, h.hook.ID, false, 0, 10)
	if err != nil || len(got) != 3 || got[0].Detail != "never" || got[1].Kind != threading.EventReport || got[1].Detail != "page" ||
		got[2].Kind != threading.EventBounce || got[2].MemberID != h.tess.ID || got[2].Detail != "mail to it came back (5.1.1)" || got[2].ThreadID != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	// Junk is a report.
	inbox, err := h.Mailbox(h.ctx, h.tess.ID, threading.Inbox)
	h.must(err)
	_, err = h.Copy(h.ctx, h.tess.ID, inbox.ID, threading.UIDSet{{First: 1, Last: 1}}, "Junk", true)
	h.must(err)
	if got, err = h.WebhookEvents(h.ctx, h.hook.ID, false, 0, 10); err != nil || len(got) != 4 || got[3].Kind != threading.EventReport || got[3].Detail != "junk" {
		t.Errorf("%+v, %v", got, err)
	}
	h.must(h.RemoveWebhook(h.ctx, h.hook.ID))
	if got, err = h.WebhookEvents(h.ctx, h.hook.ID, false, 0, 10); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A command's event wakes the daemon.
func TestEventsOfOtherProcesses(t *testing.T) {
	h := newHooked(t)
	daemon := h.open(true)
	h.file(h.reply(h.thread, h.sam, h.tess, "by a command"))
	select {
	case <-daemon.WebhookWake():
	case <-time.After(30 * time.Second):
		t.Error("the daemon was not woken")
	}
}

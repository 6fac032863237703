package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// hold files a message of which only the writer's copy goes through.
func (x *fixture) hold(writer, reader threading.Member, text string) threading.Filed {
	x.t.Helper()
	f := x.start(writer, reader, text)
	f.Hold, f.Dedupe = "It looks like spam.", []byte(text)
	filed := x.file(f)[0]
	if !filed.Held {
		x.t.Fatal("it is not held")
	}
	return filed
}

// What is held is as good as sent for its writer, and nowhere for its reader
// until it is released; then it has just come.
func TestHeldForTheOperator(t *testing.T) {
	h := newHooked(t)
	tess, sam := h.tess, h.sam
	inbox := len(h.entries(h.mailbox(tess, "INBOX")))
	queued := h.count("queue")
	events := func() int {
		t.Helper()
		list, err := h.WebhookEvents(h.ctx, h.hook.ID, false, 0, 10)
		h.do(err)
		return len(list)
	}
	told := events()
	filed := h.hold(sam, tess, "buy my course")
	if got := len(h.entries(h.mailbox(sam, "Sent"))); got != 2 {
		t.Errorf("Sam has sent %d", got)
	}
	threads, err := h.ThreadsByAge(h.ctx, ThreadFilter{Member: tess.ID, Limit: 10})
	h.do(err)
	if n := len(h.entries(h.mailbox(tess, "INBOX"))); n != inbox || h.count("queue") != queued || events() != told || len(threads) != 1 {
		t.Errorf("before the release Tess has %d, %d are queued, %d events, %d threads", n, h.count("queue"), events(), len(threads))
	}
	again := h.start(sam, tess, "buy my course")
	again.Hold, again.Dedupe = "x", []byte("buy my course")
	if f := h.file(again)[0]; !f.Duplicate || f.MessageID != filed.MessageID {
		t.Errorf("a retry: %+v", f)
	}
	list, err := h.HeldLetters(h.ctx, 10)
	if err != nil || len(list) != 1 || list[0].WriterID != sam.ID || list[0].Reason != "It looks like spam." || len(list[0].Copies) != 1 || list[0].Copies[0].MemberID != tess.ID {
		t.Fatalf("held are %+v, %v", list, err)
	}
	if state, err := h.HeldState(h.ctx); err != nil || state.Messages != 1 || !state.Oldest.Equal(h.clock.Now()) {
		t.Errorf("%+v, %v", state, err)
	}
	h.clock.advance(30 * 24 * time.Hour)
	h.sweep()
	h.do(h.ReleaseLetter(h.ctx, filed.MessageID, time.Minute))
	if err := h.ReleaseLetter(h.ctx, filed.MessageID, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("released twice: %v", err)
	}
	entries := h.entries(h.mailbox(tess, "INBOX"))
	last := entries[len(entries)-1]
	if len(entries) != inbox+1 || !last.SavedAt.Equal(h.clock.Now()) || string(h.readBody(last.BodyID, 0, -1)) != "buy my course" {
		t.Errorf("after it: %+v", entries)
	}
	q, err := h.Queue(h.ctx, 10)
	if err != nil || len(q) != queued+1 || events() != told+1 {
		t.Errorf("after it %d are queued, %d events, %v", len(q), events(), err)
	}
}

// What is dropped, or whose writer or reader left or who is blocked, is gone.
func TestHeldThatNeverComes(t *testing.T) {
	for name, c := range map[string]struct {
		before, after func(x *fixture, tess, sam threading.Member, message threading.ID) error
		release       bool
	}{
		"dropped": {after: func(x *fixture, _, _ threading.Member, message threading.ID) error {
			return x.DropLetter(x.ctx, message)
		}},
		"its writer left": {after: func(x *fixture, _, sam threading.Member, _ threading.ID) error {
			return x.RemoveMember(x.ctx, sam.ID)
		}},
		"its reader left": {after: func(x *fixture, tess, _ threading.Member, _ threading.ID) error {
			return x.RemoveMember(x.ctx, tess.ID)
		}},
		"blocked meanwhile": {release: true, after: func(x *fixture, tess, sam threading.Member, _ threading.ID) error {
			return x.Block(x.ctx, tess.ID, sam.ID)
		}},
		"blocked while it came": {
			before: func(x *fixture, tess, sam threading.Member, _ threading.ID) error {
				return x.Block(x.ctx, tess.ID, sam.ID)
			},
			after: func(x *fixture, tess, sam threading.Member, _ threading.ID) error {
				return x.Unblock(x.ctx, tess.ID, sam.ID)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newFixture(t)
			tess, sam := x.member("tess"), x.member("sam")
			inbox := x.mailbox(tess, "INBOX")
			if c.before != nil {
				x.do(c.before(x, tess, sam, 0))
			}
			f := x.start(sam, tess, "hello")
			f.Hold = "why"
			filed := x.file(f)[0]
			x.do(c.after(x, tess, sam, filed.MessageID))
			if err := x.ReleaseLetter(x.ctx, filed.MessageID, 0); c.release && err != nil || !c.release && !errors.Is(err, ErrNotFound) {
				t.Errorf("released: %v", err)
			}
			if _, err := x.HeldLetter(x.ctx, filed.MessageID); !errors.Is(err, ErrNotFound) {
				t.Errorf("held: %v", err)
			}
			if n := len(x.entries(inbox)); n != 0 {
				t.Errorf("Tess has %d", n)
			}
			x.clock.advance(2 * orphanAge)
			if x.sweep(); name == "its writer left" && x.count("bodies") != 0 {
				t.Error("what it said is kept")
			}
		})
	}
}

// The same text is held from the bound on, and reported once.
func TestSameTextIsHeld(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	for range 4 {
		f := x.start(sam, tess, "hello")
		f.Text = threading.Text{Hash: []byte("the same"), Recipients: 2, Hold: true}
		x.file(f)
	}
	if n, m := len(x.entries(x.mailbox(tess, "INBOX"))), len(x.entries(x.mailbox(sam, "Sent"))); n != 2 || m != 4 {
		t.Errorf("Tess has %d, Sam has sent %d", n, m)
	}
	held, err := x.HeldLetters(x.ctx, 10)
	if err != nil || len(held) != 2 || !strings.HasSuffix(held[1].Reason, "the same text to 4 members within a week.") {
		t.Errorf("held are %+v, %v", held, err)
	}
	reports, err := x.Reports(x.ctx, threading.ReportOpen, 10)
	if err != nil || len(reports) != 1 || !strings.HasSuffix(reports[0].Reason, "the same text to 3 members within a week.") {
		t.Errorf("reports %+v, %v", reports, err)
	}
}

// What a writer sends after something that is held waits behind it, whatever it
// says, and comes with it; nobody else knows of either before.
func TestHeldBehind(t *testing.T) {
	h := newHooked(t)
	tess, sam := h.tess, h.sam
	inbox := len(h.entries(h.mailbox(tess, "INBOX")))
	first := h.hold(sam, tess, "buy my course")
	view, err := h.Thread(h.ctx, first.ThreadID)
	h.do(err)
	at := view.Thread.LastAt
	h.clock.advance(time.Hour)
	second := h.file(h.reply(first.ThreadID, sam, tess, "did you get it?"))[0]
	if !second.Held {
		t.Fatal("it is not held")
	}
	view, err = h.Thread(h.ctx, first.ThreadID)
	h.do(err)
	if len(view.Chain) != 2 || view.Chain[0].KnownTo(tess.ID) || view.Chain[1].KnownTo(tess.ID) || !view.Chain[1].KnownTo(sam.ID) || !view.Thread.LastAt.Equal(at) {
		t.Errorf("%+v", view)
	}
	other := h.file(h.start(sam, tess, "another conversation"))[0]
	if other.Held || len(h.entries(h.mailbox(tess, "INBOX"))) != inbox+1 {
		t.Error("another conversation waits too")
	}
	h.do(h.ReleaseLetter(h.ctx, first.MessageID, 0))
	entries := h.entries(h.mailbox(tess, "INBOX"))
	if n := len(entries); n != inbox+3 || string(h.readBody(entries[n-2].BodyID, 0, -1)) != "buy my course" || string(h.readBody(entries[n-1].BodyID, 0, -1)) != "did you get it?" {
		t.Errorf("released: %d", n)
	}
	view, err = h.Thread(h.ctx, first.ThreadID)
	h.do(err)
	if !view.Chain[0].KnownTo(tess.ID) || !view.Chain[1].KnownTo(tess.ID) || !view.Thread.LastAt.Equal(h.clock.Now()) {
		t.Errorf("released: %+v", view)
	}

	// What something was found in itself waits for its own release.
	third := h.reply(first.ThreadID, sam, tess, "pay here")
	third.Hold = "It looks like spam."
	fourth := h.reply(first.ThreadID, sam, tess, "or there")
	fourth.Hold = "It looks like spam."
	filed := h.file(third, fourth, h.reply(first.ThreadID, sam, tess, "please"))
	h.do(h.ReleaseLetter(h.ctx, filed[0].MessageID, 0))
	if n := len(h.entries(h.mailbox(tess, "INBOX"))); n != inbox+4 {
		t.Errorf("%d", n)
	}
	h.do(h.DropLetter(h.ctx, filed[1].MessageID))
	view, err = h.Thread(h.ctx, first.ThreadID)
	h.do(err)
	if c := view.Chain[3]; c.MessageID != filed[1].MessageID || c.KnownTo(tess.ID) {
		t.Errorf("what was dropped is known: %+v", c)
	}
	h.do(h.ReleaseLetter(h.ctx, filed[2].MessageID, 0))
	if n := len(h.entries(h.mailbox(tess, "INBOX"))); n != inbox+5 {
		t.Errorf("%d", n)
	}
}

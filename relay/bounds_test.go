package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/threading"
)

// hears returns the refusal that a writer hears.
func (s *stage) hears(err error) *Refusal {
	s.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		s.Fatalf("not refused: %v", err)
	}
	return r
}

// New conversations have a bound, a stricter one for new members, at every door;
// answers have their own.
func TestPaceAtEveryDoor(t *testing.T) {
	s := newStage(t, func(o *Options) {
		o.Pace, o.NewPace = threading.Pace{ThreadsPerHour: 5, MessagesPerHour: 3}, threading.Pace{ThreadsPerHour: 2, MessagesPerHour: 3}
		o.NewFor = 7 * 24 * time.Hour
	})
	ctx, n := context.Background(), 0
	doors := map[string]func(threading.Member, string) error{
		"SMTP": func(m threading.Member, to string) error {
			return s.arrive("sam.real@agency.example", true, letterFrom("sam.real@agency.example", to, "Hello", fmt.Sprintf("number %d\n", n)), to)
		},
		"submission": func(m threading.Member, to string) error {
			return s.submit(m, letterFrom("sam", to, "Hello", fmt.Sprintf("number %d\n", n)), to)
		},
		"contact": func(m threading.Member, _ string) error {
			_, err := s.Contact(ctx, ContactForm{Writer: m, To: s.tess, Subject: "Hello", Text: fmt.Sprintf("number %d", n)})
			return err
		},
	}
	write := func(door string) error {
		n++
		return doors[door](s.sam, "tess@"+testDomain)
	}
	for _, door := range []string{"SMTP", "contact"} {
		if err := write(door); err != nil {
			t.Fatalf("%s: %v", door, err)
		}
	}
	// A retry of what is filed is no new conversation.
	retry := letterFrom("otto", "tess", "Once", "x\n", "Message-ID: <once@actor.example>")
	for range 5 {
		if err := s.submit(s.otto, retry, "tess@"+testDomain); err != nil {
			t.Fatalf("a retry: %v", err)
		}
	}
	for door := range doors {
		r := s.hears(write(door))
		if r.Code != 450 || r.RetryAfter <= 0 || !strings.HasPrefix(r.Text, "You have started conversations with 2 members within an hour, as many as are allowed; you can still answer those who wrote to you. Please try again in ") {
			t.Errorf("%s: %v", door, r)
		}
	}
	r := s.hears(s.submit(s.otto, letterFrom("otto", "all", "Hello", "x\n"), "tess@"+testDomain, "sam@"+testDomain, "ophelia.hamlet@"+testDomain))
	if r.Code != 550 || !strings.Contains(r.Text, "2 members within an hour, and this message is to more. Nobody got it") || len(s.mailbox(s.otto, "Sent")) != 1 {
		t.Errorf("to many at once: %v", r)
	}
	s.now = s.now.Add(8 * 24 * time.Hour)
	for i := range 5 {
		if err := write("submission"); err != nil {
			t.Fatalf("no longer new, conversation %d: %v", i, err)
		}
	}
	alias := addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
	answer := func(i int) error {
		return s.arrive("tess.real@mail.example", true, letterFrom("tess.real@mail.example", alias, "Re: Hello", fmt.Sprintf("answer %d\n", i)), alias)
	}
	for i := range 3 {
		if err := answer(i); err != nil {
			t.Errorf("answer %d: %v", i, err)
		}
	}
	if r := s.hears(answer(3)); r.Code != 450 || !strings.HasPrefix(r.Text, "You have written 3 messages within an hour") {
		t.Errorf("too many answers: %v", r)
	}
}

// Who takes first messages about their own roles only hears of nothing else, but
// always from whom they wrote to.
func TestFirstContactAboutOwnRolesOnly(t *testing.T) {
	s := newStage(t, nil)
	ctx := context.Background()
	var err error
	s.sam, err = s.store.ChangeMember(ctx, "sam", func(m *threading.Member) error {
		m.FirstContact = threading.FirstContactOwn
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, s.submit(s.tess, letterFrom("tess", "sam", "Hello", "x\n"), "sam@"+testDomain), errOwnOnly)
	wantRefusal(t, s.arrive("tess.real@mail.example", true, letterFrom("tess.real@mail.example", "sam", "Hello", "x\n"), "sam@"+testDomain), errOwnOnly)
	_, err = s.Contact(ctx, ContactForm{Writer: s.tess, To: s.sam, Subject: "Hello", Text: "x"})
	wantRefusal(t, err, errOwnOnly)
	// Whether there is such a member shows to nobody who is not one.
	wantRefusal(t, s.arrive("x@stranger.example", true, letterFrom("x@stranger.example", "sam", "Hello", "x\n"), "sam@"+testDomain), errNotMember)
	for what, err := range map[string]error{
		"to a role":       s.submit(s.tess, letterFrom("tess", "role", "Ophelia", "x\n"), "ophelia.hamlet@"+testDomain),
		"about it":        second(s.Contact(ctx, ContactForm{Writer: s.tess, To: s.sam, Subject: "Hello", Production: "hamlet", Text: "y"})),
		"the other way":   s.submit(s.sam, letterFrom("sam", "otto", "Hello", "x\n"), "otto@"+testDomain),
		"from who had it": s.submit(s.otto, letterFrom("otto", "sam", "A new thing", "x\n"), "sam@"+testDomain),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A conversation ends by silence, or with its production; an answer says why and
// what can be done, and the mailbox keeps what there is.
func TestConversationsEnd(t *testing.T) {
	s := newStage(t, func(o *Options) { o.ExpireAfter = 100 * 24 * time.Hour })
	ctx := context.Background()
	if _, err := s.Contact(ctx, ContactForm{Writer: s.sam, To: s.tess, Subject: "Callback", Production: "hamlet", Role: "ophelia", Text: "Tuesday?"}); err != nil {
		t.Fatal(err)
	}
	alias := addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
	answers := func() []error {
		s.now = s.now.Add(time.Minute)
		raw := letterFrom("tess.real@mail.example", alias, "Re: Callback", "Yes, at "+s.now.String()+"\n")
		return []error{s.arrive("tess.real@mail.example", true, raw, alias), s.submit(s.tess, append(raw, "!\r\n"...), alias)}
	}
	refused := func(when, want string) {
		t.Helper()
		for _, err := range answers() {
			if r := s.hears(err); r.Code != 550 || r.Text != want {
				t.Errorf("%s: %v", when, r)
			}
		}
		if n := len(s.mailbox(s.tess, "INBOX")); n != 1 {
			t.Errorf("%s: the mailbox shows %d", when, n)
		}
	}
	open := func(when string) {
		t.Helper()
		for _, err := range answers() {
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	open("at first")
	s.now = s.now.Add(101 * 24 * time.Hour)
	refused("silent", "Nobody has written in this conversation for 100 days, so its reply address has expired and your message was not delivered. To write to Sam Casting again, send a new message to sam@msg.example.com.")
	// Only its holder learns of it.
	wantRefusal(t, s.arrive("otto@actor.example", false, letterFrom("otto@actor.example", alias, "x", "x\n"), alias), errForged)

	s.now = s.now.Add(-101 * 24 * time.Hour)
	hamlet, err := s.store.ProductionBySlug(ctx, "hamlet")
	if err == nil {
		err = s.store.CloseProduction(ctx, hamlet.ID, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	const closed = "The production Hamlet has been closed, "
	refused("closed", closed+"and the conversations about it with it, so your message was not delivered. To write to Sam Casting again, send a new message to sam@msg.example.com.")
	for door, err := range map[string]error{
		"the role's address": s.arrive("tess.real@mail.example", true, letterFrom("tess.real@mail.example", "role", "x", "x\n"), "ophelia.hamlet@"+testDomain),
		"its RCPT":           s.submit(s.tess, letterFrom("tess", "role", "x", "x\n"), "ophelia.hamlet@"+testDomain),
		"the contact form":   second(s.Contact(ctx, ContactForm{Writer: s.sam, To: s.tess, Subject: "x", Production: "hamlet", Text: "x"})),
	} {
		if r := s.hears(err); r.Text != closed+"so your message was not delivered." {
			t.Errorf("%s: %v", door, r)
		}
	}
	// What comes late to an address of it is not held either.
	s.o.HoldFor, s.o.BaseURL = time.Hour, "https://msg.example.com"
	if err := s.deliver(senderauth.Result{From: "tess@new.example", Aligned: true}, alias, "It is me.\n"); err == nil {
		t.Error("held for a conversation that has ended")
	}
	if err := s.store.CloseProduction(ctx, hamlet.ID, false); err != nil {
		t.Fatal(err)
	}
	open("opened again")
}

// A member who has left is a former member in what comes after, and what was
// filed before stays as it was.
func TestFormerMember(t *testing.T) {
	s := newStage(t, func(o *Options) { o.Groups = true })
	ctx := context.Background()
	raw := letterFrom("sam.real@agency.example", "tess@"+testDomain+", otto@"+testDomain, "All of you", "Tuesday?\n")
	if err := s.arrive("sam.real@agency.example", true, raw, "tess@"+testDomain, "otto@"+testDomain); err != nil {
		t.Fatal(err)
	}
	before := s.mailbox(s.tess, "INBOX")[0]
	if !strings.Contains(before, "Otto Actor via Backstage") {
		t.Fatalf("a group:\n%s", before)
	}
	if err := s.store.RemoveMember(ctx, s.otto.ID); err != nil {
		t.Fatal(err)
	}
	alias := addressOf(before, "From")
	if err := s.arrive("tess.real@mail.example", true, letterFrom("tess.real@mail.example", alias, "Re: All of you", "Yes.\n"), alias); err != nil {
		t.Fatal(err)
	}
	if s.mailbox(s.tess, "INBOX")[0] != before {
		t.Error("what was filed has changed")
	}
	after := s.mailbox(s.sam, "INBOX")[0]
	if !strings.Contains(after, threading.FormerMember+" via Backstage") || strings.Contains(after, "Otto") {
		t.Errorf("a new message:\n%s", after)
	}
	views, err := s.store.Threads(ctx, threading.Thread{}, 10)
	if err != nil || len(views) != 1 {
		t.Fatal(views, err)
	}
	if m, _ := views[0].Participant(s.otto.ID); m.DisplayName() != threading.FormerMember {
		t.Errorf("a listing: %+v", m)
	}
}

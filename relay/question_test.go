package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// held is a stage on which Sam has written to Tess, and Tess's alias for him.
func heldStage(t *testing.T, change func(*Options)) (*stage, string) {
	s := newStage(t, func(o *Options) {
		o.BaseURL, o.HoldFor = "https://"+testDomain, 7*24*time.Hour
		if change != nil {
			change(o)
		}
	})
	if err := s.submit(s.sam, letterFrom("s", "t", "Callback", "Tuesday?\n"), "tess@"+testDomain); err != nil {
		t.Fatal(err)
	}
	return s, addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
}

// deliver is a message on the MX, with what its sender's checks said.
func (s *stage) deliver(auth senderauth.Result, to, text string) error {
	s.Helper()
	target, err := s.Recipient(context.Background(), to)
	if err != nil {
		return err
	}
	return s.Receive(context.Background(), Inbound{ReversePath: "bounces@elsewhere.example", Targets: []Target{target}, Auth: auth,
		Message: spool.FromBytes(letterFrom(auth.From, to, "Re: Callback", text))})[0]
}

// notices returns the relay's own messages in the queue, whole.
func (s *stage) notices() []string {
	s.Helper()
	ctx := context.Background()
	rows, err := s.store.Queue(ctx, 100)
	if err != nil {
		s.Fatal(err)
	}
	var out []string
	for _, r := range rows {
		if r.Kind != store.QueueNotice && r.Kind != store.QueueConfirmation {
			continue
		}
		body, err := s.store.OpenBody(ctx, r.BodyID, 0, -1)
		if err != nil {
			s.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			s.Fatal(err)
		}
		out = append(out, string(r.Header)+strings.ReplaceAll(string(b), "=\r\n", ""))
	}
	return out
}

var link = regexp.MustCompile(`https://msg\.example\.com/(held|address)/([a-z2-7]+)`)

func (s *stage) tokenIn(notice string) string {
	s.Helper()
	m := link.FindStringSubmatch(notice)
	if m == nil {
		s.Fatalf("no link in:\n%s", notice)
	}
	return m[2]
}

var (
	proven   = senderauth.Result{From: "tess.new@elsewhere.example", Aligned: true}
	unproven = senderauth.Result{From: "tess.real@mail.example"}
)

// The same answer to everything that is near: nobody can try addresses on an
// alias that came into their hands.
func TestWhatIsHeld(t *testing.T) {
	for name, c := range map[string]struct {
		auth senderauth.Result
		want *Refusal // nil: held
	}{
		"another address of hers":           {proven, nil},
		"another member's address":          {senderauth.Result{From: "otto@actor.example", Aligned: true}, nil},
		"her address, not aligned":          {unproven, nil},
		"an unknown one, not aligned":       {senderauth.Result{From: "x@nowhere.example"}, nil},
		"her address, p=quarantine":         {senderauth.Result{From: unproven.From, Policy: senderauth.PolicyQuarantine}, nil},
		"her address, p=reject":             {senderauth.Result{From: unproven.From, Policy: senderauth.PolicyReject}, errForged},
		"an unknown one, p=reject":          {senderauth.Result{From: "x@nowhere.example", Policy: senderauth.PolicyReject}, errForged},
		"DNS does not answer":               {senderauth.Result{From: unproven.From, TempError: true}, errAuthTemporary},
		"From that can't be told":           {senderauth.Result{FromError: "it has two addresses in From"}, refuse(550, 5, 7, 1, "We can't tell who wrote this message: it has two addresses in From.")},
		"another member's, not aligned":     {senderauth.Result{From: "sam.real@agency.example"}, nil},
		"her tag, which proves nothing":     {senderauth.Result{From: "tess.real+x@mail.example", Aligned: true}, nil},
		"her address in another's spelling": {senderauth.Result{From: "tess.real@mail.example.evil.example", Aligned: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, alias := heldStage(t, nil)
			err := s.deliver(c.auth, alias, "It is me.\n")
			held, herr := s.store.HeldMessages(context.Background(), 10)
			if herr != nil {
				t.Fatal(herr)
			}
			if c.want != nil {
				wantRefusal(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
			if (len(held) == 1) != (c.want == nil) || len(s.notices()) != len(held) {
				t.Errorf("%d held, %d questions", len(held), len(s.notices()))
			}
			if n := len(s.mailbox(s.sam, "INBOX")); n != 0 {
				t.Errorf("%d messages were relayed", n)
			}
		})
	}
}

// To a contact address nothing is held: who may write to it at all must not be
// found out by trying.
func TestNothingIsHeldForAContactAddress(t *testing.T) {
	s, _ := heldStage(t, nil)
	for _, auth := range []senderauth.Result{proven, unproven, {From: "otto@actor.example"}} {
		for _, to := range []string{"sam@" + testDomain, "nobody-here@" + testDomain, "ophelia.hamlet@" + testDomain} {
			wantRefusal(t, s.deliver(auth, to, "Hello\n"), errNotMember)
		}
	}
}

func TestTheQuestionShowsNothingOfTheMessage(t *testing.T) {
	s, alias := heldStage(t, nil)
	if err := s.deliver(senderauth.Result{From: "otto@actor.example", Aligned: true}, alias, "a secret plan\n"); err != nil {
		t.Fatal(err)
	}
	q := s.notices()[0]
	for _, leak := range []string{"secret plan", "otto", "actor.example", "sam.real", "agency.example"} {
		if strings.Contains(q, leak) {
			t.Errorf("the question holds %q:\n%s", leak, q)
		}
	}
	for _, want := range []string{"Subject: Did you write to Sam Casting?", "Auto-Submitted: auto-generated", "From: \"Backstage\" <t-", "1 September 2026", "Hello Tess T=C3=A4lent,"} {
		if !strings.Contains(q, want) {
			t.Errorf("the question lacks %q:\n%s", want, q)
		}
	}
}

func TestYesOnThePageRelaysTheMessage(t *testing.T) {
	s, alias := heldStage(t, nil)
	ctx := context.Background()
	if err := s.deliver(proven, alias, "It is me: tess.new@elsewhere.example\n\nOn Monday tess.new@elsewhere.example wrote:\n> x\n"); err != nil {
		t.Fatal(err)
	}
	token := s.tokenIn(s.notices()[0])
	q, err := s.QuestionOf(ctx, token)
	if err != nil || q.Registered || !q.CanRegister || fmt.Sprint(q.Others) != "[Sam Casting]" {
		t.Fatalf("%+v, %v", q, err)
	}
	if err := s.Confirm(ctx, q, true); err != nil {
		t.Fatal(err)
	}
	inbox := s.mailbox(s.sam, "INBOX")
	if len(inbox) != 1 || !strings.Contains(inbox[0], "It is me") {
		t.Fatalf("Sam has %q", inbox)
	}
	// The address that was used points to her though it is not registered yet.
	if strings.Count(inbox[0], "tess.new@elsewhere.example") != 1 {
		t.Errorf("only what she typed may be left of her address:\n%s", inbox[0])
	}
	if _, err := s.QuestionOf(ctx, token); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("the question is still open: %v", err)
	}
	// Whoever reads the address's mail decides whether it is added.
	var request string
	for _, n := range s.notices() {
		if strings.Contains(n, "/address/") {
			request = n
		}
	}
	m, err := s.AddressRequest(ctx, s.tokenIn(request))
	if err != nil || m.ID != s.tess.ID {
		t.Fatalf("%v, %v", m, err)
	}
	if err := s.GrantAddress(ctx, s.tokenIn(request)); err != nil {
		t.Fatal(err)
	}
	if err := s.deliver(proven, alias, "Now at once.\n"); err != nil || len(s.mailbox(s.sam, "INBOX")) != 2 {
		t.Errorf("from the new address: %v", err)
	}
	if err := s.GrantAddress(ctx, s.tokenIn(request)); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("used again: %v", err)
	}
}

func TestNoThrowsTheMessageAway(t *testing.T) {
	s, alias := heldStage(t, nil)
	ctx := context.Background()
	if err := s.deliver(unproven, alias, "Not from me.\n"); err != nil {
		t.Fatal(err)
	}
	q, err := s.QuestionOf(ctx, s.tokenIn(s.notices()[0]))
	if err != nil || !q.Registered || q.CanRegister {
		t.Fatalf("%+v, %v", q, err)
	}
	if err := s.Deny(ctx, q); err != nil {
		t.Fatal(err)
	}
	if held, _ := s.store.HeldMessages(ctx, 10); len(held) != 0 || len(s.mailbox(s.sam, "INBOX")) != 0 {
		t.Errorf("%d held, Sam has %d", len(held), len(s.mailbox(s.sam, "INBOX")))
	}
}

func TestAnswersByMail(t *testing.T) {
	hers := senderauth.Result{From: "tess@work.example", Aligned: true}
	for name, c := range map[string]struct {
		auth    senderauth.Result
		text    string
		want    *Refusal
		relayed bool
	}{
		"yes":                      {hers, "Yes.\n\n> Did you?\n", nil, true},
		"no":                       {hers, "no\n", nil, false},
		"another language":         {hers, "Ja!\n", nil, true},
		"not clear":                {hers, "Yes and no, you see\n", errYesOrNo, false},
		"only quoted":              {hers, "> yes\n", errYesOrNo, false},
		"another member":           {senderauth.Result{From: "otto@actor.example", Aligned: true}, "yes\n", errNotAsked, false},
		"the stranger himself":     {proven, "yes\n", errNotAsked, false},
		"her address, not aligned": {unproven, "yes\n", errNotAsked, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, alias := heldStage(t, nil)
			if err := s.deliver(proven, alias, "It is me.\n"); err != nil {
				t.Fatal(err)
			}
			err := s.deliver(c.auth, addressOf(s.notices()[0], "From"), c.text)
			if c.want != nil {
				wantRefusal(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
			held, _ := s.store.HeldMessages(context.Background(), 10)
			if got := len(s.mailbox(s.sam, "INBOX")) == 1; got != c.relayed || (len(held) == 1) != (c.want != nil) {
				t.Errorf("relayed: %v, %d held", got, len(held))
			}
		})
	}
}

// An out-of-office answer to a question answers nothing, and is not answered.
func TestAutomaticAnswersToAQuestion(t *testing.T) {
	s, alias := heldStage(t, nil)
	if err := s.deliver(proven, alias, "It is me.\n"); err != nil {
		t.Fatal(err)
	}
	to := addressOf(s.notices()[0], "From")
	target, err := s.Recipient(context.Background(), to)
	if err != nil {
		t.Fatal(err)
	}
	raw := letterFrom("tess@work.example", to, "Automatic reply", "yes\n", "Auto-Submitted: auto-replied")
	err = s.Receive(context.Background(), Inbound{ReversePath: "tess@work.example", Targets: []Target{target}, Auth: senderauth.Result{From: "tess@work.example", Aligned: true}, Message: spool.FromBytes(raw)})[0]
	if held, _ := s.store.HeldMessages(context.Background(), 10); err != nil || len(held) != 1 || len(s.notices()) != 1 {
		t.Errorf("%v, %d held, %d notices", err, len(held), len(s.notices()))
	}
}

// Whoever got hold of an alias can cause only so many questions, and then
// hears what everybody hears where nothing is held.
func TestQuestionsHaveABound(t *testing.T) {
	s, alias := heldStage(t, nil)
	for i := range store.MaxHeld {
		if err := s.deliver(proven, alias, fmt.Sprintf("number %d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	wantRefusal(t, s.deliver(proven, alias, "one more\n"), errNotHolder)
	wantRefusal(t, s.deliver(unproven, alias, "one more\n"), errForged)
	if n := len(s.notices()); n != store.MaxHeld {
		t.Errorf("%d questions", n)
	}
}

func TestNobodyIsAsked(t *testing.T) {
	for name, prepare := range map[string]func(*stage) error{
		"the holder is suspended": func(s *stage) error {
			_, err := s.store.ChangeMember(context.Background(), "tess", func(m *threading.Member) error {
				m.Status = threading.MemberSuspended
				return nil
			})
			return err
		},
		"holding is off": func(s *stage) error { s.o.HoldFor = 0; return nil },
		"no page, and no proof that a mail could give": func(s *stage) error { s.o.BaseURL = ""; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s, alias := heldStage(t, nil)
			if err := prepare(s); err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, s.deliver(unproven, alias, "Hello\n"), errForged)
			if n := len(s.notices()); n != 0 {
				t.Errorf("%d questions", n)
			}
		})
	}
}

// Made-up and foreign tokens open nothing.
func TestTokensOfQuestions(t *testing.T) {
	s, alias := heldStage(t, nil)
	token := strings.TrimPrefix(alias[:strings.IndexByte(alias, '@')], "t-")
	for _, token := range []string{"", "x", token, strings.Repeat("a", 26), strings.Repeat("a", 100000)} {
		if _, err := s.QuestionOf(context.Background(), token); !errors.Is(err, ErrNoQuestion) {
			t.Errorf("%.30s: %v", token, err)
		}
		if _, err := s.AddressRequest(context.Background(), token); !errors.Is(err, ErrNoQuestion) {
			t.Errorf("%.30s: %v", token, err)
		}
		if err := s.GrantAddress(context.Background(), token); !errors.Is(err, ErrNoQuestion) {
			t.Errorf("%.30s: %v", token, err)
		}
	}
}

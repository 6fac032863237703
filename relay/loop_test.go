package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
)

// Two programs that answer each other and say so nowhere are stopped; one
// person who writes a lot is not.
func TestTurnsEndInALoop(t *testing.T) {
	s, tessTo := heldStage(t, nil)
	tess, sam := senderauth.Result{From: "tess.real@mail.example", Aligned: true}, senderauth.Result{From: "sam.real@agency.example", Aligned: true}
	for i := range 2 * loopLength {
		if err := s.deliver(tess, tessTo, fmt.Sprintf("news %d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	samTo := addressOf(s.mailbox(s.sam, "INBOX")[0], "From")
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		who, to := sam, samTo
		if n%2 == 1 {
			who, to = tess, tessTo
		}
		err = s.deliver(who, to, fmt.Sprintf("I am away %d\n", n))
	}
	wantRefusal(t, err, errLoop)
	var r *Refusal
	if errors.As(err, &r) && !r.Temporary() {
		t.Error("a person who is that fast could not try again")
	}
	if n != loopLength {
		t.Errorf("stopped at message %d", n)
	}
}

func TestTurnsOfPeople(t *testing.T) {
	ids := threading.NewIDSource()
	now := ids.Next().Time()
	chain := func(step time.Duration, writers ...threading.ID) (c []threading.ChainLink) {
		for i := range loopLength {
			c = append(c, threading.ChainLink{MessageID: threading.IDAt(now.Add(-time.Duration(loopLength-i) * step)), WriterID: writers[i%len(writers)]})
		}
		return c
	}
	for name, c := range map[string]struct {
		chain []threading.ChainLink
		want  bool
	}{
		"fast, in turns":  {chain(10*time.Second, 1, 2), true},
		"three programs":  {chain(10*time.Second, 1, 2, 3), true},
		"slow, in turns":  {chain(time.Minute, 1, 2), false},
		"fast, one alone": {chain(time.Second, 1), false},
		"fast, two each":  {chain(time.Second, 1, 1, 2, 2), false},
		"few":             {chain(time.Second, 1, 2)[:loopLength-1], false},
	} {
		if got := inTurns(c.chain, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A mailbox of the operator's that sends its mail on to an operator's address
// of ours ends in a refusal, whether it keeps From or not.
func TestOperatorMailThatComesBack(t *testing.T) {
	s := newStage(t, nil)
	support := "support@" + testDomain
	wantRefusal(t, s.arrive(support, true, letterFrom(support, support, "Help", "Please\n"), support), errOwnMail)
	raw := letterFrom("tess.real@mail.example", support, "Help", "Please\n")
	for n := 0; ; n++ {
		raw = append([]byte(fmt.Sprintf("Received: from a by b; %d\r\n", n)), raw...)
		err := s.arrive("list@elsewhere.example", true, raw, support)
		if n >= maxHops {
			wantRefusal(t, err, errHops)
			return
		}
		if err != nil {
			t.Fatalf("round %d: %v", n, err)
		}
		q, err := s.store.Queue(context.Background(), 2*maxHops)
		if err != nil || len(q) != n+1 {
			t.Fatalf("round %d: %d queued, %v", n, len(q), err)
		}
		// What the operator's mailbox got, and sends back under another address.
		raw = append([]byte(strings.Replace(string(q[n].Header), support, fmt.Sprintf("list%d@elsewhere.example", n%2), 1)), "Please\r\n"...)
	}
}

// A ticket system that acknowledges each message, and each acknowledgement,
// ends in a refusal for the time being; others are heard.
func TestOperatorMailThatIsAnswered(t *testing.T) {
	s := newStage(t, nil)
	s.now = time.Now() // as the stage's IDs
	support := "support@" + testDomain
	write := func(from string, n int) error {
		return s.arrive(from, true, letterFrom(from, support, fmt.Sprint("Ticket ", n), "We got your message.\n"), support)
	}
	for n := range operatorHour {
		if err := write("Tickets@operator.example", n); err != nil {
			t.Fatal(err)
		}
	}
	wantRefusal(t, write("tickets@operator.example", operatorHour), errOperatorPace)
	if err := write("x@stranger.example", 0); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	s.now = s.now.Add(time.Hour + time.Minute)
	if err := write("tickets@operator.example", operatorHour); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

func TestWhatComesBack(t *testing.T) {
	s, alias := heldStage(t, nil)
	// A real mailbox that forwards all its mail sends a notification back to us, signed by us.
	for _, from := range []string{"t-abc@" + testDomain, "sam@MSG.example.com", "postmaster@" + testDomain} {
		wantRefusal(t, s.deliver(senderauth.Result{From: from, Aligned: true}, alias, "Hello\n"), errOwnMail)
	}
	target, err := s.Recipient(context.Background(), alias)
	if err != nil {
		t.Fatal(err)
	}
	for hops, want := range map[int]*Refusal{maxHops: nil, maxHops + 1: errHops} {
		var received []string
		for i := range hops {
			received = append(received, fmt.Sprintf("Received: from a by b; %d", i))
		}
		raw := letterFrom("tess.real@mail.example", alias, "Re", fmt.Sprintf("%d hops\n", hops), received...)
		err := s.Receive(context.Background(), Inbound{ReversePath: "tess.real@mail.example", Targets: []Target{target}, Auth: senderauth.Result{From: "tess.real@mail.example", Aligned: true}, Message: spool.FromBytes(raw)})[0]
		if want != nil {
			wantRefusal(t, err, want)
		} else if err != nil {
			t.Errorf("%d hops: %v", hops, err)
		}
	}
}

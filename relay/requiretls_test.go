package relay

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// TestAskedTLS: what a message's writer asks is in its queue row, whichever door
// it came by.
func TestAskedTLS(t *testing.T) {
	for _, c := range []struct {
		name    string
		require bool
		fields  []string
		want    threading.TLS
	}{
		{"nothing", false, nil, ""},
		{"REQUIRETLS", true, nil, threading.TLSRequired},
		{"TLS-Required: No", false, []string{"TLS-Required: no"}, threading.TLSOptional},
		{"REQUIRETLS comes first", true, []string{"TLS-Required: No"}, threading.TLSRequired},
		{"another value", false, []string{"TLS-Required: Yes"}, ""},
		{"twice", false, []string{"TLS-Required: No", "TLS-Required: No"}, ""},
	} {
		for _, door := range []string{"submission", "MX"} {
			s := newStage(t, nil)
			ctx := context.Background()
			raw := letterFrom("sam.real@agency.example", "tess@"+testDomain, "Callback", "Hello\n", c.fields...)
			target, err := s.SubmissionRecipient(ctx, s.sam, "tess@"+testDomain)
			if err != nil {
				t.Fatal(err)
			}
			if door == "submission" {
				err = s.Submit(ctx, s.sam, []Target{target}, spool.FromBytes(raw), c.require)
			} else {
				err = s.Receive(ctx, Inbound{
					ReversePath: "sam.real@agency.example", Targets: []Target{target}, Message: spool.FromBytes(raw),
					Auth: senderauth.Result{From: "sam.real@agency.example", Aligned: true}, RequireTLS: c.require,
				})[0]
			}
			if err != nil {
				t.Fatalf("%s, %s: %v", c.name, door, err)
			}
			rows, err := s.store.Queue(ctx, 10)
			if err != nil || len(rows) != 1 || rows[0].TLS != c.want {
				t.Errorf("%s, %s: %+v, %v", c.name, door, rows, err)
			}
			got := s.mailbox(s.tess, "INBOX")[0]
			if strings.Contains(got, "\r\nTLS-Required: No\r\n") != (c.want == threading.TLSOptional) {
				t.Errorf("%s, %s:\n%s", c.name, door, got)
			}
			protected, err := s.store.RequiresTLS(ctx, rows[0].ThreadID)
			if err != nil || protected != (c.want == threading.TLSRequired) {
				t.Errorf("%s, %s: the thread is protected: %v, %v", c.name, door, protected, err)
			}
		}
	}
}

// TestRequireTLSIsKept: what would be held or go to the operator is refused,
// while the sender is still there.
func TestRequireTLSIsKept(t *testing.T) {
	s, alias := heldStage(t, nil)
	for to, from := range map[string]string{alias: "tess@elsewhere.example", "abuse@" + testDomain: "x@stranger.example"} {
		target, err := s.Recipient(context.Background(), to)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Receive(context.Background(), Inbound{
			ReversePath: from, Targets: []Target{target}, Message: spool.FromBytes(letterFrom(from, to, "x", "Hello\n")),
			Auth: senderauth.Result{From: from, Aligned: true}, RequireTLS: true,
		})[0]
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Temporary() {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if held, err := s.store.HeldMessages(context.Background(), 10); err != nil || len(held) != 0 {
		t.Errorf("%d are held, %v", len(held), err)
	}
}

// TestWithheld: the notice tells that there is a message, and nothing of it.
func TestWithheld(t *testing.T) {
	s := newStage(t, func(o *Options) { o.BaseURL = "https://" + testDomain })
	ctx := context.Background()
	target, err := s.SubmissionRecipient(ctx, s.sam, "tess@"+testDomain)
	if err != nil {
		t.Fatal(err)
	}
	raw := letterFrom("sam.real@agency.example", "tess@"+testDomain, "The hidden garden", "Meet me at nine.\n")
	if err := s.Submit(ctx, s.sam, []Target{target}, spool.FromBytes(raw), true); err != nil {
		t.Fatal(err)
	}
	rows, err := s.store.Queue(ctx, 10)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if err := s.Withheld(ctx, s.tess.ID, rows[0].ThreadID); err != nil {
		t.Fatal(err)
	}
	if err := s.Withheld(ctx, 77, rows[0].ThreadID); err != nil { // removed meanwhile
		t.Fatal(err)
	}
	rows, err = s.store.Queue(ctx, 10)
	if err != nil || len(rows) != 2 || rows[1].Kind != store.QueueNotice || rows[1].MemberID != s.tess.ID || rows[1].TLS != "" {
		t.Fatalf("%+v, %v", rows, err)
	}
	body, err := s.store.OpenBody(ctx, rows[1].BodyID, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	text := string(rows[1].Header) + string(b)
	for _, want := range []string{"A protected message from Sam", "Hello Tess", "which the mail server of your e-mail address does not offer", "https://" + testDomain + "/account/connect"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, secret := range []string{"hidden", "garden", "nine", "agency.example"} {
		if strings.Contains(text, secret) {
			t.Errorf("the notice holds %q:\n%s", secret, text)
		}
	}
}

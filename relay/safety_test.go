package relay

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// linkTo is the token of the link by which the holder of an alias blocks and
// reports.
func (s *stage) linkTo(alias string) string {
	s.Helper()
	id, ok := s.store.Keyring().ParseToken(seal.TokenAlias, strings.TrimPrefix(alias[:strings.IndexByte(alias, '@')], "t-"))
	if !ok {
		s.Fatalf("%s is no alias", alias)
	}
	return s.store.Keyring().Token(seal.TokenBlock, id)
}

// Who is blocked hears what everybody hears; who blocks hears nothing more.
func TestBlocked(t *testing.T) {
	s, alias := heldStage(t, nil)
	ctx := context.Background()
	a, err := s.Acquaintance(ctx, s.linkTo(alias))
	if err != nil || a.Viewer.ID != s.tess.ID || a.Other.ID != s.sam.ID || a.Blocked {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := s.SetBlocked(ctx, a, true); err != nil {
		t.Fatal(err)
	}
	before := len(s.mailbox(s.tess, "INBOX"))
	if err := s.submit(s.sam, letterFrom("s", "t", "Again", "Hello?\n"), "tess@"+testDomain); err != nil {
		t.Errorf("Sam hears %v", err)
	}
	if _, err := s.Contact(ctx, ContactForm{Writer: s.sam, To: s.tess, Subject: "And again", Text: "Hello?"}); err != nil {
		t.Errorf("Sam hears %v", err)
	}
	if n := len(s.mailbox(s.sam, "Sent")); n != 3 {
		t.Errorf("Sam has sent %d", n)
	}
	if n := len(s.mailbox(s.tess, "INBOX")); n != before {
		t.Errorf("Tess has %d messages, had %d", n, before)
	}
	// An answer to her message could not reach her.
	err = s.deliver(senderauth.Result{From: "tess.real@mail.example", Aligned: true}, alias, "But do tell me.\n")
	var r *Refusal
	if !errors.As(err, &r) || !strings.HasPrefix(r.Text, "You have blocked Sam Casting") {
		t.Errorf("Tess hears %v", err)
	}
	_, err = s.Contact(ctx, ContactForm{Writer: s.tess, To: s.sam, Subject: "Tell me", Text: "Please do."})
	if !errors.As(err, &r) || !strings.HasPrefix(r.Text, "You have blocked Sam Casting") {
		t.Errorf("by the form Tess hears %v", err)
	}
	if err := s.SetBlocked(ctx, a, false); err != nil {
		t.Fatal(err)
	}
	if err := s.submit(s.sam, letterFrom("s", "t", "Once more", "Hello?\n"), "tess@"+testDomain); err != nil || len(s.mailbox(s.tess, "INBOX")) != before+1 {
		t.Errorf("after unblocking: %v, %d messages", err, len(s.mailbox(s.tess, "INBOX")))
	}
}

func TestReportByMail(t *testing.T) {
	tess := senderauth.Result{From: "tess.real@mail.example", Aligned: true}
	forwarded := func(alias string) string {
		return "He wants money first.\n\n-------- Forwarded Message --------\nFrom: Sam Casting via Backstage <" + alias + ">\nTo: tess@msg.example.com\n\nTuesday?\n"
	}
	for name, c := range map[string]struct {
		auth senderauth.Result
		text func(alias string) string
		want *Refusal
	}{
		"forwarded":                 {tess, forwarded, nil},
		"in upper case":             {tess, func(a string) string { return strings.ToUpper(forwarded(a)) }, nil},
		"nothing to go by":          {tess, func(string) string { return "He is a scammer!\n" }, errReportHow},
		"an alias of somebody else": {senderauth.Result{From: "otto@actor.example", Aligned: true}, forwarded, errReportHow},
		"not proven":                {senderauth.Result{From: tess.From}, forwarded, errNotMember},
		"no member":                 {senderauth.Result{From: "x@stranger.example", Aligned: true}, forwarded, errNotMember},
		"DNS does not answer":       {senderauth.Result{From: tess.From, TempError: true}, forwarded, errAuthTemporary},
		"a made-up alias":           {tess, func(string) string { return forwarded("t-" + strings.Repeat("a", 26) + "@" + testDomain) }, errReportHow},
	} {
		t.Run(name, func(t *testing.T) {
			s, alias := heldStage(t, nil)
			err := s.deliver(c.auth, "report@"+testDomain, c.text(alias))
			if c.want != nil {
				wantRefusal(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
			list, lerr := s.store.Reports(context.Background(), threading.ReportOpen, 10)
			if lerr != nil || (len(list) == 1) != (c.want == nil) {
				t.Fatalf("%d reports, %v", len(list), lerr)
			}
			if c.want == nil && (list[0].ReporterID != s.tess.ID || list[0].OtherID != s.sam.ID || !strings.EqualFold(list[0].Reason, "He wants money first.")) {
				t.Errorf("%+v", list[0])
			}
		})
	}
}

// From a mail client, with the message attached instead of quoted.
func TestReportFromAClient(t *testing.T) {
	s, _ := heldStage(t, nil)
	first := s.mailbox(s.tess, "INBOX")[0]
	raw := []byte("From: tess@msg.example.com\r\nSubject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nLook.\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + first + "\r\n--b--\r\n")
	if err := s.submit(s.tess, raw, "report@"+testDomain); err != nil {
		t.Fatal(err)
	}
	list, err := s.store.Reports(context.Background(), "", 10)
	if err != nil || len(list) != 1 || list[0].Via != threading.ReportMail || list[0].Reason != "Look." {
		t.Errorf("%+v, %v", list, err)
	}
	if n := len(s.mailbox(s.sam, "INBOX")); n != 0 {
		t.Error("the report was relayed")
	}
}

func TestAcquaintanceTokens(t *testing.T) {
	s, alias := heldStage(t, nil)
	token := strings.TrimPrefix(alias[:strings.IndexByte(alias, '@')], "t-")
	for _, bad := range []string{"", "x", token, strings.Repeat("b", 26)} {
		if _, err := s.Acquaintance(context.Background(), bad); !errors.Is(err, ErrNoQuestion) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := s.store.RemoveMember(context.Background(), s.tess.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquaintance(context.Background(), s.linkTo(alias)); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("of a former member: %v", err)
	}
}

package relay

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// bounce sends a message to the reverse-path of mail to Tess's address.
func (s *stage) bounce(subject string, fields []string, body string) error {
	s.Helper()
	addrs, err := s.store.Addresses(context.Background(), s.tess.ID)
	if err != nil {
		s.Fatal(err)
	}
	target, err := s.Recipient(context.Background(), "b-"+s.store.Keyring().Token(seal.TokenReturn, addrs[0].ID)+"@"+testDomain)
	if err != nil {
		s.Fatal(err)
	}
	from := "MAILER-DAEMON@mail.example"
	if subject != undelivered {
		from = "tess.real@mail.example"
	}
	raw := letterFrom(from, "x", subject, body, fields...)
	return s.Receive(context.Background(), Inbound{Targets: []Target{target}, Auth: senderauth.Result{From: "mailer-daemon@mail.example"}, Message: spool.FromBytes(raw)})[0]
}

const undelivered = "Undelivered Mail Returned to Sender"

func report(status, diagnostic string) ([]string, string) {
	return []string{"Content-Type: multipart/report; report-type=delivery-status; boundary=b"},
		"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.mail.example\n\nFinal-Recipient: rfc822; tess.real@mail.example\nAction: failed\nStatus: " + status + "\nDiagnostic-Code: smtp; " + diagnostic + "\n\n--b--\n"
}

// A report that there is no such mailbox stops the mail there and tells its
// member, once, in the mailbox; nobody else learns it.
func TestHardBounce(t *testing.T) {
	s, _ := heldStage(t, nil)
	ctx := context.Background()
	before := len(s.mailbox(s.tess, "INBOX"))
	for range 2 {
		fields, body := report("5.1.1", "550 5.1.1 <tess.real@mail.example>: user unknown")
		if err := s.bounce(undelivered, fields, body); err != nil {
			t.Fatal(err)
		}
	}
	addrs, err := s.store.Addresses(ctx, s.tess.ID)
	if err != nil || addrs[0].FailedAt.IsZero() || addrs[0].Failure != "mail to it came back (5.1.1)" {
		t.Fatalf("%+v, %v", addrs, err)
	}
	inbox := s.mailbox(s.tess, "INBOX")
	if len(inbox) != before+1 {
		t.Fatalf("Tess has %d messages more", len(inbox)-before)
	}
	notice := inbox[before]
	for _, want := range []string{"Subject: Mail to you came back", "From: \"Backstage\" <postmaster@", "Auto-Submitted: auto-generated", "https://" + testDomain + "/account"} {
		if !strings.Contains(notice, want) {
			t.Errorf("the notice lacks %q:\n%s", want, notice)
		}
	}
	if strings.Contains(notice, "tess.real") || strings.Contains(notice, "mail.example") {
		t.Errorf("the notice names the address:\n%s", notice)
	}
	if n := len(s.mailbox(s.sam, "INBOX")); n != 0 {
		t.Error("Sam learns of it")
	}
	if err := s.store.AddressWorks(ctx, s.tess.ID, addrs[0].ID); err != nil {
		t.Fatal(err)
	}
	if addrs, _ = s.store.Addresses(ctx, s.tess.ID); !addrs[0].FailedAt.IsZero() || addrs[0].Failure != "" {
		t.Errorf("%+v", addrs[0])
	}
}

// TestReportsAgain: whoever has seen a reverse-path stops the mail once a day at
// most; what the receiving server says itself counts at any time.
func TestReportsAgain(t *testing.T) {
	s := newStage(t, nil)
	ctx := context.Background()
	failed := func() bool {
		addrs, err := s.store.Addresses(ctx, s.tess.ID)
		if err != nil {
			t.Fatal(err)
		}
		return !addrs[0].FailedAt.IsZero()
	}
	addrs, err := s.store.Addresses(ctx, s.tess.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what  string
		after time.Duration // that Tess has let mail go there again
		do    func() error
		stops bool
	}{
		{"the first report", 0, nil, true},
		{"one at once", 0, nil, false},
		{"one on the same day", 23 * time.Hour, nil, false},
		{"the server itself", 0, func() error { return s.AddressFailed(ctx, addrs[0].ID, "5.1.1") }, true},
		{"one on the next day", 25 * time.Hour, nil, true},
	} {
		s.now = s.now.Add(c.after)
		if c.do == nil {
			c.do = func() error {
				fields, body := report("5.1.1", "550 5.1.1 <tess.real@mail.example>: user unknown")
				return s.bounce(undelivered, fields, body)
			}
		}
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if failed() != c.stops {
			t.Errorf("%s: stops %v", c.what, !c.stops)
		}
		if err := s.store.AddressWorks(ctx, s.tess.ID, addrs[0].ID); err != nil {
			t.Fatal(err)
		}
	}
}

// What passes, what is the other side's opinion of our mail, and what answers
// automatically stop nothing.
func TestBouncesThatStopNothing(t *testing.T) {
	for name, c := range map[string]struct{ subject, status, text string }{
		"full":     {undelivered, "5.2.2", "552 mailbox full"},
		"blocked":  {undelivered, "5.7.1", "550 blocked by policy"},
		"for now":  {undelivered, "4.4.1", "connection timed out"},
		"vacation": {"Automatic reply: user unknown", "", "The user is unknown to me: 5.1.1, user unknown.\n"},
		"a person": {"Re: Callback", "", "Who is the unknown user?\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := heldStage(t, nil)
			before := len(s.mailbox(s.tess, "INBOX"))
			var fields []string
			body := c.text
			if c.status != "" {
				fields, body = report(c.status, c.text)
			}
			if err := s.bounce(c.subject, fields, body); err != nil {
				t.Fatal(err)
			}
			addrs, err := s.store.Addresses(context.Background(), s.tess.ID)
			if err != nil || !addrs[0].FailedAt.IsZero() {
				t.Errorf("%+v, %v", addrs[0], err)
			}
			if n := len(s.mailbox(s.tess, "INBOX")); n != before {
				t.Errorf("%d notices", n-before)
			}
			if rec, _ := s.store.Records(context.Background(), 10); len(rec) != 1 || rec[0].Kind != "bounce" {
				t.Errorf("records %+v", rec)
			}
		})
	}
}

// A complaint stops the alerts.
func TestComplaint(t *testing.T) {
	s, _ := heldStage(t, nil)
	for range 2 {
		if err := s.bounce("complaint", []string{"Content-Type: multipart/report; report-type=feedback-report; boundary=b"}, "--b--\n"); err != nil {
			t.Fatal(err)
		}
	}
	m, err := s.store.Member(context.Background(), s.tess.ID)
	if err != nil || m.Alerts != threading.AlertsNever {
		t.Errorf("alerts %s, %v", m.Alerts, err)
	}
	inbox := s.mailbox(s.tess, "INBOX")
	if n := len(inbox); n != 2 || !strings.Contains(inbox[1], "You get no more mail") {
		t.Errorf("Tess has %d messages", n)
	}
}

// What is no complaint stops nothing.
func TestFeedbackThatIsNoComplaint(t *testing.T) {
	s, _ := heldStage(t, nil)
	fields, body := feedback("auth-failure", "")
	if err := s.bounce("feedback", fields, body); err != nil {
		t.Fatal(err)
	}
	if m, err := s.store.Member(context.Background(), s.tess.ID); err != nil || m.Alerts == threading.AlertsNever {
		t.Errorf("alerts %s, %v", m.Alerts, err)
	}
}

// feedback is a report about a message with these fields in its header.
func feedback(kind, about string) (fields []string, body string) {
	return []string{"Content-Type: multipart/report; report-type=feedback-report; boundary=b"},
		"--b\n\nThis is about mail from you.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: " + kind + "\nVersion: 1\nUser-Agent: x\n\n" +
			"--b\nContent-Type: message/rfc822\n\n" + about + "Subject: Callback\n\nHello\n--b--\n"
}

// Complaints that come to the operator's address, as registered feedback loops
// send them, stop the alerts of whom the message was for, and the operator gets
// them too; one about nothing of ours only goes to the operator.
func TestComplaintToTheOperator(t *testing.T) {
	for name, c := range map[string]struct {
		about func(s *stage, address threading.ID) string
		stops bool
	}{
		"by its reverse-path": {func(s *stage, address threading.ID) string {
			return "Return-Path: <b-" + s.store.Keyring().Token(seal.TokenReturn, address) + "@" + testDomain + ">\n"
		}, true},
		"by its link to unsubscribe": {func(s *stage, _ threading.ID) string {
			return "List-Unsubscribe: <https://" + testDomain + "/alerts/" + s.store.Keyring().Token(seal.TokenSettings, s.tess.ID) + ">\n"
		}, true},
		"by the link of a notification": {func(s *stage, _ threading.ID) string {
			token, _, _ := strings.Cut(strings.TrimPrefix(addressOf(s.mailbox(s.tess, "INBOX")[0], "From"), threading.AliasPrefix), "@")
			id, _ := s.store.Keyring().ParseToken(seal.TokenAlias, token)
			return "List-Unsubscribe: <https://" + testDomain + "/alerts/" + s.store.Keyring().Token(seal.TokenTopic, id) + ">\n"
		}, true},
		"by a token that is made up": {func(*stage, threading.ID) string {
			return "Return-Path: <b-" + strings.Repeat("a", 26) + "@" + testDomain + ">\n"
		}, false},
		"about somebody else's mail": {func(*stage, threading.ID) string { return "Return-Path: <a@example.net>\n" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := heldStage(t, func(o *Options) { o.Operator = "ops@operator.example" })
			ctx := context.Background()
			addrs, err := s.store.Addresses(ctx, s.tess.ID)
			if err != nil {
				t.Fatal(err)
			}
			target, err := s.Recipient(ctx, "abuse@"+testDomain)
			if err != nil {
				t.Fatal(err)
			}
			fields, body := feedback("abuse", c.about(s, addrs[0].ID))
			raw := letterFrom("fbl@provider.example", "x", "complaint", body, fields...)
			before, err := s.store.Queue(ctx, 100)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Receive(ctx, Inbound{Targets: []Target{target}, Auth: senderauth.Result{From: "fbl@provider.example"}, Message: spool.FromBytes(raw)})[0]; err != nil {
				t.Fatal(err)
			}
			m, err := s.store.Member(ctx, s.tess.ID)
			if err != nil || (m.Alerts == threading.AlertsNever) != c.stops {
				t.Errorf("alerts %s, %v", m.Alerts, err)
			}
			if after, err := s.store.Queue(ctx, 100); err != nil || len(after) != len(before)+1 {
				t.Errorf("the operator got %d messages, %v", len(after)-len(before), err)
			}
		})
	}
}

// A made-up reverse-path reaches nothing, and one of an address that is gone
// harms nobody.
func TestReversePaths(t *testing.T) {
	s, _ := heldStage(t, nil)
	ctx := context.Background()
	_, err := s.Recipient(ctx, "b-"+strings.Repeat("a", 26)+"@"+testDomain)
	wantRefusal(t, err, errNoSuchAddress)
	if err := s.AddressFailed(ctx, 12345, "5.1.1"); err != nil {
		t.Error(err)
	}
	addrs, err := s.store.Addresses(ctx, s.tess.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.RemoveMember(ctx, s.tess.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.AddressFailed(ctx, addrs[0].ID, "5.1.1"); err != nil {
		t.Error(err)
	}
}

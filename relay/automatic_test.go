package relay

import (
	"context"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/spool"
)

// A vacation notice is filed for whom it answers and says what it is; nobody
// gets mail because of it, and what can't be proven is only noted.
func TestOutOfOffice(t *testing.T) {
	hers := senderauth.Result{From: "tess.real@mail.example", Aligned: true}
	vacation := []string{"Auto-Submitted: auto-replied (vacation)"}
	for name, c := range map[string]struct {
		auth   senderauth.Result
		to     string // empty: the alias
		fields []string
		drop   bool
		filed  bool
	}{
		"hers":                 {hers, "", vacation, false, true},
		"dropped":              {hers, "", vacation, true, false},
		"not proven":           {senderauth.Result{From: hers.From}, "", vacation, false, false},
		"from another address": {senderauth.Result{From: "tess.new@elsewhere.example", Aligned: true}, "", vacation, false, false},
		"to a contact address": {hers, "sam@" + testDomain, vacation, false, false},
		"a read receipt":       {hers, "", []string{"Content-Type: multipart/report; report-type=disposition-notification; boundary=b"}, false, false},
		"from ourselves":       {senderauth.Result{From: "tess@" + testDomain, Aligned: true}, "", vacation, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, alias := heldStage(t, func(o *Options) { o.FileOutOfOffice = !c.drop })
			to := c.to
			if to == "" {
				to = alias
			}
			target, err := s.Recipient(context.Background(), to)
			if err != nil {
				t.Fatal(err)
			}
			queued, err := s.store.Queue(context.Background(), 100)
			if err != nil {
				t.Fatal(err)
			}
			raw := letterFrom(c.auth.From, to, "Away", "I am away until Monday.\n", c.fields...)
			err = s.Receive(context.Background(), Inbound{Targets: []Target{target}, Auth: c.auth, Message: spool.FromBytes(raw)})[0]
			if err != nil {
				t.Errorf("an automatic message is answered with %v", err)
			}
			inbox := s.mailbox(s.sam, "INBOX")
			if (len(inbox) == 1) != c.filed || c.filed && (fieldOf(inbox[0], "Auto-Submitted") != "auto-replied" || !strings.Contains(inbox[0], "away until Monday")) {
				t.Errorf("Sam has %q", inbox)
			}
			if after, _ := s.store.Queue(context.Background(), 100); len(after) != len(queued) {
				t.Errorf("%d messages are mailed because of it", len(after)-len(queued))
			}
			if rec, _ := s.store.Records(context.Background(), 10); (len(rec) == 1) == c.filed {
				t.Errorf("%d records", len(rec))
			}
			if held, _ := s.store.HeldMessages(context.Background(), 10); len(held) != 0 {
				t.Error("a program is asked about")
			}
		})
	}
}

// A vacation notice that can't be relayed privately is noted, not refused.
func TestOutOfOfficeThatIsRefused(t *testing.T) {
	s, alias := heldStage(t, func(o *Options) { o.FileOutOfOffice, o.TypedAddress = true, sanitize.TypedRefuse })
	target, err := s.Recipient(context.Background(), alias)
	if err != nil {
		t.Fatal(err)
	}
	raw := letterFrom("tess.real@mail.example", alias, "Away", "Write to tess.real@mail.example.\n", "Auto-Submitted: auto-replied")
	err = s.Receive(context.Background(), Inbound{Targets: []Target{target}, Auth: senderauth.Result{From: "tess.real@mail.example", Aligned: true}, Message: spool.FromBytes(raw)})[0]
	if rec, _ := s.store.Records(context.Background(), 10); err != nil || len(rec) != 1 || len(s.mailbox(s.sam, "INBOX")) != 0 {
		t.Errorf("%v, %d records", err, len(rec))
	}
}

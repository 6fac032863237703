package outbound

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/notify"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// readAll sets \Seen on all that a member has in the inbox.
func (s *site) readAll(m threading.Member) {
	s.t.Helper()
	inbox, err := s.Mailbox(s.t.Context(), m.ID, threading.Inbox)
	if err == nil {
		_, err = s.StoreFlags(s.t.Context(), m.ID, inbox.ID, threading.UIDSet{{First: 1, Last: 1<<32 - 1}}, threading.FlagsAdd, threading.FlagSeen, nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// A notification that waits is not sent any more to who has read the message in
// a mail client meanwhile; nor is it sent before its time.
func TestWhatWasReadMeanwhileIsNotSent(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	tess, anna := s.member("tess", "tess@mail.example"), s.member("anna", "anna@mail.example")
	for _, m := range []threading.Member{tess, anna} {
		f := s.filing(m, "Hello\r\n")
		f.NotifyAfter = 10 * time.Minute
		if _, err := s.File(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	if due, err := s.NextDue(t.Context()); err != nil || due.Before(s.now().Add(9*time.Minute)) {
		t.Fatalf("due at %v, %v", due, err)
	}
	s.readAll(tess)
	s.ahead.Store(int64(11 * time.Minute))
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, SkipRead: true}))
	s.rows("empty", empty)
	if got := sink.messages(t, 1); len(got) != 1 || got[0].to != "anna@mail.example" {
		t.Errorf("%d messages, the first to %s", len(got), got[0].to)
	}
}

// Without a grace what is queued goes, read or not.
func TestWithoutGraceWhatWasReadIsSent(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	tess := s.member("tess", "tess@mail.example")
	s.write(tess, "Hello\r\n")
	s.readAll(tess)
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
	sink.messages(t, 1)
}

// The fields by which a mail program stops the alerts are there and signed (RFC
// 8058 section 4); a person's message is neither bulk nor automatic; nothing
// tells the provider which member it is.
func TestNotificationsFields(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	tess := s.member("tess", "tess@mail.example")
	keys := newRing(t)
	q := s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, Signer: keys.Signer()})
	q.o.Renderer = notify.New(notify.Options{Store: s.Store, Domain: domain, Brand: "Backstage", BaseURL: "https://" + domain})
	s.run(q)
	s.write(tess, "Hello\r\n")
	got := sink.messages(t, 1)[0]
	verify(t, got.raw, keys)
	for _, signature := range strings.Split(string(got.raw), "DKIM-Signature:")[1:] {
		_, tag, _ := strings.Cut(strings.NewReplacer("\r\n", "", " ", "", "\t", "").Replace(signature), ";h=")
		tag, _, _ = strings.Cut(tag, ";")
		for _, field := range []string{"List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID"} {
			if n := strings.Count(tag+":", ":"+field+":"); n < 2 {
				t.Errorf("%s is signed %d times, want it oversigned: %s", field, n, tag)
			}
		}
	}
	list := header(got.raw, "List-Unsubscribe")
	token, _, _ := strings.Cut(strings.TrimPrefix(list, "<https://"+domain+"/alerts/"), ">")
	if _, ok := s.Keyring().ParseToken(seal.TokenTopic, token); !ok || !strings.Contains(list, "<mailto:t-"+token+"@"+domain+"?subject=stop>") {
		t.Errorf("List-Unsubscribe: %s", list)
	}
	for field, want := range map[string]string{
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Feedback-ID": "notification:::msgexamplecom", "Precedence": "", "Auto-Submitted": "",
	} {
		if value := header(got.raw, field); value != want {
			t.Errorf("%s: %q, want %q", field, value, want)
		}
	}
}

// A member is written to in their own language.
func TestNotificationInTheMembersLanguage(t *testing.T) {
	s := newSite(t)
	sink := newSink(t, nil)
	tess := s.member("tess", "tess@mail.example")
	s.change(tess, func(m *threading.Member) { m.Language = "de" })
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + sink.addr()}}))
	s.write(tess, "Hello\r\n")
	if text := string(sink.messages(t, 1)[0].raw); !strings.Contains(text, "Um Sam zu antworten, antworten Sie einfach") || strings.Contains(text, "To answer") {
		t.Errorf("%s", text)
	}
}

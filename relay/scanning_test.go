package relay

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stagedoor/stagedoor/relay/scan"
	"github.com/stagedoor/stagedoor/threading"
)

// scannedStage asks an rspamd that says of each message what its text names.
func scannedStage(t *testing.T, change func(*Scanning)) (*stage, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, err := io.ReadAll(r.Body)
		text := string(body)
		if err != nil || strings.Contains(text, "agency.example") || strings.Contains(text, "mail.example") || !strings.Contains(text, "via Backstage") && !strings.Contains(text, "via_Backstage") {
			t.Errorf("the scanner sees a real address, or not what the reader sees: %v\n%s", err, text)
		}
		for _, action := range []string{"reject", "add header", "no action"} {
			if strings.Contains(text, "rspamd: "+action) {
				fmt.Fprintf(w, `{"action":%q}`, action)
				return
			}
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(srv.Close)
	s := newStage(t, func(o *Options) {
		o.Scanning = Scanning{Scanner: scan.New(scan.Options{Rspamd: srv.URL}), Suspect: ActionMark, Spam: ActionRefuse, Virus: ActionRefuse}
		if change != nil {
			change(&o.Scanning)
		}
	})
	return s, &asked
}

func (s *stage) scan(text string, to ...string) error {
	s.Helper()
	return s.submit(s.sam, letterFrom("sam.real@agency.example", "all", "Hello", "I say rspamd: "+text+"\n", "Received: from office.agency.example ([192.0.2.1])"), to...)
}

// What a scanner finds is refused or marked; its readers see the mark above the
// text and in the header, its writer nothing.
func TestScanning(t *testing.T) {
	s, asked := scannedStage(t, nil)
	tess := "tess@" + testDomain
	if err := s.scan("no action", tess); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, s.scan("reject", tess), errSpam)
	if err := s.scan("add header", tess, "otto@"+testDomain); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 3 {
		t.Errorf("asked %d times about three messages", asked.Load())
	}
	inbox := s.mailbox(s.tess, "INBOX")
	if len(inbox) != 2 || strings.Contains(inbox[0], "X-Spam-Flag") || strings.Contains(inbox[0], "[!]") {
		t.Fatalf("INBOX has %q", inbox)
	}
	for _, raw := range []string{inbox[1], s.mailbox(s.otto, "INBOX")[0]} {
		if fieldOf(raw, "X-Spam-Flag") != "YES" || !strings.Contains(unfolded(raw), "\r\n\r\n[!] Backstage: "+markSays) {
			t.Errorf("not marked:\n%s", raw)
		}
	}
	for _, raw := range s.mailbox(s.sam, "Sent") {
		if strings.Contains(raw, "Spam") || strings.Contains(raw, "[!]") {
			t.Errorf("its writer sees the mark:\n%s", raw)
		}
	}
}

// What is held is sent for its writer; its readers see nothing of it until the
// operator has read and released it.
func TestScannerHolds(t *testing.T) {
	s, asked := scannedStage(t, func(c *Scanning) { c.Spam = ActionHold })
	tess := "tess@" + testDomain
	for range 2 { // a retry is none
		if err := s.scan("reject", tess, "otto@"+testDomain); err != nil {
			t.Fatal(err)
		}
	}
	if n, m, o := len(s.mailbox(s.sam, "Sent")), len(s.mailbox(s.tess, "INBOX")), len(s.mailbox(s.otto, "INBOX")); n != 2 || m != 0 || o != 0 {
		t.Errorf("Sam has sent %d, Tess has %d, Otto %d", n, m, o)
	}
	held, err := s.store.HeldLetters(t.Context(), 10)
	if err != nil || len(held) != 2 {
		t.Fatalf("held are %+v, %v", held, err)
	}
	h, err := s.HeldLetter(t.Context(), held[0].MessageID)
	if err != nil || h.Reason != "rspamd takes it for spam." || h.WriterID != s.sam.ID || h.Message.Subject != "Hello" || !strings.Contains(h.Message.Text, "I say rspamd: reject") || strings.Contains(h.Message.Text, "agency.example") {
		t.Errorf("%+v, %v", h, err)
	}
	before := asked.Load()
	if err := s.ReleaseLetter(t.Context(), h.MessageID); err != nil {
		t.Fatal(err)
	}
	inbox := s.mailbox(s.tess, "INBOX")
	if len(inbox) != 1 || strings.Contains(inbox[0], "X-Spam-Flag") || strings.Contains(inbox[0], "[!]") || !strings.Contains(inbox[0], "I say rspamd: reject") || asked.Load() != before {
		t.Errorf("released: %q", inbox)
	}
	if n := len(s.mailbox(s.otto, "INBOX")); n != 0 {
		t.Errorf("Otto has %d", n)
	}
}

func TestScannerActions(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		change func(*Scanning)
		want   *Refusal
	}{
		"no answer, open":     {"nothing", nil, nil},
		"no answer, closed":   {"nothing", func(s *Scanning) { s.Closed = true }, errScanTemporary},
		"an answer, closed":   {"no action", func(s *Scanning) { s.Closed = true }, nil},
		"spam, to be marked":  {"reject", func(s *Scanning) { s.Spam = ActionMark }, nil},
		"spam, let pass":      {"reject", func(s *Scanning) { s.Spam = ActionPass }, nil},
		"suspect, to refuse":  {"add header", func(s *Scanning) { s.Suspect = ActionRefuse }, errSpam},
		"suspect, let pass":   {"add header", func(s *Scanning) { s.Suspect = ActionPass }, nil},
		"nobody to ask, pass": {"reject", func(s *Scanning) { s.Scanner = nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := scannedStage(t, c.change)
			err := s.scan(c.text, "tess@"+testDomain)
			if c.want != nil {
				wantRefusal(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
			if n := len(s.mailbox(s.tess, "INBOX")); (n == 1) != (c.want == nil) {
				t.Errorf("%d are filed", n)
			}
		})
	}
}

// Nothing that a reader gets or writes has anything of a message that is held:
// an answer goes to the message that they know, and marks that one.
func TestHeldIsUnknown(t *testing.T) {
	s, _ := scannedStage(t, func(c *Scanning) { c.Spam = ActionHold })
	if err := s.scan("no action", "tess@"+testDomain); err != nil {
		t.Fatal(err)
	}
	alias := func(of threading.Member, folder, field string) string {
		t.Helper()
		m := regexp.MustCompile(`(?m)^` + field + `: [^<]*<(t-[a-z2-7]{26}@` + regexp.QuoteMeta(testDomain) + `)>`).FindStringSubmatch(s.mailbox(of, folder)[0])
		if m == nil {
			t.Fatalf("no alias in %s", s.mailbox(of, folder)[0])
		}
		return m[1]
	}
	toTess, toSam := alias(s.sam, "Sent", "To"), alias(s.tess, "INBOX", "From")
	if err := s.scan("reject", toTess); err != nil {
		t.Fatal(err)
	}
	held, err := s.store.HeldLetters(t.Context(), 10)
	if err != nil || len(held) != 1 {
		t.Fatalf("held are %+v, %v", held, err)
	}
	if err := s.arrive("tess.real@mail.example", true, letterFrom("tess.real@mail.example", toSam, "Re: Hello", "Yes.\n"), toSam); err != nil {
		t.Fatal(err)
	}
	id := s.messageIDOf(held[0].MessageID)
	sent := s.mailbox(s.tess, "Sent")
	if len(sent) != 1 || strings.Contains(sent[0], id) || !strings.Contains(sent[0], "\r\nIn-Reply-To: <") {
		t.Errorf("Tess has sent %q; held is %s", sent, id)
	}
	if e := s.entries(s.tess, "INBOX"); len(e) != 1 || e[0].Flags&threading.FlagAnswered == 0 {
		t.Errorf("what Tess answered is not marked: %+v", e)
	}
	// Sam's own chain has it, and what he writes next waits behind it.
	if err := s.scan("no action", toTess); err != nil {
		t.Fatal(err)
	}
	if mine := s.mailbox(s.sam, "Sent"); len(mine) != 3 || !strings.Contains(mine[2], id) {
		t.Errorf("Sam has sent %q", mine)
	}
	if n := len(s.mailbox(s.tess, "INBOX")); n != 1 {
		t.Errorf("Tess has %d", n)
	}
	if err := s.ReleaseLetter(t.Context(), held[0].MessageID); err != nil {
		t.Fatal(err)
	}
	if n := len(s.mailbox(s.tess, "INBOX")); n != 3 {
		t.Errorf("released, Tess has %d", n)
	}
}

package notify

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-message"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/store"
)

// newsroom is a stage whose Tess wants a daily digest, due an hour from now.
type newsroom struct {
	*dialog.Stage
	*Digester
	ctx context.Context
}

func newNewsroom(t *testing.T) *newsroom {
	t.Helper()
	n := &newsroom{Stage: dialog.New(t, func(o *relay.Options) { o.BaseURL = "https://" + dialog.Domain }), ctx: context.Background()}
	r := New(Options{Store: n.Store, Domain: dialog.Domain, Brand: "Backstage", BaseURL: "https://" + dialog.Domain})
	n.Digester = NewDigester(r, n.Pipeline, n.Now, n.Logger)
	n.alerts("tess", threading.AlertsDaily)
	return n
}

func (n *newsroom) member(handle string) threading.Member {
	n.Helper()
	m, err := n.Store.MemberByHandle(n.ctx, handle)
	if err != nil {
		n.Fatal(err)
	}
	return m
}

// alerts sets a member's alerts; a digest is due an hour later.
func (n *newsroom) alerts(handle string, a threading.Alerts) {
	n.Helper()
	_, err := n.Store.ChangeMember(n.ctx, handle, func(m *threading.Member) error {
		m.Alerts, m.DigestAt, m.Timezone = a, n.Now().UTC().Add(time.Hour).Format("15:04"), "UTC"
		return nil
	})
	if err != nil {
		n.Fatal(err)
	}
}

func (n *newsroom) write(from, to, subject, text string) {
	n.Helper()
	_, err := n.Pipeline.Contact(n.ctx, relay.ContactForm{Writer: n.member(from), To: n.member(to), Subject: subject, Text: text})
	if err != nil {
		n.Fatal(err)
	}
}

// digests runs the digester at a time from now, and returns the digests that
// it queued so far.
func (n *newsroom) digests(after time.Duration) []string {
	n.Helper()
	n.Advance(after)
	if err := n.Queue(n.ctx); err != nil {
		n.Fatal(err)
	}
	rows, err := n.Store.Queue(n.ctx, 100)
	if err != nil {
		n.Fatal(err)
	}
	var list []string
	for _, r := range rows {
		if r.Kind != store.QueueDigest {
			continue
		}
		b, err := n.Store.OpenBody(n.ctx, r.BodyID, 0, -1)
		if err != nil {
			n.Fatal(err)
		}
		body, err := io.ReadAll(b)
		_ = b.Close()
		if err != nil {
			n.Fatal(err)
		}
		list = append(list, string(r.Header)+string(body))
	}
	return list
}

func headerOf(raw, name string) string {
	v, _ := mimetree.Field([]byte(raw), name)
	return mimetree.DecodeHeader(strings.TrimSpace(v))
}

// shownIn is the decoded text of a message's part of that kind.
func shownIn(t *testing.T, raw, kind string) string {
	t.Helper()
	e, err := message.Read(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var text string
	err = e.Walk(func(_ []int, e *message.Entity, err error) error {
		if k, _, _ := e.Header.ContentType(); err == nil && k == kind {
			var b []byte
			b, err = io.ReadAll(e.Body)
			text = strings.ReplaceAll(string(b), "\r\n", "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestDigest(t *testing.T) {
	n := newNewsroom(t)
	n.write("sam", "tess", "The <first> & best", "Could you come on Tuesday?")
	n.write("otto", "tess", "Rehearsal", "I have a question.\n\nIt is a long one: "+strings.Repeat("word ", 100))
	if got := n.digests(30 * time.Minute); len(got) != 0 {
		t.Fatalf("too early: %d digests", len(got))
	}
	got := n.digests(40 * time.Minute)
	if len(got) != 1 {
		t.Fatalf("%d digests", len(got))
	}
	raw := got[0]
	if s := headerOf(raw, "Subject"); s != "2 conversations have new messages" {
		t.Errorf("Subject: %s", s)
	}
	if headerOf(raw, "Auto-Submitted") != "auto-generated" || headerOf(raw, "List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" ||
		!strings.HasPrefix(headerOf(raw, "List-Unsubscribe"), "<https://"+dialog.Domain+"/alerts/") || headerOf(raw, "Reply-To") != "" {
		t.Errorf("header:\n%s", raw)
	}
	text, html := shownIn(t, raw, "text/plain"), shownIn(t, raw, "text/html")
	if strings.Index(text, "Rehearsal") > strings.Index(text, "The <first>") {
		t.Error("the newest is not first")
	}
	for _, want := range []string{"with Sam\n", "Could you come on Tuesday?", "with Otto", "I have a question. It is a long one: word word", "word …", "To answer, write to: t-"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	for _, want := range []string{"The &lt;first&gt; &amp; best", `href="mailto:t-`, "?subject=Re:%20Rehearsal\"", "with Sam"} {
		if !strings.Contains(html, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, html)
		}
	}
	for _, leak := range []string{"sam.real", "otto@actor", "agency.example", "tess.real"} {
		if strings.Contains(raw+text+html, leak) {
			t.Errorf("the digest holds %q", leak)
		}
	}
	// Once a day, and nothing twice.
	if got := n.digests(2 * time.Hour); len(got) != 1 {
		t.Errorf("the same day: %d digests", len(got))
	}
	if got := n.digests(24 * time.Hour); len(got) != 1 {
		t.Errorf("the next day, nothing new: %d digests", len(got))
	}
	n.write("sam", "tess", "Third", "Again.")
	got = n.digests(24 * time.Hour)
	if len(got) != 2 || headerOf(got[1], "Subject") != "Third" || !strings.Contains(shownIn(t, got[1], "text/html"), "<h1 class=\"sd-ink\" style=\"margin:0 0 16px;font-size:22px;line-height:1.3;color:#1d1d1f\">New from Sam</h1>") || !strings.HasPrefix(headerOf(got[1], "Reply-To"), "<t-") {
		t.Fatalf("%d digests; the last:\n%s", len(got), got[len(got)-1])
	}
}

// What a blocked member wrote is in no digest, then or later.
func TestDigestOfWhoBlocks(t *testing.T) {
	n := newNewsroom(t)
	tess, sam := n.member("tess"), n.member("sam")
	only := func(after time.Duration, digests int, subject string) {
		t.Helper()
		got := n.digests(after)
		if len(got) != digests || headerOf(got[len(got)-1], "Subject") != subject {
			t.Fatalf("%d digests; the last:\n%s", len(got), got[len(got)-1])
		}
		if strings.Contains(shownIn(t, got[len(got)-1], "text/plain"), "Zebrafinch") {
			t.Errorf("it shows what the blocked one wrote:\n%s", got[len(got)-1])
		}
	}
	if err := n.Store.Block(n.ctx, tess.ID, sam.ID); err != nil {
		t.Fatal(err)
	}
	n.write("sam", "tess", "Zebrafinch", "Zebrafinch?")
	n.write("otto", "tess", "Rehearsal", "When?")
	only(70*time.Minute, 1, "Rehearsal")
	if err := n.Store.Unblock(n.ctx, tess.ID, sam.ID); err != nil {
		t.Fatal(err)
	}
	n.write("otto", "tess", "Costumes", "Which?")
	only(24*time.Hour, 2, "Costumes")
}

// A digest shows nothing of a conversation that must travel by verified TLS only
// (RFC 8689): it goes to servers that prove nothing.
func TestDigestOfProtectedMessages(t *testing.T) {
	n := newNewsroom(t)
	sam := n.member("sam")
	target, err := n.Pipeline.SubmissionRecipient(n.ctx, sam, "tess@"+dialog.Domain)
	if err != nil {
		t.Fatal(err)
	}
	raw := "From: sam@" + dialog.Domain + "\r\nTo: tess@" + dialog.Domain + "\r\nSubject: The hidden garden\r\nMessage-ID: <1@x.example>\r\n\r\nMeet me at nine.\r\n"
	if err := n.Pipeline.Submit(n.ctx, sam, []relay.Target{target}, spool.FromBytes([]byte(raw)), true); err != nil {
		t.Fatal(err)
	}
	n.write("otto", "tess", "Rehearsal", "I have a question.")
	got := n.digests(70 * time.Minute)
	if len(got) != 1 {
		t.Fatalf("%d digests", len(got))
	}
	text, html := shownIn(t, got[0], "text/plain"), shownIn(t, got[0], "text/html")
	for _, want := range []string{"(protected message)", "please read it in your mailbox", "with Sam", "Rehearsal", "I have a question."} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	for _, secret := range []string{"hidden garden", "at nine"} {
		if strings.Contains(got[0]+text+html, secret) {
			t.Errorf("the digest holds %q:\n%s", secret, text)
		}
	}
	// Alone in a digest it is not what a reply answers: that would go out under
	// the subject of the digest.
	if err := n.Pipeline.Submit(n.ctx, sam, []relay.Target{target}, spool.FromBytes([]byte(strings.Replace(raw, "<1@", "<2@", 1))), true); err != nil {
		t.Fatal(err)
	}
	got = n.digests(24 * time.Hour)
	if len(got) != 2 || headerOf(got[1], "Subject") != "One conversation has new messages" || headerOf(got[1], "Reply-To") != "" {
		t.Errorf("%d digests; the last:\n%s", len(got), got[len(got)-1])
	}
}

// What members type stops no digest, and what is left out of it does not tell
// whose address it was: Tess hears the same of right and wrong guesses, of the
// writer's own address and of a third member's.
func TestDigestOfTypedAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		subject, text, wantSubject, wantText string
		rewritten                            bool // the message itself lost an address of its writer's
	}{
		"in the text":      {"Hello", "Write me at %s or call.", "Hello", "Write me at […] or call.", false},
		"at the beginning": {"Hello", "From: %s", "Hello", "From: […]", true},
		"in the subject":   {"Write to %s now", "Please.", "Write to […] now", "Please.", true},
		"as a quotation":   {"Hello", "-----Original Message-----\n\n%s\n", "Hello", "", true},
	} {
		shown := map[string]string{}
		for _, guess := range []string{"sam.real@agency.example", "agency.example", "otto@actor.example", "otta@actor.example"} {
			if own := strings.HasSuffix(guess, "agency.example"); own && c.rewritten {
				continue
			}
			n := newNewsroom(t)
			n.write("otto", "tess", "Rehearsal", "I have a question.")
			n.write("sam", "tess", strings.Replace(c.subject, "%s", guess, 1), strings.Replace(c.text, "%s", guess, 1))
			got := n.digests(70 * time.Minute)
			if len(got) != 1 {
				t.Fatalf("%s, %s: %d digests", name, guess, len(got))
			}
			text := shownIn(t, got[0], "text/plain")
			shown[before(text, "To answer")] = guess
			for _, want := range []string{"\n" + c.wantSubject + "\n", c.wantText, "I have a question."} {
				if !strings.Contains(text, want) {
					t.Errorf("%s, %s: the text lacks %q:\n%s", name, guess, want, text)
				}
			}
			if html := shownIn(t, got[0], "text/html"); strings.Contains(got[0]+text+html, guess) {
				t.Errorf("%s: the digest holds %s", name, guess)
			}
		}
		if len(shown) != 1 {
			t.Errorf("%s: guesses tell each other apart: %q", name, shown)
		}
	}
}

func before(s, sep string) string {
	s, _, _ = strings.Cut(s, sep)
	return s
}

// Words that may hold an address, in any way the gate reads it, are left out.
func TestTyped(t *testing.T) {
	for in, want := range map[string]string{
		"at 3.30 on 10.12.2026, z.B. the first scene. All  of it!": "at 3.30 on 10.12.2026, z.B. the first scene. All of it!",
		"100% & more; 2 < 3, a=b":                                  "100% & more; 2 < 3, a=b",
		"responsibilities":                                         "responsibilities",
		"<sam@agency.example>, or so":                              "[…] or so",
		"sam @ agency":                                             "sam […] agency",
		"https://agency.example/x now":                             "[…] now",
		"sam＠agency．example":                                       "[…]",
		"agency.\u200bexample":                                     "[…]",
		"agency&#46;example":                                       "[…]",
		"agency%2eexample agency=2Eexample":                        "[…] […]",
		"agency<b>.</b>example":                                    "[…]",
		"sam at agency dot example, or else":                       "[…]",
		"sam (at) agency(dot)example":                              "[…]",
		"c2FtQGFnZW5jeS5leGFtcGxl":                                 "[…]",
	} {
		if got, whole := typed(in); got != want || whole == strings.Contains(want, leftOut) {
			t.Errorf("%q: %q, %v, want %q", in, got, whole, want)
		}
	}
}

// Should the gate stop a digest after all, the member hears that there is
// something, and no more.
func TestDigestBehindTheGate(t *testing.T) {
	n := newNewsroom(t)
	dir := t.TempDir()
	own := `{{range .Threads}}<p title="sam.real@agency.example">{{.Excerpt}}</p>{{end}}{{.Say "digest.intro" "n" .Count}}`
	if err := os.WriteFile(filepath.Join(dir, "digest.html"), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if n.r.o.Templates, err = LoadTemplates(dir); err != nil {
		t.Fatal(err)
	}
	n.write("sam", "tess", "Hello", "Come to the agency.")
	got := n.digests(70 * time.Minute)
	if len(got) != 1 {
		t.Fatalf("%d digests", len(got))
	}
	text := shownIn(t, got[0], "text/plain")
	if headerOf(got[0], "Subject") != "One conversation has new messages" || strings.Contains(text, "agency") || !strings.Contains(text, "something new in one of your conversations") {
		t.Errorf("the digest:\n%s", got[0])
	}
}

// A member whose digest can't be made now does not keep it from the others.
func TestDigestsOfTheOthers(t *testing.T) {
	n := newNewsroom(t)
	n.alerts("sam", threading.AlertsDaily)
	n.write("otto", "tess", "Rehearsal", "Tess?")
	n.write("otto", "sam", "Rehearsal", "Sam?")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(n.Dir, "t.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	first := n.member("tess")
	if sam := n.member("sam"); sam.ID < first.ID {
		first = sam
	}
	if _, err := db.Exec("UPDATE addresses SET sealed = x'00' WHERE member_id = ?", first.ID); err != nil {
		t.Fatal(err)
	}
	if got := n.digests(70 * time.Minute); len(got) != 1 {
		t.Errorf("%d digests", len(got))
	}
}

// What was read in a mail client, or moved out of the way, is not told.
func TestDigestLeavesOutWhatWasSeen(t *testing.T) {
	n := newNewsroom(t)
	n.write("sam", "tess", "Read", "x")
	n.write("sam", "tess", "Junk", "x")
	n.write("sam", "tess", "Kept", "x")
	tess := n.member("tess")
	inbox, err := n.Store.Mailbox(n.ctx, tess.ID, threading.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	uids, _, err := n.Store.UIDs(n.ctx, tess.ID, inbox.ID)
	if err != nil || len(uids) != 4 { // the stage's own is the first
		t.Fatalf("%v, %v", uids, err)
	}
	set := func(uid uint32) threading.UIDSet { return threading.UIDSet{{First: uid, Last: uid}} }
	if _, err := n.Store.StoreFlags(n.ctx, tess.ID, inbox.ID, set(uids[1]), threading.FlagsAdd, threading.FlagSeen, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Store.Copy(n.ctx, tess.ID, inbox.ID, set(uids[2]), "Junk", true); err != nil {
		t.Fatal(err)
	}
	got := n.digests(2 * time.Hour)
	if len(got) != 1 || headerOf(got[0], "Subject") != "Kept" {
		t.Errorf("%d digests:\n%s", len(got), strings.Join(got, "\n"))
	}
}

// Two daemons on one database make one digest.
func TestOneDigestOfTwoDaemons(t *testing.T) {
	n := newNewsroom(t)
	n.write("sam", "tess", "One", "x")
	n.Advance(2 * time.Hour)
	due, err := n.Store.DueDigests(n.ctx, 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("%v, %v", due, err)
	}
	if got := n.digests(0); len(got) != 1 {
		t.Fatalf("%d digests", len(got))
	}
	if err := n.Store.FileDigest(n.ctx, due[0], n.Now(), nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the other daemon: %v", err)
	}
}

// Two daemons on one database, restarted now and then, make one digest on each
// day of the member's zone, whatever its clocks do: in the weeks in which they
// skip the digest's hour, and show it twice.
func TestOneDigestADayWhateverClocksDo(t *testing.T) {
	n := newNewsroom(t)
	tess, err := n.Store.ChangeMember(n.ctx, "tess", func(m *threading.Member) error {
		m.DigestAt, m.Timezone = "02:30", "Europe/Berlin"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	other := func() *Digester {
		st, err := store.Open(n.ctx, store.Options{DSN: "sqlite:" + filepath.Join(n.Dir, "t.db"), Keyring: n.Store.Keyring(), IDs: threading.NewIDSourceAt(n.Now), Now: n.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		p := relay.New(relay.Options{Store: st, Domain: dialog.Domain, Brand: "Backstage", Now: n.Now})
		return NewDigester(New(Options{Store: st, Domain: dialog.Domain, Brand: "Backstage"}), p, n.Now, nil)
	}
	daemons := []*Digester{n.Digester, other()}
	zone := tess.Location()
	offset := func(t time.Time) int { _, o := t.In(zone).Zone(); return o }
	for range 2 {
		change := n.Now().AddDate(0, 0, 4)
		for offset(change) == offset(change.Add(time.Hour)) {
			change = change.Add(time.Hour)
		}
		n.Advance(change.AddDate(0, 0, -3).Sub(n.Now()))
		perDay := map[string]int{}
		for day := ""; n.Now().Before(change.AddDate(0, 0, 3)); n.Advance(20 * time.Minute) {
			if today := n.Now().In(zone).Format(time.DateOnly); today != day {
				day = today
				n.write("sam", "tess", "Today", "x")
				_ = daemons[1].r.o.Store.Close()
				daemons[1] = other()
			}
			var both sync.WaitGroup
			for _, d := range daemons {
				both.Go(func() {
					if err := d.Queue(n.ctx); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			rows, err := n.Store.Queue(n.ctx, 10000)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				if r.Kind == store.QueueDigest {
					perDay[r.CreatedAt.In(zone).Format(time.DateOnly)]++
				}
				if err := n.Store.Done(n.ctx, r.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		for day := -1; day <= 2; day++ {
			date := change.In(zone).AddDate(0, 0, day).Format(time.DateOnly)
			if got := perDay[date]; got != 1 {
				t.Errorf("clocks change on %s; on %s: %d digests", change.In(zone).Format(time.DateOnly), date, got)
			}
		}
	}
}

// A reply to a digest of one conversation answers it, under its own subject; a
// reply to the digest's own address is refused with instructions.
func TestReplyToADigest(t *testing.T) {
	n := newNewsroom(t)
	n.write("sam", "tess", "Third", "Again.")
	got := n.digests(2 * time.Hour)
	if len(got) != 1 {
		t.Fatalf("%d digests", len(got))
	}
	reply := func(to string) error {
		target, err := n.Pipeline.Recipient(n.ctx, strings.Trim(to, "<>"))
		if err != nil {
			t.Fatal(err)
		}
		raw := "From: " + tessReal + "\r\nTo: " + to + "\r\nSubject: Re: " + headerOf(got[0], "Subject") + "\r\nMessage-ID: <1@mail.example>\r\n\r\nYes, gladly.\r\n"
		return n.Pipeline.Receive(n.ctx, relay.Inbound{ReversePath: tessReal, Targets: []relay.Target{target}, Auth: senderauth.Result{From: tessReal, Aligned: true}, Message: spool.FromBytes([]byte(raw))})[0]
	}
	if err := reply(headerOf(got[0], "Reply-To")); err != nil {
		t.Fatal(err)
	}
	if newest := n.Newest("sam"); headerOf(newest, "Subject") != "Re: Third" || !strings.Contains(newest, "Yes, gladly.") {
		t.Errorf("the other gets\n%s", newest)
	}
	from := headerOf(got[0], "From")
	err := reply(from[strings.LastIndexByte(from, '<'):])
	var refused *relay.Refusal
	if !errors.As(err, &refused) || !strings.Contains(refused.Text, "stop, daily or start") || !strings.Contains(refused.Text, "To answer a member") {
		t.Errorf("a reply to the digest itself: %v", err)
	}
}

// Who turns digests on was told of everything so far; who leaves gets none.
func TestDigestsOnAndOff(t *testing.T) {
	n := newNewsroom(t)
	n.alerts("tess", threading.AlertsImmediate)
	n.write("sam", "tess", "Told at once", "x")
	n.Advance(10 * time.Minute)
	n.alerts("tess", threading.AlertsDaily)
	if got := n.digests(2 * time.Hour); len(got) != 0 {
		t.Errorf("what was mailed already is told again:\n%s", got[0])
	}
	n.write("sam", "tess", "New", "x")
	if err := n.Store.RemoveMember(n.ctx, n.member("tess").ID); err != nil {
		t.Fatal(err)
	}
	if got := n.digests(25 * time.Hour); len(got) != 0 {
		t.Errorf("a former member gets a digest")
	}
}

// tellSettings sends a message to a settings address, as it comes in by SMTP.
func (n *newsroom) tellSettings(c control, from string, aligned bool, subject, text string) error {
	n.Helper()
	target, err := n.Pipeline.Recipient(n.ctx, c.local()+"@"+dialog.Domain)
	if err != nil {
		n.Fatal(err)
	}
	raw := "From: " + from + "\r\nSubject: " + subject + "\r\n\r\n" + strings.ReplaceAll(text, "\n", "\r\n")
	return n.Pipeline.Receive(n.ctx, relay.Inbound{ReversePath: from, Targets: []relay.Target{target}, Auth: senderauth.Result{From: from, Aligned: aligned}, Message: spool.FromBytes([]byte(raw))})[0]
}

const tessReal = "tess.real@mail.example"

func TestSettingsByMail(t *testing.T) {
	n := newNewsroom(t)
	tess := n.member("tess")
	item := threading.Item{MemberID: tess.ID, Header: n.Mailbox("tess", "INBOX")[0]}
	for from, c := range map[string]control{"a digest": n.r.control(tess.ID), "a notification": n.r.controlOf(item)} {
		for name, c := range map[string]struct {
			control
			from          string
			aligned       bool
			subject, text string
			want          threading.Alerts // empty: refused
		}{
			"stop":                  {c, tessReal, true, "Re: digest", "Stop.\n\nOn Monday Backstage wrote:\n> start\n", threading.AlertsNever},
			"start":                 {c, tessReal, true, "", "START\n", threading.AlertsImmediate},
			"daily":                 {c, tessReal, true, "", "\n\ndaily\n", threading.AlertsDaily},
			"in German":             {c, tessReal, true, "", "Täglich.\n", threading.AlertsDaily},
			"stop, in German":       {c, tessReal, true, "", "Stopp!\n\n> Stopp\n", threading.AlertsNever},
			"a program's, encoded":  {c, tessReal, true, "=?utf-8?q?t=C3=A4glich?=", "Auto.\n", threading.AlertsDaily},
			"a program's":           {c, tessReal, true, "stop", "This message was made by a program.\n", threading.AlertsNever},
			"a real answer":         {c, tessReal, true, "Re: digest", "Dear Sam, yes!\n", ""},
			"two words":             {c, tessReal, true, "Re: digest", "stop it\n", ""},
			"not proven":            {c, tessReal, false, "stop", "stop\n", ""},
			"somebody else":         {c, "sam.real@agency.example", true, "stop", "stop\n", ""},
			"somebody who is known": {c, "x@stranger.example", true, "stop", "stop\n", ""},
		} {
			n.alerts("tess", threading.AlertsDaily)
			if c.want == threading.AlertsDaily {
				n.alerts("tess", threading.AlertsNever)
			}
			before := n.member("tess").Alerts
			err := n.tellSettings(c.control, c.from, c.aligned, c.subject, c.text)
			var refused *relay.Refusal
			want := c.want
			if want == "" {
				want = before
			}
			if errors.As(err, &refused) != (c.want == "") || n.member("tess").Alerts != want {
				t.Errorf("%s, to %s: %v, alerts %s", name, from, err, n.member("tess").Alerts)
			}
		}
	}
}

// To a notification's settings address a member can say how to be told of that
// one conversation.
func TestSettingsOfAConversationByMail(t *testing.T) {
	n := newNewsroom(t)
	tess := n.member("tess")
	item := threading.Item{MemberID: tess.ID, Header: n.Mailbox("tess", "INBOX")[0]}
	c := n.r.controlOf(item)
	thread := func() threading.ID {
		t.Helper()
		target, err := n.Pipeline.Recipient(n.ctx, c.local()+"@"+dialog.Domain)
		if err != nil || target.Topic == 0 || target.Settings != tess.ID {
			t.Fatalf("%+v, %v", target, err)
		}
		return target.Topic
	}()
	for _, step := range []struct {
		text string
		want threading.Alerts
		ok   bool
	}{
		{"daily this", threading.AlertsDaily, true},
		{"Start this conversation", threading.AlertsDaily, false},
		{"Start conversation.", threading.AlertsImmediate, true},
		{"stop this", threading.AlertsNever, true},
		{"diese täglich", threading.AlertsDaily, true},
		{"stop this", threading.AlertsNever, true},
		{"this this", threading.AlertsNever, false},
		{"stop daily", threading.AlertsNever, false},
		{"usual", threading.AlertsNever, false},
		{"usual this", threading.AlertsUsual, true},
		{"hourly this", threading.AlertsUsual, false},
	} {
		err := n.tellSettings(c, tessReal, true, "Re: Callback", step.text+"\n")
		own, oerr := n.Store.ThreadAlerts(n.ctx, tess.ID, thread)
		if (err == nil) != step.ok || oerr != nil || own != step.want {
			t.Errorf("%s: %v, the conversation's own setting is %q, %v", step.text, err, own, oerr)
		}
		if got := n.member("tess").Alerts; got != threading.AlertsDaily {
			t.Errorf("%s: the member's setting is %s", step.text, got)
		}
	}
	if err := n.tellSettings(n.r.control(tess.ID), tessReal, true, "", "daily this\n"); err == nil {
		t.Error("a digest's address takes a setting of no conversation")
	}
}

func TestShorten(t *testing.T) {
	for in, want := range map[string]string{
		"short":                  "short",
		"exactly ten":            "exactly …",
		"aaaaaaaaaaaaaaaa":       "aaaaaaaaaa …",
		"ääääääääää":             "äääää …",
		"word, another and more": "word …",
	} {
		if got := shorten(in, 10); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

const testDomain = "msg.example.com"

// stage is a store with members and a production, and a pipeline over it.
type stage struct {
	testing.TB
	*Pipeline
	store           *store.Store
	sam, tess, otto threading.Member // otto is a talent too
	now             time.Time
}

func newStage(t testing.TB, change func(*Options)) *stage {
	t.Helper()
	dir := t.TempDir()
	keys, err := seal.New(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{TB: t, now: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}
	now := func() time.Time { return s.now }
	st, err := store.Open(context.Background(), store.Options{DSN: "sqlite:" + filepath.Join(dir, "t.db"), Keyring: keys, IDs: threading.NewIDSource(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s.store = st
	add := func(handle, name string, addrs ...string) threading.Member {
		m, err := st.AddMember(context.Background(), threading.Member{Handle: handle, Name: name}, addrs)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	s.sam = add("sam", "Sam Casting", "sam.real@agency.example")
	s.tess = add("tess", "Tess Tälent", "tess.real@mail.example", "tess@work.example")
	s.otto = add("otto", "Otto Actor", "otto@actor.example")
	p, err := st.AddProduction(context.Background(), threading.Production{Slug: "hamlet", Title: "Hamlet", OwnerID: s.sam.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.AddRole(context.Background(), threading.Role{ProductionID: p.ID, Slug: "ophelia", Title: "Ophelia"}); err != nil {
		t.Fatal(err)
	}
	o := Options{Store: st, Domain: testDomain, Brand: "Backstage", Operator: "ops@operator.example", TempDir: dir, Now: now}
	if change != nil {
		change(&o)
	}
	s.Pipeline = New(o)
	return s
}

// letterFrom writes a plain message with CRLF line ends.
func letterFrom(from, to, subject, body string, fields ...string) []byte {
	h := append([]string{"From: " + from, "To: " + to, "Subject: " + subject, "Date: Tue, 01 Sep 2026 10:00:00 +0200"}, fields...)
	return []byte(strings.Join(h, "\r\n") + "\r\n\r\n" + strings.ReplaceAll(body, "\n", "\r\n"))
}

// arrive is a message on the MX, proven or not.
func (s *stage) arrive(from string, aligned bool, raw []byte, to ...string) error {
	s.Helper()
	in := Inbound{ReversePath: from, Message: spool.FromBytes(raw), Auth: senderauth.Result{From: from, Aligned: aligned}}
	for _, addr := range to {
		t, err := s.Recipient(context.Background(), addr)
		if err != nil {
			return err
		}
		in.Targets = append(in.Targets, t)
	}
	return s.Receive(context.Background(), in)[0]
}

func (s *stage) submit(writer threading.Member, raw []byte, to ...string) error {
	s.Helper()
	var targets []Target
	for _, addr := range to {
		t, err := s.SubmissionRecipient(context.Background(), writer, addr)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	return s.Submit(context.Background(), writer, targets, spool.FromBytes(raw), false)
}

// entries are a mailbox's entries, oldest first.
func (s *stage) entries(m threading.Member, name string) []threading.Entry {
	s.Helper()
	mb, err := s.store.Mailbox(context.Background(), m.ID, name)
	if err != nil {
		s.Fatal(err)
	}
	var entries []threading.Entry
	err = s.store.Entries(context.Background(), m.ID, mb.ID, threading.UIDSet{{First: 1, Last: 1<<32 - 1}}, func(e threading.Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return entries
}

// mailbox returns the whole messages of a member's mailbox, oldest first.
func (s *stage) mailbox(m threading.Member, name string) []string {
	s.Helper()
	ctx := context.Background()
	var out []string
	for _, e := range s.entries(m, name) {
		it, err := s.store.Item(ctx, m.ID, e.ItemID)
		if err != nil {
			s.Fatal(err)
		}
		r, err := s.store.OpenBody(ctx, it.BodyID, 0, -1)
		if err != nil {
			s.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			s.Fatal(err)
		}
		_ = r.Close()
		out = append(out, string(it.Header)+string(b))
	}
	return out
}

func fieldOf(raw, name string) string {
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	v, _ := mimetree.Field([]byte(head+"\r\n\r\n"), name)
	return strings.TrimSpace(v)
}

func addressOf(raw, name string) string {
	v := fieldOf(raw, name)
	v = v[strings.LastIndexByte(v, '<')+1:]
	return strings.TrimSuffix(v, ">")
}

func wantRefusal(t testing.TB, err error, want *Refusal) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || r.Code != want.Code || r.Text != want.Text {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestAConversationByMailAndClient(t *testing.T) {
	s := newStage(t, nil)
	ctx := context.Background()
	if _, err := s.Contact(ctx, ContactForm{Writer: s.sam, To: s.tess, Subject: "Callback", Production: "hamlet", Role: "ophelia", Text: "Tuesday?\n"}); err != nil {
		t.Fatal(err)
	}
	inbox, sent := s.mailbox(s.tess, "INBOX"), s.mailbox(s.sam, "Sent")
	if len(inbox) != 1 || len(sent) != 1 {
		t.Fatalf("INBOX has %d, Sent %d", len(inbox), len(sent))
	}
	first := inbox[0]
	if got := fieldOf(first, "From"); !strings.HasPrefix(got, `"Sam Casting via Backstage" <t-`) {
		t.Errorf("From: %s", got)
	}
	if got := fieldOf(first, "To"); got != "=?utf-8?q?Tess_T=C3=A4lent?= <tess@msg.example.com>" {
		t.Errorf("To: %s", got)
	}
	if fieldOf(first, "Message-ID") != fieldOf(sent[0], "Message-ID") {
		t.Error("the participants see different Message-IDs")
	}
	if fieldOf(first, "Keywords") != "Hamlet, Ophelia" || fieldOf(first, "X-Production") != "Hamlet" || fieldOf(first, "X-Role") != "Ophelia" {
		t.Error("production and role are not in the header")
	}
	if !strings.Contains(first, "\r\n\r\nAbout: Ophelia in Hamlet\r\n") {
		t.Errorf("the first line does not say what it is about:\n%s", first)
	}

	// Tess replies by regular e-mail.
	s.now = s.now.Add(time.Hour)
	alias := addressOf(first, "From")
	reply := letterFrom("Tess <tess.real@mail.example>", alias, "Re: Callback", "Yes!\n\nOn Tue, Sep 1, 2026 at 10:00 AM Tess <tess.real@mail.example> wrote:\n> x\n",
		"Message-ID: <own-1@mail.example>", "In-Reply-To: "+fieldOf(first, "Message-ID"), "Received: from laptop.home ([192.0.2.7])")
	if err := s.arrive("tess.real@mail.example", true, reply, strings.ToUpper(alias)); err != nil {
		t.Fatal(err)
	}
	got := s.mailbox(s.sam, "INBOX")
	if len(got) != 1 {
		t.Fatalf("Sam's INBOX has %d", len(got))
	}
	for _, leak := range []string{"tess.real", "mail.example", "192.0.2.7", "laptop.home", "own-1"} {
		if strings.Contains(got[0], leak) {
			t.Errorf("Sam sees %q:\n%s", leak, got[0])
		}
	}
	if !strings.Contains(got[0], "Yes!") || strings.Contains(got[0], "About:") {
		t.Errorf("the reply reads:\n%s", got[0])
	}
	if fieldOf(got[0], "In-Reply-To") != fieldOf(first, "Message-ID") || fieldOf(got[0], "References") != fieldOf(first, "Message-ID") {
		t.Error("the reply is not threaded under the first message")
	}
	// Her own mail system's ID stands in what she gets, so that her Gmail threads too.
	if own := s.mailbox(s.tess, "Sent"); len(own) != 1 || fieldOf(own[0], "Message-ID") != fieldOf(got[0], "Message-ID") {
		t.Fatal("Tess has no copy in Sent")
	}

	// Sam answers from his mail client.
	s.now = s.now.Add(time.Hour)
	answer := letterFrom("sam@msg.example.com", addressOf(got[0], "From"), "Re: Callback", "Good.\n", "Message-ID: <c1@msg.example.com>",
		"In-Reply-To: "+fieldOf(got[0], "Message-ID"), "References: "+fieldOf(first, "Message-ID")+" "+fieldOf(got[0], "Message-ID"))
	if err := s.submit(s.sam, answer, addressOf(got[0], "From"), "sam@msg.example.com"); err != nil {
		t.Fatal(err)
	}
	inbox = s.mailbox(s.tess, "INBOX")
	if len(inbox) != 2 {
		t.Fatalf("Tess's INBOX has %d", len(inbox))
	}
	if want := fieldOf(first, "Message-ID") + " <own-1@mail.example> " + fieldOf(got[0], "Message-ID"); fieldOf(inbox[1], "References") != want {
		t.Errorf("References: %s\nwant        %s", fieldOf(inbox[1], "References"), want)
	}
	if fieldOf(inbox[1], "From") != fieldOf(first, "From") {
		t.Error("Sam has two addresses in one thread")
	}
	if n := len(s.mailbox(s.sam, "INBOX")); n != 1 {
		t.Errorf("the copy to oneself was not dropped: Sam's INBOX has %d", n)
	}
}

func TestWhoMayWrite(t *testing.T) {
	s := newStage(t, nil)
	if err := s.submit(s.sam, letterFrom("sam@msg.example.com", "tess@msg.example.com", "Hi", "Hi\n"), "tess@msg.example.com"); err != nil {
		t.Fatal(err)
	}
	alias := addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
	msg := func(to string) []byte { return letterFrom("x", to, "Hi", "Hi\n") }
	for _, c := range []struct {
		name    string
		from    string
		aligned bool
		to      []string
		want    *Refusal // nil: accepted
	}{
		{"the holder", "tess.real@mail.example", true, []string{alias}, nil},
		{"the holder, other case, second address", "Tess@WORK.example", true, []string{alias}, nil},
		{"the holder with a tag is not proven", "tess.real+x@mail.example", true, []string{alias}, errNotHolder},
		{"not aligned", "tess.real@mail.example", false, []string{alias}, errForged},
		{"the other participant", "sam.real@agency.example", true, []string{alias}, errNotHolder},
		{"a third member", "otto@actor.example", true, []string{alias}, errNotHolder},
		{"a stranger", "x@stranger.example", true, []string{alias}, errNotHolder},
		{"a made-up alias", "tess.real@mail.example", true, []string{"t-aaaaaaaaaaaaaaaaaaaaaaaaaa@" + testDomain}, errNoSuchAddress},
		{"another domain", "tess.real@mail.example", true, []string{"x@other.example"}, errForeign},
		{"a member to a contact address", "otto@actor.example", true, []string{"tess@" + testDomain}, nil},
		{"a member to a role", "otto@actor.example", true, []string{"ophelia.hamlet@" + testDomain}, nil},
		{"a stranger to a contact address", "x@stranger.example", true, []string{"tess@" + testDomain}, errNotMember},
		{"a stranger to one that does not exist", "x@stranger.example", true, []string{"nobody-here@" + testDomain}, errNotMember},
		{"an unproven member to one that does not exist", "otto@actor.example", false, []string{"nobody-here@" + testDomain}, errNotMember},
		{"an unproven member to one that does", "otto@actor.example", false, []string{"tess@" + testDomain}, errNotMember},
		{"a member to one that does not exist", "otto@actor.example", true, []string{"nobody-here@" + testDomain}, errNoSuchMember},
		{"a member to a role that does not exist", "otto@actor.example", true, []string{"yorick.hamlet@" + testDomain}, errNoSuchRole},
		{"a reserved name", "otto@actor.example", true, []string{"webmaster@" + testDomain}, errNoSuchAddress},
		{"one's own role", "sam.real@agency.example", true, []string{"ophelia.hamlet@" + testDomain}, errOwnRole},
		{"the operator", "x@stranger.example", false, []string{"postmaster@" + testDomain}, nil},
		{"the operator without a domain", "x@stranger.example", false, []string{"Postmaster"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.arrive(c.from, c.aligned, msg(c.to[0]), c.to...)
			if c.want == nil {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantRefusal(t, err, c.want)
		})
	}
}

func TestSubmissionRecipients(t *testing.T) {
	s := newStage(t, nil)
	if err := s.submit(s.sam, letterFrom("sam@msg.example.com", "tess@msg.example.com", "Hi", "Hi\n"), "tess@msg.example.com"); err != nil {
		t.Fatal(err)
	}
	others := addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
	for to, want := range map[string]*Refusal{
		"friend@gmail.example":        errOutside,
		"nobody-here@msg.example.com": errNoSuchMember,
		"x.hamlet@msg.example.com":    errNoSuchRole,
		others:                        errNoSuchAddress,
		"b-x@msg.example.com":         errNoSuchAddress,
	} {
		wantRefusal(t, s.submit(s.sam, letterFrom("sam@msg.example.com", to, "Hi", "Hi\n"), to), want)
	}
	if err := s.submit(s.sam, letterFrom("sam@msg.example.com", "x", "Note", "to self\n"), "sam@msg.example.com"); err != nil {
		t.Fatal(err)
	}
	if n := len(s.mailbox(s.sam, "INBOX")); n != 1 {
		t.Errorf("a note to oneself: INBOX has %d", n)
	}
}

func TestSeveralRecipientsDontLearnOfEachOther(t *testing.T) {
	to := []string{"tess@" + testDomain, "otto@" + testDomain}
	raw := letterFrom("sam@msg.example.com", strings.Join(to, ", "), "Casting", "Dear all\n")
	t.Run("a thread each", func(t *testing.T) {
		s := newStage(t, nil)
		if err := s.submit(s.sam, raw, to...); err != nil {
			t.Fatal(err)
		}
		if n := len(s.mailbox(s.sam, "Sent")); n != 2 {
			t.Errorf("Sent has %d copies, want one for each thread", n)
		}
		for _, m := range []threading.Member{s.tess, s.otto} {
			inbox := s.mailbox(m, "INBOX")
			if len(inbox) != 1 || fieldOf(inbox[0], "Cc") != "" {
				t.Fatalf("%s: %d messages, Cc %q", m.Handle, len(inbox), fieldOf(inbox[0], "Cc"))
			}
			if m.ID == s.tess.ID && strings.Contains(strings.ToLower(inbox[0]), "otto") {
				t.Errorf("Tess learns of Otto:\n%s", inbox[0])
			}
		}
	})
	t.Run("groups", func(t *testing.T) {
		s := newStage(t, func(o *Options) { o.Groups = true })
		if err := s.submit(s.sam, raw, to...); err != nil {
			t.Fatal(err)
		}
		if n := len(s.mailbox(s.sam, "Sent")); n != 1 {
			t.Fatalf("Sent has %d copies, want one", n)
		}
		inbox := s.mailbox(s.tess, "INBOX")[0]
		if !strings.HasPrefix(fieldOf(inbox, "Cc"), `"Otto Actor via Backstage" <t-`) {
			t.Errorf("Cc: %q", fieldOf(inbox, "Cc"))
		}
		// Either alias reaches all, once.
		reply := letterFrom("tess.real@mail.example", "x", "Re: Casting", "Hi both\n")
		if err := s.arrive("tess.real@mail.example", true, reply, addressOf(inbox, "From"), addressOf(inbox, "Cc")); err != nil {
			t.Fatal(err)
		}
		if a, b := len(s.mailbox(s.sam, "INBOX")), len(s.mailbox(s.otto, "INBOX")); a != 1 || b != 2 {
			t.Errorf("Sam has %d, Otto %d", a, b)
		}
	})
	t.Run("blind copies stay out of the group", func(t *testing.T) {
		s := newStage(t, func(o *Options) { o.Groups = true })
		blind := letterFrom("sam@msg.example.com", to[0], "Casting", "Dear all\n")
		if err := s.submit(s.sam, blind, to...); err != nil {
			t.Fatal(err)
		}
		if n := len(s.mailbox(s.sam, "Sent")); n != 2 {
			t.Errorf("Sent has %d copies, want two threads", n)
		}
		if inbox := s.mailbox(s.tess, "INBOX"); fieldOf(inbox[0], "Cc") != "" {
			t.Errorf("Tess sees the blind copy: %q", fieldOf(inbox[0], "Cc"))
		}
	})
	t.Run("one bad recipient, nothing is sent", func(t *testing.T) {
		s := newStage(t, nil)
		bad := Target{Address: "gone@msg.example.com", Recipient: threading.ParseLocal("gone")}
		good, err := s.SubmissionRecipient(context.Background(), s.sam, to[0])
		if err != nil {
			t.Fatal(err)
		}
		err = s.Submit(context.Background(), s.sam, []Target{good, bad}, spool.FromBytes(raw), false)
		if err == nil || !strings.Contains(err.Error(), "gone@msg.example.com") {
			t.Errorf("got %v", err)
		}
		if n := len(s.mailbox(s.tess, "INBOX")); n != 0 {
			t.Errorf("Tess has %d", n)
		}
	})
}

func TestARetryIsFiledOnce(t *testing.T) {
	s := newStage(t, nil)
	raw := letterFrom("otto@actor.example", "tess@msg.example.com", "Hi", "Hi\n", "Message-ID: <1@actor.example>")
	again := append([]byte("Received: from somewhere else\r\n"), raw...)
	other := bytes.Replace(raw, []byte("\r\n\r\nHi"), []byte("\r\n\r\nHo"), 1)
	for i, m := range [][]byte{raw, again, other} {
		if err := s.arrive("otto@actor.example", true, m, "tess@"+testDomain); err != nil {
			t.Fatal(i, err)
		}
	}
	if n := len(s.mailbox(s.tess, "INBOX")); n != 2 {
		t.Errorf("INBOX has %d: want the message once, and the one with another content", n)
	}
}

func TestTheHeaderMayContinueAThreadFromAContactAddress(t *testing.T) {
	s := newStage(t, nil)
	if err := s.submit(s.sam, letterFrom("s", "t", "Hi", "Hi\n"), "tess@"+testDomain); err != nil {
		t.Fatal(err)
	}
	id := fieldOf(s.mailbox(s.tess, "INBOX")[0], "Message-ID")
	threads := func() int {
		list, err := s.store.Threads(context.Background(), threading.Thread{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if err := s.submit(s.tess, letterFrom("t", "s", "Re: Hi", "1\n", "References: "+id), "sam@"+testDomain); err != nil {
		t.Fatal(err)
	}
	if n := threads(); n != 1 {
		t.Errorf("a reply to the contact address made %d threads", n)
	}
	// Otto can't get into it.
	if err := s.submit(s.otto, letterFrom("o", "s", "Re: Hi", "2\n", "In-Reply-To: "+id), "sam@"+testDomain); err != nil {
		t.Fatal(err)
	}
	if n := threads(); n != 2 {
		t.Errorf("another member's reply joined the thread (%d threads)", n)
	}
}

func TestClosedThreadsAndRemovedMembers(t *testing.T) {
	s := newStage(t, nil)
	ctx := context.Background()
	filed, err := s.Contact(ctx, ContactForm{Writer: s.sam, To: s.tess, Subject: "Hi", Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	alias := addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
	reply := letterFrom("tess.real@mail.example", alias, "Re: Hi", "x\n")
	if err := s.store.CloseThread(ctx, filed.ThreadID); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, s.arrive("tess.real@mail.example", true, reply, alias), errClosed)
	if _, err = s.Contact(ctx, ContactForm{Writer: s.sam, To: s.tess, Subject: "Ho", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	alias = addressOf(s.mailbox(s.tess, "INBOX")[1], "From")
	if err := s.store.RemoveMember(ctx, s.sam.ID); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, s.arrive("tess.real@mail.example", true, reply, alias), errLeft)
}

func TestAutomaticMailGoesNoFurther(t *testing.T) {
	for name, field := range map[string]string{
		"Auto-Submitted": "Auto-Submitted: auto-replied", "Precedence": "Precedence: bulk", "report": "Content-Type: multipart/report; boundary=x",
		"X-Autoreply": "X-Autoreply: yes", "list": "List-Id: <x.y>",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			if err := s.submit(s.sam, letterFrom("s", "t", "Hi", "Hi\n"), "tess@"+testDomain); err != nil {
				t.Fatal(err)
			}
			alias := addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
			if err := s.arrive("tess.real@mail.example", true, letterFrom("tess.real@mail.example", alias, "Away", "Away\n", field), alias); err != nil {
				t.Fatal(err)
			}
			if n := len(s.mailbox(s.sam, "INBOX")); n != 0 {
				t.Errorf("it was filed")
			}
			rec, err := s.store.Records(context.Background(), 10)
			if err != nil || len(rec) != 1 || rec[0].Kind != "automatic" {
				t.Errorf("recorded: %+v, %v", rec, err)
			}
		})
	}
}

func TestBehindAnMTANothingIsRefused(t *testing.T) {
	s := newStage(t, nil)
	if err := s.submit(s.sam, letterFrom("s", "t", "Hi", "Hi\n"), "tess@"+testDomain); err != nil {
		t.Fatal(err)
	}
	alias := addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
	deliver := func(to, from string, auth senderauth.Result) error {
		target, err := s.Recipient(context.Background(), to)
		if err != nil {
			t.Fatal(err)
		}
		return s.Receive(context.Background(), Inbound{ReversePath: from, Targets: []Target{target}, Auth: auth, NeverRefuse: true,
			Message: spool.FromBytes(letterFrom(from, to, "Hi", "secret of "+from+"\n"))})[0]
	}
	for _, c := range []struct {
		to, from string
		auth     senderauth.Result
		held     int
		recorded int
	}{
		{alias, "x@new.example", senderauth.Result{From: "x@new.example", Aligned: true}, 1, 0},
		{alias, "tess.real@mail.example", senderauth.Result{From: "tess.real@mail.example"}, 2, 0},
		{alias, "tess.real@mail.example", senderauth.Result{From: "tess.real@mail.example", Policy: senderauth.PolicyReject}, 2, 1},
		{"tess@" + testDomain, "x@new.example", senderauth.Result{From: "x@new.example", Aligned: true}, 2, 2},
	} {
		if err := deliver(c.to, c.from, c.auth); err != nil {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
		held, err1 := s.store.HeldMessages(context.Background(), 10)
		rec, err2 := s.store.Records(context.Background(), 10)
		if err1 != nil || err2 != nil || len(held) != c.held || len(rec) != c.recorded {
			t.Errorf("%s to %s: %d held, %d recorded; want %d, %d (%v, %v)", c.from, c.to, len(held), len(rec), c.held, c.recorded, err1, err2)
		}
	}
	for i := range store.MaxHeld {
		from := fmt.Sprintf("x%d@new.example", i)
		if err := deliver(alias, from, senderauth.Result{From: from, Aligned: true}); err != nil {
			t.Errorf("one more that is held: %v", err)
		}
	}
	settings := threading.AliasPrefix + s.store.Keyring().Token(seal.TokenSettings, s.tess.ID) + "@" + testDomain
	if err := deliver(settings, "x@new.example", senderauth.Result{From: "x@new.example", Aligned: true}); err != nil {
		t.Errorf("to a control address: %v", err)
	}
	held, err := s.store.HeldMessages(context.Background(), 10)
	if err != nil || len(held) != store.MaxHeld {
		t.Errorf("%d held, %v", len(held), err)
	}
	for _, h := range held {
		if h.ExpiresAt.IsZero() || h.AliasID == 0 || h.MemberID == 0 {
			t.Errorf("held for ever, or for nobody: %+v", h)
		}
	}
	if err := deliver(alias, "x@new.example", senderauth.Result{From: "x@new.example", TempError: true}); err == nil {
		t.Error("a temporary error was not passed on: the MTA should try again")
	}
}

func TestOperatorMailIsQueuedForTheOperatorOnly(t *testing.T) {
	s := newStage(t, nil)
	if err := s.arrive("x@stranger.example", false, letterFrom("Mrs X <x@stranger.example>", "abuse@msg.example.com", "Spam", "Look\n"), "abuse@"+testDomain); err != nil {
		t.Fatal(err)
	}
	q, err := s.store.Queue(context.Background(), 10)
	if err != nil || len(q) != 1 || q[0].Kind != store.QueueOperator {
		t.Fatalf("queue: %+v, %v", q, err)
	}
	h := string(q[0].Header)
	if fieldOf(h, "Reply-To") != `"Mrs X" <x@stranger.example>` || fieldOf(h, "From") != `"Mrs X via abuse" <abuse@msg.example.com>` {
		t.Errorf("header:\n%s", h)
	}
	s = newStage(t, func(o *Options) { o.Operator = "" })
	wantRefusal(t, s.arrive("x@stranger.example", false, letterFrom("x", "y", "z", ""), "abuse@"+testDomain), errNoOperator)
}

func TestSubjectBase(t *testing.T) {
	for in, want := range map[string]string{
		"Callback": "Callback", "Re: Callback": "Callback", "RE: Fwd: AW: Callback": "Callback", "Re[2]: Callback": "Callback", "回复：Callback": "Callback",
		"Hamlet: Ophelia": "Hamlet: Ophelia", "": "", "Re:": "", "re : x": "x", "10:30 call": "10:30 call",
	} {
		if got := subjectBase(in); got != want {
			t.Errorf("subjectBase(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHeaderLinesAreFolded(t *testing.T) {
	var w headerWriter
	w.messageIDs("References", slices.Repeat([]string{"abcdefghijklmnopqrstuvwxyz@msg.example.com"}, 20)...)
	w.unstructured("Subject", strings.Repeat("Grüße ", 40))
	for line := range strings.SplitSeq(w.String(), "\r\n") {
		if len(line) > softLine {
			t.Errorf("a line of %d octets: %s", len(line), line)
		}
		if line != "" && !strings.HasPrefix(line, " ") && !strings.Contains(line, ":") {
			t.Errorf("not a field and no continuation: %q", line)
		}
	}
}

func TestHeadIsBounded(t *testing.T) {
	_, err := readHead(strings.NewReader("X: " + strings.Repeat("y", maxHead) + "\r\n\r\n"))
	wantRefusal(t, err, errHeadTooLong)
	for raw, size := range map[string]int64{"A: b\r\n\r\nbody": 8, "A: b\n\nbody": 6, "A: b": 4, "": 0, "\r\nbody": 2} {
		h, err := readHead(strings.NewReader(raw))
		if err != nil || h.size != size {
			t.Errorf("%q: %d octets, %v; want %d", raw, h.size, err, size)
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add([]byte("From: a@b\r\nReferences: <a@b> <c\r\n d>\r\nIn-Reply-To: <<>>\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := readHead(bytes.NewReader(raw))
		if err != nil {
			return
		}
		for _, id := range append(h.messageIDs("References"), h.messageID()) {
			if strings.ContainsAny(id, " \t\r\n<>") {
				t.Fatalf("msg-id %q can't be written again", id)
			}
		}
		_ = h.decoded("Subject")
		_ = h.addresses("From")
	})
}

func BenchmarkReceiveReply(b *testing.B) {
	s := newStage(b, nil)
	if err := s.submit(s.sam, letterFrom("s", "t", "Hi", "Hi\n"), "tess@"+testDomain); err != nil {
		b.Fatal(err)
	}
	alias := addressOf(s.mailbox(s.tess, "INBOX")[0], "From")
	body := strings.Repeat("All the world's a stage, and all the men and women merely players.\n", 60)
	b.SetBytes(int64(len(body)))
	b.SetParallelism(16)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			raw := letterFrom("tess.real@mail.example", alias, "Re: Hi", body, fmt.Sprintf("Message-ID: <%d@mail.example>", n.Add(1)))
			if err := s.arrive("tess.real@mail.example", true, raw, alias); err != nil {
				b.Error(err)
			}
		}
	})
}

// privacy.remote_images reaches the message.
func TestRemoteImages(t *testing.T) {
	for policy, want := range map[sanitize.RemoteImages]bool{sanitize.RemoteKeep: true, sanitize.RemoteBlock: false} {
		s := newStage(t, func(o *Options) { o.RemoteImages = policy })
		raw := letterFrom("s", "t", "Poster", "<p>See <img src=\"https://pictures.example/poster.jpg\" alt=\"poster\" width=\"300\"></p>\n", "Content-Type: text/html")
		if err := s.submit(s.sam, raw, "tess@"+testDomain); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.ReplaceAll(s.mailbox(s.tess, "INBOX")[0], "=\r\n", ""), "pictures.example/poster.jpg"); got != want {
			t.Errorf("%s: %v", policy, got)
		}
	}
}

// What has no subject says in a list of messages what it is about, if it is about
// something.
func TestAMessageWithoutSubject(t *testing.T) {
	for to, want := range map[string]string{"ophelia.hamlet": "Ophelia in Hamlet", "sam": "(no subject)"} {
		s := newStage(t, nil)
		if err := s.submit(s.otto, letterFrom("otto@"+testDomain, to+"@"+testDomain, "", "Hello\n"), to+"@"+testDomain); err != nil {
			t.Fatal(err)
		}
		inbox := s.mailbox(s.sam, "INBOX")
		if got := fieldOf(inbox[0], "Subject"); got != want {
			t.Errorf("to %s: %s", to, got)
		}
		if err := s.submit(s.sam, letterFrom("sam@"+testDomain, "x", "", "Yes\n"), addressOf(inbox[0], "From")); err != nil {
			t.Fatal(err)
		}
		if got := fieldOf(s.mailbox(s.otto, "INBOX")[0], "Subject"); got != "Re: "+want {
			t.Errorf("the answer to %s: %s", to, got)
		}
	}
}

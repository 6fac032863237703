package relay

import (
	"context"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/caution"
	"github.com/stagedoor/stagedoor/threading"
)

const asksForMoney = "Congratulations! Please pay the registration fee of 80 euros, and write me on WhatsApp.\n"

func warnedStage(t *testing.T) *stage {
	return newStage(t, func(o *Options) {
		o.Caution, o.SafetyURL, o.Groups = caution.Shipped(), "https://backstage.example/safety", true
	})
}

const (
	warned    = "[!] Backstage: somebody whom you have never written to asks you for money here."
	elsewhere = "somebody whom you have never written to wants to go on elsewhere here."
)

// unfolded is a message without the soft line breaks of quoted-printable.
func unfolded(s string) string {
	return strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(s)
}

// A stranger's message that asks for money or to leave has a warning above it,
// in every form that its reader may see; its writer sees none, an answer takes
// none back, and who has answered is warned no more.
func TestWarning(t *testing.T) {
	s := warnedStage(t)
	html := "--b\nContent-Type: text/plain; charset=utf-8\n\n" + asksForMoney + "--b\nContent-Type: text/html; charset=utf-8\n\n<html><body><p>" + strings.TrimSpace(asksForMoney) + "</p></body></html>\n--b--\n"
	raw := letterFrom("sam.real@agency.example", "tess", "The role", html, "MIME-Version: 1.0", "Content-Type: multipart/alternative; boundary=b")
	if err := s.arrive("sam.real@agency.example", true, raw, "tess@"+testDomain); err != nil {
		t.Fatal(err)
	}
	first := s.mailbox(s.tess, "INBOX")[0]
	got := unfolded(first)
	if strings.Count(got, warned) != 2 || strings.Count(got, elsewhere) != 2 || strings.Count(got, "https://backstage.example/safety") != 2 || !strings.Contains(got, `<div class="sd-caution"><p `) {
		t.Errorf("not warned in text and HTML:\n%s", got)
	}
	if sent := s.mailbox(s.sam, "Sent")[0]; strings.Contains(unfolded(sent), "[!]") || strings.Contains(sent, "sd-caution") {
		t.Errorf("the writer sees the warning:\n%s", sent)
	}
	q, err := s.store.Queue(context.Background(), 10)
	if err != nil || len(q) != 1 {
		t.Fatalf("%d notifications, %v", len(q), err)
	}
	item, err := s.store.Item(context.Background(), s.tess.ID, q[0].ItemID)
	if err != nil || q[0].BodyID != item.BodyID {
		t.Errorf("the notification is of another body: %v", err)
	}

	alias := addressOf(first, "From")
	_, text, _ := strings.Cut(got, "charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	text, _, _ = strings.Cut(text, "\r\n--")
	if !strings.HasPrefix(text, warned) {
		t.Fatalf("the text is %q", text)
	}
	answer := letterFrom("tess.real@mail.example", alias, "Re: The role", "Certainly not!\n\nOn Tue, Sep 1, 2026 at 10:00 AM Sam Casting via Backstage <"+alias+"> wrote:\n> "+
		strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\n> ")+"\n", "In-Reply-To: "+fieldOf(first, "Message-ID"))
	if err := s.arrive("tess.real@mail.example", true, answer, alias); err != nil {
		t.Fatal(err)
	}
	back := unfolded(s.mailbox(s.sam, "INBOX")[0])
	if strings.Contains(back, "[!]") || strings.Contains(back, "never written to") || !strings.Contains(back, "> Congratulations!") {
		t.Errorf("what comes back is\n%s", back)
	}
	// What she answered is marked, though she has it with a warning.
	if e := s.entries(s.tess, "INBOX")[0]; e.Flags&threading.FlagAnswered == 0 {
		t.Error("the warned message is not marked as answered")
	}
	if err := s.submit(s.sam, letterFrom("sam", alias, "Again", asksForMoney), "tess@"+testDomain); err != nil {
		t.Fatal(err)
	}
	if again := s.mailbox(s.tess, "INBOX")[1]; strings.Contains(unfolded(again), "[!]") {
		t.Errorf("warned of somebody she has written to:\n%s", again)
	}
}

// In a group each reader is warned for themselves; a message that asks for
// nothing has no warning; and the contact form's has one below nothing else.
func TestWhoIsWarned(t *testing.T) {
	s := warnedStage(t)
	ctx := context.Background()
	if err := s.submit(s.otto, letterFrom("otto", "sam", "Hello", "I saw your call.\n"), "sam@"+testDomain); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.mailbox(s.sam, "INBOX")[0], "[!]") {
		t.Error("warned of nothing")
	}
	raw := letterFrom("sam.real@agency.example", "tess@"+testDomain+", otto@"+testDomain, "The role", asksForMoney)
	if err := s.arrive("sam.real@agency.example", true, raw, "tess@"+testDomain, "otto@"+testDomain); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(unfolded(s.mailbox(s.tess, "INBOX")[0]), warned) {
		t.Error("who does not know the writer is not warned")
	}
	if strings.Contains(unfolded(s.mailbox(s.otto, "INBOX")[0]), warned) {
		t.Error("who has written to the writer is warned")
	}
	if _, err := s.Contact(ctx, ContactForm{Writer: s.sam, To: s.tess, Subject: "A fee", Production: "hamlet", Text: "The costume is yours.\n\n> Please pay the fee of 50 euros\n"}); err != nil {
		t.Fatal(err)
	}
	got := unfolded(s.mailbox(s.tess, "INBOX")[1])
	_, body, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(body, warned) || !strings.Contains(body, "\r\n\r\nAbout: Hamlet\r\n\r\nThe costume") {
		t.Errorf("by the contact form, quoted to hide it:\n%s", got)
	}
}

package relay

import (
	"context"
	"fmt"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// flags lists a mailbox's flags, oldest first: S seen, A answered, and keywords.
func (s *stage) flags(m threading.Member, name string) string {
	s.Helper()
	ctx := context.Background()
	mb, err := s.store.Mailbox(ctx, m.ID, name)
	if err != nil {
		s.Fatal(err)
	}
	out := ""
	err = s.store.Entries(ctx, m.ID, mb.ID, threading.UIDSet{{First: 1, Last: 1<<32 - 1}}, func(e threading.Entry) error {
		flags := ""
		if e.Flags&threading.FlagSeen != 0 {
			flags += "S"
		}
		if e.Flags&threading.FlagAnswered != 0 {
			flags += "A"
		}
		out += fmt.Sprintf("[%s%v]", flags, e.Keywords)
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return out
}

func TestAReplyShowsInTheMailbox(t *testing.T) {
	s := newStage(t, nil)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(m threading.Member, mailbox, want string) {
		t.Helper()
		if got := s.flags(m, mailbox); got != want {
			t.Errorf("%s's %s has %s, want %s", m.Handle, mailbox, got, want)
		}
	}
	for _, subject := range []string{"One", "Two"} {
		must(s.submit(s.sam, letterFrom("sam@msg.example.com", "tess@msg.example.com", subject, "Can you come?\n"), "tess@msg.example.com"))
	}
	one, two := s.mailbox(s.tess, "INBOX")[0], s.mailbox(s.tess, "INBOX")[1]

	// By regular e-mail: read and answered.
	must(s.arrive("tess.real@mail.example", true, letterFrom("tess.real@mail.example", addressOf(one, "From"), "Re: One", "Yes.\n",
		"In-Reply-To: "+fieldOf(one, "Message-ID")), addressOf(one, "From")))
	check(s.tess, "INBOX", "[SA[]][[]]")
	// A mail program that names nothing answers the newest.
	must(s.arrive("tess.real@mail.example", true, letterFrom("tess.real@mail.example", addressOf(two, "From"), "Two", "Yes.\n"), addressOf(two, "From")))
	check(s.tess, "INBOX", "[SA[]][SA[]]")
	check(s.tess, "Sent", "[S[]][S[]]")

	// By a mail client: it says itself what was read.
	check(s.sam, "INBOX", "[[]][[]]")
	got := s.mailbox(s.sam, "INBOX")
	must(s.submit(s.sam, letterFrom("sam@msg.example.com", addressOf(got[0], "From"), "Re: One", "Good.\n", "In-Reply-To: "+fieldOf(got[0], "Message-ID")), addressOf(got[0], "From")))
	check(s.sam, "INBOX", "[A[]][[]]")

	// Forwarded to another member, in a thread of its own.
	must(s.submit(s.sam, letterFrom("sam@msg.example.com", "otto@msg.example.com", "WG: Re: Two", "See.\n", "References: "+fieldOf(got[1], "References")+" "+fieldOf(got[1], "Message-ID")), "otto@msg.example.com"))
	check(s.sam, "INBOX", "[A[]][[$Forwarded]]")
	// Not named: it may be anything.
	must(s.submit(s.sam, letterFrom("sam@msg.example.com", addressOf(got[0], "From"), "Fwd: One", "See.\n"), addressOf(got[0], "From")))
	check(s.sam, "INBOX", "[A[]][[$Forwarded]]")
	check(s.sam, "Sent", "[S[]][S[]][S[]][S[]][S[]]")
}

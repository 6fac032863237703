package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	netsmtp "net/smtp"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// person is one of the two who converse in the demo.
type person struct {
	threading.Member
	real, password string
}

// play is the demo's conversation: every step goes over a real socket, and
// what a step promises is checked and printed.
type play struct {
	out      io.Writer
	domain   string
	mx       string // addresses of the relay's listeners
	smtp     string
	imap     string
	imapTLS  string
	store    *store.Store
	pipeline *relay.Pipeline
	internet *internet

	sam, tess person
	scene     int
	checks    int
	failed    int
}

// playTime bounds the whole play.
const playTime = 60 * time.Second

func (p *play) step(format string, args ...any) {
	p.scene++
	fmt.Fprintf(p.out, "\n%2d. %s\n", p.scene, fmt.Sprintf(format, args...))
}

func (p *play) say(format string, args ...any) {
	fmt.Fprintf(p.out, "      %s\n", fmt.Sprintf(format, args...))
}

// check prints what was verified, and counts what did not hold.
func (p *play) check(ok bool, format string, args ...any) {
	mark := "ok  "
	p.checks++
	if !ok {
		mark = "FAIL"
		p.failed++
	}
	fmt.Fprintf(p.out, "    %s %s\n", mark, fmt.Sprintf(format, args...))
}

// show prints the fields and the text that a person sees of a message.
func (p *play) show(raw []byte) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		p.check(false, "the message can be parsed: %v", err)
		return
	}
	for _, name := range []string{"From", "To", "Subject"} {
		p.say("%-8s %s", name+":", m.Header.Get(name))
	}
	for line := range strings.Lines(readableText(raw)) {
		p.say("| %s", strings.TrimRight(line, "\r\n"))
	}
}

// readableText is the first text/plain part, decoded.
func readableText(raw []byte) string {
	e, err := message.Read(bytes.NewReader(raw))
	if e == nil || err != nil && !message.IsUnknownCharset(err) {
		return ""
	}
	var text string
	_ = e.Walk(func(_ []int, part *message.Entity, err error) error {
		if t, _, _ := part.Header.ContentType(); text == "" && t == "text/plain" {
			b, _ := io.ReadAll(io.LimitReader(part.Body, 1<<20))
			text = string(b)
		}
		return nil
	})
	return text
}

func field(raw []byte, name string) string {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return ""
	}
	return m.Header.Get(name)
}

// private checks that nothing of a real address is in what the other received.
func (p *play) private(raw []byte, whose person, where string) {
	seen := strings.ToLower(string(raw) + readableText(raw))
	local, domain, _ := strings.Cut(whose.real, "@")
	p.check(!strings.Contains(seen, whose.real) && !strings.Contains(seen, domain) && !strings.Contains(seen, local),
		"nothing in %s shows %s's real address", where, whose.Name)
}

// run plays the conversation. It returns an error if a step could not be
// played at all; checks that did not hold are counted in p.failed.
func (p *play) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, playTime)
	defer cancel()
	fmt.Fprintf(p.out, "Two members of a casting site, and the relay between them\n\n")
	fmt.Fprintf(p.out, "    %-12s talent seeker   %s@%s   really %s\n", p.sam.Name, p.sam.Handle, p.domain, p.sam.real)
	fmt.Fprintf(p.out, "    %-12s talent          %s@%s   really %s\n", p.tess.Name, p.tess.Handle, p.domain, p.tess.real)

	samClient, arrived, err := p.openInbox(p.sam, p.imap)
	if err != nil {
		return err
	}
	defer samClient.Close()
	idle, err := samClient.Idle()
	if err != nil {
		return fmt.Errorf("IDLE: %w", err)
	}

	notification, err := p.contact(ctx)
	if err != nil {
		return err
	}
	if err := p.replyByMail(ctx, notification, arrived); err != nil {
		return err
	}
	if err := idle.Close(); err != nil {
		return fmt.Errorf("end IDLE: %w", err)
	}
	if err := p.answerFromClient(ctx, samClient); err != nil {
		return err
	}
	if err := p.wholeThread(); err != nil {
		return err
	}
	if err := p.strangers(ctx, notification); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\n%d checks, %d failed\n", p.checks, p.failed)
	return nil
}

// contact: Sam writes to Tess about a role, and Tess's own mailbox gets it.
func (p *play) contact(ctx context.Context) (received, error) {
	p.step("%s contacts %s about the role Ophelia in Hamlet", p.sam.Name, p.tess.Name)
	_, err := p.pipeline.Contact(ctx, relay.ContactForm{
		Writer: p.sam.Member, To: p.tess.Member, Subject: "Callback for Ophelia", Production: "hamlet", Role: "ophelia",
		Text: "Dear Tess,\n\nI saw your reel. Could you come to a callback on Tuesday?\n\nSam\n",
	})
	if err != nil {
		return received{}, fmt.Errorf("contact: %w", err)
	}
	p.step("%s's real mailbox receives it", p.tess.Name)
	m, err := p.internet.wait(ctx, p.tess.real, 0)
	if err != nil {
		return m, err
	}
	p.show(m.Raw)
	from, _ := mail.ParseAddress(field(m.Raw, "From"))
	p.check(from != nil && strings.HasPrefix(from.Address, threading.AliasPrefix) && strings.HasPrefix(from.Name, p.sam.Name+" via "),
		"From is Sam's name and a reply alias that is hers alone")
	p.check(field(m.Raw, "To") == fmt.Sprintf("%q <%s@%s>", p.tess.Name, p.tess.Handle, p.domain), "To is her contact address: no mail program can quote her real one")
	p.check(field(m.Raw, "DKIM-Signature") != "", "it is DKIM-signed")
	p.check(strings.Contains(readableText(m.Raw), "About: Ophelia in Hamlet") && field(m.Raw, "X-Role") == "Ophelia", "it says what it is about, to her and to her mail program's search")
	p.private(m.Raw, p.sam, "it")
	return m, nil
}

// replyByMail: Tess presses Reply in her ordinary mail program, which quotes as
// Outlook does; Sam's open IMAP connection sees it arrive.
func (p *play) replyByMail(ctx context.Context, to received, arrived <-chan uint32) error {
	alias, err := mail.ParseAddress(field(to.Raw, "From"))
	if err != nil {
		return fmt.Errorf("the notification's From: %w", err)
	}
	p.step("%s presses Reply in her ordinary mail program (it quotes the way Outlook does)", p.tess.Name)
	_, theirs, _ := strings.Cut(p.tess.real, "@")
	reply := strings.Join([]string{
		"Received: from laptop.home (unknown [192.0.2.77]) by mx." + theirs + "; Tue, 01 Sep 2026 10:00:00 +0200",
		"From: " + p.tess.Name + " <" + p.tess.real + ">",
		"To: " + alias.String(),
		"Subject: Re: Callback for Ophelia",
		"Date: Tue, 01 Sep 2026 10:00:00 +0200",
		"Message-ID: <CAF1234@" + theirs + ">",
		"In-Reply-To: " + field(to.Raw, "Message-ID"),
		"References: " + field(to.Raw, "Message-ID"),
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=utf-8",
		"",
		"Yes, Tuesday works for me!",
		"",
		"________________________________",
		"From: " + alias.String(),
		"Sent: Monday, August 31, 2026 4:12 PM",
		"To: " + p.tess.Name + " <" + p.tess.real + ">",
		"Subject: Callback for Ophelia",
		"",
		"Dear Tess,",
		"",
		"I saw your reel. Could you come to a callback on Tuesday?",
		"",
	}, "\r\n")
	start := time.Now()
	if err := sendMail(p.mx, nil, p.tess.real, []string{alias.Address}, []byte(reply)); err != nil {
		return fmt.Errorf("the reply by regular e-mail: %w", err)
	}
	p.check(true, "the MX answered 250")
	select {
	case n := <-arrived:
		p.check(n == 1, "Sam's open mail program was told at once (IDLE, %d ms after she pressed Send)", time.Since(start).Milliseconds())
	case <-ctx.Done():
		p.check(false, "Sam's open mail program was told (IDLE)")
	}
	return nil
}

// answerFromClient: Sam reads it over IMAP and answers through submission, as a
// mail program does, which also saves its own copy to Sent.
func (p *play) answerFromClient(ctx context.Context, c *imapclient.Client) error {
	p.step("%s reads it over IMAP", p.sam.Name)
	raw, err := fetchWhole(c, 1)
	if err != nil {
		return err
	}
	p.show(raw)
	p.private(raw, p.tess, "it")
	p.check(!bytes.Contains(raw, []byte("192.0.2.77")) && !bytes.Contains(raw, []byte("laptop.home")), "nor does her network: no IP address, no host name")
	sent, err := p.peek(p.sam, "Sent")
	if err != nil {
		return err
	}
	p.check(len(sent) == 1 && field(raw, "In-Reply-To") == sent[0].id && strings.Contains(field(raw, "References"), sent[0].id),
		"it is threaded under his own message (In-Reply-To, References)")

	p.step("%s answers from his mail program, through submission", p.sam.Name)
	answer := strings.Join([]string{
		"From: " + p.sam.Name + " <" + p.sam.Handle + "@" + p.domain + ">",
		"To: " + field(raw, "From"),
		"Subject: Re: Callback for Ophelia",
		"Date: Tue, 01 Sep 2026 11:00:00 +0200",
		"Message-ID: <5f0c1d2e@" + p.domain + ">",
		"In-Reply-To: " + field(raw, "Message-ID"),
		"References: " + field(raw, "References") + " " + field(raw, "Message-ID"),
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=utf-8; format=flowed",
		"",
		"Wonderful: Tuesday at 10, stage door, ask for Sam.",
		"",
	}, "\r\n")
	host, _, _ := net.SplitHostPort(p.smtp)
	to, err := mail.ParseAddress(field(raw, "From"))
	if err != nil {
		return fmt.Errorf("the reply alias: %w", err)
	}
	auth := netsmtp.PlainAuth("", p.sam.Handle, p.sam.password, host)
	if err := sendMail(p.smtp, auth, p.sam.Handle+"@"+p.domain, []string{to.Address}, []byte(answer)); err != nil {
		return fmt.Errorf("submission: %w", err)
	}
	if err := appendTo(c, "Sent", []byte(answer)); err != nil {
		return err
	}
	if sent, err = p.peek(p.sam, "Sent"); err != nil {
		return err
	}
	p.check(len(sent) == 2, "it is in Sent once, though his mail program also saved its own copy there")
	m, err := p.internet.wait(ctx, p.tess.real, 1)
	if err != nil {
		return err
	}
	p.check(strings.Contains(field(m.Raw, "References"), "<CAF1234@"), "Tess is notified; her own mail program's Message-ID is in References, so it threads there too")
	p.private(m.Raw, p.sam, "the notification")
	return nil
}

// wholeThread: Tess connects a mail client and finds both sides of the
// conversation; she archives and searches it.
func (p *play) wholeThread() error {
	p.step("%s connects a mail client (IMAP over TLS) and finds the whole conversation", p.tess.Name)
	inbox, err := p.peek(p.tess, "INBOX")
	if err != nil {
		return err
	}
	sent, err := p.peek(p.tess, "Sent")
	if err != nil {
		return err
	}
	for _, m := range inbox {
		p.say("INBOX    %-34s %-24s %s", m.from, m.subject, m.flags)
	}
	for _, m := range sent {
		p.say("Sent     %-34s %-24s %s", m.from, m.subject, m.flags)
	}
	p.check(len(inbox) == 2 && len(sent) == 1, "INBOX has Sam's two messages, Sent has the reply that she wrote by regular e-mail")
	if len(inbox) != 2 || len(sent) != 1 {
		return errors.New("the conversation is not complete")
	}
	p.check(strings.Contains(inbox[0].flags, "Answered") && strings.Contains(inbox[0].flags, "Seen") && inbox[1].flags == "" && strings.Contains(sent[0].flags, "Seen"),
		"what she answered by regular e-mail is read and answered here, what came after is unread")
	refs := inbox[1].references
	first, second := strings.Index(refs, inbox[0].id), strings.Index(refs, sent[0].id)
	p.check(first >= 0 && second > first && sent[0].inReplyTo == inbox[0].id, "the three messages are one thread by References, in order")

	p.step("She archives it, and searches by production name")
	c, _, err := p.openInbox(p.tess, p.imapTLS)
	if err != nil {
		return err
	}
	defer c.Close()
	all := imap.SeqSet{{Start: 1, Stop: 0}}
	if err := c.Store(all, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close(); err != nil {
		return fmt.Errorf("mark as read: %w", err)
	}
	if _, err := c.Move(all, "Archives").Wait(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if inbox, err = p.peek(p.tess, "INBOX"); err != nil {
		return err
	}
	p.check(len(inbox) == 0, "INBOX is empty")
	if _, err := c.Select("Archives", nil).Wait(); err != nil {
		return fmt.Errorf("open Archives: %w", err)
	}
	for _, s := range []struct {
		what     string
		criteria imap.SearchCriteria
		want     int
	}{
		{`the production, "hamlet"`, imap.SearchCriteria{Text: []string{"hamlet"}}, 2},
		{`the role, by header`, imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "X-Role", Value: "ophelia"}}}, 2},
		{`words of the body, "stage door"`, imap.SearchCriteria{Body: []string{"stage door"}}, 1},
		{`another production, "macbeth"`, imap.SearchCriteria{Text: []string{"macbeth"}}, 0},
		{`what is read`, imap.SearchCriteria{Flag: []imap.Flag{imap.FlagSeen}}, 2},
	} {
		found, err := c.UIDSearch(&s.criteria, nil).Wait()
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		p.check(len(found.AllUIDs()) == s.want, "searching Archives for %s finds %d", s.what, s.want)
	}
	return nil
}

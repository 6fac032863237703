package main

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
)

// strangers: nobody else can use the alias, and the relay relays for nobody.
func (p *play) strangers(ctx context.Context, notification received) error {
	p.step("A stranger who got hold of Tess's reply alias writes to it")
	alias, err := mail.ParseAddress(field(notification.Raw, "From"))
	if err != nil {
		return fmt.Errorf("the reply alias: %w", err)
	}
	const stranger = "x@stranger.example"
	msg := []byte("From: " + stranger + "\r\nTo: " + alias.Address + "\r\nSubject: hi\r\n\r\nPlease wire the fee today.\r\n")
	before, err := p.peek(p.sam, "INBOX")
	if err != nil {
		return err
	}
	if err := sendMail(p.mx, nil, stranger, []string{alias.Address}, msg); err != nil {
		return fmt.Errorf("write to the alias: %w", err)
	}
	question, err := p.internet.waitFor(ctx, p.tess.real, "Did you write")
	if err != nil {
		return err
	}
	p.show(question.Raw)
	shown := string(question.Raw) + readableText(question.Raw)
	p.check(!strings.Contains(shown, "stranger.example") && !strings.Contains(shown, "wire the fee"), "it is held back; Tess is asked, and shown nothing of it")
	p.private(question.Raw, p.sam, "the question")
	after, err := p.peek(p.sam, "INBOX")
	if err != nil {
		return err
	}
	p.check(len(after) == len(before), "Sam gets nothing")
	for _, c := range []struct{ to, what string }{
		{"somebody@elsewhere.example", "to another domain is refused: not an open relay"},
		{p.tess.Handle + "@" + p.domain, "to her contact address is refused"},
		{"nobody-at-all@" + p.domain, "to an address that does not exist gets the same answer"},
	} {
		err := sendMail(p.mx, nil, stranger, []string{c.to}, msg)
		if err != nil {
			p.say("%s", err)
		}
		p.check(err != nil && strings.HasPrefix(err.Error(), "550"), "%s", c.what)
	}
	return nil
}

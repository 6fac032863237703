package doctor

import (
	"fmt"
	"net"
	"net/textproto"
	"strings"
)

// stranger is the local part of a reply alias that no key file makes: of 2^64
// made-up ones, one is taken.
const stranger = "t-aaaaaaaaaaaaaaaaaaaaaaaaaa"

// smtp is a client's way up to the message. On the MX it names a stranger,
// whom only a daemon that reads its key refuses, and postmaster, whom every
// domain has (RFC 5321 section 4.5.1).
func (v *visit) smtp(c net.Conn) error {
	t := textproto.NewConn(c)
	if _, _, err := t.ReadResponse(220); err != nil {
		return fmt.Errorf("no SMTP greeting: %s", reason(err))
	}
	offers, err := v.hello(t)
	if err != nil {
		return err
	}
	v.heard = "answers " + strings.ToUpper(string(v.door.Kind))
	if v.door.Kind != LMTP && !v.door.TLS {
		if !offers["STARTTLS"] {
			return fmt.Errorf("does not offer STARTTLS: mail travels in the clear")
		}
		if err := say(t, 220, "STARTTLS"); err != nil {
			return err
		}
		secure, err := v.handshake(c)
		if err != nil {
			return fmt.Errorf("STARTTLS fails: %s", reason(err))
		}
		t = textproto.NewConn(secure)
		if offers, err = v.hello(t); err != nil {
			return err
		}
		v.heard += " with STARTTLS"
	}
	switch v.door.Kind {
	case Submission:
		if !offers["AUTH"] {
			return fmt.Errorf("does not offer AUTH: nobody can sign in")
		}
		v.heard += ", offers AUTH"
	case SMTP, LMTP:
		if err := v.recipients(t); err != nil {
			return err
		}
	}
	_ = say(t, 221, "QUIT")
	return nil
}

// recipients asks for two recipients, and then drops the transaction.
func (v *visit) recipients(t *textproto.Conn) error {
	if err := say(t, 250, "MAIL FROM:<>"); err != nil {
		return err
	}
	if err := say(t, 550, "RCPT TO:<"+stranger+"@"+v.domain+">"); err != nil {
		return fmt.Errorf("does not refuse a reply alias that nobody has: %w", err)
	}
	err := say(t, 250, "RCPT TO:<postmaster@"+v.domain+">")
	if p, ok := err.(*textproto.Error); ok && p.Code == 450 {
		err = nil // no operator is configured, which is a finding of its own
	}
	if err != nil {
		return fmt.Errorf("refuses mail to postmaster: %w", err)
	}
	v.heard += ", knows its addresses"
	if err := say(t, 250, "RSET"); err != nil || v.door.Kind == LMTP {
		return err // by LMTP a message is never refused for good
	}
	return v.roundTrip(t)
}

// hops is how many servers the message of a round trip claims to have passed:
// more than any relay believes (RFC 5321 section 6.3).
const hops = 120

// roundTrip hands over a message that goes the way of any other (spool, checks
// of the sender, pipeline) up to where it is refused: it claims to go round in
// circles. Nothing of it is left.
func (v *visit) roundTrip(t *textproto.Conn) error {
	for _, step := range []struct {
		code    int
		command string
	}{{250, "MAIL FROM:<doctor@" + nowhere + ">"}, {250, "RCPT TO:<doctor@" + v.domain + ">"}, {354, "DATA"}} {
		if err := say(t, step.code, step.command); err != nil {
			return fmt.Errorf("does not take a message (%s): %w", strings.Fields(step.command)[0], err)
		}
	}
	w := t.DotWriter()
	for i := range hops {
		_, _ = fmt.Fprintf(w, "Received: from hop-%d.%s by hop-%d.%s; Thu, 01 Jan 2026 00:00:00 +0000\r\n", i, nowhere, i+1, nowhere)
	}
	_, _ = fmt.Fprintf(w, "From: doctor@%s\r\nTo: doctor@%s\r\nSubject: stagedoor doctor\r\n\r\nThis is to be refused.\r\n", nowhere, v.domain)
	if err := w.Close(); err != nil {
		return fmt.Errorf("does not take a message: %s", reason(err))
	}
	code, text, err := t.ReadResponse(554)
	switch {
	case err == nil && strings.HasPrefix(text, "5.4.6"):
		v.heard += ", a message reaches the pipeline"
		return nil
	case code/100 == 2:
		return fmt.Errorf("takes a message that has passed %d servers: is it stagedoor that listens there?", hops)
	case code == 0:
		return fmt.Errorf("a message gets no answer: %s", reason(err))
	}
	return fmt.Errorf("can't take mail: %d %s", code, text)
}

// nowhere is a domain that nobody has (RFC 6761 section 6.4).
const nowhere = "doctor.invalid"

// hello greets and returns what the server offers, by keyword.
func (v *visit) hello(t *textproto.Conn) (map[string]bool, error) {
	verb := "EHLO"
	if v.door.Kind == LMTP {
		verb = "LHLO" // RFC 2033 section 4.1
	}
	if err := t.PrintfLine("%s localhost", verb); err != nil {
		return nil, fmt.Errorf("%s: %s", verb, reason(err))
	}
	_, text, err := t.ReadResponse(250)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", verb, reason(err))
	}
	offers := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		keyword, _, _ := strings.Cut(line, " ")
		offers[strings.ToUpper(keyword)] = true
	}
	return offers, nil
}

// say sends a command and reads its answer. The error is a *textproto.Error
// where the answer is another than the wanted one.
func say(t *textproto.Conn, want int, command string) error {
	if err := t.PrintfLine("%s", command); err != nil {
		return fmt.Errorf("%s", reason(err))
	}
	_, _, err := t.ReadResponse(want)
	return err
}

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
	return say(t, 250, "RSET")
}

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

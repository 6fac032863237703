package doctor

import (
	"fmt"
	"net"
	"net/textproto"
	"strings"
)

// maxUntagged bounds the lines before the answer to a command.
const maxUntagged = 50

// imap is a mail program's way up to its password.
func (v *visit) imap(c net.Conn) error {
	t := textproto.NewConn(c)
	greeting, err := t.ReadLine()
	if err != nil {
		return fmt.Errorf("no IMAP greeting: %s", reason(err))
	}
	if !strings.HasPrefix(strings.ToUpper(greeting), "* OK") {
		return fmt.Errorf("no IMAP greeting: %.100q", greeting)
	}
	v.heard = "answers IMAP"
	if !v.door.TLS {
		if _, err := ask(t, "STARTTLS"); err != nil {
			return fmt.Errorf("STARTTLS: %w", err)
		}
		secure, err := v.handshake(c)
		if err != nil {
			return fmt.Errorf("STARTTLS fails: %s", reason(err))
		}
		t = textproto.NewConn(secure)
		v.heard += " with STARTTLS"
	}
	lines, err := ask(t, "CAPABILITY")
	if err != nil {
		return fmt.Errorf("CAPABILITY: %w", err)
	}
	capabilities := strings.Fields(strings.ToUpper(strings.Join(lines, " ")))
	has := func(name string) bool {
		for _, c := range capabilities {
			if c == name {
				return true
			}
		}
		return false
	}
	switch {
	case !has("IMAP4REV1"), !has("IMAP4REV2"):
		return fmt.Errorf("is not the IMAP server that it should be: it announces %.200q", strings.Join(capabilities, " "))
	case has("LOGINDISABLED"):
		return fmt.Errorf("does not let anybody sign in")
	}
	v.heard += ", lets members sign in"
	_, _ = ask(t, "LOGOUT")
	return nil
}

// ask sends a command and returns the lines before its OK.
func ask(t *textproto.Conn, command string) ([]string, error) {
	const tag = "d1"
	if err := t.PrintfLine("%s %s", tag, command); err != nil {
		return nil, fmt.Errorf("%s", reason(err))
	}
	var lines []string
	for range maxUntagged {
		line, err := t.ReadLine()
		if err != nil {
			return nil, fmt.Errorf("%s", reason(err))
		}
		rest, ok := strings.CutPrefix(line, tag+" ")
		switch {
		case !ok:
			lines = append(lines, line)
		case strings.HasPrefix(strings.ToUpper(rest), "OK"):
			return lines, nil
		default:
			return nil, fmt.Errorf("the answer is %.100q", rest)
		}
	}
	return nil, fmt.Errorf("there is no answer in %d lines", maxUntagged)
}

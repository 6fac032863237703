package outbound

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/automatic"
)

// letter is one message to one recipient. Both addresses are as they stand in
// the envelope.
type letter struct {
	from, to string
	size     int64
	eightBit bool // needs 8BITMIME (RFC 6152)
	// requireTLS: it is passed on that its writer asked for REQUIRETLS.
	requireTLS bool
	report     bool // about TLS: what becomes of it is in no report (RFC 8460 section 3)
	open       func() io.Reader
}

// deliver runs one mail transaction. It calls dot before the final dot, which is
// not sent if that returns an error. A nil error means that the server has taken
// the message.
func (s *session) deliver(l letter, dot func() error) error {
	s.used++
	mail, err := s.mailCommand(l)
	if err != nil {
		return err
	}
	rcpt := "RCPT TO:<" + l.to + ">"
	if s.has("PIPELINING") {
		err = s.envelopeAtOnce(mail, rcpt)
	} else {
		err = s.envelope(mail, rcpt)
	}
	if err != nil {
		return err
	}
	if err := s.data(l.open(), dot); err != nil {
		s.broken = true
		// A server that has had enough says so before it closes.
		if rep, rerr := s.read(lastWords); rerr == nil && rep.code >= 400 {
			return refusal(rep, "message refused")
		}
		return hostFailure(err, "sending the message")
	}
	rep, err := s.read(finalTimeout)
	if err != nil {
		f := hostFailure(err, "the answer to the message")
		f.host, f.uncertain = false, true
		return f
	}
	if rep.code/100 != 2 { // RFC 5321 section 4.3.2 allows for other codes: the first digit says it
		return refusal(rep, "message refused")
	}
	return nil
}

func (s *session) mailCommand(l letter) (string, error) {
	mail := "MAIL FROM:<" + l.from + ">"
	if limit, ok := s.ext["SIZE"]; ok {
		// RFC 1870 section 4: 0 and nothing both mean no fixed limit.
		if n, err := strconv.ParseInt(limit, 10, 64); err == nil && n > 0 && l.size > n {
			return "", &failure{text: "5.3.4 the message is larger than the receiving server takes", permanent: true}
		}
		mail += " SIZE=" + strconv.FormatInt(l.size, 10)
	}
	if l.eightBit && s.has("8BITMIME") {
		mail += " BODY=8BITMIME"
	}
	if l.requireTLS {
		mail += " REQUIRETLS"
	}
	if !isASCII(l.to) {
		if !s.has("SMTPUTF8") {
			return "", &failure{text: "5.6.7 the receiving server does not take addresses with letters beyond ASCII", permanent: true}
		}
		mail += " SMTPUTF8"
	}
	return mail, nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// envelope says MAIL, RCPT and DATA one by one.
func (s *session) envelope(mail, rcpt string) error {
	for _, step := range steps(mail, rcpt) {
		rep, err := s.command(step.line)
		if err != nil {
			return s.lost(err, step.name)
		}
		if rep.code/100 != step.want {
			return s.refusedAt(rep, step)
		}
	}
	return nil
}

// envelopeAtOnce says them in one round trip (RFC 2920 section 3.1).
func (s *session) envelopeAtOnce(mail, rcpt string) error {
	if err := s.send(mail, rcpt, "DATA"); err != nil {
		return s.lost(err, "MAIL")
	}
	var first error
	for _, step := range steps(mail, rcpt) {
		rep, err := s.read(commandTimeout)
		switch {
		case err != nil && first == nil:
			return s.lost(err, step.name)
		case err != nil:
			return first
		case rep.code/100 != step.want && first == nil:
			first = s.refusedAt(rep, step)
		case rep.code == 354 && first != nil:
			// It wants a message for nobody. Closing is simpler than sending it one.
			s.broken = true
		}
	}
	return first
}

type step struct {
	line, name string
	want       int // the code's first digit
}

func steps(mail, rcpt string) []step {
	return []step{{mail, "MAIL", 2}, {rcpt, "RCPT", 2}, {"DATA", "DATA", 3}}
}

func (s *session) refusedAt(rep reply, at step) error {
	stage := map[string]string{"MAIL": "sender refused", "RCPT": "recipient refused", "DATA": "message refused"}[at.name]
	f := refusal(rep, stage)
	if at.name == "MAIL" {
		f.class = automatic.Unclear // whatever it says is about us
	}
	f.permanent = f.permanent && rep.code != 503                            // a sequence error is not about the message
	if at.name == "MAIL" && f.permanent && (s.trusted || rep.code == 530) { // 530: authentication required (RFC 4954 section 6)
		f.permanent, f.config = false, true
	}
	return f
}

// lost is a connection that ended in the envelope: nothing has been sent yet.
func (s *session) lost(err error, at string) error {
	s.broken = true
	return hostFailure(err, at)
}

// data sends the message and, unless dot returns an error, the final dot. The
// text's lines end in CRLF and it ends with one.
func (s *session) data(r io.Reader, dot func() error) error {
	w := dotWriter{s: s, lineStart: true}
	if s.block == nil {
		s.block = make([]byte, 32<<10)
	}
	if _, err := io.CopyBuffer(&w, onlyReader{r}, s.block); err != nil {
		return err
	}
	if err := dot(); err != nil {
		return err
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(blockTimeout))
	_, _ = s.w.WriteString(".\r\n")
	return s.w.Flush()
}

// onlyReader hides WriterTo, so that the copy goes in blocks.
type onlyReader struct{ io.Reader }

// dotWriter stuffs dots (RFC 5321 section 4.5.2), with a deadline for each
// block.
type dotWriter struct {
	s         *session
	lineStart bool
}

func (w *dotWriter) Write(p []byte) (int, error) {
	_ = w.s.conn.SetWriteDeadline(time.Now().Add(blockTimeout))
	for rest := p; len(rest) > 0; {
		if w.lineStart && rest[0] == '.' {
			_ = w.s.w.WriteByte('.')
		}
		n := len(rest)
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			n = i + 1
		}
		if _, err := w.s.w.Write(rest[:n]); err != nil {
			return 0, err
		}
		w.lineStart = rest[n-1] == '\n'
		rest = rest[n:]
	}
	return len(p), nil
}

// reset makes the session ready for another transaction after a refused one.
func (s *session) reset() error {
	if err := s.send("RSET"); err != nil {
		return err
	}
	rep, err := s.read(resetTimeout)
	if err == nil && rep.code/100 != 2 {
		err = errReply
	}
	return err
}

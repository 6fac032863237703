package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"
)

// Timeouts of the steps. RFC 5321 section 4.5.3.2 asks for 5 minutes at most
// steps; a server that needs more than 2 is not worth a slot, while the answer
// to the final dot is waited for as long as it asks: giving up early makes
// duplicates.
const (
	connectTimeout = 30 * time.Second
	commandTimeout = 2 * time.Minute
	blockTimeout   = 3 * time.Minute
	finalTimeout   = 10 * time.Minute
	resetTimeout   = 10 * time.Second
	lastWords      = 5 * time.Second
	quitTimeout    = 2 * time.Second
)

// session is an SMTP connection to one server. One goroutine uses it at a
// time.
//
// It is written here, and not taken from a library, for what delivery needs
// together: our name in the EHLO before STARTTLS too, MAIL, RCPT and DATA in
// one round trip (RFC 2920), SMTPUTF8 and 8BITMIME asked for only where the
// message needs them, answers bounded, and their text kept out of every error.
type session struct {
	raw    net.Conn // the TCP connection, below TLS
	conn   net.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	block  []byte            // what messages are copied by; made for the first
	ext    map[string]string // by upper-case keyword
	name   string            // ours
	tls    bool
	lmtp   bool // RFC 2033
	broken bool // not usable for another transaction
	used   int  // transactions begun
	// provider is whose server it is; see Providers.
	provider string
	// trusted: this is a server of ours: what it says of our reverse-path is about
	// its settings, not about the mail.
	trusted bool
}

func newSession(conn net.Conn, name string) *session {
	return &session{
		raw: conn, conn: conn, name: name,
		r: bufio.NewReaderSize(conn, maxReplyLine),
		w: bufio.NewWriterSize(conn, 16<<10),
	}
}

// guard makes the session's waits end when the context does. The returned
// function ends the guard.
func (s *session) guard(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, func() {
		_ = s.raw.Close()
	})
	return func() {
		if !stop() {
			s.broken = true
		}
	}
}

func (s *session) read(timeout time.Duration) (reply, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(timeout))
	rep, err := readReply(s.r)
	if err != nil || rep.code == 421 {
		s.broken = true
	}
	return rep, err
}

// send writes command lines that are checked to be single lines.
func (s *session) send(lines ...string) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(commandTimeout))
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n\x00") {
			s.broken = true
			return errors.New("a command holds a line end")
		}
		_, _ = s.w.WriteString(line + "\r\n") // Flush reports
	}
	if err := s.w.Flush(); err != nil {
		s.broken = true
		return err
	}
	return nil
}

func (s *session) command(line string) (reply, error) {
	if err := s.send(line); err != nil {
		return reply{}, err
	}
	return s.read(commandTimeout)
}

// greet reads the greeting and says EHLO, or HELO to a server that does not
// know it.
func (s *session) greet() error {
	rep, err := s.read(commandTimeout)
	if err != nil {
		return hostFailure(err, "greeting")
	}
	if rep.code != 220 {
		// "554 no SMTP service here" (RFC 5321 section 3.1) is about the host, not
		// about the mail.
		f := refusal(rep, "connection refused")
		f.host, f.permanent = true, false
		return f
	}
	// What delivers by LMTP passes nothing on, and may well run on this machine.
	if name, _, _ := strings.Cut(rep.lines[0], " "); strings.EqualFold(name, s.name) && !s.lmtp {
		return &failure{text: "5.4.6 the way leads back to this server: check the destination's MX or the smarthost", host: true, config: true}
	}
	return s.hello()
}

func (s *session) hello() error {
	s.ext = map[string]string{}
	verb := "EHLO"
	if s.lmtp { // RFC 2033 section 4.1
		verb = "LHLO"
	}
	rep, err := s.command(verb + " " + s.name)
	if err == nil && (rep.code == 500 || rep.code == 502) && !s.lmtp {
		rep, err = s.command("HELO " + s.name)
	}
	if err != nil {
		return hostFailure(err, verb)
	}
	if rep.code/100 != 2 {
		f := refusal(rep, verb+" refused")
		f.host, f.permanent = true, false
		return f
	}
	for _, line := range rep.lines[1:] {
		key, value, _ := strings.Cut(line, " ")
		s.ext[strings.ToUpper(key)] = value
	}
	return nil
}

func (s *session) has(ext string) bool { _, ok := s.ext[ext]; return ok }

// startTLS changes to TLS and says EHLO again (RFC 3207 section 4.2).
func (s *session) startTLS(ctx context.Context, cfg *tls.Config) error {
	rep, err := s.command("STARTTLS")
	if err != nil {
		return hostFailure(err, "STARTTLS")
	}
	if rep.code != 220 {
		f := refusal(rep, "STARTTLS refused")
		f.host, f.permanent = true, false
		return f
	}
	if s.r.Buffered() > 0 {
		// What came before the handshake was not protected by it.
		return &failure{text: "STARTTLS: the server sent text before the TLS handshake", host: true}
	}
	return s.handshake(ctx, cfg, true)
}

func (s *session) handshake(ctx context.Context, cfg *tls.Config, hello bool) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	c := tls.Client(s.conn, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		s.broken = true
		var unknown *tls.CertificateVerificationError
		if errors.As(err, &unknown) {
			return &failure{text: "TLS: the server's certificate is not valid for its name", host: true, config: true}
		}
		return &failure{text: "TLS: the handshake failed", host: true}
	}
	s.conn, s.tls = c, true
	s.r.Reset(c)
	s.w.Reset(c)
	if hello {
		return s.hello()
	}
	return nil
}

// quit takes leave without waiting long.
func (s *session) quit() {
	if !s.broken {
		_ = s.conn.SetDeadline(time.Now().Add(quitTimeout))
		_, _ = s.w.WriteString("QUIT\r\n")
		if s.w.Flush() == nil {
			_, _ = readReply(s.r)
		}
	}
	_ = s.conn.Close()
}

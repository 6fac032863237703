// Package smtpd is what the SMTP doors share: which connections are let in,
// how long they may last, how they are ended, and what a refusal looks like.
//
// A Server runs go-smtp: one goroutine a connection. Shutdown lets a
// transaction that is in its DATA phase finish; everybody else hears 421 at
// once. A panic in a session ends that connection only (go-smtp recovers it).
package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/stagedoor/stagedoor/relay"
)

// Timeouts. RFC 5321 section 4.5.3.2 asks a server to wait 5 minutes for a
// command; the whole session is bounded as well.
const (
	commandTimeout = 5 * time.Minute
	sessionTimeout = 30 * time.Minute

	// maxLine is longer than RFC 5321 section 4.5.3.1 allows, since mail with
	// long lines is common; it is repaired when it is rebuilt.
	maxLine = 64 << 10
)

// Options configure a Server.
type Options struct {
	Hostname       string
	LMTP           bool
	TLSConfig      *tls.Config // for STARTTLS; nil: not offered
	RequireTLS     bool        // REQUIRETLS is offered, under TLS (RFC 8689)
	InsecureAuth   bool
	MaxMessageSize int64
	MaxRecipients  int
	// MaxConnections bounds the open connections, MaxConnectionsPerIP those
	// from one IP address (IPv6: one /64), loopback excepted.
	MaxConnections, MaxConnectionsPerIP int
	Backend                             smtp.Backend
	Logger                              *slog.Logger
}

// Server serves SMTP or LMTP.
type Server struct {
	o      Options
	server *smtp.Server

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	perIP    map[netip.Prefix]int
	stopping atomic.Bool
}

// New returns a Server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 10000
	}
	if o.MaxConnectionsPerIP == 0 {
		o.MaxConnectionsPerIP = 50
	}
	if o.MaxRecipients == 0 {
		o.MaxRecipients = 100
	}
	s := &Server{o: o, conns: map[*Conn]struct{}{}, perIP: map[netip.Prefix]int{}}
	srv := smtp.NewServer(o.Backend)
	srv.Domain = o.Hostname
	srv.LMTP = o.LMTP
	srv.TLSConfig = o.TLSConfig
	srv.AllowInsecureAuth = o.InsecureAuth
	srv.MaxMessageBytes = o.MaxMessageSize
	srv.MaxRecipients = o.MaxRecipients
	srv.MaxLineLength = maxLine
	srv.ReadTimeout, srv.WriteTimeout = commandTimeout, commandTimeout
	srv.EnableSMTPUTF8 = true
	srv.EnableREQUIRETLS = o.RequireTLS
	srv.ErrorLog = quietLogger{o.Logger}
	s.server = srv
	return s
}

// Serve accepts connections until the listener closes; implicitTLS: TLS from
// the first octet (RFC 8314).
func (s *Server) Serve(l net.Listener, implicitTLS bool) error {
	l = &listener{Listener: l, s: s}
	if implicitTLS {
		if s.o.TLSConfig == nil {
			return errors.New("SMTP over TLS needs a certificate")
		}
		l = tls.NewListener(l, s.o.TLSConfig)
	}
	err := s.server.Serve(l)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Shutdown finishes the transactions under way, answers 421 to everybody else
// and closes. What is not done when ctx ends is cut off: its sender got no 250
// and tries again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	s.mu.Lock()
	for c := range s.conns {
		c.wake()
	}
	s.mu.Unlock()
	err := s.server.Shutdown(ctx)
	if err == nil || errors.Is(err, smtp.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Conn.Close()
	}
	return fmt.Errorf("stop: %w", err)
}

// listener lets in what is within the limits.
type listener struct {
	net.Listener
	s *Server
}

// Accept returns the next connection that is within the limits; others hear
// 421.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Conn: raw, s: l.s, ends: time.Now().Add(sessionTimeout), source: network(RemoteIP(raw))}
		if l.s.admit(c) {
			return c, nil
		}
		_ = raw.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = raw.Write([]byte("421 4.7.0 Too many connections are open. Please try again later.\r\n"))
		_ = raw.Close()
	}
}

func (s *Server) admit(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() || len(s.conns) >= s.o.MaxConnections || c.source.IsValid() && s.perIP[c.source] >= s.o.MaxConnectionsPerIP {
		return false
	}
	s.conns[c] = struct{}{}
	s.perIP[c.source]++
	return true
}

// RemoteIP is a connection's other end; invalid for a Unix socket.
func RemoteIP(c net.Conn) netip.Addr {
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
}

// network is what connections are counted by; invalid: without a limit of its
// own.
func network(ip netip.Addr) netip.Prefix {
	if ip.IsLoopback() {
		return netip.Prefix{}
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}

// Conn is an accepted connection.
type Conn struct {
	net.Conn
	s      *Server
	source netip.Prefix
	ends   time.Time
	busy   atomic.Bool // in the DATA phase
	once   sync.Once
}

// Of returns the Conn under a session, through TLS.
func Of(c *smtp.Conn) *Conn {
	raw := c.Conn()
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	conn, _ := raw.(*Conn)
	return conn
}

// Busy says whether the connection is in its DATA phase, which Shutdown lets
// finish.
func (c *Conn) Busy(busy bool) {
	if c != nil {
		c.busy.Store(busy)
	}
}

// End ends the session: the next wait for a command is over at once.
func (c *Conn) End() {
	if c != nil {
		c.ends = time.Now()
	}
}

// SetReadDeadline implements net.Conn: nobody waits for a command beyond the
// session's end, nor when the server is stopping.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.s.stopping.Load() && !c.busy.Load() {
		t = time.Now()
	}
	if t.After(c.ends) {
		t = c.ends
	}
	return c.Conn.SetReadDeadline(t)
}

// Read implements net.Conn. In the DATA phase the time is for each block, not
// for the whole message (RFC 5321 section 4.5.3.2.5): those who send from a
// phone are slow, but they are sending.
func (c *Conn) Read(p []byte) (int, error) {
	if c.busy.Load() {
		_ = c.SetReadDeadline(time.Now().Add(c.s.server.ReadTimeout))
	}
	return c.Conn.Read(p)
}

// wake ends the wait for a command.
func (c *Conn) wake() {
	if !c.busy.Load() {
		_ = c.Conn.SetReadDeadline(time.Now())
	}
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		delete(c.s.conns, c)
		if c.s.perIP[c.source]--; c.s.perIP[c.source] <= 0 {
			delete(c.s.perIP, c.source)
		}
	})
	return c.Conn.Close()
}

// RequireTLS refuses REQUIRETLS outside of TLS (RFC 8689 section 3).
func RequireTLS(c *smtp.Conn, o *smtp.MailOptions) error {
	if _, secure := c.TLSConnectionState(); o.RequireTLS && !secure {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "REQUIRETLS needs TLS: say STARTTLS first."}
	}
	return nil
}

// Answer turns a pipeline's error into an SMTP reply. What is not a refusal is
// the relay's own fault: the sender is asked to try again, and the log tells
// why.
func Answer(log *slog.Logger, what string, err error) error {
	if err == nil {
		return nil
	}
	var already *smtp.SMTPError
	if errors.As(err, &already) {
		return already
	}
	var r *relay.Refusal
	if !errors.As(err, &r) {
		log.Error("a message could not be taken", "during", what, "error", err)
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Something went wrong on our side. Your message was not accepted; please try again later."}
	}
	log.Info("refused", "during", what, "code", r.Code, "reason", r.Text)
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.EnhancedCode(r.Enhanced), Message: asciiText(r.Text)}
}

// asciiText keeps a reply within what RFC 5321 section 4.2 allows.
func asciiText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r', r == '\n', r == '\t':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}

// quietLogger takes go-smtp's messages: most tell of clients that went away.
type quietLogger struct{ *slog.Logger }

// Printf implements smtp.Logger.
func (l quietLogger) Printf(format string, args ...any) { l.note(fmt.Sprintf(format, args...)) }

// Println implements smtp.Logger.
func (l quietLogger) Println(args ...any) { l.note(fmt.Sprintln(args...)) }

func (l quietLogger) note(text string) {
	if strings.HasPrefix(text, "panic") {
		l.Error("smtp", "problem", text)
		return
	}
	l.Debug("smtp", "problem", text)
}

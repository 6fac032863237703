// Package ingress is the door for mail from elsewhere: the MX listener, and
// LMTP behind another mail server.
//
// It takes a message as far as the end of DATA, finds out who really wrote it
// (package senderauth) and hands it to the pipeline. 250 is answered when the
// pipeline says that the message is on disk. It holds no state beyond its
// connections, and a message only while it passes (package spool).
package ingress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"
	"unicode"

	"github.com/emersion/go-smtp"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/smtpd"
)

// maxRefused is how many unknown recipients one connection may name.
const maxRefused = 10

// errGuessing is the last that such a connection hears.
var errGuessing = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Too many unknown recipients."}

// takeTimeout bounds what happens between the end of DATA and the answer. RFC
// 5321 section 4.5.3.2.6 has senders wait 10 minutes.
const takeTimeout = 2 * time.Minute

// Options configure a Server.
type Options struct {
	Pipeline *relay.Pipeline
	Auth     *senderauth.Checker
	Hostname string
	// TLSConfig is for STARTTLS; without session tickets: Outlook.com's
	// senders abort where they are offered (golang/go#70232).
	TLSConfig      *tls.Config
	TempDir        string
	MaxMessageSize int64 // octets
	MaxRecipients  int   // of one message
	MaxConnections int
	MaxPerIP       int
	// LMTP: the client is the mail server in front, which has said 250 already
	// and would bounce: nothing is refused after DATA.
	LMTP bool
	// RequireTLS: REQUIRETLS is offered (RFC 8689): what comes with it can leave
	// with it. Not by LMTP, where nothing can be refused.
	RequireTLS bool
	Observe    smtpd.Observer
	Logger     *slog.Logger
}

// Server is the door. Serve may be called for several listeners.
type Server struct {
	o    Options
	smtp *smtpd.Server
}

// New returns a Server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o}
	s.smtp = smtpd.New(smtpd.Options{
		Hostname: o.Hostname, LMTP: o.LMTP, TLSConfig: o.TLSConfig, RequireTLS: o.RequireTLS && !o.LMTP, MaxMessageSize: o.MaxMessageSize, MaxRecipients: o.MaxRecipients,
		MaxConnections: o.MaxConnections, MaxConnectionsPerIP: o.MaxPerIP, Backend: smtp.BackendFunc(s.newSession), Logger: o.Logger,
	})
	return s
}

// Serve accepts connections until the listener closes.
func (s *Server) Serve(l net.Listener) error { return s.smtp.Serve(l, false) }

// Shutdown finishes the transactions under way and answers 421 to the rest.
func (s *Server) Shutdown(ctx context.Context) error { return s.smtp.Shutdown(ctx) }

func (s *Server) newSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{s: s, conn: c}, nil
}

// session is one connection's state, used from its goroutine only.
type session struct {
	s       *Server
	conn    *smtp.Conn
	from    string
	targets []relay.Target
	refused int
	// requireTLS: the transaction began with REQUIRETLS (RFC 8689).
	requireTLS bool
}

var _ smtp.LMTPSession = (*session)(nil)

// Mail implements smtp.Session. Any reverse-path will do that is one: it is
// only asked whether it speaks for From.
func (x *session) Mail(from string, o *smtp.MailOptions) error {
	if strings.ContainsFunc(from, unicode.IsControl) {
		return &smtp.SMTPError{Code: 501, EnhancedCode: smtp.EnhancedCode{5, 1, 7}, Message: "The sender's address is not valid."}
	}
	x.from, x.requireTLS = from, o.RequireTLS
	return smtpd.RequireTLS(x.conn, o)
}

// Rcpt implements smtp.Session.
func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if x.refused > maxRefused {
		return errGuessing // the commands that came in the same block
	}
	ctx, cancel := context.WithTimeout(context.Background(), takeTimeout)
	defer cancel()
	began := time.Now()
	t, err := x.s.o.Pipeline.Recipient(ctx, to)
	if err == nil {
		x.targets = append(x.targets, t)
		return x.s.o.Observe.Answered("recipient", began, nil)
	}
	var r *relay.Refusal
	if errors.As(err, &r) && !r.Temporary() {
		// Somebody who guesses addresses gets slower answers, then none.
		if x.refused++; x.refused > maxRefused {
			smtpd.Of(x.conn).End()
			return errGuessing
		}
		time.Sleep(time.Duration(x.refused-1) * 50 * time.Millisecond)
	}
	return x.s.o.Observe.Answered("recipient", began, smtpd.Answer(x.s.o.Logger, "RCPT", err))
}

// Data implements smtp.Session.
func (x *session) Data(r io.Reader) error {
	began := time.Now()
	errs, err := x.take(r)
	if err == nil && len(errs) > 0 {
		err = errs[0] // they are all the same
	}
	return x.s.o.Observe.Answered("message", began, smtpd.Answer(x.s.o.Logger, "DATA", err))
}

// LMTPData implements smtp.LMTPSession (RFC 2033 section 4.2: an answer for
// each recipient).
func (x *session) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	targets, began := x.targets, time.Now()
	errs, err := x.take(r)
	for i, t := range targets {
		e := err
		if err == nil {
			e = errs[i]
		}
		status.SetStatus(t.Address, x.s.o.Observe.Answered("message", began, smtpd.Answer(x.s.o.Logger, "LMTP DATA", e)))
	}
	return nil
}

// take spools the message, proves its writer and gives it to the pipeline.
func (x *session) take(r io.Reader) ([]error, error) {
	conn := smtpd.Of(x.conn)
	conn.Busy(true)
	defer conn.Busy(false)
	msg, err := smtpd.ReadMessage(x.s.o.Logger, r, x.s.o.TempDir, x.s.o.MaxMessageSize)
	if err != nil {
		return nil, err
	}
	defer msg.Close()
	ctx, cancel := context.WithTimeout(context.Background(), takeTimeout)
	defer cancel()
	in := senderauth.Input{Helo: x.conn.Hostname(), ReversePath: x.from, Message: func() io.Reader { return msg.Open() }}
	if ip := smtpd.RemoteIP(x.conn.Conn()); ip.IsValid() {
		in.RemoteIP = net.IP(ip.AsSlice())
	}
	auth, err := x.s.o.Auth.Check(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("check who sent it: %w", err)
	}
	return x.s.o.Pipeline.Receive(ctx, relay.Inbound{
		ReversePath: x.from, Targets: x.targets, Message: msg, Auth: auth, RequireTLS: x.requireTLS, NeverRefuse: x.s.o.LMTP,
	}), nil
}

// Reset implements smtp.Session.
func (x *session) Reset() { x.from, x.targets, x.requireTLS = "", nil, false }

// Logout implements smtp.Session.
func (x *session) Logout() error { return nil }

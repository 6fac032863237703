// Package submission is the door for members' mail clients (RFC 6409): SMTP
// with authentication, under TLS. The password proves the writer; what stands
// in From does not matter, since it is written anew.
package submission

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/smtpd"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/login"
)

// takeTimeout bounds what happens between a command and its answer.
const takeTimeout = 2 * time.Minute

// Options configure a Server.
type Options struct {
	Pipeline       *relay.Pipeline
	Login          *login.Authenticator
	Hostname       string
	TLSConfig      *tls.Config
	InsecureAuth   bool // AUTH without TLS; for tests on loopback
	TempDir        string
	MaxMessageSize int64 // octets
	MaxRecipients  int   // of one message
	MaxConnections int
	MaxPerIP       int
	// RequireTLS: REQUIRETLS is offered (RFC 8689): what comes with it can leave
	// with it.
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
		Hostname: o.Hostname, TLSConfig: o.TLSConfig, RequireTLS: o.RequireTLS, InsecureAuth: o.InsecureAuth, MaxMessageSize: o.MaxMessageSize, MaxRecipients: o.MaxRecipients,
		MaxConnections: o.MaxConnections, MaxConnectionsPerIP: o.MaxPerIP, Backend: smtp.BackendFunc(s.newSession), Logger: o.Logger,
	})
	return s
}

// Serve accepts connections until the listener closes; implicitTLS: TLS from
// the first octet (RFC 8314).
func (s *Server) Serve(l net.Listener, implicitTLS bool) error { return s.smtp.Serve(l, implicitTLS) }

// Shutdown finishes the transactions under way and answers 421 to the rest.
func (s *Server) Shutdown(ctx context.Context) error { return s.smtp.Shutdown(ctx) }

func (s *Server) newSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{s: s, conn: c}, nil
}

// session is one connection's state, used from its goroutine only.
type session struct {
	s       *Server
	conn    *smtp.Conn
	member  threading.Member // zero until AUTH
	targets []relay.Target
	// requireTLS: the transaction began with REQUIRETLS (RFC 8689).
	requireTLS bool
}

var _ smtp.AuthSession = (*session)(nil)

// AuthMechanisms implements smtp.AuthSession.
func (x *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth implements smtp.AuthSession.
func (x *session) Auth(mech string) (sasl.Server, error) {
	switch mech {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, username, password string) error {
			if identity != "" && identity != username {
				return smtp.ErrAuthFailed // nobody signs in for another
			}
			return x.login(username, password)
		}), nil
	case sasl.Login:
		return &loginServer{verify: x.login}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (x *session) login(name, password string) error {
	ctx, cancel := context.WithTimeout(context.Background(), takeTimeout)
	defer cancel()
	m, err := x.s.o.Login.Verify(ctx, name, password, smtpd.RemoteIP(x.conn.Conn()))
	switch {
	case errors.Is(err, login.ErrDenied):
		return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "The user name or password is wrong."}
	case err != nil:
		return &smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Signing in is not possible right now. Please try again in a moment."}
	}
	x.member = m
	return nil
}

// Mail implements smtp.Session. Any reverse-path will do.
func (x *session) Mail(_ string, o *smtp.MailOptions) error {
	if x.member.ID == 0 {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Please sign in first: set your mail program to use your user name and password for sending as well."}
	}
	x.requireTLS = o.RequireTLS
	return smtpd.RequireTLS(x.conn, o)
}

// Rcpt implements smtp.Session.
func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), takeTimeout)
	defer cancel()
	began := time.Now()
	t, err := x.s.o.Pipeline.SubmissionRecipient(ctx, x.member, to)
	if err == nil {
		x.targets = append(x.targets, t)
	}
	return x.s.o.Observe.Answered("recipient", began, smtpd.Answer(x.s.o.Logger, "RCPT of a member", err))
}

// Data implements smtp.Session.
func (x *session) Data(r io.Reader) error {
	began := time.Now()
	return x.s.o.Observe.Answered("message", began, smtpd.Answer(x.s.o.Logger, "DATA of a member", x.take(r)))
}

// take spools the message and gives it to the pipeline.
func (x *session) take(r io.Reader) error {
	conn := smtpd.Of(x.conn)
	conn.Busy(true)
	defer conn.Busy(false)
	msg, err := smtpd.ReadMessage(x.s.o.Logger, r, x.s.o.TempDir, x.s.o.MaxMessageSize)
	if err != nil {
		return err
	}
	defer msg.Close()
	ctx, cancel := context.WithTimeout(context.Background(), takeTimeout)
	defer cancel()
	return x.s.o.Pipeline.Submit(ctx, x.member, x.targets, msg, x.requireTLS)
}

// Reset implements smtp.Session.
func (x *session) Reset() { x.targets, x.requireTLS = nil, false }

// Logout implements smtp.Session.
func (x *session) Logout() error { return nil }

// loginServer is the LOGIN mechanism (draft-murchison-sasl-login), which old
// mail programs use: the server asks for the name, then for the password.
type loginServer struct {
	verify func(name, password string) error
	name   string
	step   int
}

// Next implements sasl.Server.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case l.step == 0 && response == nil:
		l.step = 1
		return []byte("Username:"), false, nil
	case l.step < 2: // with an initial response, the name comes first
		l.name, l.step = string(response), 2
		return []byte("Password:"), false, nil
	case l.step == 2:
		l.step = 3
		return nil, true, l.verify(l.name, string(response))
	}
	return nil, false, sasl.ErrUnexpectedClientResponse
}

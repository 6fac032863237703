// Package wire speaks IMAP: it reads commands and writes responses for the
// sessions of package imapd, on go-imap's imapserver.
//
// A Server owns its listeners and connections: one goroutine each, and one
// more while a client idles or while a connection is being ended. Each
// connection has a limited time to sign in, TLS handshake included, and ends
// after 35 minutes of silence (imapserver; RFC 9051 section 5.4 asks for 30 at
// least). Shutdown lets commands under way finish and says BYE to all. A panic
// in a session ends that connection only (imapserver recovers it).
package wire

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
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"github.com/stagedoor/stagedoor/imapd"
)

// Options configure a Server.
type Options struct {
	IMAP         *imapd.Server
	TLSConfig    *tls.Config // for STARTTLS and implicit TLS
	InsecureAuth bool        // passwords without TLS; for tests on loopback
	// MaxConnections bounds the open connections, MaxConnectionsPerIP those
	// from one IP address (IPv6: one /64). Zero: 10000 and 50.
	MaxConnections, MaxConnectionsPerIP int
	// SignInWithin is how long a connection may take to sign in. Zero: 2
	// minutes.
	SignInWithin time.Duration
	Logger       *slog.Logger
}

// caps are the capabilities beside those that imapserver has by itself (SASL-IR,
// LITERAL-, UNSELECT, ENABLE, IDLE, UTF8=ACCEPT).
//
// APPENDLIMIT stands without a number: STATUS tells it (RFC 7889 section 2).
// imapserver refuses a literal over a number that it announces without reading
// it, and would then take a non-synchronizing literal's octets, a message
// written by somebody else, for commands. So the limit is the session's, which
// lets the literal be read and dropped.
var caps = imap.CapSet{
	imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {}, imap.CapESearch: {}, imap.CapSearchRes: {},
	imap.CapListExtended: {}, imap.CapListStatus: {}, imap.CapMove: {}, imap.CapStatusSize: {}, imap.CapBinary: {}, imap.CapChildren: {},
	imap.CapSpecialUse: {}, imap.CapCreateSpecialUse: {}, imap.CapLiteralPlus: {}, imap.CapAppendLimit: {},
}

// Server serves IMAP.
type Server struct {
	o      Options
	server *imapserver.Server

	mu        sync.Mutex
	open      map[*session]struct{}
	listeners map[net.Listener]struct{}
	perIP     map[netip.Prefix]int
	total     int
	stopped   bool
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
	if o.SignInWithin == 0 {
		o.SignInWithin = 2 * time.Minute
	}
	srv := &Server{o: o, open: map[*session]struct{}{}, listeners: map[net.Listener]struct{}{}, perIP: map[netip.Prefix]int{}}
	srv.server = imapserver.New(&imapserver.Options{
		NewSession: srv.newSession, Caps: caps, TLSConfig: o.TLSConfig, InsecureAuth: o.InsecureAuth, Logger: quietLogger{o.Logger},
	})
	return srv
}

// Serve accepts connections until the listener closes or Shutdown; implicitTLS:
// TLS from the first octet (RFC 8314). It closes the listener.
func (srv *Server) Serve(l net.Listener, implicitTLS bool) error {
	defer l.Close()
	if implicitTLS && srv.o.TLSConfig == nil {
		return errors.New("IMAP over TLS needs a certificate")
	}
	srv.mu.Lock()
	srv.listeners[l] = struct{}{}
	stopped := srv.stopped
	srv.mu.Unlock()
	defer func() {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		delete(srv.listeners, l)
	}()
	if stopped {
		return nil
	}
	var limited net.Listener = &limitedListener{Listener: l, srv: srv}
	if implicitTLS {
		limited = tls.NewListener(limited, srv.o.TLSConfig)
	}
	err := srv.server.Serve(limited)
	if srv.stopping() || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (srv *Server) stopping() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.stopped
}

func (srv *Server) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.stopped {
		return nil, nil, &imap.Error{Type: imap.StatusResponseTypeBye, Code: imap.ResponseCodeUnavailable, Text: goingDown}
	}
	x := &session{srv: srv, conn: c, inner: below(c.NetConn()), s: srv.o.IMAP.NewSession(remoteIP(c.NetConn()))}
	x.signIn = time.AfterFunc(srv.o.SignInWithin, func() { srv.bye(c, "You took too long to sign in.", byePatience) })
	srv.open[x] = struct{}{}
	return x, &imapserver.GreetingData{}, nil
}

func (srv *Server) closed(x *session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.open, x)
}

const goingDown = "The server is going down; please connect again in a moment."

// byePatience is how long a client may take to read its BYE.
const byePatience = time.Second

// bye ends a connection. It waits for a response under way, and closes the
// connection under a client that doesn't read.
func (srv *Server) bye(c *imapserver.Conn, text string, patience time.Duration) {
	force := time.AfterFunc(patience, func() { _ = c.NetConn().Close() })
	defer force.Stop()
	if err := c.Bye(text); err != nil {
		srv.o.Logger.Debug("an IMAP client didn't hear its BYE", "error", err)
	}
}

// Shutdown stops listening, lets commands under way finish, says BYE to every
// client as soon as it rests or idles, and returns when all are gone or ctx
// ends; then the others are cut off. What a client was in the middle of is on
// disk or not done.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.mu.Lock()
	srv.stopped = true
	for l := range srv.listeners {
		_ = l.Close()
	}
	srv.mu.Unlock()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	told := map[*session]bool{}
	for srv.tellResting(told) > 0 && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	// The listeners are closed; what Close says of a second Shutdown is no news.
	_ = srv.server.Close()
	return nil
}

// tellResting says BYE to those that rest and returns how many connections are
// left.
func (srv *Server) tellResting(told map[*session]bool) int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for x := range srv.open {
		if !told[x] && x.resting() {
			told[x] = true
			go srv.bye(x.conn, goingDown, byePatience)
		}
	}
	return len(srv.open)
}

// quietLogger takes imapserver's messages: most tell of clients that went away.
type quietLogger struct{ *slog.Logger }

// Printf implements imapserver.Logger.
func (l quietLogger) Printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if strings.HasPrefix(text, "panic") {
		l.Error("imap", "problem", text)
		return
	}
	l.Debug("imap", "problem", text)
}

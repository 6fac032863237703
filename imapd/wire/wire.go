// Package wire speaks IMAP, revisions 1 and 2 (RFC 3501, RFC 9051): it reads
// commands and writes responses for the sessions of package imapd.
//
// A Server owns its listeners and connections: one goroutine each, and one
// more while a client idles, while it wants to be notified, or while a
// connection is being ended. Each connection has a limited time to sign in, TLS
// handshake included, and ends after 35 minutes of silence. A command is read
// whole before it is run, within a bound; only the messages of APPEND are
// streamed, and so are those that are fetched. What can't be understood is
// answered with BAD, and the connection stays in step: literals that come
// without being asked for are read and dropped. Shutdown lets commands under
// way finish and says BYE to all. A panic ends the connection that it is in.
package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

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
	// Scram offers SCRAM-SHA-256, which only app passwords can be used with.
	Scram bool
	// Disabled are capabilities that are neither told nor understood:
	// CAPABILITY, or CLIENT:CAPABILITY for clients whose name (RFC 2971) has
	// CLIENT in it.
	Disabled []string
	Logger   *slog.Logger
}

// Server serves IMAP.
type Server struct {
	o             Options
	progressAfter time.Duration

	mu        sync.Mutex
	open      map[*conn]struct{}
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
	if o.TLSConfig != nil {
		o.TLSConfig = withoutTickets(o.TLSConfig)
	}
	return &Server{o: o, progressAfter: progressAfter, open: map[*conn]struct{}{}, listeners: map[net.Listener]struct{}{}, perIP: map[netip.Prefix]int{}}
}

// withoutTickets sends no session tickets (RFC 8446 section 4.6.1). They come
// unasked for after the handshake, and clients that read in one thread and
// write in another on OpenSSL without a lock (Python's imaplib2, which
// OfflineIMAP uses) then read while they write: of their connections 3 in 100
// hung. A mailbox's connection lives for hours: resuming saves it little.
func withoutTickets(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.SessionTicketsDisabled = true
	return c
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
	limited := &limitedListener{Listener: l, srv: srv}
	for {
		c, err := limited.Accept()
		if err != nil {
			if srv.stopping() || errors.Is(err, net.ErrClosed) {
				return nil
			}
			var wait interface{ Temporary() bool }
			if errors.As(err, &wait) && wait.Temporary() { // out of file descriptors
				srv.o.Logger.Warn("can't accept an IMAP connection", "error", err)
				time.Sleep(100 * time.Millisecond)
				continue
			}
			return fmt.Errorf("accept IMAP connections: %w", err)
		}
		go srv.serveConn(c, implicitTLS)
	}
}

// serveConn runs one connection.
func (srv *Server) serveConn(raw net.Conn, implicitTLS bool) {
	c := raw
	if implicitTLS {
		_ = raw.SetDeadline(time.Now().Add(srv.o.SignInWithin))
		t := tls.Server(raw, srv.o.TLSConfig)
		if err := t.Handshake(); err != nil {
			srv.o.Logger.Debug("an IMAP client and TLS", "error", err)
			_ = raw.Close()
			return
		}
		_ = raw.SetDeadline(time.Time{})
		c = t
	}
	x := srv.newConn(c)
	x.signIn = time.AfterFunc(srv.o.SignInWithin, func() { x.bye("You took too long to sign in.", byePatience) })
	if !srv.opened(x) {
		x.sayBye("[UNAVAILABLE] " + goingDown)
		x.signIn.Stop()
		x.s.Close()
		_ = c.Close()
		return
	}
	x.serve()
}

func (srv *Server) stopping() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.stopped
}

// opened notes a connection, unless the server is going down.
func (srv *Server) opened(x *conn) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if !srv.stopped {
		srv.open[x] = struct{}{}
	}
	return !srv.stopped
}

func (srv *Server) closed(x *conn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.open, x)
}

const goingDown = "The server is going down; please connect again in a moment."

// byePatience is how long a client may take to read its BYE.
const byePatience = time.Second

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
	told := map[*conn]bool{}
	for srv.tellResting(told) > 0 && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	for _, x := range srv.left() {
		_ = x.inner.Close()
	}
	return nil
}

// left are the connections that are still there.
func (srv *Server) left() []*conn {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return slices.Collect(maps.Keys(srv.open))
}

// tellResting says BYE to those that rest and returns how many connections are
// left.
func (srv *Server) tellResting(told map[*conn]bool) int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for x := range srv.open {
		if !told[x] && x.resting() {
			told[x] = true
			go x.bye(goingDown, byePatience)
		}
	}
	return len(srv.open)
}

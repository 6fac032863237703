// Package wire speaks IMAP: it reads commands and writes responses for the
// sessions of package imapd, on go-imap's imapserver.
//
// A Server owns its listeners and connections: one goroutine each, and one
// more while a client idles. Shutdown says BYE to all. A panic in a session
// ends that connection only (imapserver recovers it).
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
	Logger                              *slog.Logger
}

// caps are the capabilities beside those that imapserver has by itself (SASL-IR,
// LITERAL-, UNSELECT, ENABLE, IDLE, UTF8=ACCEPT, APPENDLIMIT).
var caps = imap.CapSet{
	imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {}, imap.CapESearch: {}, imap.CapSearchRes: {},
	imap.CapListExtended: {}, imap.CapListStatus: {}, imap.CapMove: {}, imap.CapStatusSize: {}, imap.CapBinary: {}, imap.CapChildren: {},
	imap.CapSpecialUse: {}, imap.CapLiteralPlus: {},
}

// Server serves IMAP.
type Server struct {
	o      Options
	server *imapserver.Server

	mu      sync.Mutex
	open    map[*imapserver.Conn]struct{}
	perIP   map[netip.Prefix]int
	total   int
	stopped bool
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
	srv := &Server{o: o, open: map[*imapserver.Conn]struct{}{}, perIP: map[netip.Prefix]int{}}
	srv.server = imapserver.New(&imapserver.Options{
		NewSession: srv.newSession, Caps: caps, TLSConfig: o.TLSConfig, InsecureAuth: o.InsecureAuth, Logger: quietLogger{o.Logger},
	})
	return srv
}

// Serve accepts connections until the listener closes; implicitTLS: TLS from
// the first octet (RFC 8314). It closes the listener.
func (srv *Server) Serve(l net.Listener, implicitTLS bool) error {
	l = &limitedListener{Listener: l, srv: srv}
	if implicitTLS {
		if srv.o.TLSConfig == nil {
			return errors.New("IMAP over TLS needs a certificate")
		}
		l = tls.NewListener(l, srv.o.TLSConfig)
	}
	err := srv.server.Serve(l)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Shutdown says BYE to every client, also to those that idle, and closes. What
// a client is in the middle of is on disk or not done.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.mu.Lock()
	srv.stopped = true
	conns := make([]*imapserver.Conn, 0, len(srv.open))
	for c := range srv.open {
		conns = append(conns, c)
	}
	srv.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for _, c := range conns {
			_ = c.NetConn().SetWriteDeadline(time.Now().Add(2 * time.Second))
			wg.Go(func() { _ = c.Bye("The server is going down; please connect again in a moment.") })
		}
		wg.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	if err := srv.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the IMAP listeners: %w", err)
	}
	return nil
}

func (srv *Server) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.stopped {
		return nil, nil, &imap.Error{Type: imap.StatusResponseTypeBye, Code: imap.ResponseCodeUnavailable, Text: "The server is going down."}
	}
	srv.open[c] = struct{}{}
	return &session{srv: srv, conn: c, s: srv.o.IMAP.NewSession(remoteIP(c.NetConn()))}, &imapserver.GreetingData{}, nil
}

func (srv *Server) closed(c *imapserver.Conn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.open, c)
}

func remoteIP(c net.Conn) netip.Addr {
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
}

// limitedListener refuses connections over the limits.
type limitedListener struct {
	net.Listener
	srv *Server
}

// Accept returns the next connection that is within the limits; others hear
// BYE.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := network(remoteIP(c))
		if l.srv.admit(source) {
			return &countedConn{Conn: c, srv: l.srv, source: source}, nil
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write([]byte("* BYE [LIMIT] Too many connections are open. Please try again later.\r\n"))
		_ = c.Close()
	}
}

// network is what connections are counted by.
func network(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}

func (srv *Server) admit(source netip.Prefix) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	// Loopback is where proxies and tests are.
	if srv.stopped || srv.total >= srv.o.MaxConnections || srv.perIP[source] >= srv.o.MaxConnectionsPerIP && !source.Addr().IsLoopback() {
		return false
	}
	srv.total++
	srv.perIP[source]++
	return true
}

// countedConn gives its place back when it is closed.
type countedConn struct {
	net.Conn
	srv    *Server
	source netip.Prefix
	once   sync.Once
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.once.Do(func() {
		c.srv.mu.Lock()
		defer c.srv.mu.Unlock()
		c.srv.total--
		if c.srv.perIP[c.source]--; c.srv.perIP[c.source] <= 0 {
			delete(c.srv.perIP, c.source)
		}
	})
	return c.Conn.Close()
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

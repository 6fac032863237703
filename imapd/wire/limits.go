package wire

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

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
			return &limitedConn{Conn: c, srv: l.srv, source: source}, nil
		}
		// A new connection's send buffer is empty: this doesn't wait.
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write([]byte("* BYE [LIMIT] Too many connections are open. Please try again later.\r\n"))
		_ = c.Close()
	}
}

func remoteIP(c net.Conn) netip.Addr {
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
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

// limitedConn gives its place back when it is closed, and knows whether the
// server waits for its client.
type limitedConn struct {
	net.Conn
	srv     *Server
	source  netip.Prefix
	once    sync.Once
	reading atomic.Bool
}

// below returns the connection that TLS may be on top of.
func below(c net.Conn) *limitedConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if l, ok := c.(*limitedConn); ok {
		return l
	}
	return &limitedConn{Conn: c} // not by Serve: it never rests
}

// Read implements net.Conn.
func (c *limitedConn) Read(p []byte) (int, error) {
	c.reading.Store(true)
	defer c.reading.Store(false)
	return c.Conn.Read(p)
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
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

// CloseWrite ends what is written, where that can be done alone.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

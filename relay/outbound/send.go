package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
)

// sendBy delivers one letter to its destination: on a connection that is open
// already, else by the destination's hosts in turn, for deliveryTime or until work
// ends. It tells whose host was the last. The error is a *failure.
func (q *Queue) sendBy(work context.Context, destination string, l letter) (provider string, err error) {
	ctx, cancel := context.WithTimeout(work, deliveryTime)
	defer cancel()
	provider = "other"
	if s := q.pool.get(destination); s != nil {
		provider = s.provider
		err := q.transact(ctx, work, destination, s, l)
		var f *failure
		if !errors.As(err, &f) || !f.host && !f.elsewhere {
			return provider, err
		}
		// The server has closed it meanwhile, or will any moment: begin afresh.
	}
	hops, policies, err := q.hops(ctx, destination, l)
	if err != nil {
		return provider, err
	}
	var last error
	for _, h := range hops {
		provider = providerOf(h)
		need, err := q.need(ctx, policies, h)
		if err != nil {
			last = hope(last, err)
			continue
		}
		addrs, err := q.addresses(ctx, h)
		if err != nil {
			last = hope(last, err)
			continue
		}
		for _, addr := range addrs {
			s, err := q.connect(ctx, h, addr, need)
			if err == nil {
				err = q.transact(ctx, work, destination, s, l)
			}
			var f *failure
			if !errors.As(err, &f) || !f.host && !f.elsewhere {
				return provider, err
			}
			last = hope(last, err)
			if ctx.Err() != nil {
				return provider, last
			}
		}
	}
	return provider, last
}

// transact runs one transaction and puts the connection back. For the answer to
// the message there is all the time that it may take, however much of ctx's was
// spent on other hosts: ending that wait makes duplicates. Only work ends it.
func (q *Queue) transact(ctx, work context.Context, destination string, s *session, l letter) error {
	release := s.guard(ctx)
	err := s.deliver(l, func() error {
		if release(); s.broken {
			return context.Cause(ctx)
		}
		release = s.guard(work)
		return nil
	})
	if err != nil && !s.broken && s.reset() != nil {
		s.broken = true
	}
	release()
	q.pool.put(destination, s)
	return err
}

// connect opens a connection that is ready for a transaction.
func (q *Queue) connect(ctx context.Context, h hop, addr netip.Addr, n *need) (*session, error) {
	if h.next != nil {
		return q.connectNextHop(ctx, h, addr, n)
	}
	return q.connectMX(ctx, h, addr, n)
}

func (q *Queue) connectNextHop(ctx context.Context, h hop, addr netip.Addr, n *need) (*session, error) {
	next := h.next
	cfg := q.tls.Clone()
	cfg.ServerName, cfg.InsecureSkipVerify = h.host, !n.required && (q.o.InsecureTLS || !next.verified())
	var implicit *tls.Config
	if next.implicitTLS {
		implicit = cfg
	}
	s, err := q.open(ctx, h, addr, implicit)
	if err != nil {
		return nil, err
	}
	s.trusted = true
	return s, q.guarded(ctx, s, func() error {
		if !s.tls && s.has("STARTTLS") {
			if err := s.startTLS(ctx, cfg); err != nil {
				return err
			}
		}
		if err := n.check(s); err != nil || next.user == "" {
			return err
		}
		if !s.tls && !next.private(addr) {
			return &failure{text: "the server does not offer TLS: the password is not sent in the clear", host: true, config: true}
		}
		return s.auth(next.user, next.password)
	})
}

// open connects, with TLS from the first octet where implicit is set, and
// exchanges greetings.
func (q *Queue) open(ctx context.Context, h hop, addr netip.Addr, implicit *tls.Config) (*session, error) {
	conn, err := q.dial(ctx, h, addr)
	if err != nil {
		return nil, hostFailure(err, "connecting to the receiving server")
	}
	s := newSession(conn, q.o.Hostname)
	s.provider = providerOf(h)
	s.lmtp = h.next != nil && h.next.lmtp
	return s, q.guarded(ctx, s, func() error {
		if implicit != nil {
			if err := s.handshake(ctx, implicit, false); err != nil {
				return err
			}
		}
		return s.greet()
	})
}

func (q *Queue) dial(ctx context.Context, h hop, addr netip.Addr) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout}
	if h.next != nil && h.next.socket != "" {
		return d.DialContext(ctx, "unix", h.next.socket)
	}
	if ip := q.source(addr); ip.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0))
	}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(addr.String(), h.port))
}

// guarded runs the step of a session that is not in use yet; if it fails the
// session is closed.
func (q *Queue) guarded(ctx context.Context, s *session, step func() error) error {
	release := s.guard(ctx)
	err := step()
	release()
	if err != nil {
		s.quit()
		s.broken = true
	}
	return err
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// internet is a small SMTP server that plays the rest of the world: it takes
// whatever the relay sends out and keeps it by recipient.
type internet struct {
	server *smtp.Server
	addr   string

	mu    sync.Mutex
	mail  map[string][]received
	fresh chan struct{} // closed and renewed when mail comes
}

// received is a message as it came to a real mailbox.
type received struct {
	ReversePath string
	Raw         []byte
}

// maxInternet bounds what the demo's internet keeps of one mailbox.
const maxInternet = 1000

func startInternet() (*internet, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the demo's internet: %w", err)
	}
	in := &internet{addr: l.Addr().String(), mail: map[string][]received{}, fresh: make(chan struct{})}
	in.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &internetSession{in: in}, nil
	}))
	in.server.Domain = "mx.internet.example"
	in.server.ReadTimeout, in.server.WriteTimeout = time.Minute, time.Minute
	in.server.MaxMessageBytes = 64 << 20
	go func() { _ = in.server.Serve(l) }()
	return in, nil
}

func (in *internet) stop() { _ = in.server.Close() }

// wait returns the nth message (from 0) for a real address.
func (in *internet) wait(ctx context.Context, address string, n int) (received, error) {
	for {
		in.mu.Lock()
		box, fresh := in.mail[strings.ToLower(address)], in.fresh
		in.mu.Unlock()
		if len(box) > n {
			return box[n], nil
		}
		select {
		case <-fresh:
		case <-ctx.Done():
			return received{}, errors.New("the notification did not arrive in time")
		}
	}
}

// waitFor returns the first message for a real address whose subject begins so.
func (in *internet) waitFor(ctx context.Context, address, subject string) (received, error) {
	for n := 0; ; n++ {
		m, err := in.wait(ctx, address, n)
		if err != nil || strings.HasPrefix(field(m.Raw, "Subject"), subject) {
			return m, err
		}
	}
}

func (in *internet) deliver(address string, m received) {
	in.mu.Lock()
	defer in.mu.Unlock()
	key := strings.ToLower(address)
	if len(in.mail[key]) < maxInternet {
		in.mail[key] = append(in.mail[key], m)
	}
	close(in.fresh)
	in.fresh = make(chan struct{})
}

type internetSession struct {
	in   *internet
	from string
	to   []string
}

func (s *internetSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }

func (s *internetSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *internetSession) Data(r io.Reader) error {
	var b bytes.Buffer
	if _, err := io.Copy(&b, r); err != nil {
		return err
	}
	for _, to := range s.to {
		s.in.deliver(to, received{ReversePath: s.from, Raw: b.Bytes()})
	}
	return nil
}

func (s *internetSession) Reset()        { s.from, s.to = "", nil }
func (s *internetSession) Logout() error { return nil }

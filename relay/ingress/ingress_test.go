package ingress

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
)

func options(s *dialog.Stage) Options {
	return Options{
		Pipeline: s.Pipeline, Auth: senderauth.New(senderauth.Options{Envelope: true}), Hostname: "mx." + dialog.Domain, TLSConfig: s.TLS,
		TempDir: s.Dir, MaxMessageSize: 64 << 10, MaxRecipients: 5, RequireTLS: strings.HasSuffix(s.Name(), "/requiretls"), Logger: s.Logger,
	}
}

// serve starts the door on a listener and returns how it is stopped.
func serve(s *dialog.Stage, o Options, l net.Listener) (srv *Server, stop func()) {
	srv = New(o)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	return srv, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			s.Errorf("stop: %v", err)
		}
		if err := <-done; err != nil {
			s.Errorf("serve: %v", err)
		}
	}
}

func TestDialogs(t *testing.T) {
	dialog.Run(t, "testdata/*.txt", func(s *dialog.Stage) (network, addr string, stop func()) {
		l := s.Listen()
		_, stop = serve(s, options(s), l)
		return "tcp", l.Addr().String(), stop
	})
}

// TestLMTPDialogs plays over a Unix socket, behind front.example.
func TestLMTPDialogs(t *testing.T) {
	dialog.Run(t, "testdata/lmtp/*.txt", func(s *dialog.Stage) (network, addr string, stop func()) {
		path := filepath.Join(s.Dir, "lmtp.sock")
		l, err := net.Listen("unix", path)
		if err != nil {
			s.Fatal(err)
		}
		o := options(s)
		o.LMTP, o.Auth = true, senderauth.New(senderauth.Options{TrustedAuthservID: "front.example"})
		_, stop = serve(s, o, l)
		return "unix", path, stop
	})
}

func TestWithoutAnOperatorPostmasterIsAskedToTryAgain(t *testing.T) {
	s := dialog.New(t, func(o *relay.Options) { o.Operator = "" })
	l := s.Listen()
	_, stop := serve(s, options(s), l)
	defer stop()
	s.Play("tcp", l.Addr().String(), "S: 220 ...\nC: HELO x\nS: 250 ...\nC: MAIL FROM:<>\nS: 250 ...\nC: RCPT TO:<postmaster@msg.example.com>\nS: 450 4.3.5 ...\n")
}

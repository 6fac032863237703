package submission

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/threading/login"
)

func TestDialogs(t *testing.T) {
	dialog.Run(t, "testdata/*.txt", func(s *dialog.Stage) (network, addr string, stop func()) {
		srv := New(Options{
			Pipeline: s.Pipeline, Login: login.New(login.Options{Store: s.Store, Domain: dialog.Domain}), Hostname: "mx." + dialog.Domain,
			TLSConfig: s.TLS, TempDir: s.Dir, MaxMessageSize: 64 << 10, MaxRecipients: 20, RequireTLS: strings.HasSuffix(s.Name(), "/requiretls"), Logger: s.Logger,
		})
		l := s.Listen()
		done := make(chan error, 1)
		go func() { done <- srv.Serve(l, strings.HasSuffix(s.Name(), "implicit-tls")) }()
		return "tcp", l.Addr().String(), func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := srv.Shutdown(ctx); err != nil {
				s.Errorf("stop: %v", err)
			}
			if err := <-done; err != nil {
				s.Errorf("serve: %v", err)
			}
		}
	})
}

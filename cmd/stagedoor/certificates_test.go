package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay/certs/authority"
)

func TestCertificateNames(t *testing.T) {
	for _, c := range []struct {
		baseURL, tls string
		mtaSTS       config.STSMode
		want         []string
	}{
		{"https://msg.test", "", config.STSTesting, []string{"mx.msg.test"}},
		{"https://msg.test/mail", ":443", config.STSTesting, []string{"mx.msg.test", "autoconfig.msg.test", "autodiscover.msg.test", "msg.test", "mta-sts.msg.test"}},
		{"https://mx.msg.test", ":443", config.STSOff, []string{"mx.msg.test", "autoconfig.msg.test", "autodiscover.msg.test"}},
	} {
		cfg := &config.Config{Domain: "msg.test", Hostname: "mx.msg.test"}
		cfg.HTTP.BaseURL, cfg.SMTP.MTASTS = c.baseURL, c.mtaSTS
		if c.tls != "" {
			cfg.HTTP.ListenTLS = []string{c.tls}
		}
		if got := certificateNames(cfg); !slices.Equal(got, c.want) {
			t.Errorf("%s, %s: %q, want %q", c.baseURL, c.tls, got, c.want)
		}
	}
}

// A daemon with nothing but an account's address gets its certificates, and
// every door shows them.
func TestTheDaemonGetsItsCertificates(t *testing.T) {
	a := authority.Start(t)
	for _, name := range []string{"mx.msg.test", "mta-sts.msg.test", "autoconfig.msg.test", "autodiscover.msg.test"} {
		a.Point(name, "127.0.0.1")
	}
	d := startDaemon(t, t.TempDir(), fmt.Sprintf(`
[http]
listen = ["127.0.0.1:%d"]
listen_tls = ["127.0.0.1:%d"]
[tls]
acme_email = "ops@people.example"
acme_directory = %q
acme_ca_file = %q
`, a.HTTPPort, a.TLSPort, a.Directory, a.CAFile))
	defer stopNow(t, d)
	roots := a.Roots(t)
	https := d.bound.httpTLS[0]
	for _, name := range certificateNames(d.cfg) {
		got := false
		for range 600 { // it comes when it comes
			if c, err := tls.Dial("tcp", https, &tls.Config{ServerName: name, RootCAs: roots}); err == nil {
				_ = c.Close()
				got = true
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !got {
			t.Fatalf("no certificate for %s", name)
		}
	}
	for door, address := range map[string]string{"submission": d.bound.submissionTLS[0], "imap": d.bound.imapTLS[0]} {
		c, err := tls.Dial("tcp", address, &tls.Config{ServerName: "mx.msg.test", RootCAs: roots})
		if err != nil {
			t.Errorf("%s: %v", door, err)
			continue
		}
		_ = c.Close()
	}
	for door, address := range map[string]string{"smtp": d.bound.smtp[0], "submission": d.bound.submission[0]} {
		if err := startTLS(t, address, roots); err != nil {
			t.Errorf("%s: %v", door, err)
		}
	}
}

// startTLS connects as another mail server does.
func startTLS(t *testing.T, address string, roots *x509.CertPool) error {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	text := textproto.NewConn(c)
	if _, _, err := text.ReadResponse(220); err != nil {
		return err
	}
	for _, step := range []struct {
		command string
		code    int
	}{{"EHLO client.test", 250}, {"STARTTLS", 220}} {
		if err := text.PrintfLine("%s", step.command); err != nil {
			return err
		}
		if _, _, err := text.ReadResponse(step.code); err != nil {
			return err
		}
	}
	return tls.Client(c, &tls.Config{ServerName: "mx.msg.test", RootCAs: roots}).Handshake()
}

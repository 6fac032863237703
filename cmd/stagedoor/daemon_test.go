package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay/certs"
	"github.com/stagedoor/stagedoor/threading"
)

// startDaemon runs a daemon on free loopback ports; more is added to its
// configuration.
func startDaemon(t *testing.T, dir, more string) *daemon {
	t.Helper()
	path := filepath.Join(dir, "relay.toml")
	document := `domain = "msg.test"
storage.dsn = "sqlite:stagedoor.db"
storage.key_file = "secret.key"
smtp.listen = ["127.0.0.1:0"]
sender_auth.policy = "envelope"
outbound.smarthost = "smtp://127.0.0.1:9"
[submission]
listen = ["127.0.0.1:0"]
listen_tls = ["127.0.0.1:0"]
allow_insecure_auth = true
[imap]
listen = ["127.0.0.1:0"]
listen_tls = ["127.0.0.1:0"]
allow_insecure_auth = true
` + more
	if !strings.Contains(more, "[http]") {
		document = "http.listen = [\"127.0.0.1:0\"]\n" + document
	}
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDaemon(context.Background(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	return d
}

func stopNow(t *testing.T, d *daemon) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := d.stop(ctx); err != nil {
		t.Error(err)
	}
}

// talk is a plain-text connection.
type talk struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, address string) *talk {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &talk{t, c, bufio.NewReader(c)}
}

func (k *talk) say(line string) {
	k.t.Helper()
	if _, err := io.WriteString(k, line+"\r\n"); err != nil {
		k.t.Fatal(err)
	}
}

// hear reads lines up to one that begins so.
func (k *talk) hear(prefix string) {
	k.t.Helper()
	var heard strings.Builder
	for {
		line, err := k.r.ReadString('\n')
		heard.WriteString(line)
		if err != nil {
			k.t.Fatalf("waiting for %q: %v; heard %q", prefix, err, heard.String())
		}
		if strings.HasPrefix(line, prefix) {
			return
		}
	}
}

// A stop says 421 and BYE to those who wait, and lets the message that is on
// its way be filed.
func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir, "")
	ctx := context.Background()
	for _, m := range []threading.Member{{Handle: "tess", Name: "Tess"}, {Handle: "sam", Name: "Sam"}} {
		m, err := d.open.AddMember(ctx, m, []string{m.Handle + "@" + m.Handle + ".example"})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.open.setPassword(ctx, m, "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
	imap := dial(t, d.bound.imap[0])
	imap.say("a LOGIN tess {13}")
	imap.hear("+")
	imap.say("correct horse")
	imap.hear("a OK")
	imap.say("b SELECT INBOX")
	imap.hear("b OK")
	imap.say("c IDLE")
	imap.hear("+")

	waiting := dial(t, d.bound.smtp[0])
	waiting.hear("220 ")
	waiting.say("EHLO client.test")
	waiting.hear("250 ")

	sending := dial(t, d.bound.smtp[0])
	sending.hear("220 ")
	sending.say("EHLO client.test\r\nMAIL FROM:<sam@sam.example>\r\nRCPT TO:<tess@msg.test>\r\nDATA")
	sending.hear("354 ")
	sending.say("From: Sam <sam@sam.example>\r\nTo: tess@msg.test\r\nSubject: On the way\r\nMessage-ID: <1@sam.example>\r\n\r\nHello Tess,")

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stopNow(t, d)
	}()
	imap.hear("* BYE")
	waiting.hear("421 ")
	sending.say("see you on Friday.\r\n.")
	sending.hear("250 2")
	select {
	case <-stopped:
	case <-time.After(time.Minute):
		t.Fatal("still stopping")
	}
	if c, err := net.DialTimeout("tcp", d.bound.smtp[0], time.Second); err == nil {
		_ = c.Close()
		t.Error("the port is still open")
	}

	d = startDaemon(t, dir, "")
	defer stopNow(t, d)
	tess, err := d.open.MemberByHandle(ctx, "tess")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := d.open.Mailbox(ctx, tess.ID, threading.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	if uids, _, err := d.open.UIDs(ctx, tess.ID, inbox.ID); err != nil || len(uids) != 1 {
		t.Errorf("INBOX has %d messages (%v), want the one that was answered with 250", len(uids), err)
	}
}

// The daemon stops within its time also when a client goes on sending slowly.
func TestStopDoesNotWaitForSlowSenders(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a stop may")
	}
	d := startDaemon(t, t.TempDir(), "")
	if _, err := d.open.AddMember(context.Background(), threading.Member{Handle: "tess", Name: "Tess"}, []string{"tess@tess.example"}); err != nil {
		t.Fatal(err)
	}
	slow := dial(t, d.bound.smtp[0])
	slow.hear("220 ")
	slow.say("EHLO client.test\r\nMAIL FROM:<sam@sam.example>\r\nRCPT TO:<tess@msg.test>\r\nDATA")
	slow.hear("354 ")
	stopNow(t, d)
}

// selfSigned makes a certificate for one name and returns its octets.
func selfSigned(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	dir := t.TempDir()
	if _, err := certs.New(certs.Options{SelfSignedDir: dir, Names: []string{name}}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name string
		into *[]byte
	}{{"tls-selfsigned.pem", &cert}, {"tls-selfsigned.key", &key}} {
		b, err := os.ReadFile(filepath.Join(dir, f.name))
		if err != nil {
			t.Fatal(err)
		}
		*f.into = b
	}
	return cert, key
}

func TestReloadTakesTheNewCertificate(t *testing.T) {
	dir := t.TempDir()
	install := func(name string) {
		cert, key := selfSigned(t, name)
		for file, b := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	install("old.test")
	d := startDaemon(t, dir, "[tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n")
	defer stopNow(t, d)
	served := func(address string) string {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	for _, address := range []string{d.bound.imapTLS[0], d.bound.submissionTLS[0]} {
		if got := served(address); got != "old.test" {
			t.Errorf("before: %s", got)
		}
	}
	install("new.test")
	if err := d.reload(d.cfg); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "relay.toml")
	document, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append([]byte("outbound.pause = true\nlog.level = \"debug\"\n"), document...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	var level slog.LevelVar
	reload(&site{configFile: path}, d, &level, slog.New(slog.NewTextHandler(&log, nil)))
	if !d.queue.Paused() || level.Level() != slog.LevelDebug {
		t.Errorf("a broken certificate keeps the rest from being applied: paused %v, level %s", d.queue.Paused(), level.Level())
	}
	for _, want := range []string{`level=ERROR msg="the certificate files can't be used: the certificate stays as it was" error=`, `level=INFO msg=reloaded applied="outbound.pause log.level"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is missing in the log:\n%s", want, log.String())
		}
	}
	for _, address := range []string{d.bound.imapTLS[0], d.bound.submissionTLS[0]} {
		if got := served(address); got != "new.test" {
			t.Errorf("after: %s", got)
		}
	}
}

// What can't be bound leaves nothing behind: the key is named and the same
// directory can be served again.
func TestAPortThatIsTakenIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg, err := config.Dev("")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cfg.Storage = config.Storage{DSN: "sqlite:" + filepath.Join(dir, "stagedoor.db"), KeyFile: filepath.Join(dir, "secret.key"), TempDir: dir}
	cfg.DKIM.KeyFile = filepath.Join(dir, "dkim.pem")
	cfg.SMTP.Listen = []string{"127.0.0.1:0"}
	cfg.Submission = config.Submission{Listen: []string{l.Addr().String()}}
	cfg.IMAP, cfg.HTTP = config.IMAP{}, config.HTTP{}
	var log bytes.Buffer
	d, err := newDaemon(context.Background(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	err = d.start()
	if err == nil || !strings.HasPrefix(err.Error(), "submission.listen: can't listen on 127.0.0.1:") || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("start: %v", err)
	}
	stopNow(t, d)
	if _, err := net.DialTimeout("tcp", d.bound.smtp[0], time.Second); err == nil {
		t.Error("the other listener is left open")
	}
}

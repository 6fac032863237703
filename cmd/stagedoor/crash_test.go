package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	netsmtp "net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// installation is a daemon of its own process, as an operator would run it.
type installation struct {
	t      *testing.T
	dir    string
	config string
	mx     string
	imap   string
	smtp   string
	cmd    *exec.Cmd
}

// freeLoopback returns a loopback address that a daemon can be told to listen
// on. The port is below those that the system gives to outgoing connections,
// so that none of them takes it in between.
func freeLoopback() (string, error) {
	for range 200 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(20000)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String(), nil
	}
	return "", errors.New("no port is free")
}

func freePort(t *testing.T) string {
	t.Helper()
	addr, err := freeLoopback()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func newInstallation(t *testing.T) *installation {
	dir := t.TempDir()
	in := &installation{t: t, dir: dir, config: filepath.Join(dir, "relay.toml"), mx: freePort(t), imap: freePort(t), smtp: freePort(t)}
	toml := fmt.Sprintf(`
domain = "msg.test"
[storage]
dsn = "sqlite:%s/stagedoor.db"
key_file = "%s/secret.key"
[limits]
new_member_days = 0
new_threads_per_hour = 0
new_threads_per_day = 0
[smtp]
listen = [%q]
[submission]
listen = [%q]
listen_tls = []
allow_insecure_auth = true
[imap]
listen = [%q]
listen_tls = []
allow_insecure_auth = true
[http]
listen = []
[sender_auth]
policy = "envelope"
[outbound]
smarthost = "smtp://127.0.0.1:9"
`, dir, dir, in.mx, in.smtp, in.imap)
	if err := os.WriteFile(in.config, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.kill)
	return in
}

// run runs a command of the installation to its end.
func (in *installation) run(stdin string, args ...string) string {
	in.t.Helper()
	cmd := exec.Command("stagedoor", append(args, "--config", in.config)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		in.t.Fatalf("stagedoor %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (in *installation) start() {
	in.t.Helper()
	log, err := os.OpenFile(filepath.Join(in.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		in.t.Fatal(err)
	}
	defer log.Close()
	in.cmd = exec.Command("stagedoor", "serve", "--config", in.config)
	in.cmd.Stderr = log
	if err := in.cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	for range 1200 {
		if answers(in.mx) && answers(in.imap) && answers(in.smtp) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(in.dir, "log"))
	in.t.Fatalf("the daemon does not answer:\n%s", text)
}

func answers(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func (in *installation) kill() {
	if in.cmd != nil {
		_ = in.cmd.Process.Signal(syscall.SIGKILL)
		_ = in.cmd.Wait()
		in.cmd = nil
	}
}

// subjects counts the subjects in a member's INBOX.
func (in *installation) subjects(handle, password string) map[string]int {
	in.t.Helper()
	c, err := imapclient.DialInsecure(in.imap, nil)
	if err != nil {
		in.t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(handle, password).Wait(); err != nil {
		in.t.Fatal(err)
	}
	sel, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		in.t.Fatal(err)
	}
	counts := map[string]int{}
	if sel.NumMessages == 0 {
		return counts
	}
	msgs, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Envelope: true}).Collect()
	if err != nil {
		in.t.Fatal(err)
	}
	for _, m := range msgs {
		counts[m.Envelope.Subject]++
	}
	return counts
}

// TestAcceptedMessagesSurviveKill9 promises that what was answered with 250 is
// in the mailbox exactly once after the power goes, and that a sender's retry
// of what was not answered does not double it.
func TestAcceptedMessagesSurviveKill9(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a daemon of its own")
	}
	in := newInstallation(t)
	in.run("tess-secret\n", "member", "add", "tess", "--name", "Tess Talent", "--address", "tess@tess.example", "--password-stdin")
	in.run("", "member", "set", "tess", "--alerts", "never")
	in.run("", "member", "add", "sam", "--name", "Sam Casting", "--address", "sam@sam.example")

	var accepted, unanswered sync.Map
	var next atomic.Int64
	count := func() (n int) {
		accepted.Range(func(any, any) bool { n++; return true })
		return n
	}
	for round := range 3 {
		in.start()
		before := count()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() { sendUntilDown(ctx, in.mx, &next, &accepted, &unanswered) })
		}
		for ctx.Err() == nil && count() < before+20 { // on any machine some are accepted, and others under way
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Duration(100+round*350) * time.Millisecond)
		in.kill()
		wg.Wait()
		cancel()
	}
	in.start()
	got := in.subjects("tess", "tess-secret")
	n := 0
	accepted.Range(func(subject, _ any) bool {
		n++
		if got[subject.(string)] != 1 {
			t.Errorf("%v was answered with 250 and is in INBOX %d times", subject, got[subject.(string)])
		}
		return true
	})
	retried := 0
	unanswered.Range(func(subject, _ any) bool {
		retried++
		if err := sendOne(in.mx, subject.(string)); err != nil {
			t.Errorf("the retry of %v: %v", subject, err)
		}
		return true
	})
	got = in.subjects("tess", "tess-secret")
	for subject, times := range got {
		if times != 1 {
			t.Errorf("%s is in INBOX %d times after the retries", subject, times)
		}
	}
	if len(got) != n+retried {
		t.Errorf("INBOX has %d messages; %d were accepted and %d retried", len(got), n, retried)
	}
	if n < 50 {
		t.Errorf("only %d messages were accepted before the kills: the test shows nothing", n)
	}
	t.Logf("%d accepted, %d cut off and retried", n, retried)
}

func sendUntilDown(ctx context.Context, addr string, next *atomic.Int64, accepted, unanswered *sync.Map) {
	for ctx.Err() == nil {
		subject := fmt.Sprintf("message %d", next.Add(1))
		if err := sendOne(addr, subject); err != nil {
			unanswered.Store(subject, true)
			return
		}
		accepted.Store(subject, true)
	}
}

// sendOne is one message from Sam to Tess on a connection of its own; the same
// subject is the same message.
func sendOne(addr, subject string) error {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c, err := netsmtp.NewClient(conn, "127.0.0.1")
	if err != nil {
		_ = conn.Close()
		return err
	}
	defer c.Close()
	if err := c.Mail("sam@sam.example"); err != nil {
		return err
	}
	if err := c.Rcpt("tess@msg.test"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	id := strings.ReplaceAll(subject, " ", ".")
	fmt.Fprintf(w, "From: Sam <sam@sam.example>\r\nTo: tess@msg.test\r\nSubject: %s\r\nMessage-ID: <%s@sam.example>\r\n\r\n%s\r\n%s\r\n",
		subject, id, subject, strings.Repeat("All the world's a stage.\r\n", 60))
	return w.Close()
}

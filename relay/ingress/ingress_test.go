package ingress

import (
	"bufio"
	"context"
	"fmt"
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
		TempDir: s.Dir, MaxMessageSize: 64 << 10, MaxRecipients: 5, Logger: s.Logger,
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

func TestLMTPAnswersEachRecipientAndNeverRefusesAfterDATA(t *testing.T) {
	s := dialog.New(t, nil)
	path := filepath.Join(s.Dir, "lmtp.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	o := options(s)
	o.LMTP, o.Auth = true, senderauth.New(senderauth.Options{TrustedAuthservID: "front.example"})
	_, stop := serve(s, o, l)
	defer stop()
	s.Play("unix", path, `S: 220 ...
C: EHLO x
S: 500 5.5.1 ...
C: LHLO front.example
S: 250-...
S: 250-PIPELINING
S: 250-8BITMIME
S: 250-ENHANCEDSTATUSCODES
S: 250-CHUNKING
S: 250-STARTTLS
S: 250-SMTPUTF8
S: 250-SIZE 65536
S: 250 LIMITS RCPTMAX=5
C: MAIL FROM:<tess.real@mail.example>
S: 250 ...
C: RCPT TO:<$ALIAS>
S: 250 ...
C: RCPT TO:<unknown-here@elsewhere.example>
S: 550 5.7.1 ...
C: RCPT TO:<otto@msg.example.com>
S: 250 ...
C: DATA
S: 354 ...
C: Authentication-Results: front.example; dmarc=pass header.from=mail.example
C: From: Tess <tess.real@mail.example>
C: Subject: Re: Callback
C: 
C: Yes
C: .
S: 250 2.0.0 <$ALIAS> ...
S: 250 2.0.0 <otto@msg.example.com> ...
INBOX sam 1
INBOX otto 1
# What would be refused on the MX is held here.
C: MAIL FROM:<x@stranger.example>
S: 250 ...
C: RCPT TO:<$ALIAS>
S: 250 ...
C: DATA
S: 354 ...
C: Authentication-Results: front.example; dmarc=pass header.from=stranger.example
C: From: <x@stranger.example>
C: 
C: Let me in
C: .
S: 250 2.0.0 <$ALIAS> ...
INBOX sam 1
C: QUIT
S: 221 ...
`)
	held, err := s.Store.HeldMessages(context.Background(), 10)
	if err != nil || len(held) != 1 {
		t.Errorf("%d held, %v", len(held), err)
	}
}

func TestWithoutAnOperatorPostmasterIsAskedToTryAgain(t *testing.T) {
	s := dialog.New(t, func(o *relay.Options) { o.Operator = "" })
	l := s.Listen()
	_, stop := serve(s, options(s), l)
	defer stop()
	s.Play("tcp", l.Addr().String(), "S: 220 ...\nC: HELO x\nS: 250 ...\nC: MAIL FROM:<>\nS: 250 ...\nC: RCPT TO:<postmaster@msg.example.com>\nS: 450 4.3.5 ...\n")
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	s := dialog.New(t, nil)
	l := s.Listen()
	srv, _ := serve(s, options(s), l)
	dial := func() (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		r := bufio.NewReader(c)
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "220") {
			t.Fatal(line, err)
		}
		return c, r
	}
	say := func(c net.Conn, r *bufio.Reader, text, want string) {
		t.Helper()
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, want) {
			t.Fatalf("%q: got %q, %v; want %s", text, line, err, want)
		}
	}
	idle, idleReader := dial()
	defer idle.Close()
	busy, r := dial()
	defer busy.Close()
	say(busy, r, "HELO x\r\n", "250")
	say(busy, r, "MAIL FROM:<tess.real@mail.example>\r\n", "250")
	say(busy, r, "RCPT TO:<"+s.Alias+">\r\n", "250")
	say(busy, r, "DATA\r\n", "354")
	if _, err := busy.Write([]byte("From: tess.real@mail.example\r\nSubject: Re\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(ctx)
	}()
	if line, err := idleReader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "421") {
		t.Errorf("the idle client hears %q, %v", line, err)
	}
	say(busy, r, "Yes\r\n.\r\n", "250")
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "421") {
		t.Errorf("after its transaction the client hears %q, %v", line, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if n := len(s.Mailbox("sam", "INBOX")); n != 1 {
		t.Errorf("Sam has %d messages", n)
	}
}

// TestMalformedMessages promises a correct answer in bounded time, whatever
// comes: 250 and filed, or a refusal.
func TestMalformedMessages(t *testing.T) {
	s := dialog.New(t, nil)
	l := s.Listen()
	o := options(s)
	o.MaxMessageSize = 4 << 20
	_, stop := serve(s, o, l)
	defer stop()
	var deep strings.Builder
	for i := range 200 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for _, c := range []struct{ name, rest, want string }{
		{"200 deep", deep.String() + "\r\nx\r\n", "554"},
		{"endless header", strings.Repeat("X-Y: zzzzzzzzzzzzzzzzzzzzzzzzzz\r\n", 20000) + "\r\nx\r\n", "552"},
		{"no empty line", "Subject: x\r\nThis is text\r\n", "250"},
		{"8-bit header", "Subject: caf\xe9\r\n\r\nx\r\n", "250"},
		{"unknown charset", "Content-Type: text/plain; charset=x-nope\r\n\r\nabc\xff\r\n", "250"},
		{"NULs", "Subject: a\x00b\r\n\r\nx\x00y\r\n", "250"},
		{"bare LF", "Subject: x\n\nline\nline\r\n", "250"},
		{"boundary that never comes", "Content-Type: multipart/mixed; boundary=never\r\n\r\nx\r\n", "250"},
		{"broken base64", "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!====\r\n", "250"},
		{"nothing at all", "", "250"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			r := bufio.NewReader(conn)
			go func() {
				_, _ = fmt.Fprintf(conn, "HELO x\r\nMAIL FROM:<tess.real@mail.example>\r\nRCPT TO:<%s>\r\nDATA\r\nFrom: Tess <tess.real@mail.example>\r\n%s\r\n.\r\nQUIT\r\n", s.Alias, c.rest)
			}()
			for _, want := range []string{"220", "250", "250", "250", "354", c.want, "221"} {
				line, err := r.ReadString('\n')
				if err != nil || !strings.HasPrefix(line, want) {
					t.Fatalf("got %q, %v; want %s", line, err, want)
				}
			}
		})
	}
}

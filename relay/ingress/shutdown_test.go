package ingress

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
)

// client speaks SMTP line by line.
type client struct {
	*dialog.Stage
	net.Conn
	r *bufio.Reader
}

func dial(s *dialog.Stage, addr string) *client {
	s.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	cl := &client{s, c, bufio.NewReader(c)}
	cl.hear("220")
	return cl
}

func (c *client) hear(want string) {
	c.Helper()
	if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, want) {
		c.Fatalf("got %q, %v; want %s", line, err, want)
	}
}

func (c *client) say(text, want string) {
	c.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		c.Fatal(err)
	}
	c.hear(want)
}

// begin is a transaction up to the middle of its DATA.
func (c *client) begin() {
	c.Helper()
	c.say("HELO x\r\n", "250")
	c.say("MAIL FROM:<tess.real@mail.example>\r\n", "250")
	c.say("RCPT TO:<"+c.Alias+">\r\n", "250")
	c.say("DATA\r\n", "354")
	if _, err := c.Write([]byte("From: tess.real@mail.example\r\nSubject: Re\r\n\r\n")); err != nil {
		c.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	s := dialog.New(t, nil)
	l := s.Listen()
	srv, _ := serve(s, options(s), l)
	idle, busy := dial(s, l.Addr().String()), dial(s, l.Addr().String())
	busy.begin()
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(ctx)
	}()
	idle.hear("421")
	busy.say("Yes\r\n.\r\n", "250")
	busy.hear("421")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if n := len(s.Mailbox("sam", "INBOX")); n != 1 {
		t.Errorf("Sam has %d messages", n)
	}
}

func TestShutdownCutsOffWhoDawdles(t *testing.T) {
	s := dialog.New(t, nil)
	l := s.Listen()
	srv, _ := serve(s, options(s), l)
	c := dial(s, l.Addr().String())
	c.begin()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(ctx); err == nil {
		t.Error("nobody is told that a transaction was cut off")
	}
	if rest, err := io.ReadAll(c.r); strings.HasPrefix(string(rest), "250") {
		t.Errorf("the client hears %q, %v", rest, err)
	}
	if n := len(s.Mailbox("sam", "INBOX")); n != 0 {
		t.Errorf("Sam has %d messages", n)
	}
}

func TestAClientThatGoesAwayLeavesNothing(t *testing.T) {
	s := dialog.New(t, nil)
	l := s.Listen()
	_, stop := serve(s, options(s), l)
	c := dial(s, l.Addr().String())
	c.begin()
	_ = c.Close()
	stop()
	if n := len(s.Mailbox("sam", "INBOX")); n != 0 {
		t.Errorf("Sam has %d messages", n)
	}
	if strings.Contains(s.Log.String(), "level=ERROR") {
		t.Errorf("that is logged as an error:\n%s", s.Log)
	}
}

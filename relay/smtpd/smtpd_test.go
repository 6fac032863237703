package smtpd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/certs"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/relay/spool"
)

// door is a session that reads messages and forgets them; some recipients
// make trouble.
type door struct {
	conn *smtp.Conn
	dir  string
}

func (d *door) Mail(string, *smtp.MailOptions) error { return nil }
func (d *door) Reset()                               {}
func (d *door) Logout() error                        { return nil }

func (d *door) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch to {
	case "panic@x.example":
		panic("as asked")
	case "end@x.example":
		Of(d.conn).End()
	}
	return nil
}

func (d *door) Data(r io.Reader) error {
	Of(d.conn).Busy(true)
	defer Of(d.conn).Busy(false)
	msg, err := ReadMessage(slog.New(slog.DiscardHandler), r, d.dir, 1<<20)
	if err != nil {
		return Answer(slog.New(slog.DiscardHandler), "DATA", err)
	}
	return msg.Close()
}

// serve opens the door and returns its address.
func serve(t *testing.T, o Options, implicitTLS bool, change func(*Server)) string {
	t.Helper()
	dir := t.TempDir()
	o.Hostname, o.MaxMessageSize = "mx.x.example", 1<<20
	o.Backend = smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &door{c, dir}, nil })
	s := New(o)
	if change != nil {
		change(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l, implicitTLS) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if len(s.conns) != 0 || len(s.perIP) != 0 {
			t.Errorf("%d connections, %d addresses are still counted", len(s.conns), len(s.perIP))
		}
	})
	return l.Addr().String()
}

type client struct {
	*testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) hear(want string) {
	c.Helper()
	if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, want) {
		c.Fatalf("got %q, %v; want %s", line, err, want)
	}
}

func (c *client) say(text, want string) {
	c.Helper()
	if _, err := io.WriteString(c.Conn, text+"\r\n"); err != nil {
		c.Fatal(err)
	}
	c.hear(want)
}

func (c *client) gone() {
	c.Helper()
	if rest, err := c.r.ReadString('\n'); err == nil {
		c.Fatalf("the server goes on with %q", rest)
	}
}

func TestTooManyConnectionsHear421(t *testing.T) {
	addr := serve(t, Options{MaxConnections: 2, MaxConnectionsPerIP: 1}, false, nil)
	first, second := dial(t, addr), dial(t, addr) // loopback has no limit of its own
	first.hear("220")
	second.hear("220")
	third := dial(t, addr)
	third.hear("421 4.7.0 Too many connections")
	third.gone()
	first.say("QUIT", "221")
	first.gone()
	for range 1000 { // until the server has noticed
		c := dial(t, addr)
		if line, _ := c.r.ReadString('\n'); strings.HasPrefix(line, "220") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("there is no room after one left")
}

func TestConnectionsAreCountedByNetwork(t *testing.T) {
	s := New(Options{MaxConnectionsPerIP: 1})
	conn := func(ip string) *Conn {
		return &Conn{Conn: noConn{}, s: s, source: network(netip.MustParseAddr(ip))}
	}
	first := conn("192.0.2.1")
	for _, c := range []struct {
		conn *Conn
		want bool
	}{
		{first, true}, {conn("192.0.2.1"), false}, {conn("192.0.2.2"), true},
		{conn("2001:db8::1"), true}, {conn("2001:db8::ffff:2"), false}, {conn("2001:db8:0:1::1"), true},
		{conn("127.0.0.1"), true}, {conn("127.0.0.1"), true}, {conn("::1"), true}, {conn("::1"), true},
		{&Conn{s: s, source: network(netip.Addr{})}, true}, {&Conn{s: s, source: network(netip.Addr{})}, true}, // a Unix socket
	} {
		if got := s.admit(c.conn); got != c.want {
			t.Errorf("%v: %v", c.conn.source, got)
		}
	}
	_ = first.Close()
	_ = first.Close() // is counted once
	if !s.admit(conn("192.0.2.1")) || s.admit(conn("192.0.2.1")) {
		t.Error("a closed connection still counts, or counts twice")
	}
}

// noConn is a connection that can only be closed.
type noConn struct{ net.Conn }

func (noConn) Close() error { return nil }

func TestASlowClientHasTheTimeForEachBlock(t *testing.T) {
	addr := serve(t, Options{}, false, func(s *Server) { s.server.ReadTimeout = 2 * time.Second })
	c := dial(t, addr)
	c.hear("220")
	c.say("HELO x", "250")
	c.say("MAIL FROM:<>", "250")
	c.say("RCPT TO:<a@x.example>", "250")
	c.say("DATA", "354")
	for range 6 {
		time.Sleep(500 * time.Millisecond)
		if _, err := io.WriteString(c.Conn, "line\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	c.say(".", "250")
	// Who sends nothing at all is not waited for.
	c.say("MAIL FROM:<>", "250")
	c.say("RCPT TO:<a@x.example>", "250")
	c.say("DATA", "354")
	c.hear("451 4.4.2 The message did not arrive as a whole.")
	c.hear("421")
	c.gone()
}

func TestASessionHasAnEnd(t *testing.T) {
	c := dial(t, serve(t, Options{}, false, nil))
	c.hear("220")
	c.say("HELO x", "250")
	c.say("MAIL FROM:<>", "250")
	c.say("RCPT TO:<end@x.example>", "250")
	c.hear("421")
	c.gone()
}

func TestAPanicEndsOneConnectionOnly(t *testing.T) {
	log := &dialog.Log{}
	addr := serve(t, Options{Logger: slog.New(slog.NewTextHandler(log, nil))}, false, nil)
	other, c := dial(t, addr), dial(t, addr)
	other.hear("220")
	c.hear("220")
	c.say("HELO x", "250")
	c.say("MAIL FROM:<>", "250")
	c.say("RCPT TO:<panic@x.example>", "421")
	c.gone()
	other.say("HELO x", "250")
	for range 1000 { // it is logged after the connection is closed
		if strings.Contains(log.String(), "level=ERROR") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("a panic is not logged as an error: %q", log.String())
}

func TestImplicitTLS(t *testing.T) {
	if err := New(Options{}).Serve(nil, true); err == nil {
		t.Error("TLS is served without a certificate")
	}
	src, err := certs.New(certs.Options{SelfSignedDir: t.TempDir(), Names: []string{"mx.x.example"}})
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, Options{TLSConfig: src.TLSConfig(false)}, true, func(s *Server) { s.server.ReadTimeout = 300 * time.Millisecond })
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "220 mx.x.example") {
		t.Errorf("%q, %v", line, err)
	}
	dial(t, addr).gone() // no handshake: it is not waited for
	plain := dial(t, addr)
	_, _ = io.WriteString(plain.Conn, "EHLO x\r\n")
	rest, _ := io.ReadAll(plain.r)
	if bytes.Contains(rest, []byte("220")) || bytes.Contains(rest, []byte("250")) {
		t.Errorf("without TLS a client hears %q", rest)
	}
}

func TestAnswer(t *testing.T) {
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, nil))
	for _, c := range []struct {
		err  error
		want string
		logs string
	}{
		{nil, "", ""},
		{&relay.Refusal{Code: 550, Enhanced: [3]int{5, 7, 1}, Text: "No, Zoë.\r\n250 OK\t\x00"}, "550 5.7.1 No, Zo?.  250 OK ?", "level=INFO"},
		{fmt.Errorf("file: %w", &relay.Refusal{Code: 450, Enhanced: [3]int{4, 3, 5}, Text: "Later."}), "450 4.3.5 Later.", "level=INFO"},
		{fmt.Errorf("read: %w", smtp.ErrDataTooLarge), "552 5.3.4 Maximum message size exceeded", ""},
		{errors.New("disk on fire"), "451 4.3.0 Something went wrong on our side. Your message was not accepted; please try again later.", "level=ERROR"},
	} {
		log.Reset()
		got := ""
		if err := Answer(l, "DATA", c.err); err != nil {
			e := err.(*smtp.SMTPError)
			got = fmt.Sprintf("%d %d.%d.%d %s", e.Code, e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2], e.Message)
		}
		if got != c.want || !strings.Contains(log.String(), c.logs) || c.logs == "" && log.Len() > 0 {
			t.Errorf("%v: %q, logs %q", c.err, got, log.String())
		}
	}
}

func TestReadMessage(t *testing.T) {
	broken := errors.New("the client went away")
	for _, c := range []struct {
		name string
		r    io.Reader
		want error
	}{
		{"short", strings.NewReader("x"), nil},
		{"too large", strings.NewReader(strings.Repeat("x", 2<<20)), smtp.ErrDataTooLarge},
		{"too large for go-smtp", io.MultiReader(strings.NewReader("x"), failing{smtp.ErrDataTooLarge}), smtp.ErrDataTooLarge},
		{"long line", io.MultiReader(strings.NewReader("x"), failing{smtp.ErrTooLongLine}), errLongLine},
		{"cut off", io.MultiReader(strings.NewReader("x"), failing{broken}), errBroken},
		{"reset", failing{smtp.ErrDataReset}, errBroken},
	} {
		msg, err := ReadMessage(slog.New(slog.DiscardHandler), c.r, t.TempDir(), 1<<20)
		if err != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			_ = msg.Close()
		}
	}
	// The disk is our own fault.
	_, err := ReadMessage(slog.New(slog.DiscardHandler), strings.NewReader(strings.Repeat("x", 2*spool.MemoryLimit)), "/nonexistent", 1<<20)
	var reply *smtp.SMTPError
	if err == nil || errors.As(err, &reply) {
		t.Errorf("no room to spool is answered with %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

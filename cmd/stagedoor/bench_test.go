package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"net/textproto"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
)

// The benchmarks run a whole daemon in this process, over real sockets, and
// measure beside it what the machine can do: `go test -run xxx -bench .
// ./cmd/stagedoor`.

// benchStage is a daemon with Sam and Tess and a thread between them.
type benchStage struct {
	*play
	d     *daemon
	alias string // the one that Tess answers to
}

func newBenchStage(b *testing.B) *benchStage {
	b.Helper()
	cfg, err := config.Dev(demoDomain)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	cfg.Storage = config.Storage{DSN: "sqlite:" + filepath.Join(dir, "stagedoor.db"), KeyFile: filepath.Join(dir, "secret.key"), TempDir: filepath.Join(dir, "tmp")}
	cfg.DKIM.KeyFile = filepath.Join(dir, "dkim.pem")
	cfg.Outbound.Smarthost = "smtp://127.0.0.1:9"
	cfg.Limits.ConnectionsPerIP = 10000
	for _, list := range [][]string{cfg.SMTP.Listen, cfg.Submission.Listen, cfg.Submission.ListenTLS, cfg.IMAP.Listen, cfg.IMAP.ListenTLS, cfg.HTTP.Listen} {
		for i := range list {
			list[i] = "127.0.0.1:0"
		}
	}
	ctx := context.Background()
	d, err := newDaemon(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	if err := d.start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		if err := d.stop(ctx); err != nil {
			b.Error(err)
		}
	})
	s := &benchStage{d: d, play: &play{domain: cfg.Domain, store: d.open.Store, pipeline: d.pipeline, mx: d.bound.smtp[0], imap: d.bound.imap[0], imapTLS: d.bound.imapTLS[0]}}
	if err := s.cast(ctx); err != nil {
		b.Fatal(err)
	}
	for _, m := range []*person{&s.sam, &s.tess} {
		var err error
		m.Member, err = s.store.ChangeMember(ctx, m.Handle, func(m *threading.Member) error {
			m.Alerts = threading.AlertsNever // ingest is measured here, not delivery
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.pipeline.Contact(ctx, relay.ContactForm{Writer: s.sam.Member, To: s.tess.Member, Subject: "Callback", Text: "Tuesday?"}); err != nil {
		b.Fatal(err)
	}
	mb, err := s.store.Mailbox(ctx, s.tess.ID, "INBOX")
	if err != nil {
		b.Fatal(err)
	}
	err = s.store.Entries(ctx, s.tess.ID, mb.ID, threading.UIDSet{{First: 1, Last: 1}}, func(e threading.Entry) error {
		it, err := s.store.Item(ctx, s.tess.ID, e.ItemID)
		if err != nil {
			return err
		}
		from, err := mail.ParseAddress(field(it.Header, "From"))
		if err == nil {
			s.alias = from.Address
		}
		return err
	})
	if err != nil || s.alias == "" {
		b.Fatal("no alias", err)
	}
	return s
}

// smtpClient is the least that sends: a client must not be what is measured.
type smtpClient struct{ *textproto.Conn }

func dialSMTP(b *testing.B, addr string) *smtpClient {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Minute))
	c := &smtpClient{textproto.NewConn(conn)}
	if _, _, err := c.ReadResponse(220); err != nil {
		b.Fatal(err)
	}
	if err := c.do(250, "EHLO bench.example\r\n"); err != nil {
		b.Fatal(err)
	}
	return c
}

func (c *smtpClient) do(want int, text string) error {
	if _, err := c.W.WriteString(text); err != nil {
		return err
	}
	if err := c.W.Flush(); err != nil {
		return err
	}
	_, _, err := c.ReadResponse(want)
	return err
}

// reply4K is a 4 KB reply from Tess.
func (s *benchStage) reply4K(n int64) string {
	return fmt.Sprintf("From: Tess <%s>\r\nTo: <%s>\r\nSubject: Re: Callback\r\nMessage-ID: <%d@homemail.example>\r\nDate: Tue, 01 Sep 2026 10:00:00 +0200\r\n\r\n%s",
		s.tess.real, s.alias, n, strings.Repeat("All the world's a stage, and all the men and women merely players.\r\n", 56))
}

func (s *benchStage) send(c *smtpClient, n int64) error {
	for _, step := range []struct {
		want int
		text string
	}{
		{250, "MAIL FROM:<" + s.tess.real + ">\r\n"}, {250, "RCPT TO:<" + s.alias + ">\r\n"}, {354, "DATA\r\n"}, {250, s.reply4K(n) + ".\r\n"},
	} {
		if err := c.do(step.want, step.text); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkIngest is durable ingest of 4 KB replies through the whole pipeline
// (policy envelope), over that many connections.
func BenchmarkIngest(b *testing.B) {
	for _, conns := range []int{1, 32} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			s := newBenchStage(b)
			clients := make([]*smtpClient, conns)
			for i := range clients {
				clients[i] = dialSMTP(b, s.mx)
				defer clients[i].Close()
			}
			inTurns(b, clients, s.send)
		})
	}
}

// httpClient is the least that posts.
type httpClient struct {
	net.Conn
	r *bufio.Reader
}

// form4K is a contact form from Tess to Sam with 4 KB of text, as a browser
// posts it.
func form4K(cookie string, n int64) string {
	var b strings.Builder
	for _, field := range [][2]string{
		{"form", ""}, {"once", fmt.Sprint("form", n)}, {"subject", "Ophelia"}, {"text", strings.Repeat("All the world's a stage, and all the men and women merely players.\r\n", 56)},
	} {
		fmt.Fprintf(&b, "--boundary\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", field[0], field[1])
	}
	b.WriteString("--boundary--\r\n")
	return fmt.Sprintf("POST /contact/sam HTTP/1.1\r\nHost: bench.example\r\nCookie: stagedoor=%s\r\nContent-Type: multipart/form-data; boundary=boundary\r\nContent-Length: %d\r\n\r\n%s", cookie, b.Len(), b.String())
}

func (c *httpClient) post(form string) error {
	if _, err := io.WriteString(c, form); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s\n%s", res.Status, body)
	}
	return err
}

// BenchmarkContactForm is the same by the contact form: each is the first
// message of a new thread.
func BenchmarkContactForm(b *testing.B) {
	for _, conns := range []int{1, 32} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			s := newBenchStage(b)
			cookie, err := s.store.NewSession(context.Background(), s.tess.ID, "bench")
			if err != nil {
				b.Fatal(err)
			}
			clients := make([]*httpClient, conns)
			for i := range clients {
				conn, err := net.Dial("tcp", s.d.bound.http[0])
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Minute))
				clients[i] = &httpClient{conn, bufio.NewReader(conn)}
			}
			inTurns(b, clients, func(c *httpClient, n int64) error { return c.post(form4K(cookie, n)) })
		})
	}
}

// inTurns has the clients do b.N things together, and reports how many a
// second.
func inTurns[C any](b *testing.B, clients []C, do func(c C, n int64) error) {
	var n atomic.Int64
	done := make(chan error, len(clients))
	b.ResetTimer()
	for _, c := range clients {
		go func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					done <- nil
					return
				}
				if err := do(c, i); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkSingleRowCommit is the machine's own rate: one small row a
// transaction, synchronous=FULL.
func BenchmarkSingleRowCommit(b *testing.B) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "raw.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := db.Exec("INSERT INTO t (v) VALUES ('x')"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkDotToIdle is the time from the client's final dot to the other
// member's IDLE notice, one message at a time.
func BenchmarkDotToIdle(b *testing.B) {
	s := newBenchStage(b)
	imapClient, arrived, err := s.openInbox(s.sam, s.imap)
	if err != nil {
		b.Fatal(err)
	}
	defer imapClient.Close()
	idle, err := imapClient.Idle()
	if err != nil {
		b.Fatal(err)
	}
	c := dialSMTP(b, s.mx)
	defer c.Close()
	var n int64
	for b.Loop() {
		n++
		if err := s.send(c, n); err != nil {
			b.Fatal(err)
		}
		select {
		case <-arrived:
		case <-time.After(10 * time.Second):
			b.Fatal("no notice")
		}
	}
	_ = idle.Close()
}

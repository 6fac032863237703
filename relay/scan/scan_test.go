package scan

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const message = "From: t-x@msg.example\r\nSubject: Hello\r\n\r\nHello.\r\n"

func read(text string) func() io.Reader {
	return func() io.Reader { return strings.NewReader(text) }
}

// check asks with a short patience: it is waited for in full only where nobody
// answers.
func check(t *testing.T, o Options, text string) (Result, error) {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	return New(o).Check(context.Background(), read(text))
}

func TestRspamd(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		answer string
		want   Verdict
		failed string // in the error; empty: none
	}{
		"no action":         {200, `{"is_skipped":false,"score":0.1,"action":"no action"}`, Clean, ""},
		"greylist":          {200, `{"action":"greylist"}`, Clean, ""},
		"add header":        {200, `{"action":"add header"}`, Suspect, ""},
		"rewrite subject":   {200, `{"action":"rewrite subject","subject":"x"}`, Suspect, ""},
		"reject":            {200, `{"action":"reject","score":20}`, Spam, ""},
		"without scanning":  {200, `{"action":"reject","is_skipped":true}`, Spam, ""}, // GTUBE
		"an unknown action": {200, `{"action":"dance"}`, Clean, `no action that is known ("dance")`},
		"no action at all":  {200, `{}`, Clean, "no action that is known"},
		"no JSON":           {200, "<html>It works!</html>", Clean, "not that of rspamd"},
		"nothing":           {200, "", Clean, "not that of rspamd"},
		"an error":          {500, `{"error":"out of memory"}`, Clean, "it answers 500"},
		"an error inside":   {200, `{"action":"no action","error":"cannot parse"}`, Clean, "could not look at the message"},
		"without an end":    {200, strings.Repeat(" ", maxAnswer+1), Clean, "too long"},
		"elsewhere":         {302, "", Clean, "redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || r.URL.Path != "/checkv2" || r.Method != http.MethodPost || string(body) != message {
					t.Errorf("asked by %s %s with %q, %v", r.Method, r.URL.Path, body, err)
				}
				for _, field := range []string{"From", "Rcpt", "Ip", "Helo", "User", "Hostname"} {
					if r.Header.Get(field) != "" {
						t.Errorf("it is told %s", field)
					}
				}
				if c.status == 302 {
					w.Header().Set("Location", "http://192.0.2.1/")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			}))
			defer srv.Close()
			got, err := check(t, Options{Rspamd: srv.URL + "/"}, message)
			if got.Verdict != c.want || (err == nil) != (c.failed == "") || err != nil && !strings.Contains(err.Error(), c.failed) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// clamd answers each connection by what f says of the message that came.
func clamd(t *testing.T, network string, f func(net.Conn, string)) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "clamd")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				r := bufio.NewReader(c)
				if command, err := r.ReadString(0); err != nil || command != "zINSTREAM\x00" {
					return
				}
				var msg strings.Builder
				for {
					var n uint32
					if binary.Read(r, binary.BigEndian, &n) != nil {
						return
					}
					if n == 0 {
						break
					}
					if _, err := io.CopyN(&msg, r, int64(n)); err != nil {
						return
					}
				}
				f(c, msg.String())
			}()
		}
	}()
	if network == "unix" {
		return "unix:" + address
	}
	return l.Addr().String()
}

func TestClamAV(t *testing.T) {
	large := message + strings.Repeat("0123456789abcdef", 20000) // several chunks
	for name, c := range map[string]struct {
		network, text, answer string
		want                  Result
		failed                string
	}{
		"clean":              {"tcp", large, "stream: OK\x00", Result{}, ""},
		"by a Unix socket":   {"unix", message, "stream: OK\x00", Result{}, ""},
		"empty":              {"tcp", "", "stream: OK\x00", Result{}, ""},
		"found":              {"tcp", large, "stream: Eicar-Test-Signature FOUND\x00", Result{Virus, "Eicar-Test-Signature"}, ""},
		"too large":          {"tcp", message, "INSTREAM size limit exceeded. ERROR\x00", Result{}, "StreamMaxLength"},
		"an error":           {"tcp", message, "stream: Can't allocate memory ERROR\x00", Result{}, "not that of clamd"},
		"of another service": {"tcp", message, "220 mail.example ESMTP\r\n\x00", Result{}, "not that of clamd"},
		"closed":             {"tcp", message, "", Result{}, "no answer"},
		"without an end":     {"tcp", message, strings.Repeat("x", 3*clamAnswer), Result{}, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			at := clamd(t, c.network, func(conn net.Conn, msg string) {
				if msg != c.text {
					t.Errorf("clamd got %d octets of %d", len(msg), len(c.text))
				}
				_, _ = io.WriteString(conn, c.answer)
			})
			got, err := check(t, Options{ClamAV: at}, c.text)
			if got != c.want || (err == nil) != (c.failed == "") || err != nil && !strings.Contains(err.Error(), c.failed) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// Nobody there, and somebody who never answers: both end.
func TestNobodyAnswers(t *testing.T) {
	silent := clamd(t, "tcp", func(c net.Conn, _ string) { _, _ = io.Copy(io.Discard, c) }) // until we hang up
	over := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer hanging.Close()
	defer close(over)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	for name, o := range map[string]Options{
		"clamd is not there":   {ClamAV: closed},
		"rspamd is not there":  {Rspamd: "http://" + closed},
		"no socket":            {ClamAV: "unix:/nowhere/clamd.sock"},
		"clamd says nothing":   {ClamAV: silent, Timeout: 50 * time.Millisecond},
		"rspamd says nothing":  {Rspamd: hanging.URL, Timeout: 50 * time.Millisecond},
		"both, and two errors": {ClamAV: closed, Rspamd: "http://" + closed},
	} {
		r, err := check(t, o, message)
		if err == nil || r.Verdict != Clean {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// The worst counts, also if the other could not be asked.
func TestBoth(t *testing.T) {
	for i, c := range []struct {
		clam, action string
		want         Verdict
		failed       bool
	}{
		{"stream: OK\x00", "no action", Clean, false},
		{"stream: OK\x00", "reject", Spam, false},
		{"stream: X FOUND\x00", "no action", Virus, false},
		{"?\x00", "reject", Spam, true},
	} {
		at := clamd(t, "tcp", func(conn net.Conn, _ string) { _, _ = io.WriteString(conn, c.clam) })
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, `{"action":%q}`, c.action)
		}))
		r, err := check(t, Options{ClamAV: at, Rspamd: srv.URL}, message)
		if r.Verdict != c.want || (err != nil) != c.failed {
			t.Errorf("%d: %v, %v", i, r, err)
		}
		srv.Close()
	}
	if New(Options{}) != nil {
		t.Error("a scanner that asks nobody")
	}
}

func FuzzClamVerdict(f *testing.F) {
	f.Add("stream: OK")
	f.Add("stream:  FOUND")
	f.Fuzz(func(t *testing.T, line string) {
		if r, err := clamVerdict(line); err != nil && r.Verdict != Clean {
			t.Errorf("%q: %v, %v", line, r, err)
		}
	})
}

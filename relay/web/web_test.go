package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// door starts a Server on a loopback port.
func door(t *testing.T, ready func(context.Context) error) (*Server, string) {
	t.Helper()
	return doorWith(t, Options{Ready: ready})
}

func doorWith(t *testing.T, o Options) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(o)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, "http://" + l.Addr().String()
}

func ask(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestAnswers(t *testing.T) {
	_, base := door(t, func(context.Context) error { return nil })
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/healthz", 200, "alive\n"},
		{"HEAD", "/healthz", 200, ""},
		{"GET", "/readyz", 200, "ready\n"},
		{"POST", "/readyz", 405, "Method Not Allowed\n"},
		{"GET", "/", 404, "404 page not found\n"},
		{"GET", "/healthz/x", 404, "404 page not found\n"},
	} {
		if status, body := ask(t, c.method, base+c.path); status != c.status || body != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, status, body, c.status, c.body)
		}
	}
}

func TestNotReadyDoesNotSayWhy(t *testing.T) {
	_, base := door(t, func(context.Context) error { return errors.New("disk /var/lib is full") })
	if status, body := ask(t, "GET", base+"/readyz"); status != 503 || body != "not ready\n" {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := ask(t, "GET", base+"/healthz"); status != 200 {
		t.Errorf("healthz: %d", status)
	}
}

func TestStoppingIsNotReady(t *testing.T) {
	s, base := door(t, func(context.Context) error { return nil })
	s.Stopping()
	if status, body := ask(t, "GET", base+"/readyz"); status != 503 || body != "stopping\n" {
		t.Errorf("%d %q", status, body)
	}
}

func TestManyAskersCostOneQuestion(t *testing.T) {
	var questions atomic.Int32
	_, base := door(t, func(ctx context.Context) error {
		questions.Add(1)
		if _, ok := ctx.Deadline(); !ok {
			t.Error("asks without a deadline")
		}
		return nil
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { ask(t, "GET", base+"/readyz") })
	}
	wg.Wait()
	if n := questions.Load(); n > 3 {
		t.Errorf("%d questions for 20 askers", n)
	}
}

func TestEndlessHeaderIsCutOff(t *testing.T) {
	_, base := door(t, func(context.Context) error { return nil })
	c, err := net.Dial("tcp", base[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
		for range 64 {
			if _, err := c.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && line != "HTTP/1.1 431 Request Header Fields Too Large\r\n" && line != "HTTP/1.1 400 Bad Request\r\n" {
		t.Errorf("answer %q", line)
	}
}

// Package web is the HTTP door. In this version it answers health checks:
//
//   - GET /healthz says that the process runs;
//   - GET /readyz says whether it can do its work: the store answers and the
//     daemon is not stopping. It says no more than that, to whoever asks.
//
// A Server owns one goroutine for each connection; every one ends by a
// timeout or by Shutdown. Nothing is kept on disk.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Time limits of a connection and of one look at the store.
const (
	headerTime = 5 * time.Second
	readTime   = 30 * time.Second
	writeTime  = 30 * time.Second
	idleTime   = time.Minute
	readyTime  = 2 * time.Second
	// readyFresh is how long an answer about readiness is given again: health
	// checks, however many, cost the store one question in this time.
	readyFresh = time.Second
	maxHeader  = 16 << 10 // octets
)

// Options configure a Server.
type Options struct {
	// Ready says why the daemon can't do its work; nil: it can.
	Ready  func(ctx context.Context) error
	Logger *slog.Logger // nil: none
}

// Server is the HTTP door. It is safe for concurrent use.
type Server struct {
	ready    func(ctx context.Context) error
	log      *slog.Logger
	http     *http.Server
	stopping atomic.Bool

	mu      sync.Mutex
	asked   time.Time
	failure error
}

// New returns a Server that doesn't listen yet.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{ready: o.Ready, log: o.Logger}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers on l until Shutdown; it then returns nil. l is closed.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Stopping makes /readyz say no from now on, so that a load balancer turns
// away before the listeners close.
func (s *Server) Stopping() { s.stopping.Store(true) }

// Shutdown stops listening, waits for the answers under way and closes the
// connections, all by force when ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Stopping()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive\n") }

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.stopping.Load() {
		answer(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	if err := s.readiness(r.Context()); err != nil {
		answer(w, http.StatusServiceUnavailable, "not ready\n")
		return
	}
	answer(w, http.StatusOK, "ready\n")
}

// readiness asks whether the daemon is ready, one asker at a time.
func (s *Server) readiness(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < readyFresh {
		return s.failure
	}
	// An asker that hangs up must not make the next one hear "not ready".
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
	defer cancel()
	was := s.failure
	s.failure = s.ready(ctx)
	s.asked = time.Now()
	if s.failure != nil && was == nil {
		s.log.Error("not ready", "error", s.failure)
	}
	return s.failure
}

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

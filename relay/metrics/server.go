package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the listeners.
const (
	headerTime = 5 * time.Second
	answerTime = 20 * time.Second
	idleTime   = 2 * time.Minute
	maxAtOnce  = 4 // answers
	maxHeader  = 16 << 10
)

// Server serves GET /metrics. It owns one goroutine for each connection; all
// end by a timeout or by Shutdown.
type Server struct{ http *http.Server }

// NewServer returns a server that doesn't listen yet.
func NewServer(m *Metrics, log *slog.Logger) *Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxAtOnce, Timeout: answerTime / 2,
	}))
	return &Server{&http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
}

// Serve answers on l until Shutdown; it then returns nil. l is closed.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening and waits for the answers under way, until ctx
// ends.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

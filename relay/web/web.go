// Package web is the HTTP door:
//
//   - GET /healthz says that the process runs;
//   - GET /readyz says whether it can do its work: the store answers and the
//     daemon is not stopping. It says no more than that, to whoever asks;
//   - /held/TOKEN asks a member whether they wrote a message that is held;
//   - /address/TOKEN adds the address that its link was mailed to;
//   - /alerts/TOKEN changes how often a member is told of new messages, also
//     by a mail program's one click (RFC 8058);
//   - /block/TOKEN blocks or reports the writer of a notification;
//   - /contact/HANDLE is the form that writes to a member, also within the
//     platform's pages (/contact.js);
//   - /signin and /account are a member's own pages;
//   - /api/v1 is the platform's (see relay/api);
//   - autoconfig, Autodiscover and a configuration profile set up mail clients;
//   - https://mta-sts.DOMAIN/.well-known/mta-sts.txt tells other servers of TLS.
//
// A GET changes nothing: programs that look at mail open the links in it. Who
// holds a token's link may answer: it was mailed to one person, can't be
// guessed, and opens this one thing only. Pages load nothing from elsewhere and
// work without scripts. No page but the contact form can be shown within
// another site's, and that only by the origins that are configured.
//
// A Server owns one goroutine for each connection; every one ends by a
// timeout or by Shutdown. Nothing is kept on disk.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/threading/login"
	"github.com/stagedoor/stagedoor/threading/store"
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
	Ready     func(ctx context.Context) error
	Pipeline  *relay.Pipeline
	Store     *store.Store
	Login     *login.Authenticator
	Domain    string // of the relay's addresses
	Hostname  string // that mail clients connect to
	Ports     MailPorts
	STSPolicy string // for MTA-STS (RFC 8461); empty: there is none
	// Challenge is what a certificate authority finds at a token (RFC 8555
	// section 8.3); nil: nothing.
	Challenge func(token string) (string, bool)
	// Signer is the certificate that signs profiles; nil, or nil from it: they
	// go out unsigned.
	Signer     func() *tls.Certificate
	TempDir    string // for posted files; empty: the system's
	MaxMessage int64  // octets of a contact form with its files; 0: 25 MB
	LinkKey    string // signs the platform's links; empty: there are none
	// MaxConnections bounds the open connections, MaxPerIP those of one IP address
	// (IPv6: one /64) that is not this machine's; zero: there is no bound.
	MaxConnections, MaxPerIP int
	// FormsPerMember and FormsPerNetwork bound how many contact forms are sent in
	// an hour, wrong ones included; zero: there is no bound.
	FormsPerMember, FormsPerNetwork int
	// EmbedOrigins may show the contact form within their pages.
	EmbedOrigins []string
	Languages    *language.Catalogue // that members can choose; nil: the built-in ones
	Now          func() time.Time    // nil: time.Now
	Brand        string              // on each page
	BrandColor   string              // "#7a1f2b"; empty: palette.Default
	BaseURL      string              // of the links in mail; may be empty
	API          http.Handler        // at /api/v1, which bounds bodies itself; nil: there is none
	SupportURL   string              // may be empty
	SafetyURL    string              // how to recognise scams; may be empty
	Logger       *slog.Logger        // nil: none
}

// Server is the HTTP door. It is safe for concurrent use.
type Server struct {
	o          Options
	base       string // path of Options.BaseURL, without a final slash
	css        []byte
	cssVersion string
	secure     bool          // members reach us by HTTPS
	links      limiter       // mailed, by network
	added      limiter       // links to addresses that are to be added, by member
	forms      limiter       // contact forms, by network
	ownForms   limiter       // the same by member
	misses     limiter       // contact forms to nobody, by member
	exports    limiter       // by member
	blocks     limiter       // what is done on the page that blocks and reports, by member
	jobs       chan struct{} // what is done after its answer
	// exporting are the exports under way.
	exporting chan struct{}
	exporters sync.Map // by member
	working   sync.WaitGroup
	log       *slog.Logger
	http      *http.Server
	stopping  atomic.Bool

	mu      sync.Mutex
	asked   time.Time
	failure error
}

// New returns a Server that doesn't listen yet.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Languages == nil {
		o.Languages = language.BuiltIn()
	}
	s := &Server{o: o, log: o.Logger, jobs: make(chan struct{}, maxLater), exporting: make(chan struct{}, maxExports)}
	if u, err := url.Parse(o.BaseURL); err == nil {
		s.base, s.secure = strings.TrimSuffix(u.Path, "/"), u.Scheme == "https"
	}
	s.css, s.cssVersion = stylesheet(o.BrandColor)
	open := &conns{max: o.MaxConnections, maxPerIP: o.MaxPerIP}
	s.http = &http.Server{
		ConnState:         open.watch,
		Handler:           s.bounded(s.routes()),
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
// connections, all by force when ctx ends. What follows an answer is waited for.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Stopping()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.working.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	return err
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
	s.failure = s.o.Ready(ctx)
	s.asked = time.Now()
	if s.failure != nil && was == nil {
		s.log.Error("not ready", "error", s.failure)
	}
	return s.failure
}

func (s *Server) now() time.Time {
	if s.o.Now != nil {
		return s.o.Now()
	}
	return time.Now()
}

func (s *Server) maxMessage() int64 {
	if s.o.MaxMessage > 0 {
		return s.o.MaxMessage
	}
	return 25 << 20
}

// bounded keeps what a client may post small, and takes the base URL's path
// off, which a web server in front may leave or not.
func (s *Server) bounded(h http.Handler) http.Handler {
	below := http.StripPrefix(s.base, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.secure {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000") // RFC 6797
		}
		limit, path := int64(maxForm), strings.TrimPrefix(r.URL.Path, s.base)
		if strings.HasPrefix(path, "/contact/") {
			limit = s.maxMessage() + maxField
		}
		if s.o.API == nil || !strings.HasPrefix(path, "/api/") {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		if s.base != "" && strings.HasPrefix(r.URL.Path, s.base+"/") {
			below.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

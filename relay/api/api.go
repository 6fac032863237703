// Package api is the platform's door: /api/v1, JSON over HTTP.
//
// Who holds a token of the platform's may use all of it. What is changed goes
// through the same functions as mail, the pages and the command line; a thread
// that is started here is filed by the same pipeline. What it answers is
// described by openapi.json, which is served and which the tests hold against
// every route and answer.
//
// Real addresses are written and never read: an answer shows them masked. What
// members wrote to each other leaves through a report only, and the audit log
// notes who looked. Nothing tells what a blocked member wrote.
//
// An answer that is not a success is a problem (RFC 9457). A POST with an
// Idempotency-Key is done once: the same request gets the same answer for
// store.KeepAnswers, also from another process and after a crash.
//
// A Server owns no goroutine. Each request ends within workTime; bodies, answers
// and the number of requests are bounded.
package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Prefix is the path below which everything is.
const Prefix = "/api/v1"

// Bounds of a request.
const (
	workTime  = 25 * time.Second // within the HTTP door's own
	smallBody = 64 << 10         // octets
	// largeBody has room for a text of relay.MaxContactText in which every second
	// octet is escaped.
	largeBody = 2*relay.MaxContactText + smallBody
	// hashing is how many passwords are hashed at a time: each takes 19 MiB.
	hashing = 2
)

// Options configure a Server.
type Options struct {
	Pipeline *relay.Pipeline
	Store    *store.Store
	Domain   string   // of the relay's addresses
	Base     string   // path of the base URL, without a final slash
	Tokens   []string // any of them is good; there is at least one
	// PerMinute is how many requests are answered in a minute.
	PerMinute int
	Webhooks  []netip.Prefix      // private networks that webhooks may be in
	Languages *language.Catalogue // that members are written to in; nil: the built-in ones
	Now       func() time.Time    // nil: time.Now
	Logger    *slog.Logger        // nil: none
}

// Server answers the API's requests. It is safe for concurrent use.
type Server struct {
	o       Options
	tokens  [][sha256.Size]byte
	mux     *http.ServeMux
	limit   window
	hashing chan struct{}
	log     *slog.Logger
}

//go:embed openapi.json
var openAPI []byte

// operation is one thing that can be done.
type operation struct {
	method, path string // as openapi.json names them
	status       int    // of its success
	do           func(*Server, *call) (any, error)
	large        bool // its body may be a message
}

// New returns a Server.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Languages == nil {
		o.Languages = language.BuiltIn()
	}
	s := &Server{o: o, mux: http.NewServeMux(), hashing: make(chan struct{}, hashing), log: o.Logger}
	for _, t := range o.Tokens {
		s.tokens = append(s.tokens, sha256.Sum256([]byte(t)))
	}
	allowed := map[string][]string{}
	for _, op := range operations {
		allowed[op.path] = append(allowed[op.path], op.method)
		s.mux.HandleFunc(op.method+" "+Prefix+op.path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, op) })
	}
	for path, methods := range allowed {
		s.mux.HandleFunc(Prefix+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			s.answer(w, problemf(errMethod, "Allowed are %s.", strings.Join(methods, ", ")))
		})
	}
	s.mux.HandleFunc("GET "+Prefix+"/openapi.json", s.description)
	s.mux.HandleFunc("GET "+Prefix+"/problems/{name}", s.explain)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, problemf(errNotFound, "There is nothing at this path."))
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// call is a request under way.
type call struct {
	context.Context
	r      *http.Request
	body   []byte
	header http.Header // of the answer
	status int         // another success than the operation's
	once   string      // its idempotency key as the pipeline takes it; empty: none
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, op operation) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	c := &call{Context: ctx, r: r, header: w.Header(), status: op.status}
	err := s.admit(w, c, op)
	var v *reply
	if err == nil {
		v, err = s.perform(c, op)
	}
	if err != nil {
		s.answer(w, s.problemOf(c, err))
		return
	}
	s.succeed(w, r, v.status, v.body)
}

// reply is an answer that is ready to be written.
type reply struct {
	status int
	body   []byte
}

// admit lets a request in: who asks, how often, and with what. It reads the body.
func (s *Server) admit(w http.ResponseWriter, c *call, op operation) error {
	if !s.authorized(c.r) {
		c.header.Set("WWW-Authenticate", `Bearer realm="stagedoor"`) // RFC 6750 section 3
		return problemf(errUnauthorized, "Send a token of the file http.api_token_file: Authorization: Bearer TOKEN.")
	}
	if wait := s.limit.take(s.o.Now(), s.o.PerMinute, c.header); wait > 0 {
		return problemf(errLimited, "At most %d requests are answered in a minute.", s.o.PerMinute)
	}
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		return nil
	}
	limit := int64(smallBody)
	if op.large {
		limit = largeBody
	}
	var err error
	c.body, err = io.ReadAll(http.MaxBytesReader(w, c.r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return problemf(errTooLarge, "The body is larger than %d octets.", limit)
	case err != nil:
		return problemf(errBadRequest, "The body did not arrive as a whole.")
	}
	if kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); len(c.body) > 0 && (err != nil || kind != "application/json" && kind != "application/merge-patch+json") {
		return problemf(errMediaType, "Send JSON: Content-Type: application/json.")
	}
	return nil
}

func (s *Server) authorized(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	known := 0
	for _, t := range s.tokens {
		known |= subtle.ConstantTimeCompare(sum[:], t[:])
	}
	return known == 1 && strings.EqualFold(scheme, "Bearer")
}

// perform does an operation, once if the request has a key.
func (s *Server) perform(c *call, op operation) (*reply, error) {
	key := c.r.Header.Get("Idempotency-Key")
	if op.method != http.MethodPost || key == "" {
		return s.run(c, op)
	}
	return s.once(c, op, key)
}

func (s *Server) run(c *call, op operation) (*reply, error) {
	v, err := op.do(s, c)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return &reply{status: c.status}, nil
	}
	b, err := encode(v)
	return &reply{c.status, b}, err
}

// encode writes JSON as it is answered: text stays text.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write the answer: %w", err)
	}
	return b.Bytes(), nil
}

// etag names what a body says.
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// succeed writes an answer. One to GET has an entity tag (RFC 9110 section 8.8.3).
func (s *Server) succeed(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		h.Set("ETag", etag(body))
		h.Set("Cache-Control", "private, no-cache")
		if tagged(r.Header.Values("If-None-Match"), etag(body)) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// tagged reports whether a field of entity tags names this one.
func tagged(fields []string, tag string) bool {
	for _, f := range fields {
		for t := range strings.SplitSeq(f, ",") {
			if t = strings.TrimSpace(t); t == "*" || strings.TrimPrefix(t, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// matches refuses a change to what is no longer as the client knows it.
func (c *call) matches(current any) error {
	fields := c.r.Header.Values("If-Match")
	if len(fields) == 0 {
		return nil
	}
	b, err := encode(current)
	if err == nil && !tagged(fields, etag(b)) {
		err = problemf(errPrecondition, "It was changed meanwhile: get it again.")
	}
	return err
}

func (s *Server) description(w http.ResponseWriter, r *http.Request) {
	s.succeed(w, r, http.StatusOK, openAPI)
}

// created answers 201 with where the new thing is.
func (s *Server) created(c *call, path string) { c.header.Set("Location", s.o.Base+Prefix+path) }

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading/store"
)

// problem is an answer that is not a success (RFC 9457).
type problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Errors []fieldError `json:"errors,omitempty"`
}

// fieldError says what is wrong with one member of the body.
type fieldError struct {
	Pointer string `json:"pointer"` // RFC 6901
	Detail  string `json:"detail"`
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

// kind is a type of problem.
type kind struct {
	name   string
	status int
	title  string
	help   string // what to do, for people
}

// The types of problem. Their names are stable.
var (
	errBadRequest   = kind{"bad-request", 400, "The request can't be read", "The body is not the JSON that openapi.json describes, or a parameter is not good. Mend it; sending it again changes nothing."}
	errUnauthorized = kind{"unauthorized", 401, "A token is needed", "Send Authorization: Bearer TOKEN with a line of the file http.api_token_file."}
	errNotFound     = kind{"not-found", 404, "There is no such thing", "It never was, or is there no more."}
	errMethod       = kind{"method-not-allowed", 405, "This can't be done here", "The field Allow lists what can."}
	errConflict     = kind{"conflict", 409, "It is in the way of another", "What you want to make is there already and differs, or its state does not allow the change."}
	errUnderWay     = kind{"in-progress", 409, "The same request is under way", "Wait a little and send it again, with the same Idempotency-Key."}
	errPrecondition = kind{"precondition-failed", 412, "It was changed meanwhile", "Get it again, decide anew, and send the new ETag in If-Match."}
	errTooLarge     = kind{"too-large", 413, "The body is too large", "Send less."}
	errMediaType    = kind{"unsupported-media-type", 415, "The body is not JSON", "Send Content-Type: application/json."}
	errInvalid      = kind{"invalid", 422, "A value is not good", "The list errors says of each member of the body what is wrong with it."}
	errRefused      = kind{"refused", 422, "The message was refused", "The detail says why, in words for its writer."}
	errOtherRequest = kind{"key-reused", 422, "The key belongs to another request", "An Idempotency-Key names one request: use a new one for a new request."}
	errLimited      = kind{"rate-limited", 429, "Too many requests", "Wait for as many seconds as Retry-After says."}
	errInternal     = kind{"internal", 500, "Something went wrong here", "The log of the daemon says what. Send the request again, with the same Idempotency-Key."}
	errUnavailable  = kind{"unavailable", 503, "It can't be done right now", "Try again in a minute, with the same Idempotency-Key."}
)

var kinds = []kind{errBadRequest, errUnauthorized, errNotFound, errMethod, errConflict, errUnderWay, errPrecondition, errTooLarge, errMediaType, errInvalid, errRefused, errOtherRequest, errLimited, errInternal, errUnavailable}

func problemf(k kind, format string, args ...any) *problem {
	return &problem{Type: Prefix + "/problems/" + k.name, Title: k.title, Status: k.status, Detail: fmt.Sprintf(format, args...)}
}

// invalid says what is wrong with members of the body.
func invalid(errs ...fieldError) *problem {
	p := problemf(errInvalid, "%s", errs[0].Detail)
	p.Errors = errs
	return p
}

// problemOf turns what a handler returns into a problem. What is our own fault
// is logged and not told.
func (s *Server) problemOf(c *call, err error) *problem {
	var p *problem
	var refused *relay.Refusal
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &refused) && refused.RetryAfter > 0:
		c.header.Set("Retry-After", strconv.Itoa(int((refused.RetryAfter+time.Second-1)/time.Second)))
		return problemf(errLimited, "%s", refused.Text)
	case errors.As(err, &refused) && refused.Temporary():
		return problemf(errUnavailable, "%s", refused.Text)
	case errors.As(err, &refused):
		return problemf(errRefused, "%s", refused.Text)
	case errors.Is(err, store.ErrNotFound):
		return problemf(errNotFound, "There is no such thing.")
	case errors.Is(err, store.ErrClosed), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problemf(errUnavailable, "It was not done in time.")
	}
	s.log.Error("a request to the API failed", "method", c.r.Method, "operation", c.r.Pattern, "error", err)
	return problemf(errInternal, "Something went wrong here.")
}

// answer writes a problem.
func (s *Server) answer(w http.ResponseWriter, p *problem) {
	h := w.Header()
	for _, name := range []string{"Location", "ETag"} {
		h.Del(name)
	}
	switch p.Status {
	case http.StatusServiceUnavailable, http.StatusConflict:
		if h.Get("Retry-After") == "" && p.Type != Prefix+"/problems/"+errConflict.name {
			h.Set("Retry-After", "5")
		}
	}
	shown := *p
	shown.Type = s.o.Base + p.Type
	body, err := encode(shown)
	if err != nil {
		body = nil
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

// explain is what the type of a problem leads to.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	for _, k := range kinds {
		if k.name == r.PathValue("name") {
			h := w.Header()
			h.Set("Content-Type", "text/plain; charset=utf-8")
			h.Set("X-Content-Type-Options", "nosniff")
			_, _ = fmt.Fprintf(w, "%s (%d)\n\n%s\n", strings.TrimSuffix(k.title, "."), k.status, k.help)
			return
		}
	}
	s.answer(w, problemf(errNotFound, "There is no problem of this name."))
}

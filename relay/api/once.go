package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// maxKey bounds an idempotency key, in octets.
const maxKey = 255

// noteTime bounds how long it takes to note what became of a request.
const noteTime = 30 * time.Second

// once does an operation once for a key. The key is claimed before and the
// answer kept after, both on disk, so that another process and one after a crash
// know of it. What failed may be tried again.
func (s *Server) once(c *call, op operation, key string) (*reply, error) {
	if len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, problemf(errBadRequest, "The Idempotency-Key must have 1 to %d visible ASCII characters.", maxKey)
	}
	keys := s.o.Store.Keyring()
	claim := keys.Hash("api request", key)
	request := keys.Hash("api request body", op.method, c.r.URL.RequestURI(), string(c.body))
	kept, err := s.o.Store.ClaimRequest(c, claim, request, workTime)
	switch {
	case errors.Is(err, store.ErrOtherRequest):
		return nil, problemf(errOtherRequest, "This Idempotency-Key was used for another request.")
	case errors.Is(err, store.ErrUnderWay):
		c.header.Set("Retry-After", "2")
		return nil, problemf(errUnderWay, "A request with this Idempotency-Key is under way.")
	case err != nil:
		return nil, err
	case kept != nil:
		c.header.Set("Idempotency-Replayed", "true")
		if kept.Location != "" {
			c.header.Set("Location", kept.Location)
		}
		return &reply{kept.Status, kept.Body}, nil
	}
	c.once = key
	r, err := s.run(c, op)
	// What was done is noted also for a caller who has gone away meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c), noteTime)
	defer cancel()
	if err != nil {
		if p := s.problemOf(c, err); p.Status < http.StatusInternalServerError {
			// It did nothing: the key is free again, for the request once it is mended.
			if derr := s.o.Store.ForgetRequest(ctx, claim); derr != nil {
				return nil, derr
			}
		}
		return nil, err
	}
	err = s.o.Store.KeepAnswer(ctx, claim, store.KeptAnswer{Status: r.status, Location: c.header.Get("Location"), Body: r.body})
	return r, err
}

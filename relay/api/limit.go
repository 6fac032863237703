package api

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// window counts the requests of a minute.
type window struct {
	mu    sync.Mutex
	began time.Time
	count int
}

// take counts a request and says so in the fields RateLimit and
// RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). It returns how long
// to wait if there were too many.
func (w *window) take(now time.Time, quota int, h http.Header) time.Duration {
	w.mu.Lock()
	if since := now.Sub(w.began); since < 0 || since >= time.Minute {
		w.began, w.count = now, 0
	}
	w.count++
	left, reset := quota-w.count, w.began.Add(time.Minute).Sub(now)
	w.mu.Unlock()
	seconds := int((reset + time.Second - 1) / time.Second)
	h.Set("RateLimit-Policy", fmt.Sprintf(`"minute";q=%d;w=60`, quota))
	h.Set("RateLimit", fmt.Sprintf(`"minute";r=%d;t=%d`, max(left, 0), seconds))
	if left >= 0 {
		return 0
	}
	h.Set("Retry-After", strconv.Itoa(seconds))
	return reset
}

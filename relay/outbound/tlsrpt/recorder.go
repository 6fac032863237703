package tlsrpt

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// How often counts are written, and how many may wait for that.
const (
	writeEvery = 10 * time.Second
	writeTime  = 5 * time.Second
	maxWaiting = 5000 // results that differ
)

// Recorder counts how connections went. It is safe for concurrent use.
type Recorder struct {
	store *store.Store
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	day     time.Time // that waiting is of
	waiting map[key]int64
	dropped int
}

// key is a result, as TLSResult has it.
type key struct{ domain, detail string }

// NewRecorder returns a Recorder that writes to a store.
func NewRecorder(st *store.Store, log *slog.Logger, now func() time.Time) *Recorder {
	return &Recorder{store: st, log: log, now: now, waiting: map[key]int64{}}
}

// Count counts one connection. A nil Recorder counts nothing.
func (r *Recorder) Count(x Result) {
	if r == nil {
		return
	}
	x.Policy = x.Policy.bounded()
	detail, err := json.Marshal(x)
	if err != nil {
		return // it is made of strings
	}
	k := key{x.Policy.Domain, string(detail)}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.waiting[k]; !known && len(r.waiting) >= maxWaiting {
		r.dropped++
		return
	}
	if len(r.waiting) == 0 {
		r.day = now
	}
	r.waiting[k]++
}

// Run writes the counts from time to time, until the context ends, and then
// what is left.
func (r *Recorder) Run(ctx context.Context) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		r.Write()
	}
}

// Write writes what was counted. What the store does not take is kept for the
// next time.
func (r *Recorder) Write() {
	r.mu.Lock()
	counts, day, dropped := r.waiting, r.day, r.dropped
	r.waiting, r.dropped = map[key]int64{}, 0
	r.mu.Unlock()
	if dropped > 0 {
		r.log.Warn("TLS results were more than could be counted", "dropped", dropped)
	}
	if len(counts) == 0 {
		return
	}
	list := make([]store.TLSResult, 0, len(counts))
	for k, n := range counts {
		list = append(list, store.TLSResult{Domain: k.domain, Detail: k.detail, Count: n})
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	err := r.store.CountTLS(ctx, day, list)
	if err == nil {
		return
	}
	r.log.Error("TLS results could not be written; they are kept for the next time", "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, n := range counts {
		r.waiting[k] += n
	}
	r.day = day
}

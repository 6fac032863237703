package notify

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

const (
	digestEvery = time.Minute
	digestBatch = 100 // members that are looked up at a time
	digestTime  = time.Minute
	// filingTime is how long a message may be on its way to the disk after it
	// got its ID: what is younger waits for the next digest, lest it be missed.
	filingTime = 2 * time.Minute
)

// Digester queues each member's daily digest when it is due. That one was
// made is noted in the transaction that queues it: there is one a day, also if
// the daemon dies or two of them run. Run is its one goroutine.
type Digester struct {
	r        *Renderer
	pipeline *relay.Pipeline
	now      func() time.Time
	log      *slog.Logger
}

// NewDigester returns a Digester. now: nil is time.Now.
func NewDigester(r *Renderer, p *relay.Pipeline, now func() time.Time, log *slog.Logger) *Digester {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Digester{r: r, pipeline: p, now: now, log: log}
}

// Run queues digests until ctx ends.
func (d *Digester) Run(ctx context.Context) {
	tick := time.NewTicker(digestEvery)
	defer tick.Stop()
	for {
		if err := d.Queue(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("digests are late", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Queue makes all digests that are due. One that can't be made is put off to
// the next day, its messages with it. Where the store fails for a member, the
// others are served, and that one is tried again in the next round.
func (d *Digester) Queue(ctx context.Context) error {
	failed := map[threading.ID]bool{} // they stay due, and come first
	for full := true; full; {
		limit := digestBatch + len(failed)
		due, err := d.r.o.Store.DueDigests(ctx, limit)
		if err != nil {
			return err
		}
		full = len(due) == limit
		for _, one := range due {
			if failed[one.Member.ID] {
				continue
			}
			if err := d.queue(ctx, one); ctx.Err() != nil {
				return ctx.Err()
			} else if err != nil {
				failed[one.Member.ID] = true
				d.log.Error("a digest is late", "member", one.Member.Handle, "error", err)
			}
		}
	}
	return nil
}

func (d *Digester) queue(ctx context.Context, due store.DueDigest) error {
	ctx, cancel := context.WithTimeout(ctx, digestTime)
	defer cancel()
	until := d.now().Add(-filingTime)
	var queued *store.Notice
	reachable, err := d.reachable(ctx, due.Member)
	if err != nil {
		return err
	}
	if !reachable {
		until = due.Since // it is told when mail goes there again
	} else if due.Member.Status == threading.MemberActive {
		queued, err = d.compose(ctx, due, until, false)
		var stopped *relay.Refusal
		if errors.As(err, &stopped) { // by the gate: a digest goes out all the same
			queued, err = d.compose(ctx, due, until, true)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			d.log.Error("a digest can't be made; it is tried again the next day", "member", due.Member.Handle, "error", err)
			queued, until = nil, due.Since
		}
	}
	err = d.r.o.Store.FileDigest(ctx, due, until, queued)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && queued != nil {
		d.log.Info("digest queued", "member", due.Member.Handle)
	}
	return err
}

// compose makes a digest through the gate; nil: there is nothing to tell.
func (d *Digester) compose(ctx context.Context, due store.DueDigest, until time.Time, bare bool) (*store.Notice, error) {
	n, ok, err := d.r.digestOf(ctx, due.Member, due.Since, until, bare)
	if err != nil || !ok {
		return nil, err
	}
	out, err := d.pipeline.Compose(ctx, n)
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// reachable reports whether mail goes to the member's primary address.
func (d *Digester) reachable(ctx context.Context, m threading.Member) (bool, error) {
	addrs, err := d.r.o.Store.Addresses(ctx, m.ID)
	return len(addrs) > 0 && addrs[0].FailedAt.IsZero(), err
}

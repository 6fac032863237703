package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/crypto/acme"
)

// retries is how long is waited after a failure, and after the next ones.
// Authorities count failures: Let's Encrypt stops listening for an hour after
// five for one name.
var retries = []time.Duration{5 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour}

// schedule is when a name is tried again.
type schedule struct {
	failures int
	notTill  time.Time
}

// kept are the certificates on disk, by name.
func (a *agent) kept(log *slog.Logger) map[string]*tls.Certificate {
	found := map[string]*tls.Certificate{}
	for _, name := range a.o.Names {
		c, err := a.store.certificate(name)
		if err != nil {
			log.Warn("a certificate that was kept can't be used; another is asked for", "name", name, "error", err)
		}
		if c != nil {
			found[name] = c
		}
	}
	return found
}

// forgive lets every name be tried again at once: somebody put something
// right, or thinks so.
func (a *agent) forgive() {
	for _, t := range a.turns {
		*t = schedule{}
	}
}

// renewAt is when a certificate is renewed: when a third of its time is left.
func renewAt(c *tls.Certificate) time.Time {
	return c.Leaf.NotAfter.Add(-c.Leaf.NotAfter.Sub(c.Leaf.NotBefore) / 3)
}

// renew gets the certificates whose time has come, one after the other. It
// returns after how long there is more to do.
func (s *Source) renew(ctx context.Context) time.Duration {
	next := s.o.Now().Add(time.Hour)
	for _, name := range s.agent.o.Names {
		turn, due := s.agent.turns[name], s.o.Now()
		if c := s.active.Load().byName[name]; c != nil {
			due = renewAt(c)
		}
		if turn.notTill.After(due) {
			due = turn.notTill
		}
		if due.After(s.o.Now()) {
			next = earlier(next, due)
			continue
		}
		c, err := s.agent.obtain(ctx, name)
		if ctx.Err() != nil {
			return 0
		}
		if err != nil {
			wait := turn.failed(s.o.Now(), err)
			s.log.Error("no certificate; what there is stays in use", "name", name, "error", err, "tried_again_in", wait.Round(time.Second))
			next = earlier(next, turn.notTill)
			continue
		}
		*turn = schedule{}
		s.use(name, c)
		s.log.Info("got a certificate", "name", name, "valid_until", c.Leaf.NotAfter.UTC().Format(time.RFC3339))
		next = earlier(next, renewAt(c))
	}
	return max(time.Second, next.Sub(s.o.Now()))
}

// failed notes a failure and returns how long the name waits now: later each
// time, and not before the authority wants to be asked.
func (t *schedule) failed(now time.Time, err error) time.Duration {
	wait := retries[min(t.failures, len(retries)-1)]
	wait += rand.N(wait / 10) // not all relays of the world at once
	var e *acme.Error
	if errors.As(err, &e) {
		if after, ok := acme.RateLimit(e); ok && after > wait {
			wait = min(after, 7*24*time.Hour)
		}
	}
	t.failures++
	t.notTill = now.Add(wait)
	return wait
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

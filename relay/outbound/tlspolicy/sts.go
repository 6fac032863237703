package tlspolicy

import (
	"context"
	"errors"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// When a policy is fetched anew although its id is the same: RFC 8461 section
// 10.2 suggests once a day, so that it does not end unnoticed.
const refreshAfter = 24 * time.Hour

// After a failed fetch none is tried for so long (RFC 8461 section 3.3).
const (
	fetchPause = 5 * time.Minute
	maxFailed  = 10000 // domains
)

type failedFetch struct {
	id    string // that was announced
	until time.Time
	fault *Fault
}

// found is what is known of a domain's policy.
type found struct {
	policy Policy
	known  bool
	fault  *Fault // why one that is announced is not known
	unsure *Fault // why it is not known whether there is one
}

// sts finds a domain's policy.
func (f *Finder) sts(ctx context.Context, domain string) found {
	defer f.lock(ctx, domain)()
	now := f.o.Now()
	kept, id := f.kept(ctx, domain, now)
	announced, ok, err := f.announced(ctx, domain)
	switch {
	case kept != nil && (!ok || id == announced && !kept.stale(now)):
		// RFC 8461 section 5.1: what is kept holds although none is announced.
		return found{policy: kept.policy, known: true}
	case err != nil:
		return found{unsure: faultRecord}
	case !ok:
		return found{}
	}
	fresh, fault := f.fetchOnce(ctx, domain, announced, now)
	switch {
	case fault != nil && kept != nil:
		return found{policy: kept.policy, known: true} // the one before holds on (section 3.3)
	case fault != nil:
		return found{fault: fault}
	}
	err = f.o.Store.KeepSTSPolicy(ctx, domain, store.STSPolicy{ID: announced, Text: fresh.Text(), FetchedAt: now, ExpiresAt: now.Add(fresh.MaxAge)})
	if err != nil && ctx.Err() == nil {
		f.o.Logger.Error("an MTA-STS policy could not be kept", "err", err)
	}
	return found{policy: fresh, known: true}
}

// keptPolicy is a policy out of the store.
type keptPolicy struct {
	policy             Policy
	fetched, expiresAt time.Time
}

// stale: it is time to fetch it anew.
func (k *keptPolicy) stale(now time.Time) bool {
	return now.Sub(k.fetched) > min(refreshAfter, k.policy.MaxAge/2)
}

// kept returns the policy that was fetched before, if its time is not over.
func (f *Finder) kept(ctx context.Context, domain string, now time.Time) (*keptPolicy, string) {
	row, err := f.o.Store.STSPolicy(ctx, domain)
	if errors.Is(err, store.ErrNotFound) || err == nil && !now.Before(row.ExpiresAt) {
		return nil, ""
	}
	var p Policy
	if err == nil {
		p, err = ParsePolicy(row.Text)
	}
	if err != nil {
		if ctx.Err() == nil {
			f.o.Logger.Error("a kept MTA-STS policy could not be read: it is fetched anew", "err", err)
		}
		return nil, ""
	}
	return &keptPolicy{p, row.FetchedAt, row.ExpiresAt}, row.ID
}

// recordTime bounds the lookup of the TXT record.
const recordTime = 15 * time.Second

// announced returns the id of the policy that DNS announces, or an error if the
// lookup gets no answer. Ordinary mail does not wait for one: whoever can
// suppress it could do so before the first fetch, and later the kept policy
// holds (RFC 8461 section 10.2).
func (f *Finder) announced(ctx context.Context, domain string) (id string, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	records, err := f.o.Net.LookupTXT(ctx, "_mta-sts."+domain+".")
	if isNotFound(err) {
		return "", false, nil
	} else if err != nil {
		if ctx.Err() == nil {
			f.o.Logger.Debug("whether a domain has an MTA-STS policy could not be found out")
		}
		return "", false, err
	}
	id, ok = parseRecord(records)
	return id, ok, nil
}

// fetchOnce fetches a policy, unless that failed a moment ago.
func (f *Finder) fetchOnce(ctx context.Context, domain, id string, now time.Time) (Policy, *Fault) {
	f.mu.Lock()
	last, failed := f.failed[domain]
	f.mu.Unlock()
	if failed && last.id == id && now.Before(last.until) {
		return Policy{}, last.fault
	}
	p, fault, err := f.fetch(ctx, domain)
	if ctx.Err() != nil && fault != nil {
		return p, fault // our own doing: nothing to remember
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault == nil {
		delete(f.failed, domain)
		return p, nil
	}
	if len(f.failed) >= maxFailed {
		clear(f.failed)
	}
	f.failed[domain] = failedFetch{id, now.Add(fetchPause), fault}
	f.o.Logger.Info("an MTA-STS policy could not be fetched", "result", fault.Result, "reason", err)
	return Policy{}, fault
}

// lock lets one goroutine ask for a domain at a time: the others find what it
// found. The returned function unlocks.
func (f *Finder) lock(ctx context.Context, domain string) (unlock func()) {
	for {
		f.mu.Lock()
		busy := f.asking[domain]
		if busy == nil {
			done := make(chan struct{})
			f.asking[domain] = done
			f.mu.Unlock()
			return func() {
				f.mu.Lock()
				delete(f.asking, domain)
				f.mu.Unlock()
				close(done)
			}
		}
		f.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return func() {}
		}
	}
}

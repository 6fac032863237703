package signing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/dns"
)

const (
	checkEvery    = time.Hour
	lookupTimeout = 20 * time.Second
)

// Run looks into DNS at once, then every hour and whenever Wake is called,
// until ctx ends.
func (r *Ring) Run(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	told := map[string]bool{}
	for {
		if err := r.load(); err != nil {
			r.o.Logger.Error("the DKIM keys can't be read again: mail is signed with those that were read before", "reason", err)
		} else if err := r.useNext(ctx); err != nil && ctx.Err() == nil {
			r.o.Logger.Warn("the next DKIM keys are not used yet", "reason", err)
		}
		for _, p := range r.Pairs() {
			if names := p.Selectors(); p.Withdrawable(r.o.Now()) && !told[names] {
				told[names] = true
				r.o.Logger.Info("the DNS records of these DKIM selectors may be withdrawn", "selectors", names)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.wake:
		}
	}
}

// Wake makes Run look into DNS now.
func (r *Ring) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it is going to
	}
}

// useNext lets the next pair sign if it is in DNS. An error says why it does not
// yet.
func (r *Ring) useNext(ctx context.Context) error {
	var next *Pair
	for _, p := range r.Pairs() {
		if p.State == Next {
			next = &p
		}
	}
	if next == nil {
		return nil
	}
	for _, k := range next.Keys {
		if err := r.published(ctx, k); err != nil {
			return fmt.Errorf("DKIM selector %s: %w", k.Selector, err)
		}
	}
	if err := r.promote(next.number); err != nil {
		return err
	}
	r.o.Logger.Info("the new DKIM keys are in DNS: mail is signed with them from now on", "selectors", next.Selectors(), "withdraw_the_old_after", r.o.Now().Add(KeepRetired).Format(time.DateOnly))
	return nil
}

// promote lets a pair sign, and retires the one that did. If another process
// was faster, nothing is left to do.
func (r *Ring) promote(number int) error {
	return r.change(func(l *list) error {
		now := r.o.Now().UTC()
		if !slices.ContainsFunc(l.Pairs, func(e entry) bool { return e.Number == number && e.State == Next }) {
			return nil
		}
		for i, e := range l.Pairs {
			switch {
			case e.State == Signing:
				l.Pairs[i].State, l.Pairs[i].Since = Retired, now
			case e.Number == number:
				l.Pairs[i].State, l.Pairs[i].Since = Signing, now
			}
		}
		return nil
	})
}

// published makes sure that DNS has a key's record, and no other beside it: a
// verifier may take any (RFC 6376 section 3.6.2.2).
func (r *Ring) published(ctx context.Context, k Key) error {
	want, err := dns.DKIMValue(k.Private.Public())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	// With the final dot no search domain is tried.
	values, err := r.o.LookupTXT(ctx, k.Selector+"._domainkey."+r.o.Domain+".")
	var failed *net.DNSError
	switch {
	case errors.As(err, &failed) && failed.IsNotFound, err == nil && len(values) == 0:
		return errors.New("its record is not in DNS: stagedoor dns records prints it")
	case err != nil:
		return errors.New("DNS does not answer")
	}
	for _, value := range values {
		if tag(value, "p") != tag(want, "p") {
			return errors.New("DNS has another record under its name: stagedoor dns check shows both")
		}
	}
	return nil
}

// tag is the value of a tag in a tag-list, without white space (RFC 6376
// section 3.2).
func tag(list, name string) string {
	for part := range strings.SplitSeq(list, ";") {
		if key, value, ok := strings.Cut(part, "="); ok && strings.TrimSpace(key) == name {
			return strings.Join(strings.Fields(value), "")
		}
	}
	return ""
}

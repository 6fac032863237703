// Package signing puts DKIM signatures (RFC 6376) on what the relay sends, and
// keeps the keys for it.
//
// # What it promises
//
// Every message is signed twice: by RSA, which all verifiers know, and by
// Ed25519 (RFC 8463). The two keys are a pair, and a Ring is a list of pairs:
// one signs, another may be next, those that signed before are retired. The
// first pair signs from the first start on, whether it is in DNS or not:
// without it mail would not be signed at all. A next pair signs when both its
// records are in DNS and not before, so that no receiver sees a signature whose
// key it can't find; the pair before it is retired then, and its records must
// stay for KeepRetired, for mail that is still under way.
//
// # What is on disk
//
// Each key is a PEM file (mode 0600) beside the first, and the list is a small
// JSON file there. Each appears whole or not at all; a crash between two steps
// leaves a key that the next Rotate takes. Several processes may open one ring:
// changes are made under a lock, and the daemon reads the list again before
// each look into DNS.
//
// # Who owns what
//
// Run's goroutine looks into DNS, and it alone changes which pair signs. All
// else is safe for concurrent use.
package signing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// KeepRetired is how long the records of a retired pair stay in DNS: longer
// than mail waits in any queue (RFC 5321 section 4.5.4.1: 5 days).
const KeepRetired = 7 * 24 * time.Hour

// Options configure a Ring.
type Options struct {
	Domain   string
	Selector string // of the first pair's RSA key; all others are made of it
	KeyFile  string // of that key; all other files stand beside it
	// LookupTXT asks DNS; see net.Resolver. Nil: Run is not going to be called.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	Now       func() time.Time // nil: time.Now
	Logger    *slog.Logger
}

// State is where a pair is in its life.
type State string

// The states, in order.
const (
	Next    State = "next"    // waits to be seen in DNS
	Signing State = "signing" //
	Retired State = "retired" // signs no more
)

// Pair is an RSA and an Ed25519 key that are used together. Where the
// operator's own key file holds an Ed25519 key, the first pair is that one alone.
type Pair struct {
	Keys  []Key
	State State
	Since time.Time // of the state; zero: it was always so

	number int
}

// Withdrawable reports whether a pair's records may be taken out of DNS.
func (p Pair) Withdrawable(now time.Time) bool {
	return p.State == Retired && now.Sub(p.Since) >= KeepRetired
}

// Selectors are the names of a pair's keys.
func (p Pair) Selectors() string {
	var names []string
	for _, k := range p.Keys {
		names = append(names, k.Selector)
	}
	return strings.Join(names, ", ")
}

// Ring is the list of pairs.
type Ring struct {
	o      Options
	signer *Signer
	wake   chan struct{}

	mu    sync.Mutex
	pairs []Pair
}

// Open reads a ring; where there is no list, it makes one and its first pair.
func Open(o Options) (*Ring, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	signer, err := NewSigner(o.Domain)
	if err != nil {
		return nil, err
	}
	r := &Ring{o: o, signer: signer, wake: make(chan struct{}, 1)}
	if err := r.begin(); err != nil {
		return nil, err
	}
	return r, r.load()
}

// begin makes what is missing at the first start. After that a key that is on
// the list is never made again: nobody would find another in DNS.
func (r *Ring) begin() error {
	if _, err := os.Stat(r.listFile()); !errors.Is(err, fs.ErrNotExist) {
		return nil // load says what may be wrong
	}
	if err := r.makeKeys(1); err != nil {
		return err
	}
	err := r.change(func(*list) error { return nil })
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil // the operator's own keys, where only they may write
	}
	return err
}

// Signer signs with whichever pair is to sign.
func (r *Ring) Signer() *Signer { return r.signer }

// Pairs lists all pairs, the newest last.
func (r *Ring) Pairs() []Pair {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Pair(nil), r.pairs...)
}

// Records are the keys that belong into DNS now.
func (r *Ring) Records() []Key {
	var keys []Key
	for _, p := range r.Pairs() {
		if !p.Withdrawable(r.o.Now()) {
			keys = append(keys, p.Keys...)
		}
	}
	return keys
}

// ErrWaiting means that there is a next pair already.
var ErrWaiting = errors.New("the next keys are made already and wait to be seen in DNS")

// Rotate makes the next pair and forgets those whose records have been
// withdrawable. ErrWaiting.
func (r *Ring) Rotate() (Pair, error) {
	err := r.change(func(l *list) error {
		last := 0
		var kept []entry
		for _, e := range l.Pairs {
			if e.State == Next {
				return ErrWaiting
			}
			last = max(last, e.Number)
			if e.pair(nil).Withdrawable(r.o.Now()) {
				r.remove(e.Number)
				continue
			}
			kept = append(kept, e)
		}
		l.Pairs = append(kept, entry{Number: last + 1, State: Next, Since: r.o.Now().UTC()})
		return nil
	})
	if err != nil {
		return Pair{}, err
	}
	pairs := r.Pairs()
	return pairs[len(pairs)-1], nil
}

// remove deletes a pair's files, which nothing needs any more.
func (r *Ring) remove(number int) {
	for _, path := range []string{r.keyFile(number, ""), r.keyFile(number, edSuffix)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			r.o.Logger.Warn("an old DKIM key could not be removed", "file", path, "error", err)
		}
	}
}

// load reads the list and its keys, and lets the signer use the right ones.
func (r *Ring) load() error {
	l, err := readList(r.listFile())
	if err != nil {
		return err
	}
	var pairs []Pair
	for _, e := range l.Pairs {
		keys, err := r.keys(e.Number)
		if errors.Is(err, fs.ErrNotExist) && e.State == Retired {
			continue // nothing needs it any more
		}
		if err != nil {
			return err
		}
		pairs = append(pairs, e.pair(keys))
	}
	for _, p := range pairs {
		if p.State != Signing {
			continue
		}
		if err := r.signer.use(p.Keys); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.pairs = pairs
	r.mu.Unlock()
	return nil
}

// change changes the list, alone, and reads it again.
func (r *Ring) change(do func(*list) error) error {
	unlock, err := lock(r.listFile())
	if err != nil {
		return err
	}
	defer unlock()
	l, err := readList(r.listFile())
	if err != nil {
		return err
	}
	known := slices.Clone(l.Pairs)
	if err := do(&l); err != nil {
		return err
	}
	for _, e := range l.Pairs { // before they are on the list, their files are there
		if slices.ContainsFunc(known, func(k entry) bool { return k.Number == e.Number }) {
			continue
		}
		if err := r.makeKeys(e.Number); err != nil {
			return err
		}
	}
	if err := l.write(r.listFile()); err != nil {
		return fmt.Errorf("write the list of DKIM keys: %w", err)
	}
	return r.load()
}

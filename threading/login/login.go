// Package login tells whether a name and a password are a member's.
//
// A verifier is argon2id: about 20 ms and 19 MiB each time, at most
// maxVerifications at once. Mail clients sign in again and again, so what was
// verified is remembered for rememberFor as a keyed hash, in memory only; a
// password that was changed is noticed at once, since the verifier is part of
// what is hashed. Neither answer nor time tells whether a name exists. Wrong
// passwords slow down the address that they come from, and a name; they never
// lock a member out.
package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// The answers.
var (
	// ErrDenied: there is no such name, or this is not its password.
	ErrDenied = errors.New("the user name or password is wrong")
	// ErrBusy: too many are signing in; the client should try again.
	ErrBusy = errors.New("too many sign-ins at once: try again in a moment")
)

const (
	maxVerifications = 2                // argon2id at once
	maxQueue         = 200              // callers waiting for one
	rememberFor      = 10 * time.Minute // a verified password
	maxRemembered    = 20000
	maxPenalties     = 20000
	penaltyFor       = 10 * time.Minute // after the last wrong password
	freeFailures     = 5                // wrong passwords before slowing down
	maxDelay         = 5 * time.Second
	releaseAfter     = 5 * time.Second // a verification
)

// Options configure an Authenticator.
type Options struct {
	Store  *store.Store
	Domain string           // a name may be HANDLE or HANDLE@DOMAIN
	Now    func() time.Time // nil: time.Now
}

// Authenticator verifies. It is safe for concurrent use and owns no goroutine.
type Authenticator struct {
	o     Options
	slots chan struct{}
	queue chan struct{}
	dummy string // a verifier that takes as long as a real one
	fits  func(verifier, password string) bool
	salt  string // of the remembered hashes

	releasing atomic.Bool // memory is about to be released

	mu         sync.Mutex
	remembered map[string]time.Time // keyed hash of (member, verifier, password) -> until
	penalties  map[string]penalty   // by IP address and by name
}

type penalty struct {
	failures int
	last     time.Time
}

// New returns an Authenticator.
func New(o Options) *Authenticator {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Authenticator{
		o: o, slots: make(chan struct{}, maxVerifications), queue: make(chan struct{}, maxQueue),
		dummy: seal.NewVerifier(rand.Text()), fits: seal.Verify, salt: rand.Text(),
		remembered: map[string]time.Time{}, penalties: map[string]penalty{},
	}
	a.releaseLater() // the dummy verifier's
	return a
}

// Verify returns the active member with that name and password, or app
// password; ErrDenied, ErrBusy, or what the store says. It waits up to maxDelay
// for those who were wrong too often.
func (a *Authenticator) Verify(ctx context.Context, name, password string, ip netip.Addr) (threading.Member, error) {
	return a.verifyAmong(ctx, name, password, ip, func(threading.Credential) bool { return true })
}

// VerifyOwn is Verify without the app passwords: who finds a device has its
// mailbox, not the account.
func (a *Authenticator) VerifyOwn(ctx context.Context, name, password string, ip netip.Addr) (threading.Member, error) {
	return a.verifyAmong(ctx, name, password, ip, func(c threading.Credential) bool { return c.Kind == threading.CredentialPassword })
}

func (a *Authenticator) verifyAmong(ctx context.Context, name, password string, ip netip.Addr, counts func(threading.Credential) bool) (threading.Member, error) {
	handle, known := a.handle(name)
	var member threading.Member
	var credentials []threading.Credential
	if known {
		m, err := a.o.Store.MemberByHandle(ctx, handle)
		switch {
		case err == nil && m.Status == threading.MemberActive:
			member = m
			if credentials, err = a.o.Store.Credentials(ctx, m.ID); err != nil {
				return threading.Member{}, err
			}
			credentials = slices.DeleteFunc(credentials, func(c threading.Credential) bool { return !counts(c) })
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return threading.Member{}, fmt.Errorf("look up the member: %w", err)
		}
	}
	if a.isRemembered(member, credentials, password) != nil {
		return member, nil
	}
	from, who := "ip "+source(ip), "name "+handle
	if err := wait(ctx, max(a.delay(from), a.delay(who))); err != nil {
		return threading.Member{}, err
	}
	c, err := a.verify(ctx, member, credentials, password)
	if err != nil {
		return threading.Member{}, err
	}
	if c == nil {
		a.failed(from, who)
		return threading.Member{}, ErrDenied
	}
	if !a.remember(member.ID, c.Verifier, password) {
		return member, nil
	}
	_ = a.o.Store.TouchCredential(ctx, *c) // a note, not worth refusing a member for
	return member, nil
}

// handle takes the handle out of a login name. What can't be one (an address
// of another domain, too long) is nobody's: all such names count as one, so
// that what is noted of wrong names stays small.
func (a *Authenticator) handle(name string) (handle string, ok bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	local, domain, full := strings.Cut(name, "@")
	if full && !strings.EqualFold(domain, a.o.Domain) || len(local) > threading.MaxSlug {
		return "", false
	}
	return local, true
}

// verify returns the credential that the password fits, or nil. An unknown
// name, and a member without a password, take as long as a wrong password.
func (a *Authenticator) verify(ctx context.Context, member threading.Member, credentials []threading.Credential, password string) (*threading.Credential, error) {
	if len(password) > seal.MaxPassword {
		return nil, nil
	}
	select {
	case a.queue <- struct{}{}:
		defer func() { <-a.queue }()
	default:
		return nil, ErrBusy
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// A mail client opens several connections at once: the first has verified
	// for those that waited.
	if c := a.isRemembered(member, credentials, password); c != nil {
		return c, nil
	}
	defer a.releaseLater()
	tried := false
	app, isApp := seal.AppPassword(password)
	for i, c := range credentials {
		switch {
		case c.Kind == threading.CredentialApp && isApp && a.fits(c.Verifier, app):
			return &credentials[i], nil
		case c.Kind == threading.CredentialPassword:
			tried = true
			if a.fits(c.Verifier, password) {
				return &credentials[i], nil
			}
		}
	}
	if !tried {
		a.fits(a.dummy, password)
	}
	return nil, nil
}

func (a *Authenticator) key(member threading.ID, verifier, password string) string {
	return string(a.o.Store.Keyring().Hash("login", a.salt, member.String(), verifier, password))
}

// isRemembered returns the credential that the password was verified for
// lately, or nil.
func (a *Authenticator) isRemembered(member threading.Member, credentials []threading.Credential, password string) *threading.Credential {
	for i := range credentials {
		k := a.key(member.ID, credentials[i].Verifier, password)
		a.mu.Lock()
		until, ok := a.remembered[k]
		a.mu.Unlock()
		if ok && a.o.Now().Before(until) {
			return &credentials[i]
		}
	}
	return nil
}

// remember notes a verified password, and reports whether it was news.
func (a *Authenticator) remember(member threading.ID, verifier, password string) bool {
	k, now := a.key(member, verifier, password), a.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.remembered[k]) {
		return false
	}
	if len(a.remembered) >= maxRemembered {
		for k, until := range a.remembered {
			if now.After(until) || len(a.remembered) >= maxRemembered {
				delete(a.remembered, k)
			}
		}
	}
	a.remembered[k] = now.Add(rememberFor)
	return true
}

// releaseLater gives the memory of verifications back to the system: 19 MiB
// each, which the runtime would otherwise keep for minutes.
func (a *Authenticator) releaseLater() {
	if a.releasing.CompareAndSwap(false, true) {
		time.AfterFunc(releaseAfter, func() {
			a.releasing.Store(false)
			debug.FreeOSMemory()
		})
	}
}

// delay is how long one who was wrong too often waits: it doubles from 100 ms.
func (a *Authenticator) delay(who string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.penalties[who]
	if !ok || a.o.Now().Sub(p.last) > penaltyFor || p.failures <= freeFailures {
		return 0
	}
	return min(maxDelay, 100*time.Millisecond<<min(p.failures-freeFailures-1, 10))
}

func (a *Authenticator) failed(who ...string) {
	now := a.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.penalties) >= maxPenalties {
		for k, p := range a.penalties {
			if now.Sub(p.last) > penaltyFor || len(a.penalties) >= maxPenalties {
				delete(a.penalties, k)
			}
		}
	}
	for _, w := range who {
		p := a.penalties[w]
		if now.Sub(p.last) > penaltyFor {
			p.failures = 0
		}
		a.penalties[w] = penalty{failures: p.failures + 1, last: now}
	}
}

// source is what penalties are kept by: an IPv4 address, or an IPv6 /64.
func source(ip netip.Addr) string {
	ip = ip.Unmap()
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

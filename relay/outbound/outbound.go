// Package outbound delivers the queue: it leases rows from the store, renders
// and signs each message, and hands it to the MX of the recipient's domain, or
// to the server that the configuration names for it: the smarthost or a route.
//
// # What it promises
//
// A row leaves the queue when a server has said 250, when it was refused for
// good (it is then recorded), when it has waited longer than MaxAge (recorded
// too, and not within hours of a pause or of a longer break), or when it is not wanted any more: its member is suspended or gone, has
// turned alerts off, has blocked the message's writer, or has read it
// (SkipRead), or mail to their address came back. Everything else is tried
// again, after a minute at first and after twice as long each time, up to four
// hours, with jitter. The
// message itself is in its mailbox whatever becomes of its notification.
//
// Nothing of a row is kept here. A crash leaves rows leased; when the lease
// runs out they are delivered by whoever runs then. A server that takes a
// message and drops the connection before its 250 gets it once more: RFC 5321
// section 4.5.4.1 leaves no other choice.
//
// One destination, a domain or a server that is named for many, gets so many
// deliveries at the same time and a minute (Bounds), and has few rows in memory
// if it is slow; so it does not hold up the others. A row whose turn has not
// come, or whose destination is down, goes back with that as its reason. While
// the queue is paused nothing is leased.
//
// A recipient's real address is read when the message is sent, stands in the
// envelope only, and is in no error, log line or stored reason; nor is any
// text of a remote server, which often repeats it: reasons hold codes.
//
// What a receiving domain asks for by DANE or by an MTA-STS policy is kept: a
// message waits rather than go to a server that does not prove who it is
// (package tlspolicy), and its reason says so. So is what its writer asks by
// REQUIRETLS; what can't be done is not mailed, and its reader is told that it
// is in the mailbox.
//
// # Who owns what
//
// Run's goroutine is the dispatcher: it alone owns the rows in memory, the
// destinations and their bounds. Each delivery under way has a goroutine; the
// settler's goroutine writes what became of them back to the store, in
// batches; another renews the leases of what is in memory, another writes the
// counts of TLS results. Idle connections belong to the pool. All end before Run
// returns.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/stagedoor/stagedoor/relay/notify"
	"github.com/stagedoor/stagedoor/relay/outbound/signing"
	"github.com/stagedoor/stagedoor/relay/outbound/tlspolicy"
	"github.com/stagedoor/stagedoor/relay/outbound/tlsrpt"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Options configure a Queue.
type Options struct {
	Store    *store.Store
	Renderer *notify.Renderer
	Domain   string          // reverse-paths end in it
	Hostname string          // the EHLO name
	Operator string          // real address that operator mail goes to; empty: it is dropped
	Signer   *signing.Signer // nil: mail is not signed

	Smarthost       Route            // where mail goes that has no route of its own; zero: each domain's MX
	Routes          map[string]Route // by domain; "*.example.com" is all below example.com, the longest counts
	SourceAddresses []netip.Addr     // that mail leaves from, one of each family at most; empty: the system's choice
	Resolver        string           // DNS server as host:port; empty: the system's
	Port            int              // of MX hosts; 0: 25
	// InsecureTLS: don't verify the smarthost's certificate, nor a route's.
	InsecureTLS bool
	RootCAs     *x509.CertPool // that certificates are verified by; nil: the system's
	PolicyPort  int            // of hosts of MTA-STS policies; 0: 443
	CountTLS    bool           // for the reports that package tlsrpt makes
	// AllowNetworks are where policies are fetched from, and reports brought to,
	// beside the public Internet.
	AllowNetworks []netip.Prefix

	TempDir    string        // for messages over spool.MemoryLimit
	Workers    int           // deliveries at the same time; 0: 64
	Composing  int           // of these, rendering and signing, which cost processor time; 0: all processors but one, two at the least
	PerDomain  Bounds        // of one domain's MX; Connections 0: 5
	PerServer  Bounds        // of the smarthost and of each server in Routes; Connections 0: 16
	MaxAge     time.Duration // how long a row is tried; 0: 5 days (RFC 5321 section 4.5.4.1)
	DelayAfter time.Duration // a row that waits for longer is told of; 0: 4 hours
	Lease      time.Duration // after a crash, a row comes back after so long; renewed meanwhile; 0: 2 minutes
	Grace      time.Duration // that deliveries under way get when Run is told to stop; 0: 8 seconds
	Paused     bool          // nothing is sent until Pause(false)

	// SkipRead drops notifications of what their members have read meanwhile.
	SkipRead bool

	// Observe is told how each try went: "delivered", "deferred" (it is tried
	// again), "refused" (for good) or "expired" (given up), and "delayed" once of a
	// row that will be late; at whose server (one of Providers, or empty) and how long
	// after the row was made. Nil: nobody.
	Observe func(class, provider string, waited time.Duration)
	// ObserveTLS is told of each connection to an MX which policy held for it and
	// whether it was as that wants: "tlsa" (DANE), "sts" (MTA-STS) or
	// "no-policy-found". Nil: nobody.
	ObserveTLS func(policy string, ok bool)
	// AddressFailed is told that an address of a member's takes no mail, with the
	// status code that said so. Nil: nobody.
	AddressFailed func(ctx context.Context, address threading.ID, status string) error
	// Withheld is told that a message can't be mailed to its reader as its writer
	// asks by REQUIRETLS. Nil: nobody.
	Withheld func(ctx context.Context, member, thread threading.ID) error
	Logger   *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// RequireTLS reports whether what comes with REQUIRETLS may be able to leave with
// it: not where all mail goes to a server that does not prove who it is.
func (q *Queue) RequireTLS() bool {
	return q.routes.smarthost == nil || q.routes.smarthost.verified()
}

// Bounds are what one destination gets at most.
type Bounds struct {
	Connections int // deliveries at the same time
	Rate        int // messages a minute; 0: no bound
}

// Queue delivers the store's queue.
type Queue struct {
	o        Options
	routes   routes
	resolver *net.Resolver
	policies *tlspolicy.Finder
	results  *tlsrpt.Recorder // nil: TLS is not counted
	poster   *tlsrpt.Poster
	tls      *tls.Config
	pool     *pool
	// composing bounds the work that costs processor time: signing takes most
	// of a millisecond, and the doors need the other cores.
	composing chan struct{}
	settler   *settler
	leases    *leases
	paused    atomic.Bool
	// sendingSince is when the queue began to be sent, by this process or one before
	// it, or a pause ended, in Unix nanoseconds.
	sendingSince atomic.Int64
	wake         chan struct{} // tells the dispatcher of paused
}

// New checks the options. It starts nothing.
func New(o Options) (*Queue, error) {
	if o.Store == nil || o.Renderer == nil || o.Domain == "" || o.Hostname == "" {
		return nil, errors.New("outbound needs a store, a renderer, a domain and a hostname")
	}
	q := &Queue{pool: newPool(), wake: make(chan struct{}, 1)}
	var err error
	if q.routes, err = newRoutes(o.Smarthost, o.Routes); err != nil {
		return nil, err
	}
	if q.resolver, err = Resolver(o.Resolver); err != nil {
		return nil, err
	}
	q.o = withDefaults(o)
	if q.o.Lease < 2*time.Second {
		return nil, fmt.Errorf("a lease of %s is too short to deliver anything", q.o.Lease)
	}
	q.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, ClientSessionCache: tls.NewLRUClientSessionCache(256)}
	q.policies = newPolicies(q)
	q.poster = tlsrpt.NewPoster(q.resolver, o.RootCAs, o.AllowNetworks)
	if o.CountTLS {
		q.results = tlsrpt.NewRecorder(q.o.Store, q.o.Logger, q.o.Now)
	}
	q.composing = make(chan struct{}, q.o.Composing)
	q.sendingSince.Store(q.o.Now().UnixNano())
	if q.paused.Store(o.Paused); o.Paused {
		q.sayPaused(true)
	}
	q.settler = newSettler(q)
	q.leases = newLeases(q)
	return q, nil
}

func withDefaults(o Options) Options {
	setDefault(&o.Port, 25)
	setDefault(&o.Workers, 64)
	setDefault(&o.Composing, max(2, runtime.GOMAXPROCS(0)-1))
	setDefault(&o.PerDomain.Connections, 5)
	setDefault(&o.PerServer.Connections, 16)
	setDefault(&o.MaxAge, 5*24*time.Hour)
	setDefault(&o.DelayAfter, 4*time.Hour)
	setDefault(&o.Lease, 2*time.Minute)
	setDefault(&o.Grace, 8*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AddressFailed == nil {
		o.AddressFailed = func(context.Context, threading.ID, string) error { return nil }
	}
	if o.Withheld == nil {
		o.Withheld = func(context.Context, threading.ID, threading.ID) error { return nil }
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	if o.ObserveTLS == nil {
		o.ObserveTLS = func(string, bool) {}
	}
	return o
}

func newPolicies(q *Queue) *tlspolicy.Finder {
	return tlspolicy.New(tlspolicy.Options{
		Store: q.o.Store, Net: q.resolver, Resolver: q.o.Resolver, Roots: q.o.RootCAs, PolicyPort: q.o.PolicyPort, AllowNetworks: q.o.AllowNetworks, Logger: q.o.Logger, Now: q.o.Now,
	})
}

func setDefault[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Pause stops the sending, or goes on with it. Deliveries under way are
// finished. It may be called from any goroutine, before and during Run.
func (q *Queue) Pause(paused bool) {
	if was := q.paused.Swap(paused); was == paused {
		return
	}
	q.sendingSince.Store(q.o.Now().UnixNano())
	q.sayPaused(paused)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Paused reports whether nothing is sent.
func (q *Queue) Paused() bool { return q.paused.Load() }

func (q *Queue) sayPaused(paused bool) {
	if paused {
		q.o.Logger.Warn("nothing is sent: outbound.pause is set; what is filed waits in the queue")
	} else {
		q.o.Logger.Info("mail is sent again")
	}
}

// bounds of a destination.
func (q *Queue) bounds(destination string) Bounds {
	name, _ := splitMode(destination)
	if q.routes.byName[name] != nil {
		return q.o.PerServer
	}
	return q.o.PerDomain
}

// deliveryTime is how long one delivery may take until the message is sent whole;
// then finalTimeout counts.
const deliveryTime = 12 * time.Minute

// Run delivers until the context ends. Deliveries under way then get
// Options.Grace to finish; what was taken but not begun goes back to the
// queue. It returns nil when all is settled, or why something could not be
// written back: such rows come back when their lease runs out.
func (q *Queue) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		q.settler.run()
	}()
	renewed := make(chan struct{})
	aside, enough := context.WithCancel(context.Background())
	go func() {
		defer close(renewed)
		q.leases.renew(aside)
	}()
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		if q.results != nil {
			q.results.Run(aside)
		}
	}()
	d := newDispatcher(q)
	d.run(ctx, work)
	d.drain(stop)
	q.pool.close()
	q.settler.close()
	<-settled
	enough()
	<-renewed
	<-counted
	return q.settler.err()
}

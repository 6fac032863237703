// Package doctor says whether an installation can do its job, as seen from
// the machine that it runs on.
//
// Run looks at the doors of the running daemon as their clients would (a
// greeting, TLS, what is offered), asks whether it knows a recipient from a
// stranger, hands it a message that must be refused, and looks at the certificate, the clock, DNS, the way out, the
// queue and the disk. It changes nothing and leaves nothing behind: no message
// is filed or sent, and nothing is written but to a connection.
//
// What can't be known from here is not guessed: a check without an answer is
// Skipped, with the reason. Whether other machines reach the ports is such a
// thing.
//
// Checks run at the same time, each bounded by a timeout; Run returns when all
// are done. No finding names a real address.
package doctor

import (
	"context"
	"crypto/x509"
	"net/netip"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/relay/dns"
	"github.com/stagedoor/stagedoor/threading/store"
)

// State is how bad a finding is.
type State string

// The states. Failed means that mail does not flow as it should.
const (
	OK      State = "ok"
	Warning State = "warn"
	Failed  State = "FAIL"
	Skipped State = "skip" // it can't be known, or does not matter here
)

// Finding is one line of the report.
type Finding struct {
	Check string `json:"check"` // what was looked at
	State State  `json:"state"`
	Text  string `json:"text"`           // what was found
	Todo  string `json:"todo,omitempty"` // what to do about it
}

// Options say what there is to look at.
type Options struct {
	Domain   string // of the addresses
	Hostname string // that the certificate must be for
	Doors    []Door
	BaseURL  string // empty: not set
	// SelfSigned: no certificate is configured.
	SelfSigned bool
	// ACME: the daemon gets its certificates itself.
	ACME bool
	// WebNames are what the HTTP door serves beside Hostname.
	WebNames []string
	Roots    *x509.CertPool // that certificates are verified by; nil: the system's

	Resolver   string // DNS server as host:port; empty: the system's
	Records    []dns.Record
	IPs        []netip.Addr // public addresses of this machine, as far as they are known
	Blocklists []string
	Smarthost  string // URL; empty: mail goes to each domain's MX
	Operator   string // real address: the way out is tried with its mail server, up to the greeting
	MXPort     string // empty: 25
	STSPolicy  string // that other servers must find (RFC 8461); empty: none
	HTTPSPort  string // where they look; empty: 443
	// NameServerPort is where the zone's own servers are asked; empty: 53.
	NameServerPort string

	Dirs   []string                                        // that are written to
	Paused bool                                            // outbound.pause
	Queue  func(context.Context) (store.QueueState, error) // nil: there is no database
	Held   func(context.Context) (store.HeldState, error)  // nil: there is no database
	Now    func() time.Time                                // nil: time.Now
}

// checkTime bounds one check.
const checkTime = 30 * time.Second

// Run looks at everything and returns its findings, always in the same order.
func Run(ctx context.Context, o Options) []Finding {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MXPort == "" {
		o.MXPort = "25"
	}
	if o.HTTPSPort == "" {
		o.HTTPSPort = "443"
	}
	d := &doctor{Options: o}
	checks := []func(context.Context) []Finding{
		d.doors, d.webAddress, d.stsPolicy, d.clock, d.disks, d.queue, d.held, d.records, d.wayOut, d.validation, d.blocklists,
	}
	found := make([][]Finding, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			found[i] = check(ctx)
		})
	}
	wg.Wait()
	var all []Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

type doctor struct{ Options }

func one(check string, state State, text, todo string) []Finding {
	return []Finding{{check, state, text, todo}}
}

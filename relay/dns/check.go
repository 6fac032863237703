package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is how a record stands in DNS.
type State string

// The states.
const (
	Right     State = "right"
	Missing   State = "missing"
	Different State = "different"
	// Propagating: some servers have it, others still say what was before.
	Propagating State = "propagating"
	Unknown     State = "unknown" // nobody gave an answer
)

// Answer is what one of the zone's own servers says.
type Answer struct {
	Server string   `json:"server"`
	State  State    `json:"state"`
	Found  []string `json:"found,omitempty"`
}

// Finding is what Check says of one record.
type Finding struct {
	Record
	State State    `json:"state"`
	Found []string `json:"found,omitempty"` // what DNS has in its place
	// Problem says in words what is wrong; empty when right.
	Problem string `json:"problem,omitempty"`
	// Servers are the answers of the zone's own servers; none where they can't
	// be reached: then only the resolver was asked.
	Servers []Answer `json:"servers,omitempty"`
}

// Wrong reports whether something needs to be done: what is needed is not
// right, or what is optional is there and says something else. A hint is
// nothing that the domain's own zone needs.
func (f Finding) Wrong() bool {
	return f.State != Right && !f.Hint && !(f.Optional && f.State == Missing)
}

// CheckOptions say whom Check asks.
type CheckOptions struct {
	Resolver string // host:port; empty: the system's first
	Port     string // of the zone's own servers; empty: 53
}

// checkTime bounds a Check, and records asked for at the same time.
const (
	checkTime  = 25 * time.Second
	checkAtOne = 8
)

// Check asks the zone's own servers and the resolver for each record, and
// returns a finding for each, in their order. What the zone's servers say
// counts; the resolver tells what others still see. Hints without a name to
// ask for are left out.
func Check(ctx context.Context, o CheckOptions, records []Record) ([]Finding, error) {
	r, err := newResolver(o.Resolver)
	if err != nil {
		return nil, err
	}
	if o.Port == "" {
		o.Port = "53"
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	c := &checker{r: r, zones: &zones{r: r, port: o.Port, byZone: map[string]func() []*nameServer{}}}
	var asked []Record
	for _, rec := range records {
		if rec.askable() {
			asked = append(asked, rec)
		}
		if ip, err := netip.ParseAddr(rec.Value); err == nil && !rec.AnyValue {
			c.senders = append(c.senders, ip)
		}
	}
	findings := make([]Finding, len(asked))
	var wg sync.WaitGroup
	limit := make(chan struct{}, checkAtOne)
	for i, rec := range asked {
		wg.Go(func() {
			limit <- struct{}{}
			findings[i] = c.check(ctx, rec)
			<-limit
		})
	}
	wg.Wait()
	return findings, nil
}

// checker is one Check.
type checker struct {
	r       *resolver
	zones   *zones
	senders []netip.Addr // that mail leaves from, as far as they are known
}

// verdict is what one server's answer is worth.
type verdict struct {
	state   State
	found   []string
	problem string
	ttl     time.Duration
}

func (c *checker) check(ctx context.Context, rec Record) Finding {
	seen := c.judge(ctx, rec, c.r.query)
	servers := c.zones.servers(ctx, rec.Name)
	said := make([]verdict, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() { said[i] = c.judge(ctx, rec, s.query) })
	}
	wg.Wait()
	f := Finding{Record: rec}
	var good, bad []int
	for i, v := range said {
		f.Servers = append(f.Servers, Answer{servers[i].name, v.state, v.found})
		switch v.state {
		case Right:
			good = append(good, i)
		case Missing, Different:
			bad = append(bad, i)
		}
	}
	switch {
	case len(good)+len(bad) == 0:
		f.State, f.Found, f.Problem = seen.state, seen.found, seen.problem
	case len(good) == 0:
		first := said[bad[0]]
		f.State, f.Found, f.Problem = first.state, first.found, first.problem
	case len(bad) > 0:
		first := said[bad[0]]
		f.State, f.Found = Propagating, first.found
		f.Problem = fmt.Sprintf("the zone's servers differ: %s has it, on %s %s", servers[good[0]].name, servers[bad[0]].name, first.problem)
	case seen.state == Missing || seen.state == Different:
		f.State, f.Found = Propagating, seen.found
		f.Problem = fmt.Sprintf("the zone's servers have it; %s still has what was before%s: %s", c.r.who, forAtMost(seen.ttl), seen.problem)
	default:
		f.State, f.Found = Right, said[good[0]].found
	}
	return f
}

func forAtMost(ttl time.Duration) string {
	switch {
	case ttl <= 0:
		return ""
	case ttl < 2*time.Minute:
		return fmt.Sprintf(" (for %d seconds at most)", int(ttl.Seconds()))
	}
	return fmt.Sprintf(" (for %d minutes at most)", int(ttl.Minutes())+1)
}

// judge asks one server for a record and compares.
func (c *checker) judge(ctx context.Context, rec Record, query func(ctx context.Context, name, typ string) (reply, error)) verdict {
	a, err := query(ctx, rec.Name, rec.Type)
	if err == nil && rec.AnyValue && rec.Type != "SRV" && len(a.values) == 0 && a.alias == "" {
		// Any address will do, of either kind, with an alias or without.
		for _, typ := range []string{"A", "AAAA"} {
			if a, err = query(ctx, rec.Name, typ); err != nil || len(a.values) > 0 || a.alias != "" {
				break
			}
		}
	}
	if err != nil {
		return verdict{state: Unknown, problem: err.Error()}
	}
	v := verdict{found: a.values, ttl: a.ttl}
	switch {
	case rec.AnyValue && len(a.values) == 0 && a.alias != "":
		v.state, v.found = Right, []string{a.alias}
	case rec.AnyValue && len(a.values) > 0:
		v.state = Right
	case a.alias != "" && (rec.Type == "A" || rec.Type == "AAAA"):
		// RFC 2181 section 10.3, RFC 5321 section 5.1.
		v.state, v.found, v.problem = Different, []string{a.alias}, "it is an alias (CNAME) of "+a.alias+": a mail server's name needs addresses of its own"
	default:
		if len(v.found) == 0 && a.alias != "" {
			v.found, err = c.r.lookup(ctx, a.alias, rec.Type)
			if err != nil {
				return verdict{state: Unknown, problem: err.Error()}
			}
		}
		if rec.Type == "TXT" {
			v.found = sameKind(rec.Value, v.found)
		}
		v.state, v.problem = c.compare(ctx, rec, v.found)
	}
	return v
}

// sameKind keeps the texts that begin as the wanted one does (v=spf1): a
// name's other TXT records are somebody else's business. Below _domainkey all
// are of the kind: v= is optional there (RFC 6376 section 3.6.1).
func sameKind(want string, found []string) []string {
	if strings.HasPrefix(want, "v=DKIM1") {
		return found
	}
	kind := strings.ToLower(strings.FieldsFunc(want, func(r rune) bool { return r == ' ' || r == ';' })[0])
	return slices.DeleteFunc(slices.Clone(found), func(s string) bool {
		rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(s)), kind)
		return !ok || rest != "" && rest[0] != ' ' && rest[0] != ';'
	})
}

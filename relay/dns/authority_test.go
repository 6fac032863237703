package dns

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	mdns "github.com/miekg/dns"
)

// fakeServer is a DNS server of the test. Its zone may be changed while it
// runs.
type fakeServer struct {
	address string
	asked   atomic.Int32

	mu      sync.Mutex
	records map[string][]mdns.RR
	// zone is what it is responsible for; empty: it is a resolver.
	zone string
}

// startAt starts a server for a zone at an address of its own on loopback.
func startAt(t *testing.T, address, origin, zone string) *fakeServer {
	t.Helper()
	pc, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Skipf("no second address on loopback: %v", err)
	}
	s := &fakeServer{address: pc.LocalAddr().String(), zone: origin, records: map[string][]mdns.RR{}}
	p := mdns.NewZoneParser(strings.NewReader(zone), ".", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		name := strings.ToLower(rr.Header().Name)
		s.records[name] = append(s.records[name], rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("the zone does not parse: %v", err)
	}
	d := &mdns.Server{PacketConn: pc, UDPSize: 4096, Handler: mdns.HandlerFunc(s.answer)}
	go func() { _ = d.ActivateAndServe() }()
	t.Cleanup(func() { _ = d.Shutdown() })
	return s
}

func (s *fakeServer) change(what func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what()
}

func (s *fakeServer) answer(w mdns.ResponseWriter, q *mdns.Msg) {
	s.asked.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := new(mdns.Msg)
	a.SetReply(q)
	name := strings.ToLower(q.Question[0].Name)
	a.Authoritative = s.zone != "" && mdns.IsSubDomain(s.zone, name)
	a.RecursionAvailable = s.zone == ""
	for _, rr := range s.records[name] {
		if t := rr.Header().Rrtype; t == q.Question[0].Qtype || t == mdns.TypeCNAME {
			a.Answer = append(a.Answer, mdns.Copy(rr))
		}
	}
	if len(a.Answer) == 0 { // as servers do: the SOA of the nearest zone above
		for up := name; ; {
			for _, rr := range s.records[up] {
				if rr.Header().Rrtype == mdns.TypeSOA {
					a.Ns = append(a.Ns, mdns.Copy(rr))
				}
			}
			next, end := mdns.NextLabel(up, 0)
			if end || len(a.Ns) > 0 {
				break
			}
			up = up[next:]
		}
	}
	_ = w.WriteMsg(a)
}

// world is a resolver and two name servers of example.com.
type world struct {
	resolver, ns1, ns2 *fakeServer
	port               string
}

const delegation = `
example.com. 3600 IN SOA ns1.example.net. hostmaster.example.net. 1 7200 3600 1209600 1200
example.com. 3600 IN NS ns1.example.net.
example.com. 3600 IN NS ns2.example.net.
ns1.example.net. 3600 IN A 127.0.0.2
ns2.example.net. 3600 IN A 127.0.0.3
`

// newWorld gives each server its own state of the zone.
func newWorld(t *testing.T, resolver, ns1, ns2 string) world {
	t.Helper()
	w := world{resolver: startAt(t, "127.0.0.1:0", "", delegation+resolver)}
	w.ns1 = startAt(t, "127.0.0.2:0", "example.com.", delegation+ns1)
	_, w.port, _ = net.SplitHostPort(w.ns1.address)
	w.ns2 = startAt(t, "127.0.0.3:"+w.port, "example.com.", delegation+ns2)
	return w
}

func (w world) check(t *testing.T, records ...Record) []Finding {
	t.Helper()
	findings, err := Check(t.Context(), CheckOptions{Resolver: w.resolver.address, Port: w.port}, records)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

var theMX = Record{Name: "msg.example.com", Type: "MX", Value: "10 mx.msg.example.com."}

func TestTheZonesOwnServersCount(t *testing.T) {
	const now, before, none = "msg.example.com. 3600 IN MX 10 mx.msg.example.com.\n", "msg.example.com. 1740 IN MX 10 old.example.\n", ""
	for _, c := range []struct {
		name               string
		resolver, ns1, ns2 string
		state              State
		problem            string
	}{
		{"everywhere", now, now, now, Right, ""},
		{"nowhere", none, none, none, Missing, "no such record"},
		{"another", before, before, before, Different, "10 old.example. is published"},
		{"the resolver is behind", before, now, now, Propagating, "still has what was before (for 30 minutes at most): 10 old.example."},
		{"the resolver knows of none yet", none, now, now, Propagating, "(for 21 minutes at most): there is no such record"},
		{"one server is behind", now, now, before, Propagating, "the zone's servers differ: ns1.example.net has it, on ns2.example.net 10 old.example. is published"},
		{"taken out", now, none, none, Missing, "no such record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newWorld(t, c.resolver, c.ns1, c.ns2).check(t, theMX)[0]
			if f.State != c.state || !strings.Contains(f.Problem, c.problem) || f.Wrong() != (c.state != Right) {
				t.Errorf("%s: %q, want %s: %q", f.State, f.Problem, c.state, c.problem)
			}
			if len(f.Servers) != 2 || f.Servers[0].Server != "ns1.example.net" {
				t.Errorf("the servers' answers are %+v", f.Servers)
			}
		})
	}
}

func TestAServerThatDoesNotKnowTheZoneIsLeftOut(t *testing.T) {
	const now = "msg.example.com. 3600 IN MX 10 mx.msg.example.com.\n"
	w := newWorld(t, now, now, "")
	w.ns2.change(func() { w.ns2.zone = "example.org." })
	f := w.check(t, theMX)[0]
	if f.State != Right || f.Servers[1].State != Unknown {
		t.Errorf("%+v", f)
	}
}

func TestAnAliasIsFollowed(t *testing.T) {
	const spf = "v=spf1 mx -all"
	w := newWorld(t, "policy.provider.example. 60 IN TXT \""+spf+"\"\nmsg.example.com. 60 IN CNAME policy.provider.example.\nprovider.example. 60 IN SOA a. b. 1 2 3 4 5\n",
		"msg.example.com. 60 IN CNAME policy.provider.example.\n", "msg.example.com. 60 IN CNAME policy.provider.example.\n")
	f := w.check(t, Record{Name: "msg.example.com", Type: "TXT", Value: spf})[0]
	if f.State != Right || len(f.Servers) != 2 {
		t.Errorf("%+v", f)
	}
}

// Whatever the number of records, a zone is looked up a few times, and each of
// its servers is asked about once for each record.
func TestCheckAsksLittle(t *testing.T) {
	records, err := Records(testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "", "", "")
	findings := w.check(t, records...)
	own := 0
	for _, f := range findings {
		if strings.HasSuffix(f.Name, "example.com") {
			own++
		}
	}
	// Web names are asked for in three types, all else once.
	if n := int(w.ns1.asked.Load()); n > own+3*3+4 {
		t.Errorf("a name server heard %d questions about %d records", n, own)
	}
	if n := int(w.resolver.asked.Load()); n > 8*len(findings) {
		t.Errorf("the resolver heard %d questions about %d records", n, len(findings))
	}
}

// A server that does not answer is not asked for the next record.
func TestAServerThatDoesNotAnswerIsLeftOut(t *testing.T) {
	const now = "msg.example.com. 3600 IN MX 10 mx.msg.example.com.\n"
	w := newWorld(t, now, now, now)
	w.resolver.change(func() {
		w.resolver.records["ns2.example.net."][0].(*mdns.A).A = net.IPv4(127, 0, 0, 4) // where nobody listens
	})
	for _, f := range w.check(t, theMX, theMX) {
		if f.State != Right || len(f.Servers) != 2 || f.Servers[1].State != Unknown {
			t.Errorf("%+v", f)
		}
	}
	if n := w.ns2.asked.Load(); n != 0 {
		t.Errorf("somebody else was asked %d times", n)
	}
	s := &nameServer{name: "ns1", r: &resolver{server: w.ns1.address, who: "ns1", authoritative: true}}
	s.silent.Store(true)
	before := w.ns1.asked.Load()
	if _, err := s.query(t.Context(), "msg.example.com", "MX"); err == nil || w.ns1.asked.Load() != before {
		t.Errorf("one that was silent is asked again: %v", err)
	}
}

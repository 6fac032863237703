package main

import (
	"net"
	"strings"

	mdns "github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// nameserver NAME FILE...: serves the zone files until the script ends, as
// resolver and as the zone's own server; sets NAME to its address and NAME_PORT
// to its port.
func nameServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: nameserver NAME FILE...")
	}
	var zone strings.Builder
	for _, f := range args[1:] {
		zone.WriteString(ts.ReadFile(f) + "\n")
	}
	records := map[string][]mdns.RR{}
	p := mdns.NewZoneParser(strings.NewReader(zone.String()), ".", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		name := strings.ToLower(rr.Header().Name)
		records[name] = append(records[name], rr)
	}
	ts.Check(p.Err())
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	ts.Check(err)
	server := &mdns.Server{PacketConn: pc, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		_ = w.WriteMsg(fromZone(records, q))
	})}
	go func() { _ = server.ActivateAndServe() }()
	ts.Defer(func() { _ = server.Shutdown() })
	_, port, _ := net.SplitHostPort(pc.LocalAddr().String())
	ts.Setenv(args[0], pc.LocalAddr().String())
	ts.Setenv(args[0]+"_PORT", port)
}

// fromZone answers a question: with the name's records, or with the SOA of
// the zone above.
func fromZone(records map[string][]mdns.RR, q *mdns.Msg) *mdns.Msg {
	a := new(mdns.Msg)
	a.SetReply(q)
	a.Authoritative = true
	name := strings.ToLower(q.Question[0].Name)
	for _, rr := range records[name] {
		if t := rr.Header().Rrtype; t == q.Question[0].Qtype || t == mdns.TypeCNAME {
			a.Answer = append(a.Answer, mdns.Copy(rr))
		}
	}
	for end := false; !end && len(a.Answer)+len(a.Ns) == 0; {
		for _, rr := range records[name] {
			if rr.Header().Rrtype == mdns.TypeSOA {
				a.Ns = append(a.Ns, mdns.Copy(rr))
			}
		}
		var next int
		next, end = mdns.NextLabel(name, 0)
		name = name[next:]
	}
	return a
}

package senderauth

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// What a name of zoneServer answers instead of its record.
const (
	failing = "SERVFAIL"
	silent  = "SILENT"
)

// zoneServer answers TXT questions from a map, on UDP and, as for answers that
// don't fit there, on TCP.
func zoneServer(t *testing.T, txt map[string]string) string {
	t.Helper()
	pc, l := samePort(t)
	answer := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg)
		a.SetReply(q)
		v, ok := txt[strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))]
		switch {
		case v == silent:
			return
		case v == failing:
			a.Rcode = dns.RcodeServerFailure
		case !ok:
			a.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeTXT:
			rr := &dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}}
			for ; len(v) > 255; v = v[255:] {
				rr.Txt = append(rr.Txt, v[:255])
			}
			rr.Txt = append(rr.Txt, v)
			a.Answer = append(a.Answer, rr)
		}
		if w.RemoteAddr().Network() == "udp" {
			a.Truncate(dns.MinMsgSize)
		}
		_ = w.WriteMsg(a)
	})
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: answer}, {Listener: l, Handler: answer}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return pc.LocalAddr().String()
}

// samePort listens on one port of both protocols.
func samePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if l, err := net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			return pc, l
		}
		_ = pc.Close() // somebody has the TCP port
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

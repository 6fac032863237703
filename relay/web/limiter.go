package web

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// limiter bounds how often something is done by one network, or one member,
// within an hour.
type limiter struct {
	mu    sync.Mutex
	since time.Time
	count map[string]int
}

// maxLimited is how many are counted at a time.
const maxLimited = 10000

// allow reports whether one more is within n; zero: there is no bound.
func (l *limiter) allow(who string, n int) bool {
	if n == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil || time.Since(l.since) > time.Hour || len(l.count) >= maxLimited {
		l.count, l.since = map[string]int{}, time.Now()
	}
	l.count[who]++
	return l.count[who] <= n
}

// used says how often it was done within the hour.
func (l *limiter) used(who string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.since) > time.Hour {
		return 0
	}
	return l.count[who]
}

// network is where a request comes from, as it is counted: an IPv4 address, or
// an IPv6 /64.
func network(r *http.Request) string { return networkOf(remoteIP(r)) }

func networkOf(ip netip.Addr) string {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

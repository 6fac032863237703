package web

import (
	"container/list"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// limiter bounds how often something is done by one of its kind, such as a
// network or a member, within an hour of the first time. Of too many to count,
// the one whose hour began first is forgotten. Networks and members have
// limiters of their own: who has many addresses makes room among addresses only.
type limiter struct {
	mu    sync.Mutex
	count map[string]*list.Element // of *counted
	began list.List                // the oldest first
}

type counted struct {
	who   string
	since time.Time
	n     int
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
	l.forget()
	e := l.count[who]
	if e == nil {
		if l.count == nil {
			l.count = map[string]*list.Element{}
		}
		if len(l.count) == maxLimited {
			l.remove(l.began.Front())
		}
		e = l.began.PushBack(&counted{who: who, since: time.Now()})
		l.count[who] = e
	}
	c := e.Value.(*counted)
	c.n++
	return c.n <= n
}

// used says how often it was done within the hour.
func (l *limiter) used(who string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	if e := l.count[who]; e != nil {
		return e.Value.(*counted).n
	}
	return 0
}

// forget removes those whose hour is over.
func (l *limiter) forget() {
	for e := l.began.Front(); e != nil && time.Since(e.Value.(*counted).since) > time.Hour; e = l.began.Front() {
		l.remove(e)
	}
}

func (l *limiter) remove(e *list.Element) { delete(l.count, l.began.Remove(e).(*counted).who) }

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

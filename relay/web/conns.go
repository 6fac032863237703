package web

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// conns counts the open connections, all of them and by network. What comes
// from this machine is a web server in front, and counts as a whole only.
type conns struct {
	max, maxPerIP int // zero: no bound

	mu    sync.Mutex
	open  map[net.Conn]string
	perIP map[string]int
}

// watch is an http.Server's ConnState: one connection too many is closed.
func (k *conns) watch(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if !k.add(c) {
			_ = c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		k.remove(c)
	}
}

func (k *conns) add(c net.Conn) bool {
	from := ""
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && !a.Addr().IsLoopback() {
		from = networkOf(a.Addr().Unmap())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.max > 0 && len(k.open) >= k.max || k.maxPerIP > 0 && from != "" && k.perIP[from] >= k.maxPerIP {
		return false
	}
	if k.open == nil {
		k.open, k.perIP = map[net.Conn]string{}, map[string]int{}
	}
	k.open[c] = from
	k.perIP[from]++
	return true
}

func (k *conns) remove(c net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	from, counted := k.open[c]
	if !counted {
		return
	}
	delete(k.open, c)
	if k.perIP[from]--; k.perIP[from] == 0 {
		delete(k.perIP, from)
	}
}

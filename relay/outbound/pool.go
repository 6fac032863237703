package outbound

import (
	"sync"
	"time"
)

// Bounds of what is kept open.
const (
	idleTimeout  = 10 * time.Second
	maxPerConn   = 100 // transactions on one connection
	maxIdleConns = 64  // of all destinations
)

// pool keeps the connections on which the last transaction went well, for the
// next message to the same destination. It is safe for concurrent use; each
// idle connection has a timer of its own that closes it.
type pool struct {
	mu     sync.Mutex
	idle   map[string][]*pooled
	count  int
	closed bool
}

type pooled struct {
	*session
	timer *time.Timer
}

func newPool() *pool { return &pool{idle: map[string][]*pooled{}} }

// get takes the connection that was used last, or nil.
func (p *pool) get(destination string) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[destination]
	for len(list) > 0 {
		c := list[len(list)-1]
		list = list[:len(list)-1]
		p.set(destination, list)
		if c.timer.Stop() {
			return c.session
		}
	}
	return nil
}

// put keeps a connection, or closes it.
func (p *pool) put(destination string, s *session) {
	p.mu.Lock()
	if p.closed || s.broken || s.used >= maxPerConn || p.count >= maxIdleConns {
		p.mu.Unlock()
		s.quit()
		return
	}
	c := &pooled{session: s}
	c.timer = time.AfterFunc(idleTimeout, func() {
		p.remove(destination, c)
		s.quit()
	})
	p.set(destination, append(p.idle[destination], c))
	p.mu.Unlock()
}

func (p *pool) remove(destination string, c *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[destination]
	for i := range list {
		if list[i] == c {
			p.set(destination, append(list[:i:i], list[i+1:]...))
			return
		}
	}
}

// set replaces a destination's list and keeps the count.
func (p *pool) set(destination string, list []*pooled) {
	p.count += len(list) - len(p.idle[destination])
	if len(list) == 0 {
		delete(p.idle, destination)
		return
	}
	p.idle[destination] = list
}

// close closes the idle connections; those in use are closed when they are
// put back.
func (p *pool) close() {
	p.mu.Lock()
	var all []*session
	for _, list := range p.idle {
		for _, c := range list {
			if c.timer.Stop() {
				all = append(all, c.session)
			}
		}
	}
	p.idle, p.count, p.closed = map[string][]*pooled{}, 0, true
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(s.quit)
	}
	wg.Wait()
}

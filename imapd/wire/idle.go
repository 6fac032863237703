package wire

import (
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// keepAlive is how often an idling client hears something, so that no NAT box
// forgets the connection.
const keepAlive = 4 * time.Minute

// idle answers IDLE (RFC 2177): until the client says DONE, it is told what
// happens.
func (c *conn) idle() (done, error) {
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	c.w.text("+ idling\r\n")
	if err := c.flush(); err != nil {
		return done{}, err
	}
	c.idling.Store(true)
	stop, stopped := make(chan struct{}), make(chan struct{})
	if c.notify == nil {
		go func() {
			defer close(stopped)
			c.watch(stop, func() error { return c.poll(true) })
		}()
	} else { // its watcher tells, of which there is one at a time
		close(stopped)
		if err := c.notify.push(); err != nil {
			return done{}, err
		}
	}
	// The watcher holds the connection while it tells; this only waits for DONE.
	c.mu.Unlock()
	err := c.readDone()
	c.idling.Store(false)
	close(stop)
	<-stopped
	c.mu.Lock()
	switch {
	case c.state == imap.ConnStateLogout:
		return done{}, errBye
	case err != nil:
		c.r.fail(err)
		return done{}, err
	}
	return done{}, nil
}

// readDone reads the line that ends IDLE. Apple Mail sends empty lines here too,
// and may lose count and send a command where DONE belongs: that ends IDLE as
// well, and is left for its turn.
func (c *conn) readDone() error {
	for {
		_ = c.net.SetReadDeadline(time.Now().Add(silence))
		c.r.begin(1024)
		if c.r.atEnd() && c.r.err == nil {
			c.r.end()
			continue
		}
		if p, err := c.r.b.Peek(len("DONE")); err == nil && strings.EqualFold(string(p), "DONE") {
			c.r.run(func(b byte) bool { return b != '\r' && b != '\n' })
			c.r.end()
		} else if err != nil {
			c.r.fail(err)
		}
		return c.r.err
	}
}

// watch calls push whenever something may have happened, with the connection
// held, until stop is closed or the connection ends.
func (c *conn) watch(stop <-chan struct{}, push func() error) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		if !c.pushOnce(stop, push, false) {
			return
		}
		select {
		case <-c.s.Changed():
		case <-tick.C:
			if !c.pushOnce(stop, push, true) {
				return
			}
		case <-stop:
			return
		case <-c.s.Done():
			return
		}
	}
}

// pushOnce pushes, and reports whether the watch goes on. alive: the client
// hears something in any case.
func (c *conn) pushOnce(stop <-chan struct{}, push func() error, alive bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-stop:
		return false
	default:
	}
	if c.state == imap.ConnStateLogout {
		return false
	}
	err := push()
	if err == nil && alive {
		if c.state == imap.ConnStateSelected { // saying again how many there are is allowed at any time (RFC 9051 section 7.4.1)
			c.w.text("* ").number(uint64(c.s.Messages())).text(" EXISTS\r\n")
		} else {
			c.w.text("* OK Still here\r\n")
		}
	}
	if err == nil {
		err = c.flush()
	}
	if err == nil {
		return true
	}
	c.pushFailed(err)
	return false
}

// pushFailed ends a connection that can't be told anything.
func (c *conn) pushFailed(err error) {
	var gone *net.OpError
	switch {
	case errors.Is(err, imapd.ErrSignedOut):
		c.sayBye("You have been signed out.")
	case c.s.Ended(), errors.As(err, &gone), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
	default:
		c.srv.o.Logger.Error("can't tell an IMAP client what changed", "error", err)
		c.sayBye("Something went wrong here. Please connect again.")
	}
	_ = c.inner.Close()
}

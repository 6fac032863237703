package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// How long a connection waits.
const (
	// silence is how long a client may say nothing: RFC 9051 section 5.4 asks for
	// 30 minutes at least.
	silence = 35 * time.Minute
	// stall is how long a client may take for the rest of a command, and to take
	// what is written, a buffer at a time.
	stall = 5 * time.Minute
)

// Bounds of what a client may do wrong.
const (
	maxSignInFailures = 5   // wrong passwords on a connection
	maxBadStranger    = 10  // commands that are BAD, before signing in: what isn't IMAP
	maxBad            = 100 // one after the other, after it
)

// What one who is sent away still says is read and dropped, this long and this
// much of it: TCP forgets a BYE where something is left unread.
const (
	linger       = time.Second
	lingerOctets = 1 << 20
)

// conn is a connection. One goroutine reads its commands and runs them; another
// tells what happens while the client idles or wants to be notified. Both hold
// mu while they work, and so does whoever says BYE.
type conn struct {
	srv   *Server
	inner *limitedConn // below TLS

	mu      sync.Mutex
	net     net.Conn // with TLS, where there is
	r       *reader
	w       *writer
	s       *imapd.Session
	state   imap.ConnState
	tag     string
	secure  bool // by TLS
	enabled struct{ condstore, qresync, utf8, rev2 bool }
	client  string // its name, by ID
	// keywords are those of the mailbox that the client was told of, in lower
	// case.
	keywords     map[string]bool
	mailboxFlags []imap.Flag
	bads         int
	deflate      *deflated // nil: not compressed

	failures int         // wrong passwords
	signIn   *time.Timer // ends the connection of one that doesn't sign in
	idling   atomic.Bool
	notify   *notification // nil: NOTIFY is not set
}

// newConn takes over a connection.
func (srv *Server) newConn(c net.Conn) *conn {
	x := &conn{srv: srv, net: c, inner: below(c), state: imap.ConnStateNotAuthenticated, s: srv.o.IMAP.NewSession(remoteIP(c))}
	_, x.secure = c.(*tls.Conn)
	x.wire(c)
	return x
}

// wire makes reader and writer speak to a stream. What was read ahead is
// dropped.
func (c *conn) wire(stream io.ReadWriter) {
	c.r = newReader(stream)
	c.r.goAhead = func() error {
		c.w.text("+ Ready for literal data\r\n")
		return c.flush()
	}
	c.w = &writer{to: &patient{c, stream}}
	c.applyEnabled()
}

// patient writes with a time limit for each buffer.
type patient struct {
	c  *conn
	to io.Writer
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	_ = p.c.net.SetWriteDeadline(time.Now().Add(stall))
	return p.to.Write(b)
}

// flush sends what was written.
func (c *conn) flush() error {
	err := c.w.flush()
	if c.deflate != nil && err == nil {
		err = c.deflate.flush()
	}
	return err
}

// serve runs the connection until it ends.
func (c *conn) serve() {
	defer c.close()
	defer func() {
		if v := recover(); v != nil {
			c.srv.o.Logger.Error("imap: a command panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	if err := c.greet(); err != nil {
		return
	}
	for {
		_ = c.net.SetReadDeadline(time.Now().Add(silence))
		if _, err := c.r.b.Peek(1); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.bye("You said nothing for too long.", byePatience)
			}
			return
		}
		if err := c.next(); err != nil {
			c.ended(err)
			return
		}
	}
}

// errBye ends a connection that has heard BYE.
var errBye = errors.New("the connection was ended")

// next runs the command that comes.
func (c *conn) next() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == imap.ConnStateLogout {
		return errBye
	}
	_ = c.net.SetReadDeadline(time.Now().Add(stall))
	err := c.command()
	if err == nil {
		err = c.flush()
	}
	if err == nil && c.state == imap.ConnStateLogout {
		err = errBye
	}
	return err
}

// ended logs what ended a connection, if it is anybody's fault here.
func (c *conn) ended(err error) {
	var gone *net.OpError
	switch {
	case errors.Is(err, errBye), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &gone), errors.Is(err, io.ErrClosedPipe), errors.Is(err, context.Canceled):
		c.srv.o.Logger.Debug("an IMAP client went away", "error", err)
	default:
		c.srv.o.Logger.Debug("an IMAP connection ended", "error", err)
	}
}

func (c *conn) greet() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.w.text("* OK [CAPABILITY")
	c.capabilities()
	c.w.text("] IMAP server ready\r\n")
	return c.flush()
}

// close gives everything back.
func (c *conn) close() {
	c.signIn.Stop()
	c.stopNotify()
	_ = c.net.Close()
	c.srv.closed(c)
	c.s.Close()
}

// bye ends the connection from outside. It waits for the command under way, and
// closes the connection of a client that doesn't read.
func (c *conn) bye(text string, patience time.Duration) {
	force := time.AfterFunc(patience, func() { _ = c.inner.Close() })
	defer force.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sayBye(text)
	_ = c.inner.Close()
}

// sayBye writes BYE, once; mu is held.
func (c *conn) sayBye(text string) {
	if c.state == imap.ConnStateLogout {
		return
	}
	c.state = imap.ConnStateLogout
	c.w.text("* BYE ", text, "\r\n")
	if err := c.flush(); err != nil {
		c.srv.o.Logger.Debug("an IMAP client didn't hear its BYE", "error", err)
	}
}

// sendAway ends the connection of one who does wrong; mu is held.
func (c *conn) sendAway(text string) {
	c.sayBye(text)
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // a client that sees the end has no reason to stay
	}
	_ = c.net.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.CopyN(io.Discard, c.r.b, lingerOctets)
}

// resting reports whether the connection waits for its client, with no command
// under way but IDLE.
func (c *conn) resting() bool {
	if !c.inner.reading.Load() {
		return false
	}
	if c.idling.Load() {
		return true
	}
	if !c.mu.TryLock() {
		return false
	}
	c.mu.Unlock()
	return true
}

// command reads a command and answers it. An error ends the connection.
func (c *conn) command() error {
	limit := maxCommand
	if c.state == imap.ConnStateNotAuthenticated {
		limit = maxStranger
	}
	c.r.begin(limit)
	// Apple Mail sends an empty line before a command now and then.
	if c.r.atEnd() {
		c.r.end()
		return c.fatal(c.r.err)
	}
	c.tag = c.r.run(func(b byte) bool { return (atomChar(b) || b == ']') && b != '+' })
	if c.tag == "" || len(c.tag) > 200 {
		c.tag = "*"
		c.r.bad("A command begins with a tag.")
	}
	c.r.sp()
	name := c.r.word()
	if name == "UID" {
		c.r.sp()
		name += " " + c.r.word()
	}
	var d done
	err := c.r.err
	if err == nil {
		d, err = c.run(name)
	}
	return c.answer(name, d, err)
}

// done is what a command's OK says beside its name.
type done struct{ code, text string }

// run runs a command by its name.
func (c *conn) run(name string) (done, error) {
	cmd, known := commands[name]
	switch {
	case !known || cmd.needs != "" && !c.can(cmd.needs):
		return done{}, syntaxError("This server doesn't know the command " + printableName(name) + ".")
	case cmd.states&(1<<c.state) == 0:
		return done{}, syntaxError(name + " is not allowed now: " + map[imap.ConnState]string{
			imap.ConnStateNotAuthenticated: "sign in first.", imap.ConnStateAuthenticated: "you are signed in and no mailbox is selected.", imap.ConnStateSelected: "you are signed in.",
		}[c.state])
	}
	d, err := cmd.run(c)
	if err != nil || c.state == imap.ConnStateLogout {
		return d, err
	}
	if cmd.poll != pollNot {
		err = c.poll(cmd.poll == pollAll)
	}
	switch {
	case d.code == codeHighest:
		d.code = c.highest()
	case d.code == "" && cmd.poll == pollFlags && c.s.ExpungesWait():
		d.code = "EXPUNGEISSUED" // RFC 5530 section 3: what isn't found may be gone
	}
	return d, err
}

func printableName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	return name[:min(len(name), 40)]
}

// parsed ends the reading of a command and returns what is wrong with it.
func (c *conn) parsed() error {
	c.r.end()
	return c.r.err
}

// answer writes the tagged response.
func (c *conn) answer(name string, d done, err error) error {
	var told *imap.Error
	var syntax syntaxError
	switch {
	case err == nil:
		if c.state != imap.ConnStateNotAuthenticated {
			c.bads = 0
		}
		if c.state == imap.ConnStateLogout && name != "LOGOUT" {
			return nil
		}
		if d.text == "" {
			d.text = name + " completed"
		}
		c.status(imap.StatusResponseTypeOK, d.code, d.text)
		return nil
	case errors.Is(err, errAnswered):
		return nil
	case errors.As(err, &syntax):
		c.status(imap.StatusResponseTypeBad, "", string(syntax))
	case errors.As(err, &told):
		c.status(told.Type, string(told.Code), told.Text)
	case errors.Is(err, imapd.ErrSignedOut):
		c.sayBye("You have been signed out.")
		return nil
	case errors.Is(err, errBye), c.r.err != nil, c.w.err != nil, c.s.Ended():
		return err // the connection broke
	default:
		c.srv.o.Logger.Error("an IMAP command failed", "command", name, "error", err)
		c.status(imap.StatusResponseTypeNo, string(imap.ResponseCodeServerBug), "Something went wrong here. Please try again later.")
	}
	if c.w.broken() {
		return io.ErrUnexpectedEOF // in the middle of a literal: the client would take the rest for it
	}
	if flushErr := c.flush(); flushErr != nil {
		return flushErr
	}
	if c.state == imap.ConnStateNotAuthenticated && (syntax == errTooLong || told != nil && told.Code == imap.ResponseCodeTooBig) {
		c.sendAway("You may say so much once you have signed in.") // what is left of it is not worth reading
		return nil
	}
	if !c.r.ended && !c.r.skipLine() {
		return errBye
	}
	if errors.As(err, &syntax) {
		c.bads++
	}
	if c.bads > maxBad || c.bads > maxBadStranger && c.state == imap.ConnStateNotAuthenticated {
		c.sendAway("There were too many commands that can't be understood.")
	}
	return nil
}

// status writes a tagged status response. A response from the middle of which
// an error came is thrown away before.
func (c *conn) status(kind imap.StatusResponseType, code, text string) {
	c.w.text(c.tag, " ", string(kind), " ")
	if code != "" {
		c.w.text("[", code, "] ")
	}
	c.w.text(text, "\r\n")
}

// fatal passes on an error of the connection; what is wrong with the syntax is
// none.
func (c *conn) fatal(err error) error {
	var syntax syntaxError
	if errors.As(err, &syntax) {
		if !c.r.skipLine() {
			return errBye
		}
		return nil
	}
	return err
}

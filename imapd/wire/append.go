package wire

import (
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// append answers APPEND, of one message or several (RFC 9051 section 6.3.12, RFC
// 3502). What can be refused is refused before a synchronizing literal is asked
// for.
func (c *conn) append() (done, error) {
	c.r.sp()
	name := c.r.mailbox()
	a, err := c.appending(name)
	if err != nil {
		return done{}, err
	}
	defer a.Discard()
	for n := 0; n == 0 || c.r.more(); n++ {
		if n == 0 {
			c.r.sp()
		}
		if n == 1 && !c.can(imap.CapMultiAppend) {
			return done{}, syntaxError("APPEND takes one message.")
		}
		if err := c.appendOne(a); err != nil {
			return done{}, err
		}
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	d, err := a.Commit()
	if err != nil {
		return done{}, err
	}
	return done{code: c.appendUID(d)}, nil
}

func (c *conn) appending(name string) (*imapd.Append, error) {
	if c.r.err != nil {
		return nil, c.r.err
	}
	return c.s.BeginAppend(name)
}

func (c *conn) appendUID(d *imapd.Appended) string {
	if !c.can(imap.CapUIDPlus) {
		return ""
	}
	return fmt.Sprintf("APPENDUID %d %s", d.UIDValidity, appendSet(nil, d.UIDs))
}

// appendOne reads flags, date and message.
func (c *conn) appendOne(a *imapd.Append) error {
	var flags []imap.Flag
	var at time.Time
	if c.r.peek() == '(' {
		flags = c.r.flags()
		c.r.sp()
	}
	if c.r.peek() == '"' {
		text := c.r.quoted()
		var err error
		if at, err = time.Parse(internalDate, text); err != nil && c.r.err == nil {
			c.r.bad(`A date and time is written like "17-Jul-1996 02:44:25 -0700".`)
		}
		c.r.sp()
	}
	wide := false
	if b := c.r.peek(); b == 'U' || b == 'u' { // UTF8 (~{...}), RFC 6855 section 4
		if c.r.word() != "UTF8" {
			c.r.bad("There should be a message.")
		}
		c.r.sp()
		c.r.expect('(')
		wide = true
	}
	binary := c.r.peek() == '~'
	size, sync := c.r.literalHead()
	if c.r.err != nil {
		return c.r.err
	}
	if err := a.Check(size, flags); err != nil {
		return err
	}
	if !c.r.proceed(sync) {
		return c.r.err
	}
	if err := c.message(a, size, binary && !wide, flags, at); err != nil {
		return err
	}
	if wide {
		c.r.expect(')')
	}
	return c.r.err
}

// message streams a message. What is left of it after an error is read: it must
// not be taken for commands.
func (c *conn) message(a *imapd.Append, size int64, binary bool, flags []imap.Flag, at time.Time) error {
	from := &io.LimitedReader{R: &steady{c}, N: size}
	err := a.Add(from, size, binary, flags, at)
	if _, cerr := io.Copy(io.Discard, from); cerr != nil || from.N > 0 {
		c.r.fail(io.ErrUnexpectedEOF)
		return c.r.err
	}
	return err
}

// steady reads with a time limit for each piece.
type steady struct{ c *conn }

// Read implements io.Reader.
func (s *steady) Read(p []byte) (int, error) {
	_ = s.c.net.SetReadDeadline(time.Now().Add(stall))
	return s.c.r.b.Read(p)
}

// replace answers REPLACE and UID REPLACE (RFC 8508).
func (c *conn) replace(byUID bool) (done, error) {
	c.r.sp()
	set := c.r.numSet(byUID)
	c.r.sp()
	name := c.r.mailbox()
	a, err := c.appending(name)
	if err != nil {
		return done{}, err
	}
	defer a.Discard()
	c.r.sp()
	if err := c.appendOne(a); err != nil {
		return done{}, err
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	d, updates, err := a.Replace(set)
	if err != nil {
		return done{}, err
	}
	if code := c.appendUID(d); code != "" {
		c.w.text("* OK [", code, "] Replaced\r\n")
	}
	c.tell(updates)
	return done{code: codeHighest}, nil
}

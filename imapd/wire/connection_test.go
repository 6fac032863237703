package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/threading"
)

// dial returns a connection whose greeting was read.
func (h *house) dial() *peer {
	h.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	p := &peer{Conn: c, Reader: bufio.NewReader(c)}
	if _, err := p.ReadString('\n'); err != nil {
		h.Fatal(err)
	}
	return p
}

// signIn returns a connection with a mailbox selected.
func (h *house) signIn(mailbox string) *peer {
	h.Helper()
	p := h.dial()
	h.say(p, "a LOGIN tess secret-1", "a OK")
	h.say(p, "a SELECT "+mailbox, "a OK")
	return p
}

// say sends a line and reads until one that begins with want, or "*" for any.
func (h *house) say(p *peer, line, want string) string {
	h.Helper()
	if _, err := p.Write([]byte(line + "\r\n")); err != nil {
		h.Fatal(err)
	}
	return h.hear(p, want)
}

func (h *house) hear(p *peer, want string) string {
	h.Helper()
	for {
		got, err := p.ReadString('\n')
		if err != nil {
			h.Fatalf("want %q: %v", want, err)
		}
		if strings.HasPrefix(got, want) {
			return got
		}
		if strings.HasPrefix(got, "a ") {
			h.Fatalf("got %q, want %q", got, want)
		}
	}
}

// messages is how many a mailbox holds.
func (h *house) messages(mailbox string) int {
	h.Helper()
	ctx := context.Background()
	mb, err := h.store.Mailbox(ctx, h.tess.ID, mailbox)
	if err != nil {
		h.Fatal(err)
	}
	st, err := h.store.MailboxStatus(ctx, h.tess.ID, mb.ID)
	if err != nil {
		h.Fatal(err)
	}
	return int(st.Messages)
}

// The octets of a literal that is refused are somebody's message: they must not
// be taken for commands.
func TestALiteralThatIsTooLongIsReadAndDropped(t *testing.T) {
	h := newHouse(t)
	p := h.signIn("INBOX")
	h.say(p, "a CREATE Precious", "a OK")
	text := strings.Repeat("a DELETE Precious\r\n", 100000)
	h.say(p, fmt.Sprintf("a APPEND Drafts {%d+}\r\n%s", len(text), text), "a NO [TOOBIG]")
	h.say(p, "a STATUS Precious (MESSAGES)", `* STATUS "Precious"`)
	if n := h.messages("Drafts"); n != 0 {
		t.Errorf("%d in Drafts", n)
	}
}

func TestAnAppendThatBreaksOffIsNotStored(t *testing.T) {
	h := newHouse(t)
	p := h.signIn("INBOX")
	if _, err := p.Write([]byte("a APPEND Drafts {1000+}\r\nSubject: half\r\n\r\nof i")); err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	h.untilGone()
	if n := h.messages("Drafts"); n != 0 {
		t.Errorf("half a message is in Drafts")
	}
}

// untilGone waits until the server has no connection left.
func (h *house) untilGone() {
	h.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		h.srv.mu.Lock()
		n := len(h.srv.open) + h.srv.total
		h.srv.mu.Unlock()
		if n == 0 {
			return
		}
	}
	h.Fatal("connections are left over")
}

// A client that goes away in the middle of a literal must not leave its
// connection waiting for the lock of a response that never ends.
func TestAClientThatGoesAwayWhileFetching(t *testing.T) {
	h := newHouse(t)
	h.deliver("INBOX", "Subject: long\n\n"+strings.Repeat("0123456789abcdef\n", 1<<19))
	p := h.signIn("INBOX")
	for i := range 5 {
		if i > 0 {
			p = h.signIn("INBOX")
		}
		h.say(p, "a FETCH 1 BODY.PEEK[]", "* 1 FETCH")
		_ = p.Close()
	}
	h.untilGone()
}

func TestOneWhoDoesNotSignInIsSentAway(t *testing.T) {
	h := newHouse(t, func(o *Options, _ *imapd.Options) { o.SignInWithin = 300 * time.Millisecond })
	h.hear(h.dial(), "* BYE")
	h.untilGone()
}

func TestOneWhoSignsInMayStay(t *testing.T) {
	h := newHouse(t)
	h.signIn("INBOX")
	h.srv.mu.Lock()
	defer h.srv.mu.Unlock()
	for x := range h.srv.open {
		if x.signIn.Stop() {
			t.Error("the time to sign in still runs")
		}
	}
}

func TestTooManyWrongPasswordsEndTheConnection(t *testing.T) {
	h := newHouse(t)
	p := h.dial()
	for range maxSignInFailures {
		// Too long to be one: denied like any other, and without the delay.
		h.say(p, fmt.Sprintf("a LOGIN nobody {%d+}\r\n%s", 1200, strings.Repeat("x", 1200)), "a NO [AUTHENTICATIONFAILED]")
	}
	h.say(p, "b LOGIN tess secret-1", "* BYE")
}

// Each bound of what a client may do wrong ends the connection, and the client
// hears why, also one that says all of it at once.
func TestOneWhoDoesWrongIsSentAway(t *testing.T) {
	const badly, tooLong = "There were too many commands that can't be understood.", "You may say so much once you have signed in."
	nonsense := func(n int) string { return strings.Repeat("x NONSENSE\r\n", n) }
	signIn := "a LOGIN tess secret-1\r\n"
	h := newHouse(t)
	for _, c := range []struct{ name, says, why string }{
		{"a stranger who speaks no IMAP", strings.Repeat("GET / HTTP/1.1\r\n", maxBadStranger+1), badly},
		{"who goes on", nonsense(maxBadStranger + 1000), badly},
		{"whom a good command doesn't excuse", nonsense(maxBadStranger) + "a NOOP\r\n" + nonsense(1), badly},
		{"a stranger at the bound", nonsense(maxBadStranger) + "a NOOP\r\nz LOGOUT\r\n", ""},
		{"a stranger before the bound, who signs in and is a member then", nonsense(maxBadStranger) + signIn + nonsense(maxBad) + "z LOGOUT\r\n", ""},
		{"a member", signIn + nonsense(maxBad+1), badly},
		{"a member who says something good in between", signIn + nonsense(maxBad) + "a NOOP\r\n" + nonsense(maxBad) + "z LOGOUT\r\n", ""},
		{"a stranger with a long command", "a ID (" + strings.Repeat(" ", maxStranger), tooLong},
		{"a stranger with a long tag", strings.Repeat("x", maxStranger+1), tooLong},
		{"a stranger with a long literal", fmt.Sprintf("a LOGIN {%d+}\r\n%s", maxStranger, strings.Repeat("x", maxStranger)), tooLong},
		{"a stranger who asks for a long literal", fmt.Sprintf("a LOGIN {%d}\r\n", maxStranger), tooLong},
		{"a stranger with a long response", "a AUTHENTICATE PLAIN\r\n" + strings.Repeat("x", maxStranger+1), tooLong},
		{"a member with a long command", signIn + "a NOOP" + strings.Repeat(" ", maxStranger) + "\r\nz LOGOUT\r\n", ""},
	} {
		p := h.dial()
		if _, err := p.Write([]byte(c.says)); err != nil {
			t.Fatal(err)
		}
		heard, err := io.ReadAll(p.Reader)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.why == "" {
			c.why = "Goodbye"
		}
		if n := bytes.Count(heard, []byte("* BYE ")); n != 1 || !bytes.Contains(heard, []byte("* BYE "+c.why+"\r\n")) {
			t.Errorf("%s hears %q", c.name, heard[max(0, len(heard)-200):])
		}
		_ = p.Close()
		h.untilGone()
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	h := newHouse(t, func(o *Options, _ *imapd.Options) { o.MaxConnections = 2 })
	h.dial()
	p := h.dial()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, _ := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(got, "* BYE [LIMIT]") {
		t.Errorf("the third hears %q", got)
	}
	_ = p.Close()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		h.srv.mu.Lock()
		n := h.srv.total
		h.srv.mu.Unlock()
		if n == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the place is not given back")
		}
	}
	h.dial()
}

// What is sent after IDLE instead of DONE ends it and is a command of its own, and
// the next command works.
func TestIdleThatEndsBadly(t *testing.T) {
	h := newHouse(t)
	p := h.signIn("INBOX")
	for range 50 {
		h.say(p, "a IDLE", "+")
		h.say(p, "NONSENSE", "a OK")
		h.hear(p, "NONSENSE BAD")
		h.say(p, "a NOOP", "a OK")
		h.say(p, "a IDLE\r\n\r\nb UID FETCH 1:* FLAGS\r\nc NOOP", "a OK")
		h.hear(p, "b OK")
		h.hear(p, "c OK")
		h.say(p, "a IDLE\r\n\r\nDone", "a OK")
	}
}

func TestShutdownSaysByeToAllAndLetsCommandsFinish(t *testing.T) {
	h := newHouse(t)
	waiting, idling, busy := h.dial(), h.signIn("INBOX"), h.signIn("INBOX")
	h.say(idling, "a IDLE", "+")
	h.say(busy, "a APPEND Drafts {20}", "+")
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done <- h.srv.Shutdown(ctx)
	}()
	h.hear(waiting, "* BYE")
	h.hear(idling, "* BYE")
	h.say(busy, "Subject: hi\r\n\r\nlate", "a OK [APPENDUID")
	h.hear(busy, "* BYE")
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Shutdown doesn't end")
	}
	if c, err := net.Dial("tcp", h.addr); err == nil {
		_ = c.Close()
		t.Error("the server still listens")
	}
	if n := h.messages("Drafts"); n != 1 {
		t.Errorf("%d in Drafts", n)
	}
}

// One that never reads nor writes is cut off when the time is over.
func TestShutdownEndsInTime(t *testing.T) {
	h := newHouse(t)
	p := h.signIn("INBOX")
	h.say(p, "a APPEND Drafts {20}", "+")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := h.srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	h.untilGone()
}

// TestIdleConnectionsAreCheap bounds what an idle connection costs, client side
// excluded: 1,000 must fit into 60 MB together with the program.
func TestIdleConnectionsAreCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("opens many connections")
	}
	h := newHouse(t)
	for range 20 {
		h.deliver("INBOX", "Subject: hi\n\nthere\n")
	}
	h.signIn("INBOX") // so that the password is remembered
	const n = 1000
	goroutines, heap := runtime.NumGoroutine(), inUse()
	for range n {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, _ = c.Write([]byte("a LOGIN tess secret-1\r\na SELECT INBOX\r\na IDLE\r\n"))
		buf := make([]byte, 2048)
		for got := ""; !strings.Contains(got, "+ idling"); {
			k, err := c.Read(buf)
			if err != nil {
				t.Fatalf("%v after %q", err, got)
			}
			got += string(buf[:k])
		}
	}
	each := (inUse() - heap) / n
	t.Logf("an idle connection costs %d octets of heap and stack and %.1f goroutines, the client's socket included", each, float64(runtime.NumGoroutine()-goroutines)/n)
	if each > 40<<10 {
		t.Errorf("an idle connection costs %d octets", each)
	}
}

// inUse is the heap and the stacks in use.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// A member's sessions see each other's changes within the commit.
func TestIdleHearsTheCommit(t *testing.T) {
	h := newHouse(t)
	p := h.signIn("INBOX")
	h.say(p, "a IDLE", "+")
	h.deliver("INBOX", "Subject: hi\n\nthere\n")
	h.hear(p, "* 1 EXISTS")
	mb, err := h.store.Mailbox(context.Background(), h.tess.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.StoreFlags(context.Background(), h.tess.ID, mb.ID, threading.UIDSet{{First: 1, Last: 1}}, threading.FlagsAdd, threading.FlagAnswered, nil); err != nil {
		t.Fatal(err)
	}
	h.hear(p, `* 1 FETCH (UID 1 FLAGS (\Answered \Recent))`)
}

// A member who is suspended loses the connections that are open.
func TestASuspendedMemberIsSignedOut(t *testing.T) {
	h := newHouse(t, func(_ *Options, i *imapd.Options) { i.RecheckEvery = time.Nanosecond })
	p, idling := h.signIn("INBOX"), h.signIn("INBOX")
	h.say(idling, "a IDLE", "+")
	_, err := h.store.ChangeMember(context.Background(), "tess", func(m *threading.Member) error {
		m.Status = threading.MemberSuspended
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.deliver("INBOX", "Subject: hi\n\nthere\n")
	h.hear(idling, "* BYE")
	h.say(p, "a NOOP", "* BYE")
	h.untilGone()
}

func TestSessionsOfAMemberAreLimited(t *testing.T) {
	h := newHouse(t, func(_ *Options, i *imapd.Options) { i.SessionsPerMember = 2 })
	first := h.signIn("INBOX")
	h.signIn("INBOX")
	third := h.dial()
	h.say(third, "a LOGIN tess secret-1", "a NO [LIMIT]")
	h.say(first, "a LOGOUT", "a OK")
	for range 500 { // until the server has noticed
		if _, err := third.Write([]byte("b LOGIN tess secret-1\r\n")); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(h.hear(third, "b "), "b OK") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the place is not given back")
}

package wire

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/threading"
)

// maxSignInFailures is how many wrong passwords a connection may try.
const maxSignInFailures = 5

var tooManyWrong = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAuthenticationFailed, Text: "Too many wrong passwords."}

// session adapts an imapd.Session to imapserver. imapserver calls it from the
// connection's goroutine, and Idle from another, which may still run when the
// next command comes: each holds mu while it works.
type session struct {
	srv   *Server
	conn  *imapserver.Conn
	inner *limitedConn // below TLS

	mu       sync.Mutex
	s        *imapd.Session
	failures int         // wrong passwords
	signIn   *time.Timer // ends the connection of one that doesn't sign in
	idling   atomic.Bool
}

var _ imapserver.SessionIMAP4rev2 = (*session)(nil)

// begin waits for what runs and returns the function that ends the command.
func (x *session) begin() func() {
	x.mu.Lock()
	return x.mu.Unlock
}

// resting reports whether the connection waits for its client, with no command
// under way but IDLE.
func (x *session) resting() bool {
	if !x.inner.reading.Load() {
		return false
	}
	if x.idling.Load() {
		return true
	}
	if !x.mu.TryLock() {
		return false
	}
	x.mu.Unlock()
	return true
}

// Close implements imapserver.Session. It ends an Idle that still runs, and so
// doesn't wait for it.
func (x *session) Close() error {
	x.signIn.Stop()
	x.srv.closed(x)
	x.s.Close()
	return nil
}

// failed logs what is the server's own fault; the client hears "internal
// server error". A client that went away is nobody's fault. A member who is
// signed out hears BYE.
func (x *session) failed(command string, err error) error {
	var told *imap.Error
	var gone *net.OpError
	switch {
	case err == nil, errors.As(err, &told):
	case errors.Is(err, imapd.ErrSignedOut):
		x.srv.bye(x.conn, "You have been signed out.", byePatience)
	case x.s.Ended(), errors.As(err, &gone), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		x.srv.o.Logger.Debug("an IMAP client went away", "command", command, "error", err)
	default:
		x.srv.o.Logger.Error("an IMAP command failed", "command", command, "error", err)
	}
	return err
}

// Login implements imapserver.Session. After too many wrong passwords the next
// one is not looked at and the connection ends.
func (x *session) Login(name, password string) error {
	defer x.begin()()
	if x.failures == maxSignInFailures {
		// AUTHENTICATE holds the connection's lock for writing until this returns.
		go x.srv.bye(x.conn, tooManyWrong.Text, byePatience)
		return tooManyWrong
	}
	err := x.s.Login(name, password)
	if err == nil {
		x.signIn.Stop()
		return nil
	}
	var told *imap.Error
	if errors.As(err, &told) && told.Code == imap.ResponseCodeAuthenticationFailed {
		x.failures++
	}
	return x.failed("LOGIN", err)
}

// Select implements imapserver.Session.
func (x *session) Select(name string, o *imap.SelectOptions) (*imap.SelectData, error) {
	defer x.begin()()
	d, err := x.s.Select(name, o != nil && o.ReadOnly)
	if err == nil && !x.conn.EnabledCaps().Has(imap.CapIMAP4rev2) {
		d.List = nil // only an IMAP4rev2 client expects it (RFC 9051 section 6.3.2)
	}
	return d, x.failed("SELECT", err)
}

// Unselect implements imapserver.Session.
func (x *session) Unselect() error {
	defer x.begin()()
	x.s.Unselect()
	return nil
}

// Create implements imapserver.Session.
func (x *session) Create(name string, o *imap.CreateOptions) error {
	defer x.begin()()
	return x.failed("CREATE", x.s.Create(name, o))
}

// Delete implements imapserver.Session.
func (x *session) Delete(name string) error {
	defer x.begin()()
	return x.failed("DELETE", x.s.Delete(name))
}

// Rename implements imapserver.Session.
func (x *session) Rename(from, to string, _ *imap.RenameOptions) error {
	defer x.begin()()
	return x.failed("RENAME", x.s.Rename(from, to))
}

// Subscribe implements imapserver.Session.
func (x *session) Subscribe(name string) error {
	defer x.begin()()
	return x.failed("SUBSCRIBE", x.s.Subscribe(name, true))
}

// Unsubscribe implements imapserver.Session.
func (x *session) Unsubscribe(name string) error {
	defer x.begin()()
	return x.failed("UNSUBSCRIBE", x.s.Subscribe(name, false))
}

// Namespace implements imapserver.SessionNamespace: there are personal
// mailboxes only.
func (x *session) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: threading.HierarchySep}}}, nil
}

// List implements imapserver.Session.
func (x *session) List(w *imapserver.ListWriter, ref string, patterns []string, o *imap.ListOptions) error {
	defer x.begin()()
	list, err := x.s.List(ref, patterns, o)
	if err != nil {
		return x.failed("LIST", err)
	}
	for i := range list {
		if err := w.WriteList(&list[i]); err != nil {
			return x.failed("LIST", err)
		}
	}
	return nil
}

// Status implements imapserver.Session.
func (x *session) Status(name string, o *imap.StatusOptions) (*imap.StatusData, error) {
	defer x.begin()()
	d, err := x.s.Status(name, o)
	return d, x.failed("STATUS", err)
}

// Append implements imapserver.Session.
func (x *session) Append(name string, r imap.LiteralReader, o *imap.AppendOptions) (*imap.AppendData, error) {
	defer x.begin()()
	d, err := x.s.Append(name, r, r.Size(), o.Flags, o.Time)
	return d, x.failed("APPEND", err)
}

// Poll implements imapserver.Session.
func (x *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	defer x.begin()()
	updates, err := x.s.Poll(allowExpunge)
	if err == nil {
		err = tell(w, updates)
	}
	return x.failed("poll", err)
}

// Idle implements imapserver.Session.
func (x *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	defer x.begin()()
	x.idling.Store(true)
	defer x.idling.Store(false)
	return x.failed("IDLE", x.s.Idle(stop, func(updates []imapd.Update) error { return tell(w, updates) }))
}

func tell(w *imapserver.UpdateWriter, updates []imapd.Update) error {
	for _, u := range updates {
		var err error
		switch {
		case u.Expunge != 0:
			err = w.WriteExpunge(u.Expunge)
		case u.Fetch != nil:
			err = w.WriteMessageFlags(u.Fetch.Seq, u.Fetch.UID, u.Fetch.Flags)
		default:
			err = w.WriteNumMessages(u.Exists)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Expunge implements imapserver.Session. CLOSE calls it as well, with a writer
// that writes nothing.
func (x *session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	defer x.begin()()
	if *w == (imapserver.ExpungeWriter{}) {
		return x.failed("CLOSE", x.s.CloseMailbox())
	}
	seqs, err := x.s.Expunge(uids)
	if err != nil {
		return x.failed("EXPUNGE", err)
	}
	for _, seq := range seqs {
		if err := w.WriteExpunge(seq); err != nil {
			return x.failed("EXPUNGE", err)
		}
	}
	return nil
}

// Search implements imapserver.Session.
func (x *session) Search(kind imapserver.NumKind, c *imap.SearchCriteria, o *imap.SearchOptions) (*imap.SearchData, error) {
	defer x.begin()()
	d, err := x.s.Search(kind == imapserver.NumKindUID, c, o)
	return d, x.failed("SEARCH", err)
}

// Store implements imapserver.Session.
func (x *session) Store(w *imapserver.FetchWriter, set imap.NumSet, change *imap.StoreFlags, _ *imap.StoreOptions) error {
	defer x.begin()()
	_, byUID := set.(imap.UIDSet)
	return x.failed("STORE", x.s.Store(set, change, func(u imapd.FlagsUpdate) error {
		m := w.CreateMessage(u.Seq)
		if byUID {
			m.WriteUID(u.UID)
		}
		m.WriteFlags(u.Flags)
		return m.Close()
	}))
}

// Copy implements imapserver.Session.
func (x *session) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	defer x.begin()()
	d, _, err := x.s.Copy(set, dest, false)
	return d, x.failed("COPY", err)
}

// Move implements imapserver.SessionMove.
func (x *session) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	defer x.begin()()
	d, seqs, err := x.s.Copy(set, dest, true)
	if err != nil || d == nil {
		return x.failed("MOVE", err)
	}
	if err := w.WriteCopyData(d); err != nil {
		return x.failed("MOVE", err)
	}
	for _, seq := range seqs {
		if err := w.WriteExpunge(seq); err != nil {
			return x.failed("MOVE", err)
		}
	}
	return nil
}

// Package imapd is what an IMAP session does over a member's mailboxes: which
// messages it has told its client of, what a FETCH reads, what a SEARCH finds.
// It knows no protocol syntax: package imapd/wire reads commands and writes
// responses.
//
// # State
//
// A Session belongs to one connection and is used from one goroutine at a
// time; only Close may be called from another. It owns no goroutine, but for
// short ones that it waits for (see aside). It holds
// the UIDs of the selected mailbox as its client knows them, by sequence
// number, and the mod-sequence that they are true of: 4 octets a message. All
// else is read from the store when it is asked for; a message is streamed,
// never held, and of header blocks at most what store.Scan reads at once.
//
// # Changes
//
// The store's change feed says whether there is anything new at all; only
// then a session asks what. Expunges that come while sequence numbers must not
// move (RFC 9051 section 7.5.1) wait until they may. What a client does itself
// is told in the answer and not again; what others did to the same messages in
// the meantime is told even to a STORE that is silent.
//
// # Disk
//
// What is answered with OK is on disk: every change is one transaction of
// threading/store. A session that breaks off leaves whole changes or none.
package imapd

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/login"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Options configure a Server.
type Options struct {
	Store             *store.Store
	Login             *login.Authenticator
	MaxMessageSize    int64 // of APPEND, in octets
	SessionsPerMember int   // signed-in sessions at once; zero: 50
	// Bearer returns the handle of the member that an OAuth token is for (RFC
	// 7628), or login.ErrDenied. nil: tokens are not taken.
	Bearer func(ctx context.Context, token string) (handle string, err error)
	// RecheckEvery is how often a session looks whether its member may still
	// sign in. Zero: 5 minutes.
	RecheckEvery time.Duration
	Logger       *slog.Logger
}

// Server is what sessions share.
type Server struct {
	o     Options
	polls chan struct{} // a place for each session that asks for changes
	sorts chan struct{} // and for each that sorts or threads

	mu       sync.Mutex
	sessions map[threading.ID]int
	recent   map[threading.ID]uint32 // by mailbox: see recent.go
}

// New returns a Server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SessionsPerMember == 0 {
		o.SessionsPerMember = 50
	}
	if o.RecheckEvery == 0 {
		o.RecheckEvery = 5 * time.Minute
	}
	return &Server{o: o, polls: make(chan struct{}, maxPolls), sorts: make(chan struct{}, maxSorts), sessions: map[threading.ID]int{}, recent: map[threading.ID]uint32{}}
}

// MaxMessageSize is the largest message that APPEND takes, in octets.
func (srv *Server) MaxMessageSize() int64 { return srv.o.MaxMessageSize }

// Session is one connection's session.
type Session struct {
	srv    *Server
	ctx    context.Context
	cancel context.CancelFunc
	ip     netip.Addr

	member threading.Member // zero until login
	feed   *store.Subscription
	// checked is when the member was last known to be active.
	checked time.Time

	closing sync.Once

	box *selected // nil: no mailbox is selected
	// IMAP4rev2 is set once the client enabled it: it knows no \Recent.
	IMAP4rev2 bool
	// searchResult is what "$" stands for (RFC 5182).
	searchResult threading.UIDSet
}

// NewSession returns a session that nobody has signed in to; it must be closed.
func (srv *Server) NewSession(ip netip.Addr) *Session {
	ctx, cancel := context.WithCancel(context.Background())
	return &Session{srv: srv, ctx: ctx, cancel: cancel, ip: ip}
}

// ErrSignedOut ends a session: its member was suspended or removed.
var ErrSignedOut = errors.New("the member may no longer sign in")

// recheck returns ErrSignedOut if the member may no longer sign in.
func (s *Session) recheck() error {
	if s.feed == nil || time.Since(s.checked) < s.srv.o.RecheckEvery {
		return nil
	}
	m, err := s.store().Member(s.ctx, s.member.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Status != threading.MemberActive {
		return ErrSignedOut
	}
	s.checked = time.Now()
	return err
}

// Close ends the session, also where its client still idles.
func (s *Session) Close() {
	s.closing.Do(func() {
		s.cancel()
		if s.feed == nil {
			return
		}
		s.noteRecent()
		s.feed.Close()
		s.srv.mu.Lock()
		defer s.srv.mu.Unlock()
		if s.srv.sessions[s.member.ID]--; s.srv.sessions[s.member.ID] <= 0 {
			delete(s.srv.sessions, s.member.ID)
		}
	})
}

func (s *Session) store() *store.Store { return s.srv.o.Store }

// Ended reports whether the session was closed: what fails after that is
// nobody's fault.
func (s *Session) Ended() bool { return s.ctx.Err() != nil }

// no is a NO response with a code and a sentence for a person.
func no(code imap.ResponseCode, text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

// bad is a BAD response: the client asked for what there isn't.
func bad(text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeBad, Text: text}
}

// answer turns what the store says into a response; missing is the code for a
// mailbox that is not there.
func answer(err error, missing imap.ResponseCode) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return no(missing, "There is no such mailbox.")
	case errors.Is(err, store.ErrExists):
		return no(imap.ResponseCodeAlreadyExists, "There is a mailbox of that name already.")
	case errors.Is(err, store.ErrLimit):
		return no(imap.ResponseCodeLimit, "There are too many: the limit is reached.")
	case errors.Is(err, store.ErrQuota):
		return no(imap.ResponseCodeOverQuota, "Your mailboxes are full: delete messages, and what is in Trash, to make room.")
	case errors.Is(err, store.ErrStandardMailbox), errors.Is(err, store.ErrMailboxName), errors.Is(err, store.ErrAllMailbox):
		return no(imap.ResponseCodeCannot, err.Error())
	case errors.Is(err, store.ErrHasChildren):
		return no(imap.ResponseCodeHasChildren, err.Error())
	}
	return err
}

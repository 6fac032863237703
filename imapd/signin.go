package imapd

import (
	"errors"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/login"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Login signs a member in.
func (s *Session) Login(name, password string) error {
	var m threading.Member
	err := aside(func() (err error) {
		m, err = s.srv.o.Login.Verify(s.ctx, name, password, s.ip)
		return err
	})
	if err != nil {
		return s.denied(err)
	}
	return s.signedIn(m)
}

// BeginScram begins a SCRAM-SHA-256 exchange, with the client's first message,
// and returns what to answer.
func (s *Session) BeginScram(first string, b login.Binding) (x *login.Scram, answer string, err error) {
	err = aside(func() (err error) {
		x, answer, err = s.srv.o.Login.BeginScram(s.ctx, first, b, s.ip)
		return err
	})
	if err != nil {
		return nil, "", s.denied(err)
	}
	return x, answer, nil
}

// FinishScram ends it, with the client's final message. What it returns the
// client must hear before it is told that it is signed in.
func (s *Session) FinishScram(x *login.Scram, final string) (answer string, err error) {
	var m threading.Member
	err = aside(func() (err error) {
		m, answer, err = x.Finish(s.ctx, final)
		return err
	})
	if err != nil {
		return "", s.denied(err)
	}
	return answer, s.signedIn(m)
}

// TakesTokens reports whether LoginBearer can be.
func (s *Session) TakesTokens() bool { return s.srv.o.Bearer != nil }

// LoginBearer signs in the member that an OAuth token is for.
func (s *Session) LoginBearer(token string) error {
	var m threading.Member
	err := aside(func() error {
		handle, err := s.srv.o.Bearer(s.ctx, token)
		if err != nil {
			return err
		}
		m, err = s.store().MemberByHandle(s.ctx, handle)
		if errors.Is(err, store.ErrNotFound) || err == nil && m.Status != threading.MemberActive {
			return login.ErrDenied
		}
		return err
	})
	if err != nil {
		return s.denied(err)
	}
	return s.signedIn(m)
}

// denied is what a client is told.
func (s *Session) denied(err error) error {
	if errors.Is(err, login.ErrDenied) {
		return no(imap.ResponseCodeAuthenticationFailed, "The user name or password is wrong.")
	}
	if !errors.Is(err, login.ErrBusy) && s.ctx.Err() == nil {
		s.srv.o.Logger.Error("can't verify a sign-in", "error", err)
	}
	return no(imap.ResponseCodeUnavailable, "Signing in is not possible right now. Please try again in a moment.")
}

// signedIn begins the session of a member, unless there are too many.
func (s *Session) signedIn(m threading.Member) error {
	s.srv.mu.Lock()
	full := s.srv.sessions[m.ID] >= s.srv.o.SessionsPerMember
	if !full {
		s.srv.sessions[m.ID]++
	}
	s.srv.mu.Unlock()
	if full {
		return no(imap.ResponseCodeLimit, "Too many connections of yours are open. Close one of your mail programs.")
	}
	s.member, s.checked = m, time.Now()
	return aside(func() error {
		s.feed = s.store().Subscribe(m.ID)
		s.prepareAll()
		return nil
	})
}

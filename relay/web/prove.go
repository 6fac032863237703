package web

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"time"

	"github.com/stagedoor/stagedoor/threading/login"
)

// freshFor is how long after signing in a member need not prove again that
// they are who sits there.
const freshFor = 15 * time.Minute

func (s *Server) fresh(v visitor) bool { return s.now().Sub(v.session.CreatedAt) < freshFor }

// prove asks, before what a stranger at an open browser must not do, for the
// password again, unless the member has just signed in. field is the ID of the
// password's field. It reports whether the request may go on; if not, it has
// answered with the section.
func (s *Server) prove(ctx context.Context, w http.ResponseWriter, r *http.Request, path, field string, v visitor) bool {
	if s.fresh(v) {
		return true
	}
	_, err := s.o.Login.VerifyOwn(ctx, v.Handle, r.PostFormValue("current"), remoteIP(r))
	if err == nil {
		return true
	}
	s.denied(ctx, w, path, v, problem{Field: field, Text: "The password is wrong. If you don't know it, sign out and let a link be mailed to you."}, err)
	return false
}

// denied answers with the section when a password was not found right; wrong is
// what to say if it is wrong.
func (s *Server) denied(ctx context.Context, w http.ResponseWriter, path string, v visitor, wrong problem, err error) {
	switch {
	case errors.Is(err, login.ErrDenied):
		s.problem(ctx, w, path, v, wrong)
	case errors.Is(err, login.ErrBusy):
		s.problem(ctx, w, path, v, problem{Text: "Too many people are signing in right now. Please try again in a moment."})
	default:
		s.failed(w, err)
	}
}

// proofField is the field for it.
type proofField struct {
	Asked   bool
	ID      string
	Invalid template.HTMLAttr
}

// Proof is the field of that ID in a form that prove guards.
func (p accountPage) Proof(id string) proofField {
	return proofField{Asked: !p.Fresh, ID: id, Invalid: invalid(p.Problem, id)}
}

// signInAgain is the button that leads to a section by way of the sign-in.
type signInAgain struct{ Base, To string }

// Again is shown instead of such a form to a member who has no password.
func (p accountPage) Again(to string) signInAgain { return signInAgain{p.Base, to} }

// again ends the session and asks to sign in: a member without a password
// proves who they are so.
func (s *Server) again(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.EndSession(ctx, v.ID, v.session.ID, 0); err != nil {
		s.failed(w, err)
		return
	}
	s.setCookie(w, "", -1)
	s.toSignIn(w, r, r.PostFormValue("to"))
}

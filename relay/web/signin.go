package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/stagedoor/stagedoor/threading/login"
)

// maxLinksPerHour is how many sign-in links one network may ask for.
const maxLinksPerHour = 20

// signInPage is what the sign-in form shows.
type signInPage struct {
	Base, To, Name string
	Problem        problem
	Links          bool // links can be mailed: there is a base URL
}

func (s *Server) signInForm(w http.ResponseWriter, r *http.Request) {
	s.showSignIn(w, http.StatusOK, signInPage{To: r.URL.Query().Get("to")})
}

func (s *Server) showSignIn(w http.ResponseWriter, status int, p signInPage) {
	p.Base, p.Links = s.base, s.o.BaseURL != ""
	if len(p.To) > maxLanding {
		p.To = ""
	}
	s.frame(w, status, page{Title: "Sign in", Problem: p.Problem.Text != ""}, "signin", p)
}

// signInByPassword takes the form.
func (s *Server) signInByPassword(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	p := signInPage{To: r.PostFormValue("to"), Name: r.PostFormValue("name")}
	m, err := s.o.Login.VerifyOwn(ctx, p.Name, r.PostFormValue("password"), remoteIP(r))
	switch {
	case errors.Is(err, login.ErrDenied):
		p.Problem = problem{Field: "name", Text: "The name or the password is wrong."}
		if strings.Contains(p.Name, "@") && s.o.BaseURL != "" {
			p.Problem.Text += " A password goes with your name here; to your own e-mail address a link can be mailed."
		}
		s.showSignIn(w, http.StatusForbidden, p)
	case errors.Is(err, login.ErrBusy):
		p.Problem = problem{Text: "Too many people are signing in right now. Please try again in a moment."}
		s.showSignIn(w, http.StatusServiceUnavailable, p)
	case err != nil:
		s.failed(w, err)
	default:
		if err := s.signIn(ctx, w, r, m); err != nil {
			s.failed(w, err)
			return
		}
		http.Redirect(w, r, s.landing(p.To), http.StatusSeeOther)
	}
}

// mailLink mails a link to sign in. The answer and its time don't tell whether
// there is such a member: the work is done after it.
func (s *Server) mailLink(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("name")
	switch {
	case s.o.BaseURL == "" || len(name) > 300 || strings.TrimSpace(name) == "":
		s.showSignIn(w, http.StatusBadRequest, signInPage{To: r.PostFormValue("to"), Problem: problem{Field: "name", Text: "Please write your name or your e-mail address."}})
		return
	case !s.links.allow(network(r), maxLinksPerHour):
		s.showSignIn(w, http.StatusTooManyRequests, signInPage{Problem: problem{Text: "Too many links were asked for from your network. Please try again in an hour."}})
		return
	}
	to := strings.TrimPrefix(s.landing(r.PostFormValue("to")), s.base)
	if to == atSettings {
		to = ""
	}
	requester := network(r)
	s.later(func(ctx context.Context) {
		if err := s.o.Pipeline.MailSignInLink(ctx, name, to, requester); err != nil {
			s.log.Error("a sign-in link can't be mailed", "error", err)
		}
	})
	s.tell(w, http.StatusOK, "Look into your mailbox", "If there is such an account, a link to sign in has been mailed to its e-mail address. It works once, for a quarter of an hour.")
}

// maxLater is how many jobs that follow an answer may wait; more are dropped.
const maxLater = 100

// later does something after the answer. Shutdown waits for it.
func (s *Server) later(do func(context.Context)) {
	select {
	case s.jobs <- struct{}{}:
	default:
		s.log.Warn("too much to do at once: a job is dropped")
		return
	}
	s.working.Go(func() {
		defer func() { <-s.jobs }()
		ctx, cancel := context.WithTimeout(context.Background(), workTime)
		defer cancel()
		do(ctx)
	})
}

// signInLink shows the page behind a mailed link. Programs open it too: the
// button signs in.
func (s *Server) signInLink(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	if err := s.o.Pipeline.SignInLink(ctx, r.PathValue("token")); err != nil {
		s.failed(w, err)
		return
	}
	s.show(w, http.StatusOK, "Sign in", "signinlink", nil)
}

func (s *Server) useSignInLink(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	m, err := s.o.Pipeline.UseSignInLink(ctx, r.PathValue("token"))
	if err == nil {
		err = s.signIn(ctx, w, r, m)
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	http.Redirect(w, r, s.landing(r.URL.Query().Get("to")), http.StatusSeeOther)
}

func (s *Server) signOut(ctx context.Context, w http.ResponseWriter, _ *http.Request, v visitor) {
	if err := s.o.Store.EndSession(ctx, v.ID, v.session.ID, 0); err != nil {
		s.failed(w, err)
		return
	}
	s.setCookie(w, "", -1)
	s.tell(w, http.StatusOK, "You are signed out")
}

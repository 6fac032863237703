package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// changePassword sets the password. Who has one must know it, and who has none
// must have signed in a moment ago: a browser that was left open is not enough.
func (s *Server) changePassword(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	credentials, err := s.o.Store.Credentials(ctx, v.ID)
	if err != nil {
		s.failed(w, err)
		return
	}
	if !slices.ContainsFunc(credentials, func(c threading.Credential) bool { return c.Kind == threading.CredentialPassword }) {
		if !s.prove(ctx, w, r, atPasswords, "new", v) {
			return
		}
	} else if _, err := s.o.Login.VerifyOwn(ctx, v.Handle, r.PostFormValue("old"), remoteIP(r)); err != nil {
		s.denied(ctx, w, atPasswords, v, problem{Field: "old", Text: "The old password is wrong."}, err)
		return
	}
	password := r.PostFormValue("new")
	if err := seal.CheckPassword(password); err != nil {
		s.problem(ctx, w, atPasswords, v, problem{Field: "new", Text: strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + "."})
		return
	}
	err = s.o.Store.SetCredential(ctx, threading.Credential{MemberID: v.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier(password)})
	if err == nil {
		err = s.o.Store.EndSession(ctx, v.ID, 0, v.session.ID)
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	s.changed(w, r, atPasswords, "password")
}

// addApp makes an app password, on the page of the passwords or on that of the
// mail app.
func (s *Server) addApp(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	path := atPasswords
	if r.PostFormValue("from") == "connect" {
		path = atConnect
	}
	if !s.prove(ctx, w, r, path, "current-app", v) {
		return
	}
	label := strings.TrimSpace(r.PostFormValue("label"))
	wrong := func(sentence string) {
		s.showAccount(ctx, w, http.StatusUnprocessableEntity, path, v, accountPage{Problem: problem{Field: "label", Text: sentence}, Typed: label})
	}
	password, verifier := seal.NewAppPassword(seal.ScramSalt(s.o.Store.Keyring(), v.Handle))
	err := s.o.Store.AddAppPassword(ctx, v.ID, label, verifier)
	switch {
	case errors.Is(err, store.ErrExists):
		wrong("You have an app password of that name already: give this one another, or remove the old one first.")
	case errors.Is(err, store.ErrLimit):
		wrong("You have " + strconv.Itoa(store.MaxAppPasswords) + " app passwords: remove one that you don't use first.")
	case err != nil && threading.CheckName(label) != nil:
		wrong("Please give the device a short name, such as “Phone”.")
	case err != nil:
		s.failed(w, err)
	default:
		s.showAccount(ctx, w, http.StatusOK, path, v, accountPage{NewApp: password, NewAppLabel: label})
	}
}

// idOf is an ID that a form of ours holds.
func idOf(r *http.Request) threading.ID {
	n, err := strconv.ParseInt(r.PostFormValue("id"), 10, 64)
	if err != nil {
		return -1
	}
	return threading.ID(n)
}

func (s *Server) removeApp(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.RemoveAppPassword(ctx, v.ID, idOf(r)); err != nil {
		s.notThere(ctx, w, atPasswords, v, err)
		return
	}
	s.changed(w, r, atPasswords, "removed")
}

// endSessions signs the member out: of one browser, or of all others.
func (s *Server) endSessions(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	var err error
	if r.PostFormValue("id") == "" {
		err = s.o.Store.EndSession(ctx, v.ID, 0, v.session.ID)
	} else {
		err = s.o.Store.EndSession(ctx, v.ID, idOf(r), v.session.ID)
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	s.changed(w, r, atPasswords, "ended")
}

func (s *Server) unblock(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.Unblock(ctx, v.ID, idOf(r)); err != nil {
		s.failed(w, err)
		return
	}
	s.changed(w, r, atBlocked, "unblocked")
}

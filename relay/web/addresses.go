package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// addAddress mails a link to an address that the member wants to add. Whether
// it is somebody's shows only to who reads its mail.
func (s *Server) addAddress(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if !s.prove(ctx, w, r, atAddresses, "current", v) {
		return
	}
	addr := strings.TrimSpace(r.PostFormValue("address"))
	wrong := func(sentence string) {
		s.showAccount(ctx, w, http.StatusUnprocessableEntity, atAddresses, v, accountPage{Problem: problem{Field: "address", Text: sentence}, Typed: addr})
	}
	local, domain, err := threading.SplitAddress(addr)
	switch {
	case err != nil:
		wrong("That is not an e-mail address: " + err.Error() + ".")
		return
	case local != "" && strings.EqualFold(domain, s.o.Domain):
		wrong("Please give an address of your own, not one of this service.")
		return
	case s.o.BaseURL == "" || !s.added.allow(v.Handle, maxLinksPerHour):
		wrong("You have asked for many links. Please try again in an hour.")
		return
	}
	err = s.o.Pipeline.RequestAddress(ctx, v.Member, addr)
	if errors.Is(err, store.ErrLimit) {
		wrong("Links to other addresses wait for an answer already. Please open them first, or try again in some days.")
		return
	}
	if err != nil && !errors.Is(err, store.ErrAskedAlready) {
		s.failed(w, err)
		return
	}
	s.changed(w, r, atAddresses, "asked")
}

// knownAddress is the address in a form of ours. What is none is nobody's.
func knownAddress(r *http.Request) (string, error) {
	addr := r.PostFormValue("address")
	if _, err := threading.Canonical(addr); err != nil {
		return "", store.ErrNotFound
	}
	return addr, nil
}

func (s *Server) primaryAddress(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	addr, err := knownAddress(r)
	if err == nil {
		err = s.o.Store.SetPrimary(ctx, v.ID, addr)
	}
	if err != nil {
		s.notThere(ctx, w, atAddresses, v, err)
		return
	}
	s.changed(w, r, atAddresses, "primary")
}

// addressWorks lets mail go again to an address that mail came back from.
func (s *Server) addressWorks(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.AddressWorks(ctx, v.ID, idOf(r)); err != nil {
		s.notThere(ctx, w, atAddresses, v, err)
		return
	}
	s.changed(w, r, atAddresses, "works")
}

func (s *Server) removeAddress(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	addr, err := knownAddress(r)
	if err == nil {
		err = s.o.Store.RemoveAddress(ctx, v.ID, addr)
	}
	if errors.Is(err, store.ErrPrimary) {
		s.problem(ctx, w, atAddresses, v, problem{Text: "Mail to you goes to this address: choose another one for that first."})
		return
	}
	if err != nil {
		s.notThere(ctx, w, atAddresses, v, err)
		return
	}
	s.changed(w, r, atAddresses, "removed")
}

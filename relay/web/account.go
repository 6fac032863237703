package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// section is one page of a member's account.
type section struct {
	Path, Label, Title string // Label is its name among the others
	Current            bool
}

// The sections, by path below the base, in the order in which they are shown.
const (
	atSettings      = "/account"
	atConversations = "/account/conversations"
	atAddresses     = "/account/addresses"
	atPasswords     = "/account/passwords"
	atBlocked       = "/account/blocked"
	atConnect       = "/account/connect"
	atData          = "/account/data"
)

var sections = []section{
	{Path: atSettings, Label: "Settings", Title: "Your account"},
	{Path: atConversations, Label: "Conversations", Title: "Your conversations"},
	{Path: atAddresses, Label: "Addresses", Title: "Your e-mail addresses"},
	{Path: atPasswords, Label: "Passwords", Title: "Passwords and devices"},
	{Path: atBlocked, Label: "Blocked", Title: "Blocked members"},
	{Path: atConnect, Label: "Mail app", Title: "Connect your mail app"},
	{Path: atData, Label: "Your data", Title: "Your data"},
}

// accountPage is what a section shows; each fills what it needs.
type accountPage struct {
	Base, Handle, Contact, Brand string
	Done                         string // of what was just done
	Problem                      problem
	Member                       threading.Member
	Fresh                        bool // signed in a moment ago
	Links                        bool // there is a base URL
	HasPassword                  bool

	Choices             []alertsChoice
	Zones               []string
	Languages           []languageChoice
	Threads             []threadRow
	Before, Older       string // token of the thread that Threads go on after; of the last, if there may be more
	Addresses           []threading.Address
	Typed               string // what was wrong with it is in Problem
	Apps                []threading.Credential
	NewApp, NewAppLabel string // an app password, shown this once
	Sessions            []store.Session
	This                threading.ID // the session that shows the page
	Blocked             []threading.Member
	IMAP, SMTP          []mailService
	Code                *qrCode
	CodeFor             string // how long it works
}

// done are the sentences that follow a change, by the word in the address of
// the page.
var done = map[string]string{
	"alerts":  "Your choice has been saved.",
	"asked":   "A link has been mailed to the new address. Open it to add the address.",
	"primary": "Mail to you goes to that address now.", "removed": "It has been removed.", "works": "Mail goes there again.",
	"password":  "Your password has been changed. Other browsers are signed out.",
	"unblocked": "What they write from now on reaches you again.", "ended": "Signed out there.",
}

// fill reads what a section shows.
func (s *Server) fill(ctx context.Context, path string, v visitor, p *accountPage) (err error) {
	p.Base, p.Brand, p.Handle, p.Contact = s.base, s.o.Brand, v.Handle, v.Handle+"@"+s.o.Domain
	if p.Member.ID == 0 { // else it holds what was typed
		p.Member = v.Member
	}
	p.This, p.Fresh, p.Links = v.session.ID, s.fresh(v), s.o.BaseURL != ""
	credentials, err := s.o.Store.Credentials(ctx, v.ID)
	if err != nil {
		return err
	}
	for _, c := range credentials {
		if c.Kind == threading.CredentialApp {
			p.Apps = append(p.Apps, c)
		} else {
			p.HasPassword = true
		}
	}
	switch path {
	case atSettings:
		p.Choices, p.Zones, p.Languages = choices(s.o.Languages.Of(language.Default), p.Member.Alerts), zones, s.languages(p.Member)
	case atAddresses:
		p.Addresses, err = s.o.Store.Addresses(ctx, v.ID)
	case atPasswords:
		p.Sessions, err = s.o.Store.Sessions(ctx, v.ID)
		for i := range p.Sessions {
			p.Sessions[i].Agent = agentName(p.Sessions[i].Agent)
		}
	case atBlocked:
		p.Blocked, err = s.o.Store.BlockedMembers(ctx, v.ID)
	case atConnect:
		p.IMAP, p.SMTP = s.services("imap"), s.services("smtp")
	}
	return err
}

// account is the handler of a section.
func (s *Server) account(path string) http.HandlerFunc {
	return s.members(func(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
		s.showAccount(ctx, w, http.StatusOK, path, v, accountPage{Done: done[r.URL.Query().Get("done")]})
	})
}

// showAccount completes a section and shows it.
func (s *Server) showAccount(ctx context.Context, w http.ResponseWriter, status int, path string, v visitor, p accountPage) {
	if err := s.fill(ctx, path, v, &p); err != nil {
		s.failed(w, err)
		return
	}
	f := page{Handle: v.Handle, Problem: p.Problem.Text != ""}
	for _, x := range sections {
		if x.Current = x.Path == path; x.Current {
			f.Title = x.Title
		}
		f.Sections = append(f.Sections, x)
	}
	s.frame(w, status, f, strings.Trim(strings.ReplaceAll(path, "/", "-"), "-"), p)
}

// problem shows a section again, with what was wrong.
func (s *Server) problem(ctx context.Context, w http.ResponseWriter, path string, v visitor, p problem) {
	s.showAccount(ctx, w, http.StatusUnprocessableEntity, path, v, accountPage{Problem: p})
}

// changed goes back to a section after a change.
func (s *Server) changed(w http.ResponseWriter, r *http.Request, path, what string) {
	http.Redirect(w, r, s.base+path+"?done="+what, http.StatusSeeOther)
}

// notThere answers to what can't be done because it is not there any more.
func (s *Server) notThere(ctx context.Context, w http.ResponseWriter, path string, v visitor, err error) {
	if errors.Is(err, store.ErrNotFound) {
		s.problem(ctx, w, path, v, problem{Text: "That is not there any more."})
		return
	}
	s.failed(w, err)
}

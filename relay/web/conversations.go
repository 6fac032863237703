package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// threadRow is one of the member's conversations.
type threadRow struct {
	Subject, About string
	With           []other
	Last           time.Time
	Choices        []alertsChoice
	Token          string // of the thread, for the form
}

// other is whom a conversation is with.
type other struct{ Name, Block string }

const threadsPerPage = 20

// conversations lists the member's threads, the newest first, with what mail
// there is about each.
func (s *Server) conversations(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	q := r.URL.Query()
	s.showConversations(ctx, w, http.StatusOK, v, accountPage{Done: done[q.Get("done")], Before: q.Get("before")})
}

func (s *Server) showConversations(ctx context.Context, w http.ResponseWriter, status int, v visitor, p accountPage) {
	k := s.o.Store.Keyring()
	after, ok := k.ParseToken(seal.TokenItem, p.Before)
	if !ok {
		p.Before = ""
	}
	list, err := s.o.Store.MemberThreads(ctx, v.ID, after, threadsPerPage+1)
	if err != nil {
		s.failed(w, err)
		return
	}
	if len(list) > threadsPerPage {
		list = list[:threadsPerPage]
		p.Older = k.Token(seal.TokenItem, list[threadsPerPage-1].Newest)
	}
	for _, t := range list {
		row := threadRow{Subject: t.Thread.Subject, About: t.About(), Last: t.Newest.Time().In(v.Location()), Choices: ownChoices(s.o.Languages.Of(language.Default), t.Alerts), Token: k.Token(seal.TokenThread, t.Thread.ID)}
		for i, m := range t.Participants {
			row.With = append(row.With, other{m.DisplayName(), s.base + "/block/" + k.Token(seal.TokenBlock, t.Aliases[i].ID)})
		}
		p.Threads = append(p.Threads, row)
	}
	s.showAccount(ctx, w, status, atConversations, v, p)
}

// threadAlerts changes how the member is told of one of their threads.
func (s *Server) threadAlerts(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	alerts := threading.Alerts(r.PostFormValue("alerts"))
	id, ok := s.o.Store.Keyring().ParseToken(seal.TokenThread, r.PostFormValue("thread"))
	err := relay.ErrNoQuestion
	if ok && (alerts.Known() || alerts == threading.AlertsUsual && r.PostForm.Has("alerts")) {
		err = s.o.Pipeline.SetThreadAlerts(ctx, v.Member, id, alerts)
	}
	what := "alerts"
	if before := r.PostFormValue("before"); before != "" { // stay on the page
		what += "&before=" + url.QueryEscape(before)
	}
	switch {
	case errors.Is(err, relay.ErrNoQuestion):
		s.showConversations(ctx, w, http.StatusUnprocessableEntity, v, accountPage{Problem: problem{Text: "That is not there any more."}})
	case err != nil:
		s.failed(w, err)
	default:
		s.changed(w, r, atConversations, what)
	}
}

package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// maxBlocksPerHour is how often a member may do something on that page.
const maxBlocksPerHour = 60

// blockPage is what the page behind a notification's link shows.
type blockPage struct {
	spoken
	Other, Brand, SafetyURL string
	Subject                 string
	Blocked, Muted          bool
	MaxReason               int
}

// block shows the page that blocks or reports a member. It changes nothing.
func (s *Server) block(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	a, err := s.o.Pipeline.Acquaintance(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	l, other := s.o.Languages.Of(a.Viewer.Language), a.Other.DisplayName()
	title := l.Say("block.title", "name", other)
	if a.Blocked {
		title = l.Say("block.title_blocked", "name", other)
	}
	// The form counts characters, the store octets of UTF-8: a quarter always fits.
	s.showIn(l, w, http.StatusOK, title, "block", blockPage{
		spoken: spoken{l},
		Other:  other, Brand: s.o.Brand, SafetyURL: s.o.SafetyURL, Subject: a.Thread.Subject, Blocked: a.Blocked, Muted: a.Alerts == threading.AlertsNever, MaxReason: threading.MaxReason / 4,
	})
}

// setBlock does what the member chose.
func (s *Server) setBlock(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	a, err := s.o.Pipeline.Acquaintance(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	l, other := s.o.Languages.Of(a.Viewer.Language), a.Other.DisplayName()
	tell := func(status int, title string, sentences ...string) { s.showIn(l, w, status, title, "text", sentences) }
	if !s.blocks.allow(a.Viewer.Handle, maxBlocksPerHour) {
		tell(http.StatusTooManyRequests, l.Say("page.wait"), l.Say("page.too_often"))
		return
	}
	action := r.PostFormValue("action")
	block, report := action == "block" || action == "both", action == "report" || action == "both"
	var said []string
	switch {
	case action == "mute" || action == "unmute":
		alerts := threading.AlertsUsual
		if action == "mute" {
			alerts = threading.AlertsNever
		}
		if err = s.o.Pipeline.SetThreadAlerts(ctx, a.Viewer, a.Thread.ID, alerts); err == nil {
			what := l.Say("block.said_unmuted")
			if action == "mute" {
				what = l.Say("block.said_muted")
			}
			tell(http.StatusOK, l.Say("page.saved"), what)
			return
		}
	case action == "unblock":
		if err = s.o.Pipeline.SetBlocked(ctx, a, false); err == nil {
			tell(http.StatusOK, l.Say("block.said_unblocked_title", "name", other), l.Say("block.said_unblocked"))
			return
		}
	case !block && !report:
		tell(http.StatusBadRequest, l.Say("page.choose"), l.Say("page.choose_button"))
		return
	}
	if err == nil && block {
		if err = s.o.Pipeline.SetBlocked(ctx, a, true); err == nil {
			said = append(said, l.Say("block.said_blocked", "name", other))
		}
	}
	if err == nil && report {
		switch err = s.o.Pipeline.Report(ctx, a, threading.ReportPage, r.PostFormValue("reason")); {
		case err == nil:
			said = append(said, l.Say("block.said_reported", "brand", s.o.Brand))
		case errors.Is(err, store.ErrNothingToReport):
			err = nil
			said = append(said, l.Say("block.said_nothing", "name", other))
		}
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	tell(http.StatusOK, l.Say("page.done"), said...)
}

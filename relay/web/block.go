package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// blockPage is what the page behind a notification's link shows.
type blockPage struct {
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
	title := "Block or report " + a.Other.DisplayName() + "?"
	if a.Blocked {
		title = a.Other.DisplayName() + " is blocked"
	}
	// The form counts characters, the store octets of UTF-8: a quarter always fits.
	s.show(w, http.StatusOK, title, "block", blockPage{
		Other: a.Other.DisplayName(), Brand: s.o.Brand, SafetyURL: s.o.SafetyURL, Subject: a.Thread.Subject, Blocked: a.Blocked, Muted: a.Alerts == threading.AlertsNever, MaxReason: threading.MaxReason / 4,
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
	other := a.Other.DisplayName()
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
			what := "You get mail about this conversation again."
			if action == "mute" {
				what = "You get no more mail about this conversation. Its messages still come to your mailbox, which any mail client opens."
			}
			s.tell(w, http.StatusOK, "Your choice has been saved", what)
			return
		}
	case action == "unblock":
		if err = s.o.Pipeline.SetBlocked(ctx, a, false); err == nil {
			s.tell(w, http.StatusOK, other+" is not blocked any more", "What they write from now on reaches you again. What they wrote meanwhile does not.")
			return
		}
	case !block && !report:
		s.tell(w, http.StatusBadRequest, "Please choose an answer", "Go back and press one of the buttons.")
		return
	}
	if err == nil && block {
		if err = s.o.Pipeline.SetBlocked(ctx, a, true); err == nil {
			said = append(said, other+" is blocked: nothing that they write reaches you any more. They are not told. This page unblocks them.")
		}
	}
	if err == nil && report {
		switch err = s.o.Pipeline.Report(ctx, a, threading.ReportPage, r.PostFormValue("reason")); {
		case err == nil:
			said = append(said, "Thank you for the report. The team of "+s.o.Brand+" will look at it.")
		case errors.Is(err, store.ErrNothingToReport):
			err = nil
			said = append(said, "There is no message of "+other+" in this conversation that could be reported.")
		}
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	s.tell(w, http.StatusOK, "Done", said...)
}

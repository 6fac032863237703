package web

import (
	"context"
	"net/http"

	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/threading"
)

// alertsPage is what the page behind a notification's link shows.
type alertsPage struct {
	spoken
	Choices []alertsChoice
	Subject string         // of the conversation; empty: there is none
	Own     []alertsChoice // of the conversation
}

// ownChoices are the settings of one conversation.
func ownChoices(l *language.Language, current threading.Alerts) []alertsChoice {
	list := append([]alertsChoice{{Value: threading.AlertsUsual, Label: l.Say("alerts.usual"), Current: current == threading.AlertsUsual}}, choices(l, current)...)
	for i := range list {
		list[i].More = ""
	}
	return list
}

// alerts shows the page behind a notification's link. It changes nothing (RFC
// 8058 section 1: programs open such links).
func (s *Server) alerts(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	link, err := s.o.Pipeline.AlertsOf(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	l := s.o.Languages.Of(link.Member.Language)
	p := alertsPage{spoken: spoken{l}, Choices: choices(l, link.Member.Alerts)}
	if link.Thread.ID != 0 {
		p.Subject, p.Own = link.Thread.Subject, ownChoices(l, link.Own)
	}
	s.showIn(l, w, http.StatusOK, l.Say("alerts.title"), "alerts", p)
}

// setAlerts takes a form of that page, or a mail program's one click (RFC 8058
// section 3.2), which stops everything.
func (s *Server) setAlerts(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	link, err := s.o.Pipeline.AlertsOf(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	l := s.o.Languages.Of(link.Member.Language)
	alerts := threading.Alerts(r.PostFormValue("alerts"))
	if r.PostFormValue("List-Unsubscribe") == "One-Click" {
		alerts = threading.AlertsNever
	}
	topic := r.PostFormValue("about") == "conversation" && link.Thread.ID != 0
	var said string
	switch {
	case topic && (alerts.Known() || alerts == threading.AlertsUsual && r.PostForm.Has("alerts")):
		said = l.Say("alerts.said_conversation")
		err = s.o.Pipeline.SetThreadAlerts(ctx, link.Member, link.Thread.ID, alerts)
	case alerts.Known() && !topic:
		said = map[threading.Alerts]string{
			threading.AlertsImmediate: l.Say("alerts.said_immediate"),
			threading.AlertsDaily:     l.Say("alerts.said_daily"),
			threading.AlertsNever:     l.Say("alerts.said_never"),
		}[alerts]
		err = s.o.Pipeline.SetAlerts(ctx, link, alerts)
	default:
		s.showIn(l, w, http.StatusBadRequest, l.Say("page.choose"), "text", []string{l.Say("page.choose_setting")})
		return
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	s.showIn(l, w, http.StatusOK, l.Say("page.saved"), "text", []string{said})
}

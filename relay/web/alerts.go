package web

import (
	"context"
	"net/http"

	"github.com/stagedoor/stagedoor/threading"
)

// alertsPage is what the page behind a notification's link shows.
type alertsPage struct {
	Choices []alertsChoice
	Subject string         // of the conversation; empty: there is none
	Own     []alertsChoice // of the conversation
}

// ownChoices are the settings of one conversation.
func ownChoices(current threading.Alerts) []alertsChoice {
	list := []alertsChoice{
		{Value: threading.AlertsUsual, Label: "As in general"},
		{Value: threading.AlertsImmediate, Label: "At once"},
		{Value: threading.AlertsDaily, Label: "Once a day"},
		{Value: threading.AlertsNever, Label: "Never"},
	}
	for i := range list {
		list[i].Current = list[i].Value == current
	}
	return list
}

// alerts shows the page behind a notification's link. It changes nothing (RFC
// 8058 section 1: programs open such links).
func (s *Server) alerts(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	l, err := s.o.Pipeline.AlertsOf(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	p := alertsPage{Choices: choices(l.Member.Alerts)}
	if l.Thread.ID != 0 {
		p.Subject, p.Own = l.Thread.Subject, ownChoices(l.Own)
	}
	s.show(w, http.StatusOK, "How often do you want mail about new messages?", "alerts", p)
}

// setAlerts takes a form of that page, or a mail program's one click (RFC 8058
// section 3.2), which stops everything.
func (s *Server) setAlerts(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	l, err := s.o.Pipeline.AlertsOf(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	alerts := threading.Alerts(r.PostFormValue("alerts"))
	if r.PostFormValue("List-Unsubscribe") == "One-Click" {
		alerts = threading.AlertsNever
	}
	topic := r.PostFormValue("about") == "conversation" && l.Thread.ID != 0
	var said string
	switch {
	case topic && (alerts.Known() || alerts == threading.AlertsUsual && r.PostForm.Has("alerts")):
		said = "That is how you are told of this conversation from now on. Its messages come to your mailbox in any case."
		err = s.o.Pipeline.SetThreadAlerts(ctx, l.Member, l.Thread.ID, alerts)
	case alerts.Known() && !topic:
		said = map[threading.Alerts]string{
			threading.AlertsImmediate: "From now on each new message is mailed to you as it comes.",
			threading.AlertsDaily:     "From now on you get one mail a day, when there is something new.",
			threading.AlertsNever:     "You get no more mail about new messages. They are all kept in your mailbox, which any mail client opens.",
		}[alerts]
		err = s.o.Pipeline.SetAlerts(ctx, l, alerts)
	default:
		s.tell(w, http.StatusBadRequest, "Please choose an answer", "Go back and choose one of the settings.")
		return
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	s.tell(w, http.StatusOK, "Your choice has been saved", said)
}

package web

import (
	"context"
	"net/http"

	"github.com/stagedoor/stagedoor/threading"
)

// alerts shows the page behind a notification's link. It changes nothing (RFC
// 8058 section 1: programs open such links).
func (s *Server) alerts(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	m, err := s.o.Pipeline.AlertsOf(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	s.show(w, http.StatusOK, "How often do you want mail about new messages?", "alerts", choices(m.Alerts))
}

// setAlerts takes the form of that page, or a mail program's one click (RFC
// 8058 section 3.2).
func (s *Server) setAlerts(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	alerts := threading.Alerts(r.PostFormValue("alerts"))
	if r.PostFormValue("List-Unsubscribe") == "One-Click" {
		alerts = threading.AlertsNever
	}
	said := map[threading.Alerts]string{
		threading.AlertsImmediate: "From now on each new message is mailed to you as it comes.",
		threading.AlertsDaily:     "From now on you get one mail a day, when there is something new.",
		threading.AlertsNever:     "You get no more mail about new messages. They are all kept in your mailbox, which any mail client opens.",
	}[alerts]
	if said == "" {
		s.tell(w, http.StatusBadRequest, "Please choose an answer", "Go back and choose one of the three.")
		return
	}
	if err := s.o.Pipeline.SetAlerts(ctx, r.PathValue("token"), alerts); err != nil {
		s.failed(w, err)
		return
	}
	s.tell(w, http.StatusOK, "Your choice has been saved", said)
}

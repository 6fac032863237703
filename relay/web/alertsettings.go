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

// alertsChoice is one setting of the alerts.
type alertsChoice struct {
	Value       threading.Alerts
	Label, More string
	Current     bool
}

// choices are the settings of the alerts in the order in which pages show
// them.
func choices(l *language.Language, current threading.Alerts) []alertsChoice {
	list := []alertsChoice{
		{Value: threading.AlertsImmediate, Label: l.Say("alerts.immediate"), More: l.Say("alerts.immediate_more")},
		{Value: threading.AlertsDaily, Label: l.Say("alerts.daily"), More: l.Say("alerts.daily_more")},
		{Value: threading.AlertsNever, Label: l.Say("alerts.never"), More: l.Say("alerts.never_more")},
	}
	for i := range list {
		list[i].Current = list[i].Value == current
	}
	return list
}

// zones are offered for the time zone; any other IANA name may be typed.
var zones = []string{
	"UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Anchorage", "America/Argentina/Buenos_Aires", "America/Bogota",
	"America/Chicago", "America/Denver", "America/Halifax", "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Phoenix",
	"America/Santiago", "America/Sao_Paulo", "America/Toronto", "America/Vancouver", "Asia/Bangkok", "Asia/Dhaka", "Asia/Dubai", "Asia/Hong_Kong",
	"Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kolkata", "Asia/Manila", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Taipei",
	"Asia/Tokyo", "Atlantic/Reykjavik", "Australia/Adelaide", "Australia/Brisbane", "Australia/Melbourne", "Australia/Perth", "Australia/Sydney",
	"Europe/Amsterdam", "Europe/Athens", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Budapest", "Europe/Copenhagen", "Europe/Dublin",
	"Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon", "Europe/London", "Europe/Madrid", "Europe/Moscow", "Europe/Oslo",
	"Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland", "Pacific/Honolulu",
}

// accountAlerts takes the form of the alerts.
func (s *Server) accountAlerts(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	m := v.Member
	m.Alerts, m.DigestAt, m.Timezone = threading.Alerts(r.PostFormValue("alerts")), r.PostFormValue("digest_at"), strings.TrimSpace(r.PostFormValue("timezone"))
	wrong := problem{}
	if err := threading.CheckTimezone(m.Timezone); err != nil {
		wrong = problem{Field: "timezone", Text: "“" + m.Timezone + "” " + err.Error() + "."}
	}
	if err := threading.CheckDigestAt(m.DigestAt); err != nil {
		wrong = problem{Field: "digest_at", Text: "The hour " + err.Error() + "."}
	}
	if tag := r.PostFormValue("language"); s.o.Languages.Known(tag) {
		m.Language = tag
	} else if tag != "" {
		wrong = problem{Field: "language", Text: "That is none of the languages."}
	}
	if !m.Alerts.Known() {
		wrong = problem{Field: "alerts", Text: "Please choose one of the three."}
	}
	if wrong.Text != "" {
		s.showAccount(ctx, w, http.StatusUnprocessableEntity, atSettings, v, accountPage{Problem: wrong, Member: m})
		return
	}
	s.set(ctx, w, r, v, func(now *threading.Member) {
		now.Alerts, now.DigestAt, now.Timezone, now.Language = m.Alerts, m.DigestAt, m.Timezone, m.Language
	})
}

// firstContact says which first messages the member takes.
func (s *Server) firstContact(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	first := threading.FirstContact(r.PostFormValue("first"))
	switch first {
	case threading.FirstContactAnyone, threading.FirstContactOwn:
	default:
		s.problem(ctx, w, atSettings, v, problem{Field: "firstcontact", Text: "Please choose one of the two."})
		return
	}
	s.set(ctx, w, r, v, func(now *threading.Member) { now.FirstContact = first })
}

// set changes what a form of the settings is about, and nothing else of the
// member: what others have changed since the form was sent stays.
func (s *Server) set(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor, change func(now *threading.Member)) {
	_, err := s.o.Store.ChangeMember(ctx, v.Handle, func(now *threading.Member) error {
		if now.Status != threading.MemberActive {
			return errUnknownWriter
		}
		change(now)
		return nil
	})
	switch {
	case errors.Is(err, errUnknownWriter), errors.Is(err, store.ErrNotFound):
		s.sessionOver(w)
	case err != nil:
		s.failed(w, err)
	default:
		s.changed(w, r, atSettings, "alerts")
	}
}

// languageChoice is a language that a member can be written to in.
type languageChoice struct {
	Tag, Name string
	Current   bool
}

// languages are those that a member can choose; the current one is what is
// written to them in now.
func (s *Server) languages(m threading.Member) []languageChoice {
	var list []languageChoice
	current := s.o.Languages.Of(m.Language).Tag()
	for _, tag := range s.o.Languages.Tags() {
		list = append(list, languageChoice{tag, s.o.Languages.Of(tag).Name(), tag == current})
	}
	return list
}

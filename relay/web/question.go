package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading/store"
)

const (
	// workTime bounds what a request may cost the pipeline.
	workTime = 25 * time.Second
	maxForm  = 16 << 10 // octets of a posted form
)

// dateForm is how pages write a time, in the member's zone.
const dateForm = "2 January 2006, 15:04 MST"

// questionPage is what a question's page shows.
type questionPage struct {
	Others, About, HeldAt, ExpiresAt string
	Proven, CanRegister              bool
}

// question shows the page that asks whether a member wrote a held message. It
// changes nothing: programs that look at mail open links.
func (s *Server) question(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	q, err := s.o.Pipeline.QuestionOf(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	zone := func(t time.Time) string { return t.In(q.Location()).Format(dateForm) }
	s.show(w, http.StatusOK, "Did you write this message?", "question", questionPage{
		Others: strings.Join(q.Others, ", "), About: q.About, HeldAt: zone(q.HeldAt), ExpiresAt: zone(q.ExpiresAt),
		Proven: q.Proven, CanRegister: q.CanRegister && s.o.BaseURL != "",
	})
}

// answerQuestion takes the member's answer.
func (s *Server) answerQuestion(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	q, err := s.o.Pipeline.QuestionOf(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	others := strings.Join(q.Others, ", ")
	switch r.PostFormValue("answer") {
	case "yes":
		register := r.PostFormValue("register") == "yes" && s.o.BaseURL != ""
		if err := s.o.Pipeline.Confirm(ctx, q, register); err != nil {
			s.failed(w, err)
			return
		}
		sentences := []string{"It is on its way to " + others + "."}
		if register && q.CanRegister {
			sentences = append(sentences, "A link has been mailed to the address that you wrote from. Open it to add the address to your account.")
		}
		s.tell(w, http.StatusOK, "Your message has been sent", sentences...)
	case "no":
		if err := s.o.Pipeline.Deny(ctx, q); err != nil {
			s.failed(w, err)
			return
		}
		s.tell(w, http.StatusOK, "The message has been thrown away", others+" will not learn of it. Thank you.")
	default:
		s.tell(w, http.StatusBadRequest, "Please choose an answer", "Go back and press one of the two buttons.")
	}
}

// address shows the page behind the link that was mailed to a new address.
func (s *Server) address(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	m, err := s.o.Pipeline.AddressRequest(ctx, r.PathValue("token"))
	if err != nil {
		s.failed(w, err)
		return
	}
	s.show(w, http.StatusOK, "Is this your e-mail address?", "address", struct{ Name string }{m.DisplayName()})
}

// grantAddress adds the address.
func (s *Server) grantAddress(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	if r.PostFormValue("answer") != "yes" {
		s.tell(w, http.StatusBadRequest, "Please choose an answer", "Go back and press the button.")
		return
	}
	if err := s.o.Pipeline.GrantAddress(ctx, r.PathValue("token")); err != nil {
		s.failed(w, err)
		return
	}
	s.tell(w, http.StatusOK, "The address has been added", "From now on you can write from it as well.")
}

// failed says what went wrong, in words for the person who sees the page.
func (s *Server) failed(w http.ResponseWriter, err error) {
	var refusal *relay.Refusal
	switch {
	case errors.Is(err, relay.ErrNoQuestion):
		s.tell(w, http.StatusNotFound, "This link does not work any more", "It has been used already, or its time is over.")
	case errors.Is(err, store.ErrExists):
		s.tell(w, http.StatusConflict, "The address can't be added", "It belongs to an account already.")
	case errors.As(err, &refusal) && !refusal.Temporary():
		s.tell(w, http.StatusUnprocessableEntity, "The message can't be sent", refusal.Text)
	default:
		s.log.Error("a page failed", "error", err)
		s.tell(w, http.StatusServiceUnavailable, "Something went wrong here", "Nothing is lost. Please try again in a few minutes.")
	}
}

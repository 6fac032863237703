package smtpd

import (
	"errors"
	"time"

	"github.com/emersion/go-smtp"
)

// Observer is told of each answer of a door to RCPT (stage "recipient") and to
// a message ("message"): "accepted", "refused", or "deferred", which has the
// client try again. Nil: nobody is told.
type Observer func(stage, verdict string, took time.Duration)

// Answered tells of an answer, which began to be waited for then, and passes
// it on.
func (o Observer) Answered(stage string, began time.Time, answer error) error {
	if o == nil {
		return answer
	}
	verdict := "accepted"
	var reply *smtp.SMTPError
	switch {
	case answer == nil:
	case errors.As(answer, &reply) && reply.Code/100 == 5:
		verdict = "refused"
	default:
		verdict = "deferred"
	}
	o(stage, verdict, time.Since(began))
	return answer
}

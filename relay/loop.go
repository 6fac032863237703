package relay

import (
	"context"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/threading"
)

// Mail that answers itself ends here, whatever it looks like.
const (
	// maxHops is how many Received fields a message may have. RFC 5321 section
	// 6.3 has servers expect at least 100 to mean a loop; what people send has
	// about ten.
	maxHops = 50
	// loopLength messages within loopTime, each by another writer than the one
	// before, are two programs that answer each other.
	loopLength = 16
	loopTime   = 10 * time.Minute
	// operatorHour messages an hour one writer has for the operator: more is a
	// program that answers what the operator's own program answers.
	operatorHour = 30
)

// Refusals that end loops.
var (
	errHops         = refuse(554, 5, 4, 6, "Your message has passed more than %d mail servers: it goes round in circles.", maxHops)
	errOwnMail      = refuse(554, 5, 4, 6, "This message comes from an address of this server itself: it has been forwarded back to where it came from.")
	errOperatorPace = refuse(450, 4, 4, 6, "You have written %d messages to this address within an hour, as if a program answered. Please try again later.", operatorHour)
	errLoop         = refuse(450, 4, 4, 6, "This conversation has had %d messages in turns within a few minutes, as if two programs answered each other. Please try again a little later.", loopLength)
)

// loops refuses what comes back to us.
func (p *Pipeline) loops(h *head, auth senderauth.Result) error {
	if n := h.count("Received"); n > maxHops {
		return errHops
	}
	// Real addresses are never in our own domain.
	if at := strings.LastIndexByte(auth.From, '@'); at >= 0 && p.ours(auth.From[at+1:]) {
		return errOwnMail
	}
	return nil
}

// operatorPace refuses a writer who has written too much to the operator.
func (p *Pipeline) operatorPace(ctx context.Context, in Inbound, h *head) error {
	writer := in.ReversePath
	if from := h.addresses("From"); len(from) > 0 {
		writer = from[0]
	}
	within, err := p.o.Store.OperatorMail(ctx, strings.ToLower(writer), operatorHour, time.Hour)
	if err == nil && !within {
		return errOperatorPace
	}
	return err
}

// inTurns reports whether the thread's last messages came in turns and too
// fast for people.
func inTurns(chain []threading.ChainLink, now time.Time) bool {
	if len(chain) < loopLength {
		return false
	}
	last := chain[len(chain)-loopLength:]
	for i := 1; i < len(last); i++ {
		if last[i].WriterID == last[i-1].WriterID {
			return false
		}
	}
	return now.Sub(last[0].MessageID.Time()) < loopTime
}

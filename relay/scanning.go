package relay

import (
	"bytes"
	"context"
	"io"

	"github.com/stagedoor/stagedoor/relay/scan"
)

// Action is what is done with a message on which a scanner has a verdict.
type Action string

// The actions.
const (
	ActionRefuse Action = "refuse"
	ActionMark   Action = "mark" // its readers are told
	ActionPass   Action = "pass"
)

// Scanning says whom to ask about messages, and what follows.
type Scanning struct {
	Scanner *scan.Scanner // nil: nobody
	// Closed: what can't be asked about is refused for the time being; else it
	// passes.
	Closed               bool
	Suspect, Spam, Virus Action
}

// markSays is what readers are told of a message that is marked.
const markSays = "our filters take this message for unwanted or harmful. Open no file and follow no link in it unless you know its writer."

var errSpam = refuse(554, 5, 7, 1, "Our filter takes your message for spam, so it was not delivered. If it is none, please put it in other words and send it again.")

var errScanTemporary = refuse(451, 4, 7, 1, "We can't check your message for viruses and spam right now. Please try again later.")

// scanned asks about a message as its reader will see it, and returns whether
// it is to be marked, or a *Refusal.
func (p *Pipeline) scanned(ctx context.Context, header []byte, rb *rebuilt) (mark bool, err error) {
	s := p.o.Scanning
	if s.Scanner == nil {
		return false, nil
	}
	result, err := s.Scanner.Check(ctx, func() io.Reader { return io.MultiReader(bytes.NewReader(header), rb.spooled.Open()) })
	if err != nil && ctx.Err() != nil {
		return false, err
	}
	if err != nil {
		p.o.Logger.Warn("a message could not be scanned", "error", err, "refused", s.Closed)
	}
	var refusal *Refusal
	var do Action
	switch result.Verdict {
	case scan.Virus:
		do, refusal = s.Virus, refuse(554, 5, 7, 1, "A virus scanner found %q in your message, so it was not delivered. Please check the attached files and send it again without them.", result.Found)
	case scan.Spam:
		do, refusal = s.Spam, errSpam
	case scan.Suspect:
		do, refusal = s.Suspect, errSpam
	}
	switch {
	case do == ActionRefuse:
		p.o.Logger.Warn("a scanner stopped a message", "found", result.Found)
		if err := p.o.Store.Record(ctx, "scanned", 0, "stopped: "+refusal.Text); err != nil {
			return false, err
		}
		return false, refusal
	case err != nil && s.Closed:
		return false, errScanTemporary
	}
	return do == ActionMark, nil
}

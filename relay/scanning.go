package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/stagedoor/stagedoor/relay/scan"
)

// Action is what is done with a message on which a scanner has a verdict.
type Action string

// The actions.
const (
	ActionRefuse Action = "refuse"
	ActionMark   Action = "mark" // its readers are told
	ActionHold   Action = "hold" // the operator looks at it first
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

// scanResult is what follows for a message that is not refused.
type scanResult struct {
	mark bool   // its readers are told
	hold string // why it waits for the operator; empty: it does not
}

// scanned asks about a message as its reader will see it. A *Refusal if it must
// not be relayed.
func (p *Pipeline) scanned(ctx context.Context, header []byte, rb *rebuilt) (scanResult, error) {
	s := p.o.Scanning
	if s.Scanner == nil {
		return scanResult{}, nil
	}
	result, err := s.Scanner.Check(ctx, func() io.Reader { return io.MultiReader(bytes.NewReader(header), rb.spooled.Open()) })
	if err != nil && ctx.Err() != nil {
		return scanResult{}, err
	}
	if err != nil {
		p.o.Logger.Warn("a message could not be scanned", "error", err, "refused", s.Closed)
	}
	var refusal *Refusal
	var do Action
	var says string
	switch result.Verdict {
	case scan.Virus:
		do, says = s.Virus, fmt.Sprintf("ClamAV found %q.", result.Found)
		refusal = refuse(554, 5, 7, 1, "A virus scanner found %q in your message, so it was not delivered. Please check the attached files and send it again without them.", result.Found)
	case scan.Spam:
		do, says, refusal = s.Spam, "rspamd takes it for spam.", errSpam
	case scan.Suspect:
		do, says, refusal = s.Suspect, "rspamd suspects that it is spam.", errSpam
	}
	switch {
	case do == ActionRefuse:
		p.o.Logger.Warn("a scanner stopped a message", "found", result.Found)
		if err := p.o.Store.Record(ctx, "scanned", 0, "stopped: "+refusal.Text); err != nil {
			return scanResult{}, err
		}
		return scanResult{}, refusal
	case do == ActionHold:
		return scanResult{hold: says}, nil
	case err != nil && s.Closed:
		return scanResult{}, errScanTemporary
	}
	return scanResult{mark: do == ActionMark}, nil
}

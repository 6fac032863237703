package relay

import (
	"context"
	"strings"

	"github.com/stagedoor/stagedoor/relay/caution"
	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
)

// strangers are those who get a letter and have never written to its writer.
func (p *Pipeline) strangers(ctx context.Context, l *letter) (map[threading.ID]bool, error) {
	found := map[threading.ID]bool{}
	for _, m := range l.view.Participants {
		if m.ID == l.writer.ID || m.Status == threading.MemberRemoved {
			continue
		}
		knows, err := p.o.Store.Knows(ctx, m.ID, l.writer.ID)
		if err != nil {
			return nil, err
		}
		if !knows {
			found[m.ID] = true
		}
	}
	return found, nil
}

// readers are those who get a letter, beside its writer.
func (l *letter) readers() map[threading.ID]bool {
	found := map[threading.ID]bool{}
	for _, m := range l.view.Participants {
		if m.ID != l.writer.ID && m.Status != threading.MemberRemoved {
			found[m.ID] = true
		}
	}
	return found
}

// warner makes the warning above a message, for readers whom its writer is a
// stranger to. The message is read once, and only if there is one.
type warner struct {
	p    *Pipeline
	msg  *spool.Message
	read bool
	line string // empty: nothing to warn of

	scanned bool
	result  scanResult
}

// scan has a message scanned, once for all letters, as one of those who get it
// will see it. A *Refusal if it must not be relayed.
func (w *warner) scan(ctx context.Context, l *letter, rb *rebuilt) (scanResult, error) {
	if w.scanned || w.p.o.Scanning.Scanner == nil {
		return w.result, nil
	}
	reader := l.writer
	for _, m := range l.view.Participants {
		if m.ID != l.writer.ID {
			reader = m
			break
		}
	}
	l.mime = rb.MIMEFields
	result, err := w.p.scanned(ctx, w.p.headerFor(l, reader), rb)
	w.scanned, w.result = err == nil, result
	return result, err
}

// warning says what the message asks for: of everything that it shows, quoted
// or not, since a stranger quotes nothing but themselves.
func (w *warner) warning(subject string) (string, error) {
	if w.read || w.p.o.Caution == nil {
		return w.line, nil
	}
	text, err := sanitize.AllText(w.msg.Open())
	if err != nil {
		return "", err
	}
	w.read, w.line = true, warningLine(w.p.o.Caution.Find(subject+".\n\n"+text), w.p.o.SafetyURL)
	return w.line, nil
}

// warningLine is what stands above a message of which such things were found.
func warningLine(found []caution.Finding, safetyURL string) string {
	if len(found) == 0 {
		return ""
	}
	var says []string
	for _, f := range found {
		says = append(says, f.Says)
	}
	if safetyURL != "" {
		says = append(says, safetyURL)
	}
	return strings.Join(says, " ")
}

package relay

import (
	"strings"

	"github.com/stagedoor/stagedoor/threading"
)

// forwardMarks are what mail programs put before the subject of what they
// forward, in the languages that subjectBase knows.
var forwardMarks = map[string]bool{
	"fw": true, "fwd": true, "wg": true, "vl": true, "vb": true, "i": true, "tr": true, "rv": true, "enc": true, "pd": true, "ilt": true,
	"转发": true, "転送": true,
}

// forwards reports whether a subject is that of something forwarded.
func forwards(subject string) bool {
	mark, _, ok := strings.Cut(strings.ReplaceAll(strings.TrimSpace(subject), "：", ":"), ":")
	return ok && forwardMarks[strings.ToLower(strings.TrimRight(mark, " 0123456789[]()"))]
}

// mark is what the writer's own copy of the message that a letter answers or
// forwards gets, so that it shows in a mail client however the letter was
// written. By regular e-mail the writer has read it too; a mail client keeps
// account of that itself. What is forwarded must be named by the header; what is
// answered is the newest that another wrote, if the header names nothing.
func (p *Pipeline) mark(pl *plan, l *letter, h *head, subject string) *threading.Mark {
	m := &threading.Mark{}
	for _, id := range append(h.messageIDs("In-Reply-To"), h.lastReferences(1)...) {
		if ours, ok := p.parseMessageID(id); ok {
			m.MessageID = ours
			break
		}
	}
	switch {
	case forwards(subject) && m.MessageID != 0:
		m.Keywords = []string{threading.KeywordForwarded}
	case forwards(subject) || l.newThread != nil:
		return nil
	default:
		m.Flags = threading.FlagAnswered
	}
	if !pl.byClient {
		m.Flags |= threading.FlagSeen
	}
	return m
}

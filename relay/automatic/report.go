package automatic

import (
	"io"
	"strings"
)

// Class is what a delivery report means for the address that it is about.
type Class string

// The classes of a report.
const (
	Unclear  Class = ""           // nothing that could be acted upon
	Hard     Class = "hard"       // there is no such mailbox, or it takes no mail any more
	Full     Class = "full"       // the mailbox is full
	Soft     Class = "soft"       // a fault that may pass
	Blocked  Class = "blocked"    // refused for what was sent, who sent it, or from where
	Delayed  Class = "delayed"    // still being tried
	Relieved Class = "successful" // delivered, or passed on
)

// Report is what a delivery report says. It holds no address and no word of
// the other side's.
type Report struct {
	Class  Class
	Status string // RFC 3463, such as 5.1.1; empty if there is none
}

// maxReport bounds how much of a report is read, in octets.
const maxReport = 256 << 10

// ReadReport reads a delivery report: RFC 3464's fields where it has them, and
// the status codes and phrases that mail systems use in their texts where the
// fields leave open what it is about. field returns a field of the message's
// header, body what follows the header. The error is the reader's.
func ReadReport(field func(name string) string, body io.Reader) (Report, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxReport))
	if err != nil {
		return Report{}, err
	}
	p := readParts(field, raw)
	r := byFields(p.status)
	if r.Class != Unclear && !r.vague {
		return r.Report, nil
	}
	t := byText(p.text)
	if r.Class == Unclear || t.Class == Hard || t.Class == Full || t.Class == Blocked {
		t.Status = firstOf(r.Status, t.Status)
		return t, nil
	}
	return r.Report, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// cutReturned takes away the message that a text brings back: its words say
// nothing about what became of it.
func cutReturned(text string) string {
	end := 0
	for line := range strings.Lines(text) {
		head := strings.TrimLeft(normalise(line), "-=_* ")
		for _, mark := range returnedMarks {
			if end > 0 && strings.HasPrefix(head, mark) {
				return text[:end]
			}
		}
		end += len(line)
	}
	return text
}

// returnedMarks begin the line before a message that is brought back.
var returnedMarks = []string{
	"original message", "this is a copy of the message", "this is a copy of your message", "below this line is a copy", "below is a copy of", "message headers follow", "the header of the original", "returned message",
	"unsent message follows", "the original message follows", "original mail", "received: ", "received:from", "content-type: message/rfc822", "x-google-smtp-source:",
}

package automatic

import (
	"bytes"
	"io"
	"strings"

	gomessage "github.com/emersion/go-message"
)

// Feedback is a complaint about a message (RFC 5965).
type Feedback struct {
	// Type is the registered type in lower case, such as "abuse"; empty where the
	// report has none.
	Type string
	// About is the message that is complained of, its header at least, as the
	// report brings it, with the report's own fields before it.
	About []byte
}

// Complains reports whether somebody does not want such mail. The other types
// tell how a message fared: that its signature failed, that it is no spam, that
// it brought a virus.
func (f Feedback) Complains() bool {
	switch f.Type {
	case "auth-failure", "not-spam", "virus":
		return false
	}
	return true
}

// ReadFeedback reads a complaint; the arguments are those of ReadReport. What
// is no such report, as some providers send it, is one of no type about all that
// it holds. The error is the reader's.
func ReadFeedback(field func(name string) string, body io.Reader) (Feedback, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxReport))
	if err != nil {
		return Feedback{}, err
	}
	var f Feedback
	if e := entity(field, raw); e != nil {
		left := maxReportParts
		f.walk(e, &left, maxReportDepth)
	}
	if len(f.About) == 0 {
		f.About = raw
	}
	return f, nil
}

func (f *Feedback) walk(e *gomessage.Entity, left *int, depth int) {
	eachPart(e, left, depth, func(part *gomessage.Entity, kind string) {
		switch kind {
		case "message/feedback-report":
			b, _ := io.ReadAll(part.Body)
			for line := range strings.Lines(string(b)) {
				name, value, _ := strings.Cut(line, ":")
				if f.Type == "" && strings.EqualFold(strings.TrimSpace(name), "Feedback-Type") {
					f.Type = strings.ToLower(strings.TrimSpace(value))
				}
			}
			f.About = append(bytes.TrimRight(b, "\r\n"), append([]byte("\r\n"), f.About...)...)
		case "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers":
			b, _ := io.ReadAll(part.Body)
			f.About = append(f.About, b...)
		}
	})
}

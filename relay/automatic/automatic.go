// Package automatic tells what a program sent from what a person wrote.
//
// Recognise looks at the header first: RFC 3834 and its relatives, and the
// fields by which mail systems mark what they send by themselves. Wording
// decides only where a system sets no field, and only by phrases that stand at
// the beginning of a subject as programs write them, or that subject and text
// share: taking a person for a program loses what they wrote, so that "I am out
// of the office on Monday, can we meet on Tuesday?" is a person's.
//
// What a relay should do with each Kind:
//
//   - Person: relay it.
//   - OutOfOffice: it may be filed, as what it is, for whom it answers. Never
//     answer it, never mail anything because of it.
//   - Delivery and Complaint: they belong to who sent the message that they are
//     about. At a reverse-path of the relay's own they are for its queue.
//   - Disposition, Challenge, Calendar, List, Other: note and forget them.
//
// Whatever else arrives at a reverse-path is automatic as well: RFC 3834
// section 4 has responders answer to it.
//
// The package holds nothing and reads the text, if at all, once.
package automatic

import (
	"mime"
	"strings"
)

// Kind is what sent a message.
type Kind string

// The kinds of message.
const (
	Person      Kind = ""
	OutOfOffice Kind = "out of office"   // RFC 5230, RFC 3834 section 2
	Delivery    Kind = "delivery report" // RFC 3464 and its older relatives
	Disposition Kind = "read receipt"    // RFC 8098
	Challenge   Kind = "challenge"       // "prove that you are human"
	Calendar    Kind = "calendar answer" // RFC 5546, made by a program
	Complaint   Kind = "complaint"       // RFC 5965
	List        Kind = "mailing list"    // RFC 2919, RFC 2369
	Other       Kind = "automatic"
)

// Verdict is what was recognised.
type Verdict struct {
	Kind Kind
	Why  string // the field or rule that decided; never a value of the message
}

// Message is what Recognise looks at.
type Message struct {
	ReversePath string // of the envelope; empty for the null reverse-path
	// Field returns the first field of that name: unfolded, encoded words
	// decoded, or nothing.
	Field func(name string) string
	// Text returns the text that the writer wrote now, without quotes.
	Text func() (string, error)
}

// Recognise says who or what sent the message. The error is Text's.
func Recognise(m Message) (Verdict, error) {
	if v := m.byReport(); v.Kind != Person {
		return v, nil
	}
	subject := normalise(m.Field("Subject"))
	v := m.byFields(subject)
	if v.Kind != Person {
		return v, nil
	}
	return m.byWording(subject)
}

// byReport recognises reports by their structure (RFC 6522).
func (m Message) byReport() Verdict {
	kind, params, err := mime.ParseMediaType(m.Field("Content-Type"))
	if err != nil {
		kind, _, _ = strings.Cut(strings.ToLower(m.Field("Content-Type")), ";")
		kind = strings.TrimSpace(kind)
	}
	switch {
	case kind == "multipart/report":
		switch strings.ToLower(params["report-type"]) {
		case "feedback-report":
			return Verdict{Complaint, "report-type"}
		case "disposition-notification":
			return Verdict{Disposition, "report-type"}
		}
		return Verdict{Delivery, "report-type"}
	case kind == "message/delivery-status", m.Field("X-Failed-Recipients") != "":
		return Verdict{Delivery, "X-Failed-Recipients"}
	case kind == "message/disposition-notification":
		return Verdict{Disposition, "Content-Type"}
	case kind == "message/feedback-report", m.Field("X-Loop") == "scomp":
		return Verdict{Complaint, "Content-Type"}
	case kind == "text/calendar" && strings.EqualFold(params["method"], "REPLY"):
		return Verdict{Calendar, "Content-Type"}
	}
	return Verdict{}
}

// autoreply are fields that vacation programs set, each of them in use before
// RFC 3834 gave them one.
var autoreply = []string{
	"X-Autoreply", "X-Autoreply-From", "X-AutoReply-Domain", "X-Autorespond", "X-Autoresponder", "X-Autoresponse", "X-Auto-Reply-From",
	"X-Mail-Autoreply", "X-FC-Forward-Autoreply", "X-Vacation-Message", "X-Facebook-Notify-Autoreply",
}

// byFields recognises what says itself that it is automatic.
func (m Message) byFields(subject string) Verdict {
	answer := Other // what an automatic message is, if nothing says more
	if vacationSubject(subject) || awaySubject(subject) {
		answer = OutOfOffice
	}
	if bounceSubject(subject) || daemon(m.Field("From")) {
		answer = Delivery
	}
	// RFC 3834 section 5: a keyword, then parameters or a comment.
	keyword, _, _ := strings.Cut(strings.ToLower(m.Field("Auto-Submitted")), ";")
	keyword, comment, _ := strings.Cut(keyword, "(")
	switch keyword = strings.TrimSpace(keyword); {
	case keyword == "auto-replied" && challengeSubject(subject):
		return Verdict{Challenge, "Auto-Submitted"}
	case keyword == "auto-replied" && answer == Other, strings.Contains(comment, "vacation"):
		return Verdict{OutOfOffice, "Auto-Submitted"}
	case keyword != "" && keyword != "no":
		return Verdict{answer, "Auto-Submitted"}
	}
	for _, name := range autoreply {
		if v := strings.ToLower(m.Field(name)); v != "" && v != "no" && v != "false" {
			return Verdict{OutOfOffice, name}
		}
	}
	switch strings.ToLower(strings.TrimSpace(m.Field("Precedence"))) {
	case "auto_reply", "auto-reply":
		return Verdict{OutOfOffice, "Precedence"}
	case "bulk", "junk":
		if answer != Other {
			return Verdict{answer, "Precedence"}
		}
		return Verdict{List, "Precedence"}
	case "list":
		return Verdict{List, "Precedence"}
	}
	for _, name := range []string{"List-Id", "List-Post"} {
		if m.Field(name) != "" {
			return Verdict{List, name}
		}
	}
	for _, name := range []string{"X-TMDA-Fingerprint", "X-Challenge", "X-SpamArrest", "X-Boxbe-Challenge"} {
		if m.Field(name) != "" {
			return Verdict{Challenge, name}
		}
	}
	for _, name := range []string{"X-Autogenerated", "X-Auto-Response-Suppress", "X-MS-Exchange-Inbox-Rules-Loop", "X-MS-Exchange-Generated-Message-Source", "X-MsgFlag-Automatic"} {
		if m.Field(name) != "" {
			return Verdict{answer, name}
		}
	}
	switch {
	case m.ReversePath == "", daemon(m.ReversePath): // RFC 5321 section 4.5.5: not a person's
		return Verdict{answer, "null reverse-path"}
	case daemon(m.Field("From")):
		return Verdict{Delivery, "From"}
	case bounceSubject(subject) && strings.Contains(strings.ToLower(m.Field("From")), "postmaster@"):
		return Verdict{Delivery, "From and subject"}
	}
	return Verdict{}
}

// daemon reports whether an address is one that only mail systems use.
func daemon(from string) bool {
	from = strings.TrimSpace(strings.ToLower(from))
	return strings.Contains(from, "mailer-daemon@") || strings.Contains(from, "mail-daemon@") || from == "mailer-daemon" || strings.HasSuffix(from, "<>")
}

// byWording recognises programs that set no field at all.
func (m Message) byWording(subject string) (Verdict, error) {
	switch {
	case vacationSubject(subject):
		return Verdict{OutOfOffice, "subject"}, nil
	case !awaySubject(subject) && !challengeSubject(subject):
		return Verdict{}, nil
	}
	text, err := m.Text()
	if err != nil || len(text) > maxAutoText {
		return Verdict{}, err
	}
	text = normalise(text)
	switch {
	case awaySubject(subject) && awayText(text):
		return Verdict{OutOfOffice, "subject and text"}, nil
	case challengeSubject(subject) && challengeText(text):
		return Verdict{Challenge, "subject and text"}, nil
	}
	return Verdict{}, nil
}

// maxAutoText is how long the text of a program can be, in octets; what is
// longer somebody wrote.
const maxAutoText = 3000

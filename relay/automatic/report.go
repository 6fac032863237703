package automatic

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"regexp"
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
	Blocked  Class = "blocked"    // refused for what was sent, or from where
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

// ReadReport reads a delivery report: RFC 3464's fields where it has them, else
// the status codes and the phrases that mail systems use in their texts.
// contentType is the message's field, body what follows the header. The error
// is the reader's.
func ReadReport(contentType string, body io.Reader) (Report, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxReport))
	if err != nil {
		return Report{}, err
	}
	kind, params, err := mime.ParseMediaType(contentType)
	text := raw
	if err == nil && strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		fields, first := parts(raw, params["boundary"])
		if r := byStatus(fields); r.Class != Unclear {
			return r, nil
		}
		text = first
	}
	return byText(string(text)), nil
}

// parts returns the delivery-status part of a report, and its first text.
func parts(raw []byte, boundary string) (status, text []byte) {
	r := multipart.NewReader(bytes.NewReader(raw), boundary)
	for range 20 {
		p, err := r.NextRawPart()
		if err != nil {
			break
		}
		kind := strings.ToLower(p.Header.Get("Content-Type"))
		switch {
		case strings.HasPrefix(kind, "message/delivery-status"), strings.HasPrefix(kind, "message/global-delivery-status"):
			status, _ = io.ReadAll(p)
		case text == nil && (kind == "" || strings.HasPrefix(kind, "text/")):
			text, _ = io.ReadAll(p)
		}
	}
	return status, text
}

// byStatus reads the fields for each recipient (RFC 3464 section 2.3). Our mail
// has one recipient; of several, the worst counts.
func byStatus(fields []byte) Report {
	var worst Report
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(fields)))
	for range 50 {
		h, err := r.ReadMIMEHeader()
		if action := strings.ToLower(strings.TrimSpace(h.Get("Action"))); action != "" {
			action, _, _ = strings.Cut(action, " ")
			one := Report{Status: statusIn(h.Get("Status"))}
			switch action {
			case "delivered", "relayed", "expanded":
				one.Class = Relieved
			case "delayed":
				one.Class = Delayed
			default:
				detail := h.Get("Diagnostic-Code")
				if precise := statusIn(detail); precise != "" && (one.Status == "" || strings.HasSuffix(one.Status, ".0.0")) {
					one.Status = precise
				}
				one.Class = classOf(one.Status, detail)
			}
			if worst.Class == Unclear || one.Class == Hard {
				worst = one
			}
		}
		if err != nil {
			break
		}
	}
	return worst
}

var statusCode = regexp.MustCompile(`(?:^|[^0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[^0-9.]|\.?$|\.[^0-9])`)

func statusIn(s string) string {
	if m := statusCode.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// replyCode finds an SMTP reply code of refusal.
var replyCode = regexp.MustCompile(`(?:^|[\s:(<>])([45][0-9]{2})[\s-]`)

// phrases are what mail systems say, by what it means; the first that is found
// counts.
var phrases = []struct {
	class Class
	words []string
}{
	{Full, []string{"mailbox is full", "mailbox full", "over quota", "quota exceeded", "exceeded storage", "out of storage", "mailbox size limit", "insufficient system storage", "overquota", "has exceeded", "disk quota"}},
	{Blocked, []string{"spam", "blocked", "blacklist", "block list", "blocklist", "dmarc", "spf ", "dkim", "policy", "reputation", "rate limit", "too many", "content rejected", "message rejected", "virus", "banned", "listed by", "not allowed", "access denied", "access rejected", "unsolicited"}},
	{Hard, []string{"user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "mailbox unavailable", "does not exist", "doesn't exist", "doesn't have", "not a valid", "invalid recipient", "recipient rejected", "unknown recipient", "unknown address", "address unknown", "account is disabled", "account has been disabled", "mailbox disabled", "no mailbox here", "not found", "domain not found", "host unknown", "unrouteable", "unroutable", "not our customer", "is inactive", "invalid mailbox", "addressee unknown", "not listed in", "couldn't be found", "wasn't found"}},
	{Soft, []string{"try again", "temporar", "timed out", "timeout", "connection refused", "greylist", "graylist", "deferred", "unreachable", "will be retried", "retry"}},
}

// classOf classes a status code (RFC 3463 and its registry) and the words with
// it: systems give 5.7.1 and 5.0.0 for almost anything.
func classOf(status, words string) Class {
	words = normalise(words)
	class, detail, _ := strings.Cut(status, ".")
	switch detail {
	case "2.2":
		return Full
	case "1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "0.1":
		if class == "5" {
			for _, p := range phrases[:2] { // some say 5.1.1 of what they block
				if contains(words, p.words) && !contains(words, phrases[2].words) {
					return p.class
				}
			}
			return Hard
		}
		return Soft
	}
	for _, p := range phrases {
		if contains(words, p.words) {
			if p.class == Hard && class == "4" {
				return Soft
			}
			return p.class
		}
	}
	subject, _, _ := strings.Cut(detail, ".")
	switch {
	case class == "4", subject == "4", subject == "3":
		return Soft
	case subject == "7", subject == "6":
		return Blocked
	case subject == "1":
		return Hard
	}
	return Unclear
}

// byText reads a report without fields.
func byText(text string) Report {
	r := Report{Status: statusIn(text)}
	reply := ""
	if m := replyCode.FindStringSubmatch(text); m != nil {
		reply = m[1]
	}
	folded := normalise(text)
	if contains(folded, []string{"warning message only", "do not need to resend", "don't need to resend", "still being retried", "will continue to try", "delivery is delayed", "has been delayed"}) {
		return Report{Class: Delayed, Status: r.Status}
	}
	status := r.Status
	if status == "" && reply != "" {
		status = reply[:1] + ".0.0"
	}
	r.Class = classOf(status, text)
	return r
}

package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/automatic"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// receiveBounce takes what came to a reverse-path of ours. A report that the
// member's address takes no mail any more stops the mail to it, and a complaint
// the alerts; the member reads why in the mailbox. Nobody else learns it, and
// whatever else comes there is noted: RFC 3834 section 4 has responders answer
// to the reverse-path.
func (p *Pipeline) receiveBounce(ctx context.Context, in Inbound, t Target, h *head, v automatic.Verdict) error {
	note := "answer to a notification's reverse-path: " + string(v.Kind)
	switch {
	case t.Returned != 0 && v.Kind == automatic.Complaint:
		feedback, err := readFeedback(in, h)
		if err != nil {
			return err
		}
		note = "feedback about a notification: " + printable(feedback.Type)
		if feedback.Complains() {
			if err := p.complained(ctx, t.Returned, 0); err != nil {
				return err
			}
		}
	case v.Kind == automatic.Delivery:
		body, err := bodyOf(in, h)
		if err != nil {
			return err
		}
		report, err := automatic.ReadReport(h.get, body)
		if err != nil {
			return err
		}
		note = "delivery report: " + string(report.Class) + " " + report.Status
		if t.Returned != 0 && report.Class == automatic.Hard {
			if err := p.addressFailed(ctx, t.Returned, report.Status, reportsSpared); err != nil {
				return err
			}
		}
	}
	return p.o.Store.Record(ctx, "bounce", t.Bounce|t.Returned, note)
}

// reportsSpared is for how long after a member let mail go to an address again
// no report stops it: an address's reverse-path stays the same, and whoever has
// seen one could stop its mail over and over.
const reportsSpared = 24 * time.Hour

// AddressFailed stops the mail to a member's address, which takes none any
// more, and tells the member in the mailbox. status is the enhanced status code
// of the refusal; it may be empty.
func (p *Pipeline) AddressFailed(ctx context.Context, address threading.ID, status string) error {
	return p.addressFailed(ctx, address, status, 0)
}

func (p *Pipeline) addressFailed(ctx context.Context, address threading.ID, status string, spared time.Duration) error {
	why := "mail to it came back"
	if status != "" {
		why += " (" + status + ")"
	}
	memberID, news, err := p.o.Store.AddressFailed(ctx, address, why, spared)
	if errors.Is(err, store.ErrNotFound) || err == nil && !news {
		return nil
	} else if err != nil {
		return fmt.Errorf("note that an address takes no mail: %w", err)
	}
	m, err := p.o.Store.Member(ctx, memberID)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Status == threading.MemberRemoved {
		return nil
	} else if err != nil {
		return err
	}
	l := p.o.Languages.Of(m.Language)
	return p.tell(ctx, m, l.Say("bounced.subject"), l.Say("bounced.text"))
}

// receiveComplaint takes a complaint that came to an address of the operator's:
// where providers send them that let senders register (Yahoo, Outlook.com). It
// stops the alerts of whoever complained, told by a token in the message
// complained of that only they were sent. The operator gets it in any case.
func (p *Pipeline) receiveComplaint(ctx context.Context, in Inbound, h *head) error {
	feedback, err := readFeedback(in, h)
	if err != nil || !feedback.Complains() {
		return err
	}
	keys := p.o.Store.Keyring()
	for _, token := range tokens(feedback.About) {
		if address, ok := keys.ParseToken(seal.TokenReturn, token); ok {
			return p.complained(ctx, address, 0)
		}
		if member, ok := keys.ParseToken(seal.TokenSettings, token); ok {
			return p.complained(ctx, 0, member)
		}
		if alias, ok := keys.ParseToken(seal.TokenTopic, token); ok {
			a, err := p.o.Store.Alias(ctx, alias)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return err
			}
			return p.complained(ctx, 0, a.ViewerID)
		}
	}
	return nil
}

// tokens finds what could be a token of ours, at most maxTokens.
func tokens(text []byte) []string {
	var list []string
	for _, m := range tokenShape.FindAllSubmatch(text, maxTokens) {
		list = append(list, string(m[1]))
	}
	return list
}

const maxTokens = 100

// tokenShape is a token in an address or a link of ours.
var tokenShape = regexp.MustCompile(`(?i)(?:b-|t-|/alerts/)([a-z2-7]{26})(?:[^a-z0-9]|$)`)

func readFeedback(in Inbound, h *head) (automatic.Feedback, error) {
	body, err := bodyOf(in, h)
	if err != nil {
		return automatic.Feedback{}, err
	}
	return automatic.ReadFeedback(h.get, body)
}

// bodyOf is what follows the header.
func bodyOf(in Inbound, h *head) (io.Reader, error) {
	body := in.Message.Open()
	_, err := body.Seek(h.size, io.SeekStart)
	return body, err
}

// printable is a word of the other side's that may stand in a record.
func printable(word string) string {
	if word == "" || len(word) > 20 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return "unknown"
	}
	return word
}

// complained stops the alerts of a member, or of the member who has that
// address, since they were reported as spam.
func (p *Pipeline) complained(ctx context.Context, address, member threading.ID) error {
	var m threading.Member
	var err error
	if member != 0 {
		m, err = p.o.Store.Member(ctx, member)
	} else {
		m, err = p.o.Store.MemberByAddressID(ctx, address)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Status == threading.MemberRemoved {
		return nil
	} else if err != nil {
		return err
	}
	told, err := p.o.Store.Told(ctx, m.ID)
	if err != nil || !told {
		return err
	}
	if err := p.setAlerts(ctx, m, threading.AlertsNever); err != nil {
		return err
	}
	l := p.o.Languages.Of(m.Language)
	return p.tell(ctx, m, l.Say("complained.subject"), l.Say("complained.text"))
}

// tell puts a notice of our own into a member's INBOX. Nothing is mailed.
func (p *Pipeline) tell(ctx context.Context, m threading.Member, subject, text string) error {
	where := "."
	if p.o.BaseURL != "" {
		where = ":\n" + p.o.BaseURL + "/account"
	}
	hello := p.o.Languages.Of(m.Language).Say("hello", "name", m.DisplayName())
	header, body, err := p.write(Notice{To: m, From: "postmaster", Subject: subject, Text: hello + "\n\n" + text + where + "\n"})
	if err != nil {
		return err
	}
	bw := p.o.Store.NewBody(ctx)
	defer bw.Discard()
	if _, err := bw.Write(body); err != nil {
		return fmt.Errorf("store a notice: %w", err)
	}
	stored, err := bw.Finish()
	if err != nil {
		return fmt.Errorf("store a notice: %w", err)
	}
	if stored.Content, err = mimetree.Read(header, bytes.NewReader(body)); err != nil {
		return fmt.Errorf("index a notice: %w", err)
	}
	inbox, err := p.o.Store.Mailbox(ctx, m.ID, threading.Inbox)
	if err == nil {
		_, _, err = p.o.Store.Append(ctx, m.ID, inbox.ID, store.NewItem{Header: header, Body: stored, SavedAt: p.o.Now()})
	}
	if errors.Is(err, store.ErrNotFound) { // removed meanwhile
		return nil
	}
	return err
}

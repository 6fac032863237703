package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stagedoor/stagedoor/relay/automatic"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
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
		note = "complaint about a notification"
		if err := p.complained(ctx, t.Returned); err != nil {
			return err
		}
	case v.Kind == automatic.Delivery:
		body := in.Message.Open()
		if _, err := body.Seek(h.size, io.SeekStart); err != nil {
			return err
		}
		report, err := automatic.ReadReport(h.get, body)
		if err != nil {
			return err
		}
		note = "delivery report: " + string(report.Class) + " " + report.Status
		if t.Returned != 0 && report.Class == automatic.Hard {
			if err := p.AddressFailed(ctx, t.Returned, report.Status); err != nil {
				return err
			}
		}
	}
	return p.o.Store.Record(ctx, "bounce", t.Bounce|t.Returned, note)
}

// AddressFailed stops the mail to a member's address, which takes none any
// more, and tells the member in the mailbox. status is the enhanced status code
// of the refusal; it may be empty.
func (p *Pipeline) AddressFailed(ctx context.Context, address threading.ID, status string) error {
	why := "mail to it came back"
	if status != "" {
		why += " (" + status + ")"
	}
	memberID, news, err := p.o.Store.AddressFailed(ctx, address, why)
	if errors.Is(err, store.ErrNotFound) || err == nil && !news {
		return nil
	} else if err != nil {
		return fmt.Errorf("note that an address takes no mail: %w", err)
	}
	text := "mail to one of your e-mail addresses came back: its mail server says that there is no such mailbox.\n" +
		"So nothing is sent to it any more. Your messages are all here, in your mailbox.\n\n" +
		"If the address works again, or you want mail at another one, change it in your account"
	return p.tell(ctx, memberID, "Mail to you came back", text)
}

// complained stops a member's alerts, since they were reported as spam.
func (p *Pipeline) complained(ctx context.Context, address threading.ID) error {
	m, err := p.o.Store.MemberByAddressID(ctx, address)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Alerts == threading.AlertsNever {
		return nil
	} else if err != nil {
		return err
	}
	if err := p.setAlerts(ctx, m, threading.AlertsNever); err != nil {
		return err
	}
	return p.tell(ctx, m.ID, "You get no more mail about new messages", "somebody who reads your mail reported our mail about new messages as spam.\n"+
		"So you get none any more. Your messages are all here, in your mailbox.\n\nYou can change that in your account")
}

// tell puts a notice of our own into a member's INBOX. Nothing is mailed.
func (p *Pipeline) tell(ctx context.Context, memberID threading.ID, subject, text string) error {
	m, err := p.o.Store.Member(ctx, memberID)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Status == threading.MemberRemoved {
		return nil
	} else if err != nil {
		return err
	}
	where := "."
	if p.o.BaseURL != "" {
		where = ":\n" + p.o.BaseURL + "/account"
	}
	header, body, err := p.write(Notice{To: m, From: "postmaster", Subject: subject, Text: "Hello " + m.DisplayName() + ",\n\n" + text + where + "\n"})
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

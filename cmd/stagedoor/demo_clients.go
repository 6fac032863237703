package main

import (
	"crypto/tls"
	"fmt"
	"net"
	netsmtp "net/smtp"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// seen is what peek tells of a message.
type seen struct {
	from, subject, flags, id, inReplyTo, references string
}

// peek lists a mailbox without changing it.
func (p *play) peek(who person, mailbox string) ([]seen, error) {
	c, _, err := p.openInbox(who, p.imapTLS)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	sel, err := c.Select(mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", mailbox, err)
	}
	if sel.NumMessages == 0 {
		return nil, nil
	}
	refs := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true}
	msgs, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Flags: true, Envelope: true, BodySection: []*imap.FetchItemBodySection{refs}}).Collect()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", mailbox, err)
	}
	var out []seen
	for _, m := range msgs {
		raw := m.FindBodySection(refs)
		s := seen{subject: m.Envelope.Subject, id: "<" + m.Envelope.MessageID + ">", references: field(raw, "References"), inReplyTo: field(raw, "In-Reply-To")}
		if len(m.Envelope.From) > 0 {
			s.from = m.Envelope.From[0].Name
		}
		var flags []string
		for _, f := range m.Flags {
			flags = append(flags, strings.TrimPrefix(string(f), `\`))
		}
		slices.Sort(flags)
		s.flags = strings.Join(flags, " ")
		out = append(out, s)
	}
	return out, nil
}

// openInbox signs in and selects INBOX. The channel gets the number of
// messages whenever the server says that it grew.
func (p *play) openInbox(who person, addr string) (*imapclient.Client, <-chan uint32, error) {
	arrived := make(chan uint32, 16)
	o := &imapclient.Options{
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, // the demo's certificate is self-signed, on loopback
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil && *d.NumMessages > 0 {
				select {
				case arrived <- *d.NumMessages:
				default:
				}
			}
		}},
	}
	dial := imapclient.DialInsecure
	if addr == p.imapTLS {
		dial = imapclient.DialTLS
	}
	c, err := dial(addr, o)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to IMAP: %w", err)
	}
	if err := c.Login(who.Handle, who.password).Wait(); err != nil {
		_ = c.Close()
		return nil, nil, fmt.Errorf("sign in as %s: %w", who.Handle, err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		_ = c.Close()
		return nil, nil, fmt.Errorf("open INBOX: %w", err)
	}
	return c, arrived, nil
}

func fetchWhole(c *imapclient.Client, seq uint32) ([]byte, error) {
	section := &imap.FetchItemBodySection{}
	msgs, err := c.Fetch(imap.SeqSetNum(seq), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	if len(msgs) != 1 {
		return nil, fmt.Errorf("read the message: %d came", len(msgs))
	}
	return msgs[0].FindBodySection(section), nil
}

func appendTo(c *imapclient.Client, mailbox string, raw []byte) error {
	cmd := c.Append(mailbox, int64(len(raw)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}})
	if _, err := cmd.Write(raw); err != nil {
		return fmt.Errorf("save to %s: %w", mailbox, err)
	}
	if err := cmd.Close(); err != nil {
		return fmt.Errorf("save to %s: %w", mailbox, err)
	}
	if _, err := cmd.Wait(); err != nil {
		return fmt.Errorf("save to %s: %w", mailbox, err)
	}
	return nil
}

// sendMail is one SMTP transaction; with STARTTLS where it is offered.
func sendMail(addr string, auth netsmtp.Auth, from string, to []string, msg []byte) error {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	host, _, _ := net.SplitHostPort(addr)
	c, err := netsmtp.NewClient(conn, host)
	if err != nil {
		_ = conn.Close()
		return err
	}
	defer c.Close()
	if ok, _ := c.Extension("STARTTLS"); ok {
		// The demo's certificate is self-signed, on loopback.
		if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
			return err
		}
	}
	if auth != nil {
		if err := c.Auth(auth); err != nil {
			return err
		}
	}
	if err := c.Mail(from); err != nil {
		return err
	}
	for _, t := range to {
		if err := c.Rcpt(t); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(msg); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

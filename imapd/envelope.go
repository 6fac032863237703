package imapd

import (
	"net/mail"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// envelope reads the fields of a header that make an envelope (RFC 9051
// section 7.5.2). What can't be parsed is left out.
func envelope(header []byte) *imap.Envelope {
	var e imap.Envelope
	seen := map[string]bool{}
	for name, value := range mimetree.Fields(header) {
		name = strings.ToLower(name)
		if seen[name] {
			continue
		}
		seen[name] = true
		switch name {
		case "date":
			e.Date, _ = mail.ParseDate(value)
		case "subject":
			e.Subject = mimetree.DecodeHeader(value)
		case "from":
			e.From = addresses(value)
		case "sender":
			e.Sender = addresses(value)
		case "reply-to":
			e.ReplyTo = addresses(value)
		case "to":
			e.To = addresses(value)
		case "cc":
			e.Cc = addresses(value)
		case "bcc":
			e.Bcc = addresses(value)
		case "in-reply-to":
			e.InReplyTo = messageIDs(value)
		case "message-id":
			if ids := messageIDs(value); len(ids) > 0 {
				e.MessageID = ids[0]
			}
		}
	}
	// An absent Sender or Reply-To is From's (RFC 9051 section 7.5.2).
	if len(e.Sender) == 0 {
		e.Sender = e.From
	}
	if len(e.ReplyTo) == 0 {
		e.ReplyTo = e.From
	}
	return &e
}

// maxAddresses bounds the addresses of one field in an envelope.
const maxAddresses = 1000

// addresses parses an address list; of one that can't be parsed, those entries
// that look like an address.
func addresses(value string) []imap.Address {
	list, err := mail.ParseAddressList(value)
	if err != nil {
		list = nil
		for part := range strings.SplitSeq(value, ",") {
			if a := looseAddress(part); a != nil && len(list) < maxAddresses {
				list = append(list, a)
			}
		}
	}
	out := make([]imap.Address, 0, len(list))
	for _, a := range list[:min(len(list), maxAddresses)] {
		at := strings.LastIndexByte(a.Address, '@')
		if at < 0 {
			continue
		}
		out = append(out, imap.Address{Name: mimetree.DecodeHeader(a.Name), Mailbox: a.Address[:at], Host: a.Address[at+1:]})
	}
	return out
}

// looseAddress reads "anything <a@b>" or "a@b".
func looseAddress(s string) *mail.Address {
	name, rest, ok := strings.Cut(s, "<")
	addr, _, _ := strings.Cut(rest, ">")
	if !ok {
		name, addr = "", s
	}
	addr = strings.TrimSpace(addr)
	if at := strings.LastIndexByte(addr, '@'); at < 1 || at == len(addr)-1 || strings.ContainsAny(addr, " \t\"<>") {
		return nil
	}
	return &mail.Address{Name: strings.Trim(strings.TrimSpace(name), `"`), Address: addr}
}

// messageIDs returns the msg-ids of a value, without angle brackets.
func messageIDs(value string) []string {
	var ids []string
	for len(ids) < 100 {
		_, rest, ok := strings.Cut(value, "<")
		if !ok {
			break
		}
		id, after, ok := strings.Cut(rest, ">")
		if !ok {
			break
		}
		value = after
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

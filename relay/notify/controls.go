package notify

import (
	"bytes"
	"net/mail"
	"strings"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// control is what a notification or a digest lets its reader change: the
// token in its settings address and in its link.
type control string

// control is that of the member's digests.
func (r *Renderer) control(member threading.ID) control {
	return control(r.o.Store.Keyring().Token(seal.TokenSettings, member))
}

// controlOf is that of a notification: it names the thread as well.
func (r *Renderer) controlOf(item threading.Item) control {
	if id, ok := r.alias(item.Header); ok {
		return control(r.o.Store.Keyring().Token(seal.TokenTopic, id))
	}
	return r.control(item.MemberID) // a note to oneself has no alias
}

// alias is the reply alias that a header block's From shows.
func (r *Renderer) alias(header []byte) (threading.ID, bool) {
	from, _ := mimetree.Field(header, "From")
	a, err := mail.ParseAddress(strings.TrimSpace(from))
	if err != nil || r.o.Store == nil {
		return 0, false
	}
	local, _, _ := strings.Cut(a.Address, "@")
	token, ok := strings.CutPrefix(local, threading.AliasPrefix)
	if !ok {
		return 0, false
	}
	return r.o.Store.Keyring().ParseToken(seal.TokenAlias, token)
}

// local is the local part of the address through which a member changes the
// alerts by mail.
func (c control) local() string { return threading.AliasPrefix + string(c) }

// alertsURL is the page on which a member changes the alerts; empty where
// there are no pages.
func (r *Renderer) alertsURL(c control) string {
	if r.o.BaseURL == "" {
		return ""
	}
	return r.o.BaseURL + "/alerts/" + string(c)
}

// blockURL is the page on which the reader blocks or reports the member whose
// reply alias From shows; empty where there are no pages.
func (r *Renderer) blockURL(header []byte) string {
	id, ok := r.alias(header)
	if r.o.BaseURL == "" || !ok {
		return ""
	}
	return r.o.BaseURL + "/block/" + r.o.Store.Keyring().Token(seal.TokenBlock, id)
}

// unsubscribe are the fields by which a mail program offers to stop the
// alerts: by mail (RFC 2369 section 3.2) and, where there are pages over
// HTTPS, with one click (RFC 8058 section 3.1).
func (r *Renderer) unsubscribe(c control) []relay.Field {
	list := "<mailto:" + c.local() + "@" + r.o.Domain + "?subject=stop>"
	url := r.alertsURL(c)
	if url == "" {
		return []relay.Field{{Name: "List-Unsubscribe", Value: list}}
	}
	return []relay.Field{
		{Name: "List-Unsubscribe", Value: "<" + url + ">, " + list},
		{Name: "List-Unsubscribe-Post", Value: "List-Unsubscribe=One-Click"},
	}
}

// feedbackID tells which kind of mail a complaint is about (Gmail's Postmaster
// Tools count by it). It names the kind and the relay, and no member.
func (r *Renderer) feedbackID(kind string) relay.Field {
	sender := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, r.o.Domain)
	if len(sender) < 5 { // it has 5 to 15 characters
		sender += "relay"
	}
	return relay.Field{Name: "Feedback-ID", Value: kind + ":::" + sender[:min(len(sender), 15)]}
}

// digestFields are those of a digest beside what every message has. It is bulk:
// nothing should answer it (RFC 3834 section 2).
func (r *Renderer) digestFields(c control) []relay.Field {
	return append(r.unsubscribe(c), r.feedbackID("digest"), relay.Field{Name: "Precedence", Value: "bulk"})
}

// withControls is an item's header block with the fields that stop the alerts.
// A person wrote it: it is neither bulk nor automatic.
func (r *Renderer) withControls(item threading.Item, c control) []byte {
	var b bytes.Buffer
	for _, f := range append(r.unsubscribe(c), r.feedbackID("notification")) {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	b.Write(item.Header)
	return b.Bytes()
}

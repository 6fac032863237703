package notify

import (
	"bytes"
	"strings"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// settingsLocal is the local part of the address through which a member
// changes the alerts by mail.
func (r *Renderer) settingsLocal(member threading.ID) string {
	return threading.AliasPrefix + r.settingsToken(member)
}

func (r *Renderer) settingsToken(member threading.ID) string {
	return r.o.Store.Keyring().Token(seal.TokenSettings, member)
}

// alertsURL is the page on which a member changes the alerts; empty where
// there are no pages.
func (r *Renderer) alertsURL(member threading.ID) string {
	if r.o.BaseURL == "" {
		return ""
	}
	return r.o.BaseURL + "/alerts/" + r.settingsToken(member)
}

// blockURL is the page on which the reader blocks or reports the member whose
// reply alias it is; empty where there are no pages.
func (r *Renderer) blockURL(alias string) string {
	local, _, _ := strings.Cut(alias, "@")
	token, ok := strings.CutPrefix(local, threading.AliasPrefix)
	if r.o.BaseURL == "" || r.o.Store == nil || !ok {
		return ""
	}
	id, ok := r.o.Store.Keyring().ParseToken(seal.TokenAlias, token)
	if !ok {
		return ""
	}
	return r.o.BaseURL + "/block/" + r.o.Store.Keyring().Token(seal.TokenBlock, id)
}

// unsubscribe are the fields by which a mail program offers to stop the
// alerts: by mail (RFC 2369 section 3.2) and, where there are pages over
// HTTPS, with one click (RFC 8058 section 3.1).
func (r *Renderer) unsubscribe(member threading.ID) []relay.Field {
	list := "<mailto:" + r.settingsLocal(member) + "@" + r.o.Domain + "?subject=stop>"
	url := r.alertsURL(member)
	if url == "" {
		return []relay.Field{{Name: "List-Unsubscribe", Value: list}}
	}
	return []relay.Field{
		{Name: "List-Unsubscribe", Value: "<" + url + ">, " + list},
		{Name: "List-Unsubscribe-Post", Value: "List-Unsubscribe=One-Click"},
	}
}

// withControls is an item's header block with the fields that stop the alerts.
func (r *Renderer) withControls(item threading.Item) []byte {
	var b bytes.Buffer
	for _, f := range r.unsubscribe(item.MemberID) {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	b.Write(item.Header)
	return b.Bytes()
}

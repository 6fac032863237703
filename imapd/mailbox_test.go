package imapd

import (
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
)

// RFC 9051 section 6.3.9: * is anything, % anything within a level.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		ref, pattern, name string
		want               bool
	}{
		{"", "*", "Archives/2026", true},
		{"", "%", "Archives/2026", false},
		{"", "%", "Archives", true},
		{"", "%/%", "Archives/2026", true},
		{"", "Arch*6", "Archives/2026", true},
		{"Archives/", "%", "Archives/2026", true},
		{"Archives/", "%", "Archives", false},
		{"", "inbox", "INBOX", true},
		{"", "Inbox/%", "INBOX/Sub", true},
		{"", "archives", "Archives", false},
		{"", "%*%*%*%*%*%*x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"", "**", "", true},
	} {
		if got := matchesAny(c.ref, []string{c.pattern}, c.name); got != c.want {
			t.Errorf("%q %q matches %q: %v", c.ref, c.pattern, c.name, got)
		}
	}
}

func TestOnlyOneSent(t *testing.T) {
	for _, c := range []struct {
		attrs []imap.MailboxAttr
		want  threading.SpecialUse
		ok    bool
	}{
		{[]imap.MailboxAttr{imap.MailboxAttrArchive}, threading.UseArchive, true},
		{[]imap.MailboxAttr{`\TRASH`}, threading.UseTrash, true},
		{[]imap.MailboxAttr{imap.MailboxAttrSent}, "", false},
		{[]imap.MailboxAttr{imap.MailboxAttrAll}, "", false},
		{[]imap.MailboxAttr{imap.MailboxAttrJunk, imap.MailboxAttrTrash}, "", false},
	} {
		if use, ok := creatable(c.attrs); use != c.want || ok != c.ok {
			t.Errorf("creatable(%v) = %q, %v", c.attrs, use, ok)
		}
	}
}

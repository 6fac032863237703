package imapd

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
)

// systemFlags are the flags that are kept as bits.
var systemFlags = []struct {
	flag imap.Flag
	bit  threading.Flags
}{
	{imap.FlagSeen, threading.FlagSeen},
	{imap.FlagAnswered, threading.FlagAnswered},
	{imap.FlagFlagged, threading.FlagFlagged},
	{imap.FlagDeleted, threading.FlagDeleted},
	{imap.FlagDraft, threading.FlagDraft},
}

// flagsOf returns flags as a client sees them.
func flagsOf(bits threading.Flags, keywords []string) []imap.Flag {
	out := make([]imap.Flag, 0, 4+len(keywords))
	for _, f := range systemFlags {
		if bits&f.bit != 0 {
			out = append(out, f.flag)
		}
	}
	for _, k := range keywords {
		out = append(out, imap.Flag(k))
	}
	return out
}

// parseFlags parts a client's flags. Other flags with a backslash (\Recent)
// are the server's and left out. A keyword is an atom, and so ASCII without
// spaces (RFC 9051 section 9: flag-keyword).
func parseFlags(flags []imap.Flag) (bits threading.Flags, keywords []string, err error) {
next:
	for _, flag := range flags {
		for _, f := range systemFlags {
			if strings.EqualFold(string(flag), string(f.flag)) {
				bits |= f.bit
				continue next
			}
		}
		if strings.HasPrefix(string(flag), `\`) || flag == "" {
			continue
		}
		if strings.ContainsFunc(string(flag), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return 0, nil, bad("A keyword has characters that are not allowed.")
		}
		if len(flag) > threading.MaxKeyword || len(keywords) == threading.MaxKeywords {
			return 0, nil, no(imap.ResponseCodeLimit, "There are too many keywords, or one is too long.")
		}
		keywords = append(keywords, string(flag))
	}
	return bits, keywords, nil
}

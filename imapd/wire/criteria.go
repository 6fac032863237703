package wire

import (
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/stagedoor/stagedoor/imapd"
)

// maxKeys bounds the keys of one search.
const maxKeys = 5000

// searchReader reads search keys (RFC 9051 section 6.4.4).
type searchReader struct {
	c       *conn
	charset string
	keys    int
	modseq  bool // a mod-sequence is asked for: that enables CONDSTORE
}

// keysUntilEnd reads keys that all must match.
func (s *searchReader) keysUntilEnd() *imapd.Criteria {
	out := &imapd.Criteria{}
	for {
		s.key(out, 0)
		if !s.c.r.more() {
			return out
		}
	}
}

// text reads a string in the search's charset.
func (s *searchReader) text() string {
	s.c.r.sp()
	raw := s.c.r.astring()
	switch s.charset {
	case "", "UTF-8", "US-ASCII":
		return strings.ToValidUTF8(raw, "\uFFFD")
	}
	e, err := ianaindex.IANA.Encoding(s.charset)
	if err != nil || e == nil {
		return raw // it was checked
	}
	text, err := e.NewDecoder().String(raw)
	if err != nil {
		s.c.r.bad("A text is not in the charset that was named.")
	}
	return text
}

// badCharset refuses a charset (RFC 9051 section 6.4.4).
var errCharset = &imap.Error{Type: imap.StatusResponseTypeNo, Code: "BADCHARSET (UTF-8 US-ASCII)", Text: "This server doesn't know that charset."}

// charsetIfGiven reads CHARSET, which a client that has UTF-8 must not give (RFC
// 6855 section 3).
func (s *searchReader) charsetIfGiven() {
	r := s.c.r
	if !s.c.nextWord("CHARSET") {
		return
	}
	r.sp()
	s.setCharset(r.astring())
	r.sp()
	if s.c.enabled.utf8 {
		r.bad("You enabled UTF8=ACCEPT: a search names no charset.")
	}
}

// setCharset takes the charset's name.
func (s *searchReader) setCharset(name string) {
	s.charset = upper(name)
	if s.charset == "UTF8" {
		s.charset = "UTF-8"
	}
	if e, err := ianaindex.IANA.Encoding(s.charset); (err != nil || e == nil) && s.charset != "UTF-8" && s.charset != "US-ASCII" {
		s.c.r.fail(errCharset)
	}
}

// date reads a date without time (RFC 9051 section 9: date), quoted or not.
func (s *searchReader) date() time.Time {
	s.c.r.sp()
	text := s.c.r.astring()
	t, err := time.Parse("2-Jan-2006", text)
	if err != nil && s.c.r.err == nil {
		s.c.r.bad("A date is written like 1-Feb-2026.")
	}
	return t
}

// flagKeys are the keys that are flags.
var flagKeys = map[string]imap.Flag{
	"ANSWERED": imap.FlagAnswered, "DELETED": imap.FlagDeleted, "DRAFT": imap.FlagDraft, "FLAGGED": imap.FlagFlagged, "SEEN": imap.FlagSeen, "RECENT": `\Recent`,
}

// fieldKeys are the keys that are header fields.
var fieldKeys = map[string]string{"BCC": "Bcc", "CC": "Cc", "FROM": "From", "SUBJECT": "Subject", "TO": "To"}

// key reads one key, which must match as well.
func (s *searchReader) key(c *imapd.Criteria, depth int) {
	r := s.c.r
	if s.keys++; s.keys > maxKeys || depth > maxNesting {
		r.fail(&imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeLimit, Text: "The search has too many keys."})
		return
	}
	switch b := r.peek(); {
	case b == '(':
		r.list(func() { s.key(c, depth+1) })
		return
	case b == '$':
		c.UID = append(c.UID, r.numSet(true).(imap.UIDSet))
		return
	case isSet(b):
		if set, ok := r.numSet(false).(imap.SeqSet); ok {
			c.SeqNum = append(c.SeqNum, set)
		}
		return
	}
	name := r.word()
	if flag, ok := flagKeys[name]; ok {
		c.Flag = append(c.Flag, flag)
		return
	}
	if flag, ok := flagKeys[strings.TrimPrefix(name, "UN")]; ok && name != "UNRECENT" {
		c.NotFlag = append(c.NotFlag, flag)
		return
	}
	if field, ok := fieldKeys[name]; ok {
		c.Header = append(c.Header, imap.SearchCriteriaHeaderField{Key: field, Value: s.text()})
		return
	}
	if !s.nested(c, name, depth) && !s.simple(c, name) && !s.dated(c, name) && !s.extended(c, name) {
		r.bad("This server doesn't know the search key " + printableName(name) + ".")
	}
}

// nested reads keys with keys in them.
func (s *searchReader) nested(c *imapd.Criteria, name string, depth int) bool {
	one := func() (n imapd.Criteria) {
		s.c.r.sp()
		s.key(&n, depth+1)
		return n
	}
	switch name {
	case "NOT":
		c.Nots = append(c.Nots, one())
	case "OR":
		a := one()
		c.Ors = append(c.Ors, [2]imapd.Criteria{a, one()})
	case "FUZZY": // as good as exact (RFC 6203 section 3)
		s.c.r.sp()
		s.key(c, depth+1)
	default:
		return false
	}
	return true
}

// simple reads RFC 9051's keys.
func (s *searchReader) simple(c *imapd.Criteria, name string) bool {
	r := s.c.r
	switch name {
	case "ALL":
	case "NEW":
		c.Flag, c.NotFlag = append(c.Flag, `\Recent`), append(c.NotFlag, imap.FlagSeen)
	case "OLD":
		c.NotFlag = append(c.NotFlag, `\Recent`)
	case "KEYWORD":
		r.sp()
		c.Flag = append(c.Flag, r.flag())
	case "UNKEYWORD":
		r.sp()
		c.NotFlag = append(c.NotFlag, r.flag())
	case "BODY":
		c.Body = append(c.Body, s.text())
	case "TEXT":
		c.Text = append(c.Text, s.text())
	case "HEADER":
		r.sp()
		c.Header = append(c.Header, imap.SearchCriteriaHeaderField{Key: r.astring(), Value: s.text()})
	case "LARGER":
		r.sp()
		c.Larger = max(c.Larger, int64(r.number64()))
	case "SMALLER":
		r.sp()
		n := int64(r.number64())
		if n == 0 {
			nothing(c)
		} else if c.Smaller == 0 || n < c.Smaller {
			c.Smaller = n
		}
	case "UID":
		r.sp()
		if set, ok := r.numSet(true).(imap.UIDSet); ok {
			c.UID = append(c.UID, set)
		}
	default:
		return false
	}
	return true
}

// nothing makes criteria that no message matches.
func nothing(c *imapd.Criteria) { c.Nots = append(c.Nots, imapd.Criteria{}) }

// dated reads the keys with a date.
func (s *searchReader) dated(c *imapd.Criteria, name string) bool {
	field, kind := strings.CutPrefix(name, "SENT")
	since, before := &c.Since, &c.Before
	if kind {
		since, before = &c.SentSince, &c.SentBefore
	} else if rest, saved := strings.CutPrefix(name, "SAVED"); saved && name != "SAVEDATESUPPORTED" {
		field, since, before = rest, &c.SavedSince, &c.SavedBefore
	}
	if field != "SINCE" && field != "BEFORE" && field != "ON" {
		return false
	}
	t := s.date()
	if field != "BEFORE" && (since.IsZero() || t.After(*since)) {
		*since = t
	}
	if field == "ON" {
		t = t.AddDate(0, 0, 1)
	}
	if field != "SINCE" && (before.IsZero() || t.Before(*before)) {
		*before = t
	}
	return true
}

// extended reads the keys of extensions.
func (s *searchReader) extended(c *imapd.Criteria, name string) bool {
	r := s.c.r
	switch {
	case (name == "OLDER" || name == "YOUNGER") && s.c.can(imap.CapWithin): // RFC 5032
		r.sp()
		n := r.number()
		if n == 0 {
			r.bad("An interval has one second at least.")
		}
		t := time.Now().Add(-time.Duration(n) * time.Second).Truncate(time.Second)
		if name == "OLDER" && (c.NotAfter.IsZero() || t.Before(c.NotAfter)) {
			c.NotAfter = t
		} else if name == "YOUNGER" && t.After(c.NotBefore) {
			c.NotBefore = t
		}
	case name == "MODSEQ" && s.c.can(imap.CapCondStore): // RFC 7162 section 3.1.5
		r.sp()
		if r.peek() == '"' { // of one flag: the server keeps one for all
			r.quoted()
			r.sp()
			r.word()
			r.sp()
		}
		n := max(1, r.number64())
		if c.ModSeq == nil || n > c.ModSeq.ModSeq {
			c.ModSeq = &imap.SearchCriteriaModSeq{ModSeq: n}
		}
		s.modseq = true
	case name == "EMAILID" && s.c.can(imap.CapObjectID): // RFC 8474
		r.sp()
		c.EmailIDs = append(c.EmailIDs, r.astring())
	case name == "THREADID" && s.c.can(imap.CapObjectID):
		r.sp()
		c.ThreadIDs = append(c.ThreadIDs, r.astring())
	case name == "SAVEDATESUPPORTED" && s.c.can(imap.CapSaveDate): // RFC 8514: by all mailboxes
	default:
		return false
	}
	return true
}

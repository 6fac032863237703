package imapd

import (
	"mime"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// Envelope is a message's envelope as it stands in the header (RFC 9051 section
// 7.5.2): unfolded, encoded words not decoded, which clients do. What is not
// ASCII was made encoded words.
type Envelope struct {
	Date, Subject                      string
	From, Sender, ReplyTo, To, Cc, Bcc []Address
	InReplyTo, MessageID               string
}

// Address is an address, or the begin (no Host) or end (no Mailbox either) of a
// group.
type Address struct{ Name, Route, Mailbox, Host string }

// The fields of an envelope, in the order of envelope's variables.
var (
	textFields = [...]string{"Date", "Subject", "In-Reply-To", "Message-ID"}
	listFields = [...]string{"From", "Sender", "Reply-To", "To", "Cc", "Bcc"}
)

// envelope reads the fields of a header that make an envelope, each the first
// of its name.
func envelope(header []byte) *Envelope {
	var e Envelope
	texts := [...]*string{&e.Date, &e.Subject, &e.InReplyTo, &e.MessageID}
	lists := [...]*[]Address{&e.From, &e.Sender, &e.ReplyTo, &e.To, &e.Cc, &e.Bcc}
	var had [len(textFields) + len(listFields)]bool
	for name, value := range mimetree.Fields(header) {
		for i, is := range textFields {
			if !had[i] && len(is) == len(name) && strings.EqualFold(is, name) {
				*texts[i], had[i] = ascii(value), true
			}
		}
		for i, is := range listFields {
			if k := len(textFields) + i; !had[k] && len(is) == len(name) && strings.EqualFold(is, name) {
				*lists[i], had[k] = addresses(value), true
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

// EnvelopeOf is a nested message's envelope.
func EnvelopeOf(e *imap.Envelope) *Envelope {
	if e == nil {
		return &Envelope{}
	}
	of := func(list []imap.Address) (out []Address) {
		for _, a := range list {
			out = append(out, Address{Name: a.Name, Mailbox: a.Mailbox, Host: a.Host})
		}
		return out
	}
	out := &Envelope{Subject: e.Subject, From: of(e.From), Sender: of(e.Sender), ReplyTo: of(e.ReplyTo), To: of(e.To), Cc: of(e.Cc), Bcc: of(e.Bcc),
		InReplyTo: strings.Join(e.InReplyTo, " "), MessageID: e.MessageID}
	if !e.Date.IsZero() {
		out.Date = e.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700")
	}
	return out
}

// ascii makes encoded words of what is not ASCII, and drops controls.
func ascii(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 {
			return mime.QEncoding.Encode("utf-8", printable(mimetree.DecodeHeader(s)))
		} else if c < ' ' || c == 0x7f {
			return ascii(printable(s))
		}
	}
	return s
}

// maxAddresses bounds the addresses of one field in an envelope.
const maxAddresses = 1000

// addresses reads an address list of RFC 5322 section 3.4, with the routes of
// section 4.4. It takes what it finds: an entry without an address is left out.
func addresses(value string) []Address {
	p := addressReader{s: value}
	var list []Address
	group := false
	for len(list) < maxAddresses {
		a, end := p.next()
		switch {
		case end == ':' && !group:
			group = true
			list = append(list, Address{Mailbox: ascii(a.Name)})
		case a.Mailbox != "" && a.Host != "":
			a.Name, a.Route, a.Mailbox, a.Host = ascii(a.Name), ascii(a.Route), ascii(a.Mailbox), ascii(a.Host)
			list = append(list, a)
		}
		if end == ';' && group || end == 0 && group {
			group = false
			list = append(list, Address{})
		}
		if end == 0 {
			break
		}
	}
	return list
}

// addressReader reads an address list from left to right.
type addressReader struct {
	s string
	i int
}

// next reads one entry, and returns what ended it: a comma, the colon after a
// group's name, its semicolon, or 0 at the end of all.
func (p *addressReader) next() (a Address, end byte) {
	var phrase []string // words outside of brackets
	comment := ""
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case ' ', '\t', '\r', '\n':
			p.i++
			if n := len(phrase); n > 0 && phrase[n-1] != " " {
				phrase = append(phrase, " ")
			}
		case '(':
			comment = p.comment()
		case '"':
			phrase = append(phrase, p.quoted())
		case '<':
			p.i++
			a.Route, a.Mailbox, a.Host = p.angle()
			a.Name = strings.TrimSpace(strings.Join(phrase, ""))
			phrase = nil
		case ',', ';':
			p.i++
			return bare(a, phrase, comment), c
		case ':':
			p.i++
			return Address{Name: strings.TrimSpace(strings.Join(phrase, ""))}, c
		default:
			start := p.i
			for p.i < len(p.s) && !strings.ContainsRune(" \t\r\n(\"<,;:", rune(p.s[p.i])) {
				p.i++
			}
			phrase = append(phrase, p.s[start:p.i])
		}
	}
	return bare(a, phrase, comment), 0
}

// bare is an address that stands without brackets, with its comment for a name.
func bare(a Address, phrase []string, comment string) Address {
	if a.Mailbox != "" {
		if a.Name == "" {
			a.Name = comment
		}
		return a
	}
	text := strings.TrimSpace(strings.Join(phrase, ""))
	if at := strings.LastIndexByte(text, '@'); at > 0 && !strings.ContainsAny(text, " \t") {
		return Address{Name: comment, Mailbox: text[:at], Host: text[at+1:]}
	}
	return Address{}
}

// comment reads a comment, which may be nested, and returns what it says.
func (p *addressReader) comment() string {
	var out []byte
	for depth := 0; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			out = append(out, p.s[p.i])
		case c == '(':
			if depth++; depth > 1 {
				out = append(out, c)
			}
		case c == ')':
			if depth--; depth == 0 {
				p.i++
				return strings.TrimSpace(string(out))
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	return strings.TrimSpace(string(out))
}

// quoted reads a quoted string and returns what it says.
func (p *addressReader) quoted() string {
	var out []byte
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			out = append(out, p.s[p.i])
		case c == '"':
			p.i++
			return string(out)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// angle reads what stands between < and >.
func (p *addressReader) angle() (route, mailbox, host string) {
	end := strings.IndexByte(p.s[p.i:], '>')
	text := p.s[p.i:]
	if end >= 0 {
		text = text[:end]
		p.i += end + 1
	} else {
		p.i = len(p.s)
	}
	text = uncommented(text)
	if strings.HasPrefix(text, "@") {
		if r, rest, ok := strings.Cut(text, ":"); ok {
			route, text = r, rest
		}
	}
	at := strings.LastIndexByte(text, '@')
	if at < 1 || at == len(text)-1 {
		return "", "", ""
	}
	return route, strings.Trim(text[:at], `"`), text[at+1:]
}

// uncommented leaves out comments and white space, but for what is quoted (RFC
// 5322 section 4.4: between the parts of an address there may be both).
func uncommented(text string) string {
	if !strings.ContainsAny(text, "( \t\r\n") {
		return text
	}
	var out []byte
	for p := (addressReader{s: text}); p.i < len(text); {
		switch c := text[p.i]; c {
		case '(':
			p.comment()
		case '"':
			from := p.i
			p.quoted()
			out = append(out, text[from:p.i]...)
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			out = append(out, c)
			p.i++
		}
	}
	return string(out)
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

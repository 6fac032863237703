package relay

import (
	"bytes"
	"mime"
	"net/mail"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// softLine is the line length that RFC 5322 section 2.1.1 recommends, in
// octets without CRLF. Nothing that is composed here has a word that comes
// near the hard limit of 998.
const softLine = 76

// headerWriter writes a header block: fields folded before a word.
type headerWriter struct{ bytes.Buffer }

// field writes one field. The value is ASCII; it is folded at its spaces.
func (w *headerWriter) field(name, value string) {
	w.WriteString(name)
	w.WriteByte(':')
	col := len(name) + 1
	for word := range strings.SplitSeq(value, " ") {
		// RFC 2047 section 2 is strict about lines with encoded words: they may begin below the name.
		if col+1+len(word) > softLine && word != "" && (col > len(name)+1 || strings.HasPrefix(word, "=?")) {
			w.WriteString("\r\n")
			col = 0
		}
		w.WriteByte(' ')
		w.WriteString(word)
		col += 1 + len(word)
	}
	w.WriteString("\r\n")
}

// unstructured writes a field of text, as encoded words where it needs them
// (RFC 2047).
func (w *headerWriter) unstructured(name, text string) {
	w.field(name, mime.QEncoding.Encode("utf-8", text))
}

// addresses writes a field of addresses.
func (w *headerWriter) addresses(name string, list ...mail.Address) {
	if len(list) == 0 {
		return
	}
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = list[i].String()
	}
	w.field(name, strings.Join(parts, ", "))
}

// messageIDs writes a field of msg-ids.
func (w *headerWriter) messageIDs(name string, ids ...string) {
	if len(ids) > 0 {
		w.field(name, "<"+strings.Join(ids, "> <")+">")
	}
}

// letter is one message in one thread, before it is filed: all that the
// participants' header blocks are made of.
type letter struct {
	view      threading.ThreadView
	newThread *threading.NewThread // set when the message starts the thread
	to        string               // tells apart the threads that one message starts, for dedupe
	writer    threading.Member
	messageID threading.ID
	tls       threading.TLS // what its writer asks of its way
	subject   string
	date      time.Time
	parent    threading.ID // the message it answers; zero for none
	mime      []byte
	automatic bool   // a program wrote it
	marked    bool   // a scanner takes it for unwanted
	hold      string // why it waits for the operator; empty: it does not
}

// contactAddress is the public address of a member, with the name others see.
func (p *Pipeline) contactAddress(m threading.Member) mail.Address {
	return mail.Address{Name: m.DisplayName(), Address: m.Handle + "@" + p.o.Domain}
}

// aliasAddress is how viewer sees other: by a name and a reply alias.
func (p *Pipeline) aliasAddress(v *threading.ThreadView, viewer, other threading.Member) mail.Address {
	a, _ := v.AliasFor(viewer.ID, other.ID)
	return mail.Address{
		Name:    other.DisplayName() + " via " + p.o.Brand,
		Address: threading.AliasPrefix + p.o.Store.Keyring().Token(seal.TokenAlias, a.ID) + "@" + p.o.Domain,
	}
}

// messageIDOf is the Message-ID, without angle brackets, that all participants
// see of a message.
func (p *Pipeline) messageIDOf(id threading.ID) string {
	return p.o.Store.Keyring().Token(seal.TokenMessage, id) + "@" + p.o.Domain
}

// headerFor composes the header block that one participant gets. It is fixed
// when the message is filed and serves IMAP and mail alike: To is always a
// contact address, so that no client can quote a real one. Date is the
// relay's, in UTC: the writer's clock and time zone are nobody's business.
func (p *Pipeline) headerFor(l *letter, viewer threading.Member) []byte {
	var w headerWriter
	w.Grow(1024)
	if viewer.ID == l.writer.ID {
		w.addresses("From", p.contactAddress(l.writer))
		w.addresses("To", p.others(l, viewer)...)
	} else {
		w.addresses("From", p.aliasAddress(&l.view, viewer, l.writer))
		w.addresses("To", p.contactAddress(viewer))
		w.addresses("Cc", p.others(l, viewer)...)
	}
	w.unstructured("Subject", l.subject)
	w.field("Date", l.date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	w.messageIDs("Message-ID", p.messageIDOf(l.messageID))
	if l.tls == threading.TLSOptional {
		w.field("TLS-Required", "No") // RFC 8689 section 5: it is passed on
	}
	if known := l.ancestors(viewer); len(known) > 0 {
		w.messageIDs("In-Reply-To", p.messageIDOf(known[len(known)-1].MessageID))
		w.messageIDs("References", p.references(known, viewer)...)
	}
	if l.automatic {
		w.field("Auto-Submitted", "auto-replied") // RFC 3834 section 5
	}
	if l.marked && viewer.ID != l.writer.ID {
		w.field("X-Spam-Flag", "YES")
	}
	p.about(&w, &l.view)
	w.Write(l.mime)
	w.WriteString("\r\n")
	return w.Bytes()
}

// others are the participants beside writer and viewer, as viewer sees them;
// in a thread with oneself, oneself.
func (p *Pipeline) others(l *letter, viewer threading.Member) []mail.Address {
	var list []mail.Address
	for _, m := range l.view.Participants {
		if m.ID != viewer.ID && m.ID != l.writer.ID {
			list = append(list, p.aliasAddress(&l.view, viewer, m))
		}
	}
	if len(l.view.Participants) == 1 {
		list = append(list, p.contactAddress(viewer))
	}
	return list
}

// references is a chain down to the parent (RFC 5322 section 3.6.4). Beside a
// message that the viewer wrote stands the ID that the viewer's own mail system
// gave it, so that the thread holds together there too; nobody else's foreign
// ID is ever shown.
func (p *Pipeline) references(chain []threading.ChainLink, viewer threading.Member) []string {
	var ids []string
	for _, c := range chain {
		if c.WriterID == viewer.ID && c.ForeignID != "" {
			ids = append(ids, c.ForeignID)
		}
		ids = append(ids, p.messageIDOf(c.MessageID))
	}
	return ids
}

// ancestors is what a viewer knows of the thread's chain down to the parent.
func (l *letter) ancestors(viewer threading.Member) []threading.ChainLink {
	if l.parent == 0 {
		return nil
	}
	var known []threading.ChainLink
	parent := threading.ChainLink{MessageID: l.parent}
	for _, c := range l.view.Chain {
		switch {
		case c.MessageID == l.parent:
			parent = c
		case c.MessageID < l.parent && c.KnownTo(viewer.ID):
			known = append(known, c)
		}
	}
	if parent.KnownTo(viewer.ID) {
		known = append(known, parent)
	}
	return known
}

// about writes what the thread is about, so that every client's own search
// finds it by production and role.
func (p *Pipeline) about(w *headerWriter, v *threading.ThreadView) {
	if v.Production.ID == 0 {
		return
	}
	encode := func(s string) string { return mime.QEncoding.Encode("utf-8", s) }
	keywords := encode(strings.ReplaceAll(v.Production.Title, ",", ""))
	if v.Role.ID != 0 {
		keywords += ", " + encode(strings.ReplaceAll(v.Role.Title, ",", ""))
	}
	w.field("Keywords", keywords)
	w.unstructured("X-Production", v.Production.Title)
	if v.Role.ID != 0 {
		w.unstructured("X-Role", v.Role.Title)
	}
}

// subjectBase strips reply and forward marks, in the languages that clients
// use, from a subject: what names the thread.
func subjectBase(s string) string {
	for {
		s = strings.TrimSpace(s)
		i := strings.IndexAny(s, ":：")
		if i < 1 || i > 8 || !replyMarks[strings.ToLower(strings.TrimRight(s[:i], " 0123456789[]()"))] {
			return s
		}
		s = strings.TrimLeft(s[i:], ":：")
	}
}

var replyMarks = map[string]bool{
	"re": true, "fw": true, "fwd": true, // English and most others
	"aw": true, "wg": true, "antw": true, // German
	"sv": true, "vs": true, "vb": true, "vl": true, // Nordic
	"r": true, "rif": true, "i": true, // Italian
	"tr": true, "réf": true, // French
	"rv": true, "res": true, "enc": true, // Spanish, Portuguese
	"odp": true, "pd": true, "ynt": true, "ilt": true, // Polish, Turkish
	"回复": true, "答复": true, "转发": true, "返信": true, "転送": true,
}

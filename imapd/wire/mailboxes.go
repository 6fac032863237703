package wire

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/threading"
)

// create answers CREATE, with a special use (RFC 6154 section 3).
func (c *conn) create() (done, error) {
	c.r.sp()
	name := c.r.mailbox()
	o := &imap.CreateOptions{}
	if c.r.more() {
		c.r.list(func() {
			if c.r.word() != "USE" || !c.can(imap.CapCreateSpecialUse) {
				c.r.bad("CREATE takes USE and nothing else.")
				return
			}
			c.r.sp()
			for _, f := range c.r.flags() {
				o.SpecialUse = append(o.SpecialUse, imap.MailboxAttr(f))
			}
		})
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	id, err := c.s.Create(name, o)
	if err != nil || !c.can(imap.CapObjectID) {
		return done{}, err
	}
	return done{code: "MAILBOXID (" + id + ")"}, nil
}

func (c *conn) delete() (done, error) {
	c.r.sp()
	name := c.r.mailbox()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return done{}, c.s.Delete(name)
}

func (c *conn) rename() (done, error) {
	c.r.sp()
	from := c.r.mailbox()
	c.r.sp()
	to := c.r.mailbox()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return done{}, c.s.Rename(from, to)
}

func (c *conn) subscribe(yes bool) (done, error) {
	c.r.sp()
	name := c.r.mailbox()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return done{}, c.s.Subscribe(name, yes)
}

// namespace answers NAMESPACE (RFC 2342): there are personal mailboxes only.
func (c *conn) namespace() (done, error) {
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	c.w.text(`* NAMESPACE (("" "/")) NIL NIL`, "\r\n")
	return done{}, nil
}

// listing is what LIST asks for.
type listing struct {
	ref      string
	patterns []string
	options  imap.ListOptions
	status   *imapd.StatusItems
	extended bool
}

// maxPatterns bounds the patterns of one LIST.
const maxPatterns = 100

// list answers LIST, with RFC 5258's, RFC 5819's and RFC 6154's options.
func (c *conn) list() (done, error) {
	var l listing
	c.r.sp()
	if c.r.peek() == '(' {
		l.extended = true
		c.selectionOptions(&l)
		c.r.sp()
	}
	l.ref = c.r.mailboxName(c.r.astring())
	c.r.sp()
	if c.r.peek() == '(' {
		l.extended = true
		c.r.list(func() {
			if l.patterns = append(l.patterns, c.r.pattern()); len(l.patterns) > maxPatterns {
				c.r.bad("LIST has too many patterns.")
			}
		})
	} else {
		l.patterns = []string{c.r.pattern()}
	}
	if c.r.more() {
		l.extended = true
		if c.r.word() != "RETURN" {
			c.r.bad("After the patterns, LIST takes RETURN.")
		}
		c.r.sp()
		c.returnOptions(&l)
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return done{}, c.writeList("LIST", &l)
}

func (c *conn) selectionOptions(l *listing) {
	o := &l.options
	c.r.list(func() {
		switch c.r.word() {
		case "SUBSCRIBED":
			o.SelectSubscribed, o.ReturnSubscribed = true, true
		case "REMOTE":
			o.SelectRemote = true
		case "RECURSIVEMATCH":
			o.SelectRecursiveMatch = true
		case "SPECIAL-USE":
			o.SelectSpecialUse = true
		default:
			c.r.bad("LIST selects by SUBSCRIBED, REMOTE, RECURSIVEMATCH and SPECIAL-USE.")
		}
	})
	if o.SelectRecursiveMatch && !o.SelectSubscribed && c.r.err == nil {
		c.r.bad("RECURSIVEMATCH goes with SUBSCRIBED (RFC 5258 section 3.1).")
	}
}

func (c *conn) returnOptions(l *listing) {
	o := &l.options
	c.r.list(func() {
		switch c.r.word() {
		case "SUBSCRIBED":
			o.ReturnSubscribed = true
		case "CHILDREN":
			o.ReturnChildren = true
		case "SPECIAL-USE":
			o.ReturnSpecialUse = true
		case "STATUS":
			c.r.sp()
			l.status = c.statusItems()
		default:
			c.r.bad("LIST returns SUBSCRIBED, CHILDREN, SPECIAL-USE and STATUS.")
		}
	})
}

// lsub answers LSUB (RFC 3501 section 6.3.9).
func (c *conn) lsub() (done, error) {
	l := listing{options: imap.ListOptions{SelectSubscribed: true}}
	c.r.sp()
	l.ref = c.r.mailboxName(c.r.astring())
	c.r.sp()
	l.patterns = []string{c.r.pattern()}
	// With "%" a mailbox that is not subscribed stands for those below it that are.
	l.options.SelectRecursiveMatch = strings.Contains(l.patterns[0], "%")
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return done{}, c.writeList("LSUB", &l)
}

// xlist answers XLIST, which clients of before RFC 6154 use; some versions of
// Outlook find the folders for Sent, Trash and the like in no other way.
func (c *conn) xlist() (done, error) {
	var l listing
	c.r.sp()
	l.ref = c.r.mailboxName(c.r.astring())
	c.r.sp()
	l.patterns = []string{c.r.pattern()}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return done{}, c.writeList("XLIST", &l)
}

// writeList writes the responses.
func (c *conn) writeList(name string, l *listing) error {
	found, err := c.s.List(l.ref, l.patterns, &l.options, l.status)
	if err != nil {
		return err
	}
	for i := range found {
		d := &found[i]
		attrs := d.Attrs
		switch name {
		case "LSUB":
			attrs = lsubAttrs(attrs, d.ChildInfo != nil && d.ChildInfo.Subscribed)
		case "XLIST":
			attrs = xlistAttrs(attrs, d.Mailbox)
		}
		c.w.text("* ", name, " ").attrs(attrs).text(" ")
		if d.Delim == 0 {
			c.w.text("NIL ")
		} else {
			c.w.str(string(d.Delim)).text(" ")
		}
		if d.Mailbox == "" {
			c.w.text(`""`)
		} else {
			c.w.mailbox(d.Mailbox)
		}
		if d.ChildInfo != nil && d.ChildInfo.Subscribed && name == "LIST" {
			c.w.text(` ("CHILDINFO" ("SUBSCRIBED"))`)
		}
		c.w.crlf()
		if d.Status != nil {
			c.writeStatus(d.Status, l.status)
		}
	}
	return nil
}

// lsubAttrs are the attributes of a subscribed mailbox, or of one that only has
// such below it.
func lsubAttrs(attrs []imap.MailboxAttr, below bool) []imap.MailboxAttr {
	subscribed := slices.Contains(attrs, imap.MailboxAttrSubscribed)
	attrs = slices.DeleteFunc(slices.Clone(attrs), func(a imap.MailboxAttr) bool { return a == imap.MailboxAttrSubscribed })
	if below && !subscribed {
		attrs = append(attrs, imap.MailboxAttrNoSelect)
	}
	return attrs
}

// xlistAttrs are the attributes by the names that they had before RFC 6154, beside
// the present ones.
func xlistAttrs(attrs []imap.MailboxAttr, mailbox string) []imap.MailboxAttr {
	attrs = slices.Clone(attrs)
	switch {
	case mailbox == threading.Inbox:
		attrs = append(attrs, "\\Inbox")
	case slices.Contains(attrs, imap.MailboxAttrJunk):
		attrs = append(attrs, "\\Spam")
	case slices.Contains(attrs, imap.MailboxAttrAll):
		attrs = append(attrs, "\\AllMail")
	}
	return attrs
}

// statusCommand answers STATUS.
func (c *conn) statusCommand() (done, error) {
	c.r.sp()
	name := c.r.mailbox()
	c.r.sp()
	items := c.statusItems()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	d, err := c.s.Status(name, items)
	if err == nil {
		c.writeStatus(d, items)
	}
	return done{}, err
}

// statusItems reads what STATUS asks for.
func (c *conn) statusItems() *imapd.StatusItems {
	o := &imapd.StatusItems{}
	c.r.list(func() {
		name := c.r.word()
		to, known := map[string]*bool{
			"MESSAGES": &o.NumMessages, "RECENT": &o.NumRecent, "UIDNEXT": &o.UIDNext, "UIDVALIDITY": &o.UIDValidity, "UNSEEN": &o.NumUnseen, "DELETED": &o.NumDeleted,
			"SIZE": &o.Size, "APPENDLIMIT": &o.AppendLimit, "DELETED-STORAGE": &o.DeletedStorage, "HIGHESTMODSEQ": &o.HighestModSeq, "MAILBOXID": &o.MailboxID,
		}[name]
		if !known {
			c.r.bad("This server doesn't know the STATUS item " + printableName(name) + ".")
			return
		}
		*to = true
	})
	if o.HighestModSeq && c.r.err == nil { // RFC 7162 section 3.1: this enables CONDSTORE
		c.enabled.condstore = true
	}
	return o
}

func (c *conn) writeStatus(d *imapd.Status, o *imapd.StatusItems) {
	c.w.text("* STATUS ").mailbox(d.Mailbox).text(" (")
	first := true
	item := func(asked bool, name string, n uint64) {
		if !asked {
			return
		}
		if !first {
			c.w.text(" ")
		}
		first = false
		c.w.text(name, " ").number(n)
	}
	of := func(n *uint32) uint64 {
		if n == nil {
			return 0
		}
		return uint64(*n)
	}
	item(o.NumMessages, "MESSAGES", of(d.NumMessages))
	item(o.UIDNext, "UIDNEXT", uint64(d.UIDNext))
	item(o.UIDValidity, "UIDVALIDITY", uint64(d.UIDValidity))
	item(o.NumUnseen, "UNSEEN", of(d.NumUnseen))
	item(o.NumDeleted, "DELETED", of(d.NumDeleted))
	if d.Size != nil {
		item(o.Size, "SIZE", uint64(*d.Size))
	}
	item(o.NumRecent, "RECENT", of(d.NumRecent))
	item(o.AppendLimit, "APPENDLIMIT", of(d.AppendLimit))
	if d.DeletedStorage != nil {
		item(o.DeletedStorage, "DELETED-STORAGE", uint64(*d.DeletedStorage))
	}
	item(o.HighestModSeq, "HIGHESTMODSEQ", d.HighestModSeq)
	if o.MailboxID {
		if !first {
			c.w.text(" ")
		}
		c.w.text("MAILBOXID (", d.MailboxID, ")")
	}
	c.w.text(")\r\n")
}

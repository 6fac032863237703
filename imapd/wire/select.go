package wire

import (
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/threading"
)

// selectMailbox answers SELECT and EXAMINE, with CONDSTORE and QRESYNC (RFC 7162
// sections 3.1.8 and 3.2.5).
func (c *conn) selectMailbox(readOnly bool) (done, error) {
	c.r.sp()
	name := c.r.mailbox()
	o := imapd.SelectOptions{ReadOnly: readOnly}
	condstore := false
	if c.r.more() {
		c.r.list(func() {
			switch word := c.r.word(); {
			case word == "CONDSTORE" && c.can(imap.CapCondStore):
				condstore = true
			case word == "QRESYNC" && c.can(imap.CapQResync):
				o.QResync = c.qresync()
			default:
				c.r.bad("SELECT takes CONDSTORE and QRESYNC.")
			}
		})
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if o.QResync != nil && !c.enabled.qresync {
		return done{}, syntaxError("QRESYNC must be enabled first (RFC 7162 section 3.2.3).")
	}
	c.enabled.condstore = c.enabled.condstore || condstore
	// What was open is closed, whatever comes of this (RFC 9051 section 6.3.2).
	if c.state == imap.ConnStateSelected && (c.enabled.rev2 || c.enabled.qresync) {
		c.w.text("* OK [CLOSED] The mailbox that was open is closed\r\n")
	}
	c.state = imap.ConnStateAuthenticated
	d, err := c.s.Select(name, o)
	if err != nil {
		return done{}, err
	}
	c.state = imap.ConnStateSelected
	c.writeSelected(d)
	if readOnly {
		return done{code: "READ-ONLY"}, nil
	}
	return done{code: "READ-WRITE"}, nil
}

// qresync reads (uidvalidity mod-sequence [known-uids] [seq-match-data]). The
// match data, which spare a server that remembers little, are not needed.
func (c *conn) qresync() *imapd.QResync {
	q := &imapd.QResync{}
	c.r.sp()
	c.r.expect('(')
	q.UIDValidity = c.r.number()
	c.r.sp()
	if q.ModSeq = c.r.number64(); q.ModSeq == 0 {
		c.r.bad("A mod-sequence is not zero.")
	}
	if c.r.more() && c.r.peek() != '(' {
		for _, r := range c.r.uidSet() {
			q.Known = q.Known.Union(threading.UIDSet{{First: uint32(min(r.Start, r.Stop)), Last: uint32(max(r.Start, r.Stop))}})
		}
		c.r.more()
	}
	if c.r.peek() == '(' {
		c.r.expect('(')
		c.r.numSet(false)
		c.r.sp()
		c.r.numSet(true)
		c.r.expect(')')
	}
	c.r.expect(')')
	return q
}

// enableCondStore notes that the client wants to know mod-sequences, and tells
// it where the mailbox stands (RFC 7162 section 3.1.2.1).
func (c *conn) enableCondStore() error {
	if c.enabled.condstore {
		return nil
	}
	c.enabled.condstore = true
	if c.state != imap.ConnStateSelected {
		return nil
	}
	m, err := c.s.HighestModSeq()
	if err == nil {
		c.w.text("* OK [HIGHESTMODSEQ ").number(m).text("] The last change\r\n")
	}
	return err
}

// announce tells of keywords that are new in the mailbox, before a message has
// them (RFC 9051 section 7.3.5).
func (c *conn) announce(flags []imap.Flag) {
	fresh := false
	for _, f := range flags {
		if name := strings.ToLower(string(f)); !strings.HasPrefix(name, `\`) && !c.keywords[name] {
			if c.keywords == nil {
				c.keywords = map[string]bool{}
			}
			c.keywords[name] = true
			c.mailboxFlags = append(c.mailboxFlags, f)
			fresh = true
		}
	}
	if fresh {
		c.w.text("* FLAGS ").flags(c.mailboxFlags).text("\r\n")
	}
}

func (c *conn) writeSelected(d *imapd.Selected) {
	c.keywords, c.mailboxFlags = nil, nil
	for _, f := range d.Flags {
		if c.mailboxFlags = append(c.mailboxFlags, f); f[0] != '\\' {
			if c.keywords == nil {
				c.keywords = map[string]bool{}
			}
			c.keywords[strings.ToLower(string(f))] = true
		}
	}
	c.w.text("* ").number(uint64(d.NumMessages)).text(" EXISTS\r\n")
	if !c.enabled.rev2 {
		c.w.text("* ").number(uint64(d.NumRecent)).text(" RECENT\r\n")
		if d.FirstUnseenSeqNum != 0 {
			c.w.text("* OK [UNSEEN ").number(uint64(d.FirstUnseenSeqNum)).text("] The first message without \\Seen\r\n")
		}
	}
	c.w.text("* OK [UIDVALIDITY ").number(uint64(d.UIDValidity)).text("] UIDs valid\r\n* OK [UIDNEXT ").number(uint64(d.UIDNext)).text("] Predicted next UID\r\n")
	c.w.text("* FLAGS ").flags(d.Flags).text("\r\n* OK [PERMANENTFLAGS ").flags(d.PermanentFlags).text("] Permanent flags\r\n")
	if c.can(imap.CapCondStore) {
		c.w.text("* OK [HIGHESTMODSEQ ").number(d.HighestModSeq).text("] The last change\r\n")
	}
	if c.can(imap.CapObjectID) {
		c.w.text("* OK [MAILBOXID (", d.MailboxID, ")] The mailbox's identifier\r\n")
	}
	if c.enabled.rev2 {
		c.w.text("* LIST () ").str(string(d.List.Delim)).text(" ").mailbox(d.List.Mailbox).crlf()
	}
	if len(d.Vanished) > 0 {
		c.vanished(d.Vanished, true)
	}
	for i := range d.Changed {
		c.writeFlags(&d.Changed[i], true)
	}
}

// vanished tells of UIDs that are gone (RFC 7162 section 3.2.10).
func (c *conn) vanished(set threading.UIDSet, earlier bool) {
	c.w.text("* VANISHED ")
	if earlier {
		c.w.text("(EARLIER) ")
	}
	for i, r := range set {
		if i > 0 {
			c.w.text(",")
		}
		c.w.number(uint64(r.First))
		if r.Last > r.First {
			c.w.text(":").number(uint64(r.Last))
		}
	}
	c.w.crlf()
}

// writeFlags tells of a message's flags.
func (c *conn) writeFlags(u *imapd.FlagsUpdate, uid bool) {
	c.announce(u.Flags)
	c.w.text("* ").number(uint64(u.Seq)).text(" FETCH (")
	sep := ""
	if uid || c.enabled.qresync {
		c.w.text("UID ").number(uint64(u.UID))
		sep = " "
	}
	if c.enabled.condstore && u.ModSeq != 0 {
		c.w.text(sep, "MODSEQ (").number(u.ModSeq).text(")")
		sep = " "
	}
	if u.Flags != nil {
		c.w.text(sep, "FLAGS ").flags(u.Flags)
	}
	c.w.text(")\r\n")
}

// poll tells what happened in the selected mailbox.
func (c *conn) poll(allowExpunge bool) error {
	updates, err := c.s.Poll(allowExpunge)
	if err != nil {
		return err
	}
	c.tell(updates)
	return nil
}

// tell writes updates.
func (c *conn) tell(updates []imapd.Update) {
	var gone []uint32
	for i := range updates {
		u := &updates[i]
		if u.Expunged != 0 && c.enabled.qresync {
			gone = append(gone, u.ExpungedUID)
			continue
		}
		if len(gone) > 0 {
			c.vanished(threading.UIDsOf(gone), false)
			gone = nil
		}
		switch {
		case u.Expunged != 0:
			c.w.text("* ").number(uint64(u.Expunged)).text(" EXPUNGE\r\n")
		case u.Fetch != nil:
			c.writeFlags(u.Fetch, true)
		default:
			c.w.text("* ").number(uint64(u.Exists)).text(" EXISTS\r\n")
			if !c.enabled.rev2 {
				c.w.text("* ").number(uint64(u.Recent)).text(" RECENT\r\n")
			}
		}
	}
	if len(gone) > 0 {
		c.vanished(threading.UIDsOf(gone), false)
	}
}

// highest is the response code with the mod-sequence up to which the client
// knows everything (RFC 7162 section 3.2.7); empty if it doesn't care.
func (c *conn) highest() string {
	if !c.enabled.qresync || c.state != imap.ConnStateSelected {
		return ""
	}
	m, err := c.s.HighestModSeq()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d", codeHighest, m)
}

func (c *conn) closeMailbox() (done, error) {
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	err := c.s.CloseMailbox()
	c.leave()
	return done{}, err
}

func (c *conn) unselect() (done, error) {
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	c.leave()
	return done{}, nil
}

func (c *conn) leave() {
	c.s.Unselect()
	c.state = imap.ConnStateAuthenticated
}

func (c *conn) expunge() (done, error) {
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return c.expunged(nil)
}

// uidExpunge answers UID EXPUNGE (RFC 4315).
func (c *conn) uidExpunge() (done, error) {
	c.r.sp()
	set, _ := c.r.numSet(true).(imap.UIDSet)
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return c.expunged(&set)
}

func (c *conn) expunged(set *imap.UIDSet) (done, error) {
	updates, err := c.s.Expunge(set)
	if err != nil {
		return done{}, err
	}
	c.tell(updates)
	return done{code: codeHighest}, nil
}

// copy answers COPY.
func (c *conn) copy(byUID bool) (done, error) {
	set, dest, err := c.copyArgs(byUID)
	if err != nil {
		return done{}, err
	}
	d, _, err := c.s.Copy(set, dest, false)
	if err != nil || d == nil {
		return done{}, err
	}
	return done{code: c.copyUID(d)}, nil
}

// move answers MOVE (RFC 6851).
func (c *conn) move(byUID bool) (done, error) {
	set, dest, err := c.copyArgs(byUID)
	if err != nil {
		return done{}, err
	}
	d, updates, err := c.s.Copy(set, dest, true)
	if err != nil || d == nil {
		return done{}, err
	}
	if code := c.copyUID(d); code != "" {
		c.w.text("* OK [", code, "] Moved\r\n")
	}
	c.tell(updates)
	return done{code: codeHighest}, nil
}

func (c *conn) copyArgs(byUID bool) (imap.NumSet, string, error) {
	c.r.sp()
	set := c.r.numSet(byUID)
	c.r.sp()
	dest := c.r.mailbox()
	return set, dest, c.parsed()
}

func (c *conn) copyUID(d *imap.CopyData) string {
	if !c.can(imap.CapUIDPlus) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "COPYUID %d %s %s", d.UIDValidity, d.SourceUIDs, d.DestUIDs)
	return b.String()
}

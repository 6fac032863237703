package wire

import (
	"maps"
	"slices"
	"sync"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// notification is what a client wants to be told of at any time (RFC 5465).
type notification struct {
	c      *conn
	groups []eventGroup
	// selected: events of the mailbox that is open are told; delayed: expunges
	// only when a command allows it; none of both: nothing of it is told.
	selected, delayed bool
	fetch             *fetching // what is told of new messages; nil: that they are there

	known map[string]imapd.Counts // of the mailboxes that are watched
	list  map[string]bool         // the mailboxes that there are
	stop  chan struct{}
	ended sync.WaitGroup
}

// eventGroup is a filter with its events.
type eventGroup struct {
	source
	news, flags, names bool // MessageNew and MessageExpunge; FlagChange; MailboxName
}

// notifyCommand answers NOTIFY (RFC 5465 section 3).
func (c *conn) notifyCommand() (done, error) {
	c.r.sp()
	switch c.r.word() {
	case "NONE":
		if err := c.parsed(); err != nil {
			return done{}, err
		}
		c.endNotify()
		return done{}, nil
	case "SET":
	default:
		c.r.bad("NOTIFY takes NONE or SET.")
		return done{}, c.r.err
	}
	n := &notification{c: c, known: map[string]imapd.Counts{}, list: map[string]bool{}}
	status := false
	for c.r.more() {
		if c.r.peek() != '(' {
			if c.r.word() != "STATUS" || status || len(n.groups) > 0 {
				c.r.bad("NOTIFY SET takes STATUS and groups of events.")
			}
			status = true
			continue
		}
		c.eventGroup(n)
		if len(n.groups) > 100 {
			c.r.bad("NOTIFY has too many groups.")
		}
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	c.endNotify()
	if err := n.look(status, true); err != nil {
		return done{}, err
	}
	if err := c.poll(true); err != nil { // so that what is told from now on is new
		return done{}, err
	}
	c.notify = n
	n.start()
	return done{}, nil
}

// eventGroup reads (filter (events)) or (filter NONE).
func (c *conn) eventGroup(n *notification) {
	c.r.expect('(')
	g := eventGroup{source: c.source()}
	c.r.sp()
	if c.r.peek() != '(' {
		if c.r.word() != "NONE" {
			c.r.bad("There should be a list of events, or NONE.")
		}
		c.r.expect(')')
		n.groups = append(n.groups, g)
		return
	}
	expunge := false
	c.r.list(func() {
		switch event := c.r.word(); event {
		case "MESSAGENEW":
			g.news = true
			if c.messageNewFollows() {
				f := &fetching{old: map[*imap.FetchItemBodySection]string{}}
				c.r.sp()
				c.fetchItems(f)
				n.fetch = f
			}
		case "MESSAGEEXPUNGE":
			expunge = true
		case "FLAGCHANGE":
			g.flags = true
		case "MAILBOXNAME", "SUBSCRIPTIONCHANGE":
			g.names = true
		case "ANNOTATIONCHANGE", "MAILBOXMETADATACHANGE", "SERVERMETADATACHANGE":
			c.r.fail(&imap.Error{Type: imap.StatusResponseTypeNo, Code: "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)", Text: "This server doesn't tell of that event."})
		default:
			c.r.bad("This server doesn't know the event " + printableName(event) + ".")
		}
	})
	c.r.expect(')')
	if g.news != expunge && c.r.err == nil || g.flags && !g.news { // RFC 5465 section 5
		c.r.bad("MessageNew and MessageExpunge go together, and FlagChange with both.")
	}
	switch {
	case g.filter == "SELECTED" && g.news:
		n.selected = true
	case g.filter == "SELECTED-DELAYED" && g.news:
		n.selected, n.delayed = true, true
	case n.fetch != nil && g.news && g.filter != "SELECTED" && g.filter != "SELECTED-DELAYED":
		c.r.bad("Only of the selected mailbox messages are fetched.")
	}
	n.groups = append(n.groups, g)
}

// messageNewFollows reports whether fetch items follow: " (".
func (c *conn) messageNewFollows() bool {
	p, err := c.r.b.Peek(2)
	return err == nil && c.r.err == nil && p[0] == ' ' && p[1] == '('
}

// start begins to tell.
func (n *notification) start() {
	n.stop = make(chan struct{})
	n.ended.Go(func() {
		n.c.watch(n.stop, n.push)
	})
}

// endNotify ends NOTIFY; mu is held. The watcher stops when it next looks.
func (c *conn) endNotify() {
	if c.notify != nil {
		close(c.notify.stop)
		c.notify = nil
	}
}

// stopNotify ends it and waits; mu is not held.
func (c *conn) stopNotify() {
	c.mu.Lock()
	n := c.notify
	c.endNotify()
	c.mu.Unlock()
	if n != nil {
		n.ended.Wait()
	}
}

// push tells what happened; mu is held.
func (n *notification) push() error {
	if n.c.state == imap.ConnStateSelected && (n.selected || n.c.idling.Load()) {
		updates, err := n.c.s.Poll(!n.delayed || n.c.idling.Load())
		if err != nil {
			return err
		}
		n.c.tell(updates)
		if err := n.fetchNew(updates); err != nil {
			return err
		}
	}
	return n.look(true, false)
}

// fetchNew tells of new messages what the client wants to know.
func (n *notification) fetchNew(updates []imapd.Update) error {
	if n.fetch == nil {
		return nil
	}
	for _, u := range updates {
		if u.Exists == 0 || u.New == 0 {
			continue
		}
		f := *n.fetch
		f.options.UID = true
		set := imap.SeqSet{{Start: u.Exists - u.New + 1, Stop: u.Exists}}
		if err := n.c.s.Fetch(set, &f.options, func(m *imapd.Message) error { return n.c.writeMessage(m, &f) }); err != nil {
			return err
		}
	}
	return nil
}

// look compares the mailboxes that are watched with what is known, and tells of
// those that changed; first: all are told, if tell.
func (n *notification) look(tell, first bool) error {
	counts, err := n.c.s.Counts()
	if err != nil {
		return err
	}
	selected := n.c.s.SelectedName()
	there := map[string]bool{}
	for _, b := range counts {
		there[b.Name] = true
		g := n.groupOf(&b)
		if g == nil {
			continue
		}
		if was := n.list[b.Name]; !was && !first && g.names {
			n.c.w.text(`* LIST () "/" `).mailbox(b.Name).crlf()
		}
		old, known := n.known[b.Name]
		n.known[b.Name] = b
		changed := !known || old.UIDNext != b.UIDNext || old.Messages != b.Messages || g.flags && old.HighestModSeq != b.HighestModSeq
		if tell && changed && g.news && b.Name != selected {
			n.status(&b, g)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.list)) {
		if !there[name] && n.watchesNames(name) {
			n.c.w.text(`* LIST (\NonExistent) "/" `).mailbox(name).crlf()
			delete(n.known, name)
		}
	}
	n.list = there
	return n.c.w.err
}

// groupOf is the first group that a mailbox is in (RFC 5465 section 6): an
// earlier one counts.
func (n *notification) groupOf(b *imapd.Counts) *eventGroup {
	for i := range n.groups {
		if n.groups[i].holds(b.Name, b.Subscribed) {
			return &n.groups[i]
		}
	}
	return nil
}

func (n *notification) watchesNames(name string) bool {
	return slices.ContainsFunc(n.groups, func(g eventGroup) bool { return g.names && g.holds(name, true) })
}

// status tells of a mailbox that is not open (RFC 5465 section 5.2).
func (n *notification) status(b *imapd.Counts, g *eventGroup) {
	w := n.c.w
	w.text("* STATUS ").mailbox(b.Name).text(" (MESSAGES ").number(uint64(b.Messages)).text(" UIDNEXT ").number(uint64(b.UIDNext)).text(" UIDVALIDITY ").number(uint64(b.UIDValidity))
	if g.flags || n.c.enabled.condstore {
		w.text(" HIGHESTMODSEQ ").number(max(1, b.HighestModSeq))
	}
	w.text(")\r\n")
}

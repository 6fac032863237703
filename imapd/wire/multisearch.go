package wire

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// maxSources bounds the mailboxes that one ESEARCH looks through.
const maxSources = 500

// source is where ESEARCH looks, or what NOTIFY watches: a filter, with its
// mailboxes if it takes any (RFC 5465 section 6).
type source struct {
	filter string
	names  []string
}

// source reads one.
func (c *conn) source() source {
	s := source{filter: c.r.word()}
	switch s.filter {
	case "SELECTED", "SELECTED-DELAYED", "INBOXES", "PERSONAL", "SUBSCRIBED":
	case "SUBTREE", "SUBTREE-ONE", "MAILBOXES":
		c.r.sp()
		if c.r.peek() == '(' {
			c.r.list(func() {
				if s.names = append(s.names, c.r.mailbox()); len(s.names) > maxSources {
					c.r.bad("There are too many mailboxes.")
				}
			})
		} else {
			s.names = []string{c.r.mailbox()}
		}
	default:
		c.r.bad("This server doesn't know the filter " + printableName(s.filter) + ".")
	}
	return s
}

// holds reports whether a mailbox is one of the source's.
func (s *source) holds(name string, subscribed bool) bool {
	switch s.filter {
	case "INBOXES":
		return name == "INBOX"
	case "PERSONAL":
		return true
	case "SUBSCRIBED":
		return subscribed
	}
	for _, of := range s.names {
		below, ok := strings.CutPrefix(name, of+"/")
		if of == "" { // the root
			below, ok = name, true
		}
		if name == of || ok && (s.filter == "SUBTREE" || s.filter == "SUBTREE-ONE" && !strings.Contains(below, "/")) {
			return true
		}
	}
	return false
}

// esearch answers ESEARCH: a search through several mailboxes (RFC 7377).
func (c *conn) esearch() (done, error) {
	sources := []source{{filter: "SELECTED"}}
	var o returning
	s := &searchReader{c: c}
	c.r.sp()
	if c.nextWord("IN") {
		sources = nil
		c.r.sp()
		c.r.list(func() {
			if c.r.peek() == '(' { // scope options: there are none here
				c.r.list(func() { c.r.bad("This server has no such scope option.") })
				return
			}
			sources = append(sources, c.source())
		})
		c.r.sp()
	}
	if c.nextWord("RETURN") {
		o = c.searchReturn()
		c.r.sp()
	} else {
		o = returning{given: true, all: true}
	}
	s.charsetIfGiven()
	criteria := s.keysUntilEnd()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if o.save && slices.ContainsFunc(sources, func(s source) bool { return s.filter != "SELECTED" }) {
		return done{}, syntaxError("Only what is found in the selected mailbox can be saved (RFC 7377 section 2.1).")
	}
	names, err := c.sourceNames(sources)
	if err != nil {
		return done{}, err
	}
	for _, name := range names {
		if err := c.esearchIn(name, &o, criteria); err != nil {
			return done{}, err
		}
	}
	return done{}, nil
}

func (c *conn) esearchIn(name string, o *returning, criteria *imapd.Criteria) error {
	found, validity, err := c.s.SearchMailbox(name, criteria)
	if err != nil {
		return err
	}
	if o.save {
		c.s.Save(o.saved(found.UIDs))
	}
	if len(found.UIDs) == 0 || o.save && o.plain() {
		return nil // RFC 7377 section 2.1: nothing is told of it, not even a count
	}
	saved := c.w.utf8
	var b strings.Builder
	if saved {
		b.WriteString(name)
	} else {
		b.WriteString(encodeMailbox(name))
	}
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(b.String()) + `"`
	c.writeESearch(" MAILBOX "+quoted+" UIDVALIDITY "+string(appendNumber(nil, uint64(validity))), o, found, true)
	return c.w.err
}

// sourceNames are the mailboxes of sources, each once.
func (c *conn) sourceNames(sources []source) (names []string, err error) {
	all, err := c.s.List("", []string{"*"}, &imap.ListOptions{ReturnSubscribed: true}, nil)
	if err != nil {
		return nil, err
	}
	selected := c.s.SelectedName()
	for i := range all {
		subscribed := false
		for _, a := range all[i].Attrs {
			subscribed = subscribed || a == imap.MailboxAttrSubscribed
		}
		for k := range sources {
			s := &sources[k]
			if strings.HasPrefix(s.filter, "SELECTED") && selected != "" && all[i].Mailbox == selected || s.holds(all[i].Mailbox, subscribed) {
				names = append(names, all[i].Mailbox)
				break
			}
		}
	}
	return names, nil
}

package wire

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// memberCaps are the capabilities of one who has signed in, in the order in
// which they are told.
//
// APPENDLIMIT stands without a number: STATUS tells it (RFC 7889 section 2).
var memberCaps = []imap.Cap{
	imap.CapIMAP4rev2, imap.CapIMAP4rev1, imap.CapSASLIR, imap.CapLiteralPlus, imap.CapID, imap.CapEnable, imap.CapIdle, imap.CapNamespace, imap.CapUnselect, imap.CapUIDPlus,
	imap.CapESearch, imap.CapSearchRes, imap.CapMultiSearch, imap.CapWithin, imap.CapMove, imap.CapListExtended, imap.CapListStatus, imap.CapStatusSize, imap.CapSpecialUse,
	imap.CapCreateSpecialUse, capXList, imap.CapChildren, imap.CapBinary, imap.CapCondStore, imap.CapQResync, imap.CapSort, imap.CapSortDisplay, imap.CapESort, capPartial,
	"THREAD=REFERENCES", capThreadRefs, "THREAD=ORDEREDSUBJECT", imap.CapObjectID, imap.CapPreview, imap.CapSaveDate, imap.CapAppendLimit, imap.CapMultiAppend, imap.CapReplace,
	imap.CapQuota, capQuotaRes, imap.CapMetadata, imap.CapNotify, capCompress, imap.CapUTF8Accept, imap.CapInProgress,
}

// strangerCaps are those of one who has not.
var strangerCaps = []imap.Cap{imap.CapIMAP4rev2, imap.CapIMAP4rev1, imap.CapSASLIR, imap.CapLiteralPlus, imap.CapID, imap.CapEnable, imap.CapIdle}

// can reports whether the connection has a capability.
func (c *conn) can(name imap.Cap) bool {
	switch name {
	case imap.CapStartTLS:
		return !c.secure && c.srv.o.TLSConfig != nil
	case capThread:
		return slices.ContainsFunc([]imap.Cap{"THREAD=REFERENCES", capThreadRefs, "THREAD=ORDEREDSUBJECT"}, c.can)
	case capCompress:
		return c.deflate == nil && !c.srv.disabled(name, c.client)
	}
	return !c.srv.disabled(name, c.client)
}

// disabled reports whether the operator switched a capability off, for all or
// for a client that names itself so.
func (srv *Server) disabled(name imap.Cap, client string) bool {
	for _, d := range srv.o.Disabled {
		of, what, some := strings.Cut(d, ":")
		if !some {
			of, what = "", d
		}
		if strings.EqualFold(what, string(name)) && (!some || client != "" && strings.Contains(strings.ToLower(client), strings.ToLower(of))) {
			return true
		}
	}
	return false
}

// CheckDisabled says what is wrong with an entry of Options.Disabled; empty:
// nothing.
func CheckDisabled(entry string) string {
	of, what, some := strings.Cut(entry, ":")
	if !some {
		what = entry
	}
	if some && strings.TrimSpace(of) == "" {
		return "a client's name is missing before the colon"
	}
	if strings.EqualFold(what, string(imap.CapIMAP4rev1)) {
		return "IMAP4rev1 can't be switched off"
	}
	if !slices.ContainsFunc(memberCaps, func(c imap.Cap) bool { return strings.EqualFold(string(c), what) }) {
		return "there is no such capability: those that there are, CAPABILITY tells"
	}
	return ""
}

// capabilities writes them.
func (c *conn) capabilities() {
	list := memberCaps
	if c.state == imap.ConnStateNotAuthenticated {
		list = strangerCaps
	}
	for _, name := range list {
		if c.can(name) {
			c.w.text(" ", string(name))
		}
	}
	if c.state != imap.ConnStateNotAuthenticated {
		return
	}
	if c.can(imap.CapStartTLS) {
		c.w.text(" STARTTLS")
	}
	if !c.mayAuthenticate() {
		c.w.text(" LOGINDISABLED")
		return
	}
	for _, m := range c.mechanisms() {
		c.w.text(" AUTH=", m)
	}
}

func (c *conn) capability() (done, error) {
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	c.w.text("* CAPABILITY")
	c.capabilities()
	c.w.crlf()
	return done{}, nil
}

// capabilityCode is the response code that saves a client asking (RFC 9051
// section 7.1).
func (c *conn) capabilityCode() string {
	list := []string{"CAPABILITY"}
	for _, name := range memberCaps {
		if c.can(name) {
			list = append(list, string(name))
		}
	}
	return strings.Join(list, " ")
}

// enable answers ENABLE (RFC 9051 section 6.3.1).
func (c *conn) enable() (done, error) {
	var asked []imap.Cap
	for c.r.more() {
		asked = append(asked, imap.Cap(c.r.word()))
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if len(asked) == 0 {
		return done{}, syntaxError("ENABLE needs the name of a capability.")
	}
	var enabled []string
	for _, name := range asked {
		if now := c.enableOne(name); now != "" && !slices.Contains(enabled, string(now)) {
			enabled = append(enabled, string(now))
		}
	}
	c.applyEnabled()
	c.w.text("* ENABLED")
	for _, name := range enabled {
		c.w.text(" ", name)
	}
	c.w.crlf()
	return done{}, nil
}

// enableOne returns the capability as it is told; empty: it can't be enabled.
func (c *conn) enableOne(name imap.Cap) imap.Cap {
	for _, known := range []imap.Cap{imap.CapIMAP4rev2, imap.CapUTF8Accept, imap.CapCondStore, imap.CapQResync} {
		if !strings.EqualFold(string(known), string(name)) || !c.can(known) {
			continue
		}
		switch known {
		case imap.CapIMAP4rev2:
			c.enabled.rev2 = true
		case imap.CapUTF8Accept:
			c.enabled.utf8 = true
		case imap.CapCondStore:
			c.enabled.condstore = true
		case imap.CapQResync: // RFC 7162 section 3.2.3: with CONDSTORE
			c.enabled.condstore, c.enabled.qresync = true, true
		}
		return known
	}
	return ""
}

// applyEnabled tells reader, writer and session.
func (c *conn) applyEnabled() {
	wide := c.enabled.rev2 || c.enabled.utf8
	c.r.utf8, c.w.utf8 = wide, wide
	c.s.IMAP4rev2 = c.enabled.rev2
}

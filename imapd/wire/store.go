package wire

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// store answers STORE and UID STORE (RFC 9051 section 6.4.6; RFC 7162 section
// 3.1.3).
func (c *conn) store(byUID bool) (done, error) {
	c.r.sp()
	set := c.r.numSet(byUID)
	c.r.sp()
	var o imapd.StoreOptions
	if c.r.peek() == '(' {
		c.r.list(func() {
			if c.r.word() != "UNCHANGEDSINCE" || !c.can(imap.CapCondStore) {
				c.r.bad("STORE takes UNCHANGEDSINCE.")
				return
			}
			c.r.sp()
			n := c.r.number64()
			o.UnchangedSince = &n
		})
		c.r.sp()
	}
	change := c.storeChange()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if o.UnchangedSince != nil {
		if err := c.enableCondStore(); err != nil {
			return done{}, err
		}
	}
	o.ModSeqs = c.enabled.condstore
	modified, err := c.s.Store(set, change, o, func(u imapd.FlagsUpdate) error {
		c.writeFlags(&u, byUID)
		return c.w.err
	})
	if err != nil || len(modified) == 0 {
		return done{}, err
	}
	nums := c.s.Seqs(modified)
	if byUID {
		nums = c.s.Nums(modified)
	}
	return done{code: "MODIFIED " + string(appendSet(nil, nums)), text: "Some messages were changed by another since"}, nil
}

// storeChange reads what is to be done with which flags.
func (c *conn) storeChange() *imap.StoreFlags {
	change := &imap.StoreFlags{Op: imap.StoreFlagsSet}
	switch {
	case c.r.accept('+'):
		change.Op = imap.StoreFlagsAdd
	case c.r.accept('-'):
		change.Op = imap.StoreFlagsDel
	}
	name := c.r.word()
	name, change.Silent = strings.CutSuffix(name, ".SILENT")
	if name != "FLAGS" && c.r.err == nil {
		c.r.bad("STORE changes FLAGS.")
	}
	c.r.sp()
	if c.r.peek() == '(' {
		change.Flags = c.r.flags()
		return change
	}
	for {
		if change.Flags = append(change.Flags, c.r.flag()); !c.r.more() {
			return change
		}
	}
}

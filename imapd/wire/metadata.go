package wire

import (
	"fmt"
	"math"

	"github.com/stagedoor/stagedoor/imapd"
)

// getMetadata answers GETMETADATA (RFC 5464 section 4.2). Its options come
// before the mailbox; some clients put them after it, as an erratum has it.
func (c *conn) getMetadata() (done, error) {
	o := imapd.MetadataOptions{MaxSize: -1}
	c.r.sp()
	if c.r.peek() == '(' {
		c.metadataOptions(&o)
		c.r.sp()
	}
	mailbox := c.r.mailbox()
	c.r.sp()
	var names []string
	if c.r.peek() == '(' {
		c.r.list(func() {
			if names = append(names, c.r.astring()); len(names) > maxItems {
				c.r.bad("There are too many entries.")
			}
		})
	} else {
		names = []string{c.r.astring()}
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	list, longest, err := c.s.Metadata(mailbox, names, o)
	if err != nil {
		return done{}, err
	}
	if len(list) > 0 {
		c.w.text("* METADATA ")
		c.metadataMailbox(mailbox)
		c.w.text(" (")
		for i, m := range list {
			if i > 0 {
				c.w.text(" ")
			}
			c.w.text(m.Name, " ").str(string(m.Value))
		}
		c.w.text(")\r\n")
	}
	if longest > 0 {
		return done{code: fmt.Sprintf("METADATA LONGENTRIES %d", longest)}, nil
	}
	return done{}, nil
}

func (c *conn) metadataMailbox(name string) {
	if name == "" {
		c.w.text(`""`)
		return
	}
	c.w.mailbox(name)
}

func (c *conn) metadataOptions(o *imapd.MetadataOptions) {
	c.r.list(func() {
		switch c.r.word() {
		case "MAXSIZE":
			c.r.sp()
			o.MaxSize = int64(min(c.r.number64(), math.MaxInt32))
		case "DEPTH":
			c.r.sp()
			switch c.r.word() {
			case "0":
				o.Depth = imapd.DepthZero
			case "1":
				o.Depth = imapd.DepthOne
			case "INFINITY":
				o.Depth = imapd.DepthInfinity
			default:
				c.r.bad("DEPTH is 0, 1 or infinity.")
			}
		default:
			c.r.bad("GETMETADATA takes MAXSIZE and DEPTH.")
		}
	})
}

// setMetadata answers SETMETADATA (RFC 5464 section 4.3).
func (c *conn) setMetadata() (done, error) {
	c.r.sp()
	mailbox := c.r.mailbox()
	c.r.sp()
	var list []imapd.Metadata
	c.r.list(func() {
		m := imapd.Metadata{Name: c.r.astring()}
		c.r.sp()
		if value, some := c.r.nstring(); some {
			m.Value = []byte(value)
		}
		if list = append(list, m); len(list) > maxItems {
			c.r.bad("There are too many entries.")
		}
	})
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return done{}, c.s.SetMetadata(mailbox, list)
}

// getQuota answers GETQUOTA (RFC 9208 section 4.1.1).
func (c *conn) getQuota() (done, error) {
	c.r.sp()
	root := c.r.astring()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	q, err := c.s.Quota(root)
	if err == nil {
		c.writeQuota(q)
	}
	return done{}, err
}

// getQuotaRoot answers GETQUOTAROOT (RFC 9208 section 4.1.2).
func (c *conn) getQuotaRoot() (done, error) {
	c.r.sp()
	mailbox := c.r.mailbox()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	q, err := c.s.QuotaRoot(mailbox)
	if err != nil {
		return done{}, err
	}
	c.w.text("* QUOTAROOT ").mailbox(mailbox)
	if q != nil {
		c.w.text(` ""`)
	}
	c.w.crlf()
	c.writeQuota(q)
	return done{}, nil
}

func (c *conn) writeQuota(q *imapd.Quota) {
	if q != nil {
		c.w.text(`* QUOTA "" (STORAGE `).number(uint64(q.Usage)).text(" ").number(uint64(q.Limit)).text(")\r\n")
	}
}

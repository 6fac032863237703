package imapd

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// useAttrs are the attributes of special uses (RFC 6154 section 2).
var useAttrs = map[threading.SpecialUse]imap.MailboxAttr{
	threading.UseSent: imap.MailboxAttrSent, threading.UseArchive: imap.MailboxAttrArchive, threading.UseDrafts: imap.MailboxAttrDrafts,
	threading.UseTrash: imap.MailboxAttrTrash, threading.UseJunk: imap.MailboxAttrJunk, threading.UseAll: imap.MailboxAttrAll,
}

// StatusItems are what STATUS asks for.
type StatusItems struct {
	imap.StatusOptions
	MailboxID bool // RFC 8474 section 4.3
}

// Status is what STATUS tells.
type Status struct {
	imap.StatusData
	MailboxID string
}

// Listed is a mailbox in a list.
type Listed struct {
	imap.ListData
	Status *Status // nil: not asked for
}

// List returns the mailboxes that match, with what the options ask for; a
// status in place of go-imap's.
func (s *Session) List(ref string, patterns []string, o *imap.ListOptions, status *StatusItems) ([]Listed, error) {
	if len(patterns) == 0 || len(patterns) == 1 && patterns[0] == "" {
		// The hierarchy's separator is asked for (RFC 9051 section 6.3.9).
		return []Listed{{ListData: imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: threading.HierarchySep}}}, nil
	}
	all, err := s.store().Mailboxes(s.ctx, s.member.ID)
	if err != nil {
		return nil, err
	}
	var out []Listed
	for i, mb := range all {
		if !matchesAny(ref, patterns, mb.Name) {
			continue
		}
		d := Listed{ListData: imap.ListData{Delim: threading.HierarchySep, Mailbox: mb.Name}}
		children, subscribedBelow := below(all, i, func(name string) bool { return matchesAny(ref, patterns, name) })
		use := useAttrs[mb.Use]
		if o.SelectSubscribed && !mb.Subscribed {
			if !o.SelectRecursiveMatch || !subscribedBelow {
				continue
			}
		}
		if o.SelectSpecialUse && use == "" {
			continue
		}
		if o.SelectRecursiveMatch && subscribedBelow {
			d.ChildInfo = &imap.ListDataChildInfo{Subscribed: true}
		}
		if mb.Subscribed && (o.SelectSubscribed || o.ReturnSubscribed) {
			d.Attrs = append(d.Attrs, imap.MailboxAttrSubscribed)
		}
		if children {
			d.Attrs = append(d.Attrs, imap.MailboxAttrHasChildren)
		} else {
			d.Attrs = append(d.Attrs, imap.MailboxAttrHasNoChildren)
		}
		if use != "" {
			d.Attrs = append(d.Attrs, use)
		}
		if status != nil {
			if d.Status, err = s.status(mb, status); err != nil {
				return nil, err
			}
		}
		out = append(out, d)
	}
	if o.SelectSubscribed && !o.SelectSpecialUse {
		lost, err := s.lost(ref, patterns)
		return append(out, lost...), err
	}
	return out, nil
}

// lost are the mailboxes that match and that the member is still subscribed to
// though they were deleted.
func (s *Session) lost(ref string, patterns []string) (out []Listed, err error) {
	names, err := s.store().LostSubscriptions(s.ctx, s.member.ID)
	for _, name := range names {
		if matchesAny(ref, patterns, name) {
			out = append(out, Listed{ListData: imap.ListData{Delim: threading.HierarchySep, Mailbox: name,
				Attrs: []imap.MailboxAttr{imap.MailboxAttrSubscribed, imap.MailboxAttrNonExistent}}})
		}
	}
	return out, err
}

// below reports whether there are mailboxes below all[i], and subscribed ones
// that are not listed themselves (RFC 5258 section 3.5).
func below(all []threading.Mailbox, i int, listed func(string) bool) (any, subscribed bool) {
	prefix := all[i].Name + string(threading.HierarchySep)
	for _, mb := range all {
		if strings.HasPrefix(mb.Name, prefix) {
			any, subscribed = true, subscribed || mb.Subscribed && !listed(mb.Name)
		}
	}
	return any, subscribed
}

func matchesAny(ref string, patterns []string, name string) bool {
	for _, p := range patterns {
		p = ref + p
		if len(p) >= 5 && strings.EqualFold(p[:5], threading.Inbox) {
			p = threading.Inbox + p[5:]
		}
		if matches(p, name) {
			return true
		}
	}
	return false
}

// matches reports whether a name matches a pattern: * is anything, % anything
// but the separator (RFC 9051 section 6.3.9). Time is bounded by the product
// of the lengths.
func matches(pattern, name string) bool {
	// ok[i]: pattern so far matches name[:i].
	ok := make([]bool, len(name)+1)
	ok[0] = true
	for _, c := range []byte(pattern) {
		switch c {
		case '*', '%':
			for i := 1; i <= len(name); i++ {
				ok[i] = ok[i] || ok[i-1] && (c == '*' || name[i-1] != threading.HierarchySep)
			}
		default:
			for i := len(name); i > 0; i-- {
				ok[i] = ok[i-1] && name[i-1] == c
			}
			ok[0] = false
		}
	}
	return ok[len(name)]
}

// Status returns a mailbox's counts.
func (s *Session) Status(name string, o *StatusItems) (*Status, error) {
	mb, err := s.store().Mailbox(s.ctx, s.member.ID, name)
	if err != nil {
		return nil, answer(err, imap.ResponseCodeNonExistent)
	}
	return s.status(mb, o)
}

func (s *Session) status(mb threading.Mailbox, o *StatusItems) (*Status, error) {
	st, err := s.store().MailboxStatus(s.ctx, s.member.ID, mb.ID)
	if err != nil {
		return nil, answer(err, imap.ResponseCodeNonExistent)
	}
	d := &Status{StatusData: imap.StatusData{Mailbox: mb.Name, UIDNext: imap.UID(st.UIDNext), UIDValidity: st.UIDValidity}}
	if o.MailboxID {
		d.MailboxID = s.objectID(seal.TokenMailbox, mb.ID)
	}
	if o.HighestModSeq {
		d.HighestModSeq = max(1, st.HighestModSeq)
	}
	if o.DeletedStorage {
		d.DeletedStorage = &st.DeletedSize
	}
	if o.NumMessages {
		d.NumMessages = &st.Messages
	}
	if o.NumRecent {
		n, err := s.store().CountFrom(s.ctx, s.member.ID, mb.ID, s.recentFrom(&st.Mailbox))
		if err != nil {
			return nil, err
		}
		d.NumRecent = &n
	}
	if o.NumUnseen {
		d.NumUnseen = &st.Unseen
	}
	if o.NumDeleted {
		d.NumDeleted = &st.Deleted
	}
	if o.Size {
		d.Size = &st.Size
	}
	if o.AppendLimit {
		limit := uint32(s.srv.o.MaxMessageSize)
		d.AppendLimit = &limit
	}
	return d, nil
}

// Create makes a mailbox, with at most one special use (RFC 6154 section 3), and
// returns its identifier.
func (s *Session) Create(name string, o *imap.CreateOptions) (mailboxID string, err error) {
	use := threading.UseNone
	if o != nil && len(o.SpecialUse) > 0 {
		var ok bool
		if use, ok = creatable(o.SpecialUse); !ok {
			return "", no(codeUseAttr, "A mailbox for this use can't be made.")
		}
	}
	mb, err := s.store().CreateMailbox(s.ctx, s.member.ID, name, use)
	if err != nil {
		return "", answer(err, imap.ResponseCodeNonExistent)
	}
	return s.objectID(seal.TokenMailbox, mb.ID), nil
}

// codeUseAttr is RFC 6154 section 6's response code.
const codeUseAttr imap.ResponseCode = "USEATTR"

// creatable returns the use that a client may give to a mailbox of its own.
// \Sent is where the relay files what a member wrote, \All shows what it filed:
// there is one.
func creatable(attrs []imap.MailboxAttr) (threading.SpecialUse, bool) {
	if len(attrs) != 1 {
		return "", false
	}
	for use, attr := range useAttrs {
		if use != threading.UseSent && use != threading.UseAll && strings.EqualFold(string(attr), string(attrs[0])) {
			return use, true
		}
	}
	return "", false
}

// Delete deletes a mailbox and what is in it.
func (s *Session) Delete(name string) error {
	return answer(s.store().DeleteMailbox(s.ctx, s.member.ID, name), imap.ResponseCodeNonExistent)
}

// Rename renames a mailbox.
func (s *Session) Rename(from, to string) error {
	return answer(s.store().RenameMailbox(s.ctx, s.member.ID, from, to), imap.ResponseCodeNonExistent)
}

// Subscribe subscribes to a mailbox, or ends that.
func (s *Session) Subscribe(name string, subscribed bool) error {
	return answer(s.store().SetSubscribed(s.ctx, s.member.ID, name, subscribed), imap.ResponseCodeNonExistent)
}

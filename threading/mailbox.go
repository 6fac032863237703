package threading

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// SpecialUse is a mailbox's role (RFC 6154 section 2), without the backslash.
type SpecialUse string

// The special uses that every member has from the start.
const (
	UseNone      SpecialUse = ""
	UseInbox     SpecialUse = "Inbox" // not an RFC 6154 attribute: marks INBOX
	UseSent      SpecialUse = "Sent"
	UseArchive   SpecialUse = "Archive"
	UseDrafts    SpecialUse = "Drafts"
	UseTrash     SpecialUse = "Trash"
	UseJunk      SpecialUse = "Junk"
	UseAll       SpecialUse = "All" // every conversation; only where that is switched on
	Inbox                   = "INBOX"
	HierarchySep            = '/'
)

// StandardMailbox is a mailbox that every member has.
type StandardMailbox struct {
	Name string
	Use  SpecialUse
}

// StandardMailboxes are present and subscribed from the start. They can't be
// deleted or renamed.
var StandardMailboxes = []StandardMailbox{
	{Inbox, UseInbox},
	{"Sent", UseSent},
	{"Archives", UseArchive},
	{"Drafts", UseDrafts},
	{"Trash", UseTrash},
	{"Junk", UseJunk},
}

// MaxMailboxName bounds a mailbox name, in octets of UTF-8; MaxMailboxes the
// mailboxes of one member.
const (
	MaxMailboxName = 500
	MaxMailboxes   = 1000
)

// Mailbox is a member's mailbox.
type Mailbox struct {
	ID          ID
	MemberID    ID
	Name        string // UTF-8, levels parted by '/'; "INBOX" in upper case
	Use         SpecialUse
	UIDValidity uint32
	UIDNext     uint32
	Subscribed  bool
	RecentFrom  uint32 // the first UID that no client was told of as new
}

// MailboxStatus is a mailbox with its counts, all of one moment.
type MailboxStatus struct {
	Mailbox
	Messages      uint32
	Unseen        uint32
	Deleted       uint32
	DeletedSize   int64  // of those with \Deleted
	Size          int64  // sum of the sizes, in octets
	HighestModSeq uint64 // of the mailbox (RFC 7162 section 3.1.2.1); at least 1
}

// Flags are the system flags of RFC 9051 section 2.3.2 as bits.
type Flags uint8

// The system flags.
const (
	FlagSeen Flags = 1 << iota
	FlagAnswered
	FlagFlagged
	FlagDeleted
	FlagDraft
)

// MaxKeywords bounds the keywords of one entry, MaxKeyword the octets of one.
const (
	MaxKeywords = 64
	MaxKeyword  = 128
)

// Entry is an item's place in a mailbox.
type Entry struct {
	UID      uint32
	ModSeq   uint64
	Flags    Flags
	Keywords []string  // sorted, each once whatever its case
	SavedAt  time.Time // INTERNALDATE
	PlacedAt time.Time // when it came into this mailbox (RFC 8514)
	ItemID   ID
	ThreadID ID
	BodyID   ID
	// HeaderSize and BodySize add up to RFC822.SIZE.
	HeaderSize, BodySize int64
}

// Size is RFC822.SIZE, in octets.
func (e Entry) Size() int64 { return e.HeaderSize + e.BodySize }

// UIDRange is a range of UIDs, both ends included.
type UIDRange struct{ First, Last uint32 }

// UIDSet is a set of UIDs: ranges in ascending order that don't touch.
type UIDSet []UIDRange

// AddUID adds a UID greater than or equal to all that are in the set.
func (s *UIDSet) AddUID(uid uint32) {
	if n := len(*s); n > 0 && ((*s)[n-1].Last >= uid || (*s)[n-1].Last+1 == uid) {
		(*s)[n-1].Last = max((*s)[n-1].Last, uid)
		return
	}
	*s = append(*s, UIDRange{uid, uid})
}

// UIDsOf returns the set of the UIDs, in whatever order they come.
func UIDsOf(uids []uint32) UIDSet {
	sorted := slices.Clone(uids)
	slices.Sort(sorted)
	var s UIDSet
	for _, uid := range sorted {
		s.AddUID(uid)
	}
	return s
}

// Contains reports whether the UID is in the set.
func (s UIDSet) Contains(uid uint32) bool {
	_, ok := slices.BinarySearchFunc(s, uid, func(r UIDRange, uid uint32) int {
		switch {
		case r.Last < uid:
			return -1
		case r.First > uid:
			return 1
		}
		return 0
	})
	return ok
}

// Intersect returns what is in both sets.
func (s UIDSet) Intersect(o UIDSet) UIDSet {
	var out UIDSet
	for i, j := 0, 0; i < len(s) && j < len(o); {
		if first, last := max(s[i].First, o[j].First), min(s[i].Last, o[j].Last); first <= last {
			out = append(out, UIDRange{first, last})
		}
		if s[i].Last < o[j].Last {
			i++
		} else {
			j++
		}
	}
	return out
}

// Subtract returns what is in s and not in o.
func (s UIDSet) Subtract(o UIDSet) UIDSet {
	var out UIDSet
	j := 0
	for _, r := range s {
		for j < len(o) && o[j].Last < r.First {
			j++
		}
		first, done := r.First, false
		for k := j; k < len(o) && o[k].First <= r.Last && !done; k++ {
			if o[k].First > first {
				out = append(out, UIDRange{first, o[k].First - 1})
			}
			if done = o[k].Last >= r.Last; !done {
				first = max(first, o[k].Last+1)
			}
		}
		if !done {
			out = append(out, UIDRange{first, r.Last})
		}
	}
	return out
}

// Union returns what is in either set.
func (s UIDSet) Union(o UIDSet) UIDSet {
	all := slices.Concat(s, o)
	slices.SortFunc(all, func(a, b UIDRange) int { return cmp.Compare(a.First, b.First) })
	out := all[:0]
	for _, r := range all {
		if n := len(out); n > 0 && (out[n-1].Last >= r.First || out[n-1].Last+1 == r.First) {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// FlagOp is how STORE changes flags.
type FlagOp int

// The ways to change flags (RFC 9051 section 6.4.6).
const (
	FlagsReplace FlagOp = iota
	FlagsAdd
	FlagsRemove
)

// Apply returns flags and keywords after the change. Keywords compare without
// regard to case and keep the spelling they were first set with.
func (op FlagOp) Apply(flags Flags, keywords []string, change Flags, changeKeywords []string) (Flags, []string) {
	has := func(list []string, k string) bool {
		return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, k) })
	}
	var out []string
	switch op {
	case FlagsReplace:
		flags = change
		for _, k := range changeKeywords {
			if i := slices.IndexFunc(keywords, func(x string) bool { return strings.EqualFold(x, k) }); i >= 0 {
				k = keywords[i]
			}
			if !has(out, k) {
				out = append(out, k)
			}
		}
	case FlagsAdd:
		flags |= change
		out = slices.Clone(keywords)
		for _, k := range changeKeywords {
			if !has(out, k) {
				out = append(out, k)
			}
		}
	case FlagsRemove:
		flags &^= change
		for _, k := range keywords {
			if !has(changeKeywords, k) {
				out = append(out, k)
			}
		}
	}
	slices.Sort(out)
	return flags, out
}

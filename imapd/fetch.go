package imapd

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Message is a message of the selected mailbox that is being fetched. What it
// is asked for is read from the store then, and once.
type Message struct {
	Seq uint32
	// FlagsChanged: this FETCH set \Seen, so that the flags are to be told even
	// if nobody asked for them (RFC 9051 section 6.4.5).
	FlagsChanged bool

	s     *Session
	entry threading.Entry
	head  []byte // the header block; nil: not read
	root  *mimetree.Part
}

// UID is the message's UID.
func (m *Message) UID() imap.UID { return imap.UID(m.entry.UID) }

// Flags are the message's flags. The client is taken to be told of them.
func (m *Message) Flags() []imap.Flag {
	m.s.box.tell(&m.entry)
	return m.s.flags(&m.entry)
}

// Size is RFC822.SIZE, in octets.
func (m *Message) Size() int64 { return m.entry.Size() }

// InternalDate is when the message was filed, or the date it was appended with.
func (m *Message) InternalDate() time.Time { return m.entry.SavedAt }

// FetchOptions are go-imap's, and the items of extensions that it has no words
// for. What they are is read by the methods of Message.
type FetchOptions struct {
	imap.FetchOptions
	EmailID, ThreadID bool // RFC 8474
	SaveDate          bool // RFC 8514
	Preview           bool // RFC 8970
	// Partial keeps a part of the messages that the set names (RFC 9394).
	Partial func(uids []uint32) []uint32
}

// Fetch calls f for each message in the set that the client knows, by
// ascending number; with ChangedSince only for those that changed, which are
// found without looking at the others. Where an item sets \Seen, the messages get it first, unless
// the mailbox is open for reading only.
func (s *Session) Fetch(set imap.NumSet, o *FetchOptions, f func(*Message) error) error {
	uids := s.uids(set)
	if o.Partial != nil {
		uids = threading.UIDsOf(o.Partial(s.Nums(uids)))
	}
	if o.ChangedSince > 0 && len(uids) > 0 {
		ch, err := s.changesSince(o.ChangedSince)
		if err != nil {
			return err
		}
		changed := make([]uint32, len(ch.Entries))
		for i := range ch.Entries {
			changed[i] = ch.Entries[i].UID
		}
		uids = uids.Intersect(threading.UIDsOf(changed))
	}
	if len(uids) == 0 {
		return nil
	}
	var changed map[uint32]bool
	if marksSeen(&o.FetchOptions) && !s.box.readOnly {
		var err error
		if changed, err = s.markSeen(uids); err != nil {
			return err
		}
	}
	return s.scan(uids, store.Want{Header: wantsHeader(&o.FetchOptions)}, func(x *store.Scanned) error {
		return f(&Message{s: s, Seq: s.box.seq(x.UID), entry: x.Entry, head: x.Header, FlagsChanged: changed[x.UID]})
	})
}

// marksSeen reports whether an item sets \Seen (RFC 9051 section 6.4.5).
func marksSeen(o *imap.FetchOptions) bool {
	return slices.ContainsFunc(o.BodySection, func(q *imap.FetchItemBodySection) bool { return !q.Peek }) ||
		slices.ContainsFunc(o.BinarySection, func(q *imap.FetchItemBinarySection) bool { return !q.Peek })
}

// wantsHeader reports whether an item needs the header block of every message.
func wantsHeader(o *imap.FetchOptions) bool {
	return o.Envelope || slices.ContainsFunc(o.BodySection, func(q *imap.FetchItemBodySection) bool {
		return len(q.Part) == 0 && q.Specifier != imap.PartSpecifierText
	})
}

// markSeen sets \Seen on the messages that lack it, and returns those.
func (s *Session) markSeen(uids threading.UIDSet) (map[uint32]bool, error) {
	unseen := map[uint32]bool{}
	var set threading.UIDSet
	err := s.scan(uids, store.Want{}, func(x *store.Scanned) error {
		if x.Flags&threading.FlagSeen == 0 {
			unseen[x.UID] = true
			set.AddUID(x.UID)
		}
		return nil
	})
	if err != nil || len(set) == 0 {
		return nil, err
	}
	_, err = s.store().StoreFlags(s.ctx, s.member.ID, s.box.ID, set, threading.FlagsAdd, threading.FlagSeen, nil)
	return unseen, err
}

// header is the header block.
func (m *Message) header() ([]byte, error) {
	if m.head == nil {
		it, err := m.s.store().Item(m.s.ctx, m.s.member.ID, m.entry.ItemID)
		if err != nil {
			return nil, fmt.Errorf("read the header block: %w", err)
		}
		m.head = it.Header
	}
	return m.head, nil
}

// structure is the MIME tree.
func (m *Message) structure() (*mimetree.Part, error) {
	if m.root == nil {
		c, err := m.s.store().Content(m.s.ctx, m.entry.BodyID, false)
		if err != nil {
			return nil, err
		}
		if m.root, err = mimetree.Decode(c.Structure); err != nil {
			return nil, err
		}
	}
	return m.root, nil
}

// body opens octets of the body.
func (m *Message) body(from, to int64) (io.ReadCloser, error) {
	return m.s.store().OpenBody(m.s.ctx, m.entry.BodyID, from, to-from)
}

// maxPartHeader bounds what is read of a nested header, in octets.
const maxPartHeader = 256 << 10

// bodyBytes reads octets of the body that are a header.
func (m *Message) bodyBytes(from, to int64) ([]byte, error) {
	r, err := m.body(from, min(to, from+maxPartHeader))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Envelope is the message's envelope (RFC 9051 section 7.5.2).
func (m *Message) Envelope() (*Envelope, error) {
	h, err := m.header()
	if err != nil {
		return nil, err
	}
	return envelope(h), nil
}

// Vanished returns what is gone of a set of UIDs since a mod-sequence (RFC 7162
// section 3.2.6).
func (s *Session) Vanished(set imap.UIDSet, since uint64) (threading.UIDSet, error) {
	known := threading.UIDSet{}
	for _, r := range set {
		first, last := ordered(uint32(r.Start), uint32(r.Stop), s.box.UIDNext-1)
		known = append(known, threading.UIDRange{First: first, Last: last})
	}
	gone, _, err := s.changedSince(normalize(known), since)
	return gone, err
}

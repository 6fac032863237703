package imapd

import (
	"bytes"
	"io"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// Message is a message of the selected mailbox that is being fetched. What it
// is asked for is read from the store then, and once.
type Message struct {
	s     *Session
	Seq   uint32
	entry threading.Entry

	item *threading.Item
	root *mimetree.Part
}

// UID is the message's UID.
func (m *Message) UID() imap.UID { return imap.UID(m.entry.UID) }

// Flags are the message's flags.
func (m *Message) Flags() []imap.Flag { return flagsOf(m.entry.Flags, m.entry.Keywords) }

// Entry is the message's place in the mailbox: size, date and so on.
func (m *Message) Entry() threading.Entry { return m.entry }

// Fetch calls f for each message in the set that the client knows, by
// ascending number. With markSeen the messages get \Seen first, unless the
// mailbox is open for reading only; f is told whether that changed the flags.
func (s *Session) Fetch(set imap.NumSet, markSeen bool, f func(m *Message, flagsChanged bool) error) error {
	uids := s.uids(set)
	if len(uids) == 0 {
		return nil
	}
	var changed map[uint32]bool
	if markSeen && !s.box.readOnly {
		var err error
		if changed, err = s.markSeen(uids); err != nil {
			return err
		}
	}
	return s.store().Entries(s.ctx, s.member.ID, s.box.ID, uids, func(e threading.Entry) error {
		seq := s.box.seq(e.UID)
		if seq == 0 {
			return nil // it came after the client was last told
		}
		return f(&Message{s: s, Seq: seq, entry: e}, changed[e.UID])
	})
}

// markSeen sets \Seen on the messages that lack it, and returns those.
func (s *Session) markSeen(uids threading.UIDSet) (map[uint32]bool, error) {
	unseen := map[uint32]bool{}
	var list []uint32
	err := s.store().Entries(s.ctx, s.member.ID, s.box.ID, uids, func(e threading.Entry) error {
		if e.Flags&threading.FlagSeen == 0 && s.box.seq(e.UID) != 0 {
			unseen[e.UID] = true
			list = append(list, e.UID)
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	entries, err := s.store().StoreFlags(s.ctx, s.member.ID, s.box.ID, threading.UIDsOf(list), threading.FlagsAdd, threading.FlagSeen, nil)
	if err != nil {
		return nil, err
	}
	s.box.answered(entries)
	return unseen, nil
}

// answered notes that the client has been told of the newest change to the
// entries.
func (b *selected) answered(entries []threading.Entry) {
	var newest uint64
	for _, e := range entries {
		newest = max(newest, e.ModSeq)
	}
	if newest > b.modseq {
		b.own = append(b.own, newest)
	}
}

// header is the header block.
func (m *Message) header() ([]byte, error) {
	if m.item == nil {
		it, err := m.s.store().Item(m.s.ctx, m.s.member.ID, m.entry.ItemID)
		if err != nil {
			return nil, err
		}
		m.item = &it
	}
	return m.item.Header, nil
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
func (m *Message) Envelope() (*imap.Envelope, error) {
	h, err := m.header()
	if err != nil {
		return nil, err
	}
	return envelope(h), nil
}

// Section is a part of a message: octets in memory, then a range of the body.
type Section struct {
	m        *Message
	prefix   []byte
	from, to int64
}

// Size is the section's size in octets.
func (x *Section) Size() int64 { return int64(len(x.prefix)) + x.to - x.from }

// partial cuts the section (RFC 9051 section 6.4.5.1).
func (x *Section) partial(p *imap.SectionPartial) {
	if p == nil {
		return
	}
	skip := min(max(p.Offset, 0), x.Size())
	size := min(max(p.Size, 0), x.Size()-skip)
	k := min(skip, int64(len(x.prefix)))
	x.prefix = x.prefix[k:]
	x.from += skip - k
	x.prefix = x.prefix[:min(size, int64(len(x.prefix)))]
	x.to = x.from + size - int64(len(x.prefix))
}

// WriteTo streams the section.
func (x *Section) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(x.prefix)
	if err != nil || x.to == x.from {
		return int64(n), err
	}
	r, err := x.m.body(x.from, x.to)
	if err != nil {
		return int64(n), err
	}
	defer r.Close()
	k, err := io.Copy(w, r)
	return int64(n) + k, err
}

// Section returns BODY[...]. A part that is not there is empty.
func (m *Message) Section(q *imap.FetchItemBodySection) (*Section, error) {
	x := &Section{m: m}
	var err error
	if len(q.Part) == 0 {
		err = m.whole(x, q)
	} else {
		err = m.part(x, q)
	}
	if err != nil {
		return nil, err
	}
	x.partial(q.Partial)
	return x, nil
}

// whole is a section of the message itself.
func (m *Message) whole(x *Section, q *imap.FetchItemBodySection) error {
	if q.Specifier != imap.PartSpecifierText {
		h, err := m.header()
		if err != nil {
			return err
		}
		x.prefix = filterHeader(h, q)
	}
	if q.Specifier == imap.PartSpecifierNone || q.Specifier == imap.PartSpecifierText {
		x.to = m.entry.BodySize
	}
	return nil
}

// part is a section of a part.
func (m *Message) part(x *Section, q *imap.FetchItemBodySection) error {
	root, err := m.structure()
	if err != nil {
		return err
	}
	p := root.Find(q.Part)
	if p == nil {
		return nil
	}
	switch q.Specifier {
	case imap.PartSpecifierNone:
		x.from, x.to = p.BodyStart, p.BodyEnd
	case imap.PartSpecifierMIME:
		if p == root {
			x.prefix, err = m.header()
			return err
		}
		x.from, x.to = p.HeaderStart, p.BodyStart
	case imap.PartSpecifierHeader:
		if !p.Message() {
			return nil
		}
		h, err := m.bodyBytes(p.Children[0].HeaderStart, p.Children[0].BodyStart)
		if err != nil {
			return err
		}
		x.prefix = filterHeader(h, q)
	case imap.PartSpecifierText:
		if p.Message() {
			x.from, x.to = p.Children[0].BodyStart, p.Children[0].BodyEnd
		}
	}
	return nil
}

// filterHeader keeps the fields that are asked for, as they stand, and the
// empty line (RFC 9051 section 6.4.5.1).
func filterHeader(header []byte, q *imap.FetchItemBodySection) []byte {
	if len(q.HeaderFields) == 0 && len(q.HeaderFieldsNot) == 0 {
		return header
	}
	var out bytes.Buffer
	for name, field := range rawFields(header) {
		keep := len(q.HeaderFields) == 0
		for _, f := range q.HeaderFields {
			keep = keep || equalFold(f, name)
		}
		for _, f := range q.HeaderFieldsNot {
			keep = keep && !equalFold(f, name)
		}
		if keep {
			out.Write(field)
		}
	}
	out.WriteString("\r\n")
	return out.Bytes()
}

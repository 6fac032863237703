package wire

import (
	"io"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"github.com/stagedoor/stagedoor/imapd"
)

// Fetch implements imapserver.Session.
func (x *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, o *imap.FetchOptions) error {
	defer x.begin()()
	caps := x.conn.EnabledCaps()
	utf8 := caps.Has(imap.CapIMAP4rev2) || caps.Has(imap.CapUTF8Accept)
	return x.failed("FETCH", x.s.Fetch(set, o, func(m *imapd.Message) error {
		f, err := read(m, o, utf8)
		if err != nil {
			return err
		}
		return x.writeMessage(w.CreateMessage(m.Seq), m, o, f)
	}))
}

// fetched is what is read from the store before a response is begun: an error
// must not leave half a line on the wire.
type fetched struct {
	envelope  *imap.Envelope
	structure imap.BodyStructure
	sections  []*imapd.Section
	binaries  []*imapd.Binary
	sizes     []int64 // of the binaries, then of the BINARY.SIZE items
}

func read(m *imapd.Message, o *imap.FetchOptions, utf8 bool) (*fetched, error) {
	f := &fetched{}
	var err error
	if o.Envelope {
		if f.envelope, err = m.Envelope(); err != nil {
			return nil, err
		}
	}
	if o.BodyStructure != nil {
		if f.structure, err = m.BodyStructure(utf8); err != nil {
			return nil, err
		}
	}
	for _, q := range o.BodySection {
		s, err := m.Section(q)
		if err != nil {
			return nil, err
		}
		f.sections = append(f.sections, s)
	}
	for _, q := range o.BinarySection {
		if err := f.binary(m, q.Part, q.Partial); err != nil {
			return nil, err
		}
	}
	for _, q := range o.BinarySectionSize {
		if err := f.binary(m, q.Part, nil); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *fetched) binary(m *imapd.Message, path []int, partial *imap.SectionPartial) error {
	b, err := m.Binary(path, partial)
	if err != nil {
		return err
	}
	n, err := b.Size()
	f.binaries, f.sizes = append(f.binaries, b), append(f.sizes, n)
	return err
}

// writeMessage writes one FETCH response.
func (x *session) writeMessage(r *imapserver.FetchResponseWriter, m *imapd.Message, o *imap.FetchOptions, f *fetched) error {
	if o.UID {
		r.WriteUID(m.UID())
	}
	if o.Flags || m.FlagsChanged {
		r.WriteFlags(m.Flags())
	}
	if o.InternalDate {
		r.WriteInternalDate(m.InternalDate())
	}
	if o.RFC822Size {
		r.WriteRFC822Size(m.Size())
	}
	if o.Envelope {
		r.WriteEnvelope(f.envelope)
	}
	if o.BodyStructure != nil {
		r.WriteBodyStructure(f.structure)
	}
	for i, q := range o.BodySection {
		if err := literal(r.WriteBodySection(q, f.sections[i].Size()), f.sections[i]); err != nil {
			return x.brokenOff(r, err)
		}
	}
	for i, q := range o.BinarySection {
		if err := literal(r.WriteBinarySection(q, f.sizes[i]), f.binaries[i]); err != nil {
			return x.brokenOff(r, err)
		}
	}
	for i, q := range o.BinarySectionSize {
		r.WriteBinarySectionSize(q, uint32(f.sizes[len(o.BinarySection)+i]))
	}
	return r.Close()
}

// literal streams a literal.
func literal(w io.WriteCloser, from io.WriterTo) error {
	_, err := from.WriteTo(w)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

// brokenOff ends a response in the middle of a literal. The client would take
// what comes next for the rest of it, so the connection ends. The writer is
// closed all the same: it holds the connection's lock for writing.
func (x *session) brokenOff(r *imapserver.FetchResponseWriter, err error) error {
	_ = x.conn.NetConn().Close()
	_ = r.Close()
	return err
}

package wire

import (
	"io"
	"log/slog"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/threading"
)

// session adapts an imapd.Session to imapserver.
type session struct {
	srv  *Server
	conn *imapserver.Conn
	s    *imapd.Session
}

var (
	_ imapserver.SessionIMAP4rev2   = (*session)(nil)
	_ imapserver.SessionAppendLimit = (*session)(nil)
)

// Close implements imapserver.Session.
func (x *session) Close() error {
	x.srv.closed(x.conn)
	x.s.Close()
	return nil
}

// failed logs what is the server's own fault; the client hears "internal
// server error".
func (x *session) failed(command string, err error) error {
	if _, told := err.(*imap.Error); err != nil && !told {
		x.srv.o.Logger.Error("an IMAP command failed", "command", command, slog.Any("error", err))
	}
	return err
}

// Login implements imapserver.Session.
func (x *session) Login(name, password string) error {
	return x.failed("LOGIN", x.s.Login(name, password))
}

// AppendLimit implements imapserver.SessionAppendLimit.
func (x *session) AppendLimit() uint32 { return uint32(x.srv.o.IMAP.MaxMessageSize()) }

// Select implements imapserver.Session.
func (x *session) Select(name string, o *imap.SelectOptions) (*imap.SelectData, error) {
	d, err := x.s.Select(name, o != nil && o.ReadOnly)
	if err == nil && !x.conn.EnabledCaps().Has(imap.CapIMAP4rev2) {
		d.List = nil // only an IMAP4rev2 client expects it (RFC 9051 section 6.3.2)
	}
	return d, x.failed("SELECT", err)
}

// Unselect implements imapserver.Session.
func (x *session) Unselect() error {
	x.s.Unselect()
	return nil
}

// Create implements imapserver.Session.
func (x *session) Create(name string, o *imap.CreateOptions) error {
	return x.failed("CREATE", x.s.Create(name, o))
}

// Delete implements imapserver.Session.
func (x *session) Delete(name string) error { return x.failed("DELETE", x.s.Delete(name)) }

// Rename implements imapserver.Session.
func (x *session) Rename(from, to string, _ *imap.RenameOptions) error {
	return x.failed("RENAME", x.s.Rename(from, to))
}

// Subscribe implements imapserver.Session.
func (x *session) Subscribe(name string) error {
	return x.failed("SUBSCRIBE", x.s.Subscribe(name, true))
}

// Unsubscribe implements imapserver.Session.
func (x *session) Unsubscribe(name string) error {
	return x.failed("UNSUBSCRIBE", x.s.Subscribe(name, false))
}

// Namespace implements imapserver.SessionNamespace: there are personal
// mailboxes only.
func (x *session) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: threading.HierarchySep}}}, nil
}

// List implements imapserver.Session.
func (x *session) List(w *imapserver.ListWriter, ref string, patterns []string, o *imap.ListOptions) error {
	list, err := x.s.List(ref, patterns, o)
	if err != nil {
		return x.failed("LIST", err)
	}
	for i := range list {
		if err := w.WriteList(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// Status implements imapserver.Session.
func (x *session) Status(name string, o *imap.StatusOptions) (*imap.StatusData, error) {
	d, err := x.s.Status(name, o)
	return d, x.failed("STATUS", err)
}

// Append implements imapserver.Session.
func (x *session) Append(name string, r imap.LiteralReader, o *imap.AppendOptions) (*imap.AppendData, error) {
	d, err := x.s.Append(name, r, r.Size(), o.Flags, o.Time)
	return d, x.failed("APPEND", err)
}

// Poll implements imapserver.Session.
func (x *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	updates, err := x.s.Poll(allowExpunge)
	if err != nil {
		return x.failed("poll", err)
	}
	return x.tell(w, updates)
}

// Idle implements imapserver.Session.
func (x *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	return x.failed("IDLE", x.s.Idle(stop, func(updates []imapd.Update) error { return x.tell(w, updates) }))
}

func (x *session) tell(w *imapserver.UpdateWriter, updates []imapd.Update) error {
	for _, u := range updates {
		var err error
		switch u = x.s.Number(u); {
		case u.Expunge != 0:
			err = w.WriteExpunge(u.Expunge)
		case u.Fetch != nil:
			if u.Fetch.Seq != 0 {
				err = w.WriteMessageFlags(u.Fetch.Seq, u.Fetch.UID, u.Fetch.Flags)
			}
		default:
			err = w.WriteNumMessages(u.Exists)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Expunge implements imapserver.Session.
func (x *session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	seqs, err := x.s.Expunge(uids)
	if err != nil {
		return x.failed("EXPUNGE", err)
	}
	for _, seq := range seqs {
		if err := w.WriteExpunge(seq); err != nil {
			return err
		}
	}
	return nil
}

// Search implements imapserver.Session.
func (x *session) Search(kind imapserver.NumKind, c *imap.SearchCriteria, o *imap.SearchOptions) (*imap.SearchData, error) {
	d, err := x.s.Search(kind == imapserver.NumKindUID, c, o)
	return d, x.failed("SEARCH", err)
}

// Store implements imapserver.Session.
func (x *session) Store(w *imapserver.FetchWriter, set imap.NumSet, change *imap.StoreFlags, _ *imap.StoreOptions) error {
	_, byUID := set.(imap.UIDSet)
	return x.failed("STORE", x.s.Store(set, change, func(u imapd.FlagsUpdate) error {
		m := w.CreateMessage(u.Seq)
		if byUID {
			m.WriteUID(u.UID)
		}
		m.WriteFlags(u.Flags)
		return m.Close()
	}))
}

// Copy implements imapserver.Session.
func (x *session) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	d, _, err := x.s.Copy(set, dest, false)
	return d, x.failed("COPY", err)
}

// Move implements imapserver.SessionMove.
func (x *session) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	d, seqs, err := x.s.Copy(set, dest, true)
	if err != nil || d == nil {
		return x.failed("MOVE", err)
	}
	if err := w.WriteCopyData(d); err != nil {
		return err
	}
	for _, seq := range seqs {
		if err := w.WriteExpunge(seq); err != nil {
			return err
		}
	}
	return nil
}

// Fetch implements imapserver.Session.
func (x *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, o *imap.FetchOptions) error {
	return x.failed("FETCH", x.s.Fetch(set, marksSeen(o), func(m *imapd.Message, flagsChanged bool) error {
		return fetch(w, m, o, o.Flags || flagsChanged)
	}))
}

// marksSeen reports whether the items set \Seen (RFC 9051 section 6.4.5).
func marksSeen(o *imap.FetchOptions) bool {
	for _, s := range o.BodySection {
		if !s.Peek {
			return true
		}
	}
	for _, s := range o.BinarySection {
		if !s.Peek {
			return true
		}
	}
	return false
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

func read(m *imapd.Message, o *imap.FetchOptions) (*fetched, error) {
	f := &fetched{}
	var err error
	if o.Envelope {
		if f.envelope, err = m.Envelope(); err != nil {
			return nil, err
		}
	}
	if o.BodyStructure != nil {
		if f.structure, err = m.BodyStructure(); err != nil {
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
	size := func(path []int, partial *imap.SectionPartial) error {
		b, err := m.Binary(path, partial)
		if err != nil {
			return err
		}
		n, err := b.Size()
		f.binaries, f.sizes = append(f.binaries, b), append(f.sizes, n)
		return err
	}
	for _, q := range o.BinarySection {
		if err := size(q.Part, q.Partial); err != nil {
			return nil, err
		}
	}
	for _, q := range o.BinarySectionSize {
		if err := size(q.Part, nil); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func fetch(w *imapserver.FetchWriter, m *imapd.Message, o *imap.FetchOptions, flags bool) error {
	f, err := read(m, o)
	if err != nil {
		return err
	}
	r := w.CreateMessage(m.Seq)
	if o.UID {
		r.WriteUID(m.UID())
	}
	if flags {
		r.WriteFlags(m.Flags())
	}
	entry := m.Entry()
	if o.InternalDate {
		r.WriteInternalDate(entry.SavedAt)
	}
	if o.RFC822Size {
		r.WriteRFC822Size(entry.Size())
	}
	if o.Envelope {
		r.WriteEnvelope(f.envelope)
	}
	if o.BodyStructure != nil {
		r.WriteBodyStructure(f.structure)
	}
	for i, q := range o.BodySection {
		if err := literal(r.WriteBodySection(q, f.sections[i].Size()), f.sections[i]); err != nil {
			return err
		}
	}
	for i, q := range o.BinarySection {
		if err := literal(r.WriteBinarySection(q, f.sizes[i]), f.binaries[i]); err != nil {
			return err
		}
	}
	for i, q := range o.BinarySectionSize {
		r.WriteBinarySectionSize(q, uint32(f.sizes[len(o.BinarySection)+i]))
	}
	return r.Close()
}

// literal streams a literal. If it breaks off, the response can't be mended:
// the error ends the command, and the wrong length the connection.
func literal(w io.WriteCloser, from io.WriterTo) error {
	_, err := from.WriteTo(w)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

package wire

import (
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// fetching is a FETCH that was read.
type fetching struct {
	set      imap.NumSet
	options  imapd.FetchOptions
	old      map[*imap.FetchItemBodySection]string // RFC822, RFC822.HEADER and RFC822.TEXT answer by their names
	partial  partial
	vanished bool
}

// maxItems bounds the items of one FETCH.
const maxItems = 500

// fetch answers FETCH and UID FETCH (RFC 9051 section 6.4.5).
func (c *conn) fetch(byUID bool) (done, error) {
	f := &fetching{old: map[*imap.FetchItemBodySection]string{}}
	c.r.sp()
	f.set = c.r.numSet(byUID)
	c.r.sp()
	c.fetchItems(f)
	if c.r.more() {
		c.fetchModifiers(f)
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	o := &f.options
	o.UID = o.UID || byUID
	// RFC 7162 section 3.1: what asks for mod-sequences enables CONDSTORE.
	o.ModSeq = o.ModSeq || o.ChangedSince > 0
	if o.ModSeq {
		if err := c.enableCondStore(); err != nil {
			return done{}, err
		}
	}
	if f.vanished {
		if err := c.fetchVanished(f, byUID); err != nil {
			return done{}, err
		}
	}
	if f.partial.given() {
		o.Partial = f.partial.of
	}
	return done{}, c.s.Fetch(f.set, o, func(m *imapd.Message) error { return c.writeMessage(m, f) })
}

func (c *conn) fetchVanished(f *fetching, byUID bool) error {
	set, ok := f.set.(imap.UIDSet)
	if !byUID || !ok || f.options.ChangedSince == 0 || !c.enabled.qresync {
		return syntaxError("VANISHED goes with UID FETCH, CHANGEDSINCE and QRESYNC (RFC 7162 section 3.2.6).")
	}
	gone, err := c.s.Vanished(set, f.options.ChangedSince)
	if err == nil && len(gone) > 0 {
		c.vanished(gone, true)
	}
	return err
}

func (c *conn) fetchItems(f *fetching) {
	if c.r.peek() != '(' {
		name := c.r.fetchAtom()
		o := &f.options
		switch name {
		case "ALL":
			o.Flags, o.InternalDate, o.RFC822Size, o.Envelope = true, true, true, true
		case "FAST":
			o.Flags, o.InternalDate, o.RFC822Size = true, true, true
		case "FULL":
			o.Flags, o.InternalDate, o.RFC822Size, o.Envelope, o.BodyStructure = true, true, true, true, &imap.FetchItemBodyStructure{}
		default:
			c.fetchItem(f, name)
		}
		return
	}
	n := 0
	c.r.list(func() {
		if n++; n > maxItems {
			c.r.bad("FETCH has too many items.")
			return
		}
		c.fetchItem(f, c.r.fetchAtom())
	})
}

// fetchAtom reads an item's name up to its section.
func (r *reader) fetchAtom() string {
	return upper(r.some(r.run(func(b byte) bool { return atomChar(b) && b != '[' && b != '<' }), "an item to fetch"))
}

func (c *conn) fetchItem(f *fetching, name string) {
	o := &f.options
	plain := map[string]*bool{
		"ENVELOPE": &o.Envelope, "FLAGS": &o.Flags, "INTERNALDATE": &o.InternalDate, "RFC822.SIZE": &o.RFC822Size, "UID": &o.UID, "MODSEQ": &o.ModSeq,
		"EMAILID": &o.EmailID, "THREADID": &o.ThreadID, "SAVEDATE": &o.SaveDate,
	}
	if to, ok := plain[name]; ok {
		*to = true
		return
	}
	switch name {
	case "PREVIEW":
		o.Preview = true
		if c.r.peek() == ' ' { // PREVIEW (LAZY), RFC 8970 section 3.1
			c.lazy()
		}
	case "BODYSTRUCTURE":
		o.BodyStructure = &imap.FetchItemBodyStructure{Extended: true}
	case "BODY", "BODY.PEEK":
		if c.r.peek() != '[' {
			if name == "BODY" && o.BodyStructure == nil {
				o.BodyStructure = &imap.FetchItemBodyStructure{}
			}
			return
		}
		o.BodySection = append(o.BodySection, c.bodySection(name == "BODY.PEEK"))
	case "BINARY", "BINARY.PEEK":
		part := c.binaryPart()
		o.BinarySection = append(o.BinarySection, &imap.FetchItemBinarySection{Part: part, Peek: name == "BINARY.PEEK", Partial: c.octets()})
	case "BINARY.SIZE":
		o.BinarySectionSize = append(o.BinarySectionSize, &imap.FetchItemBinarySectionSize{Part: c.binaryPart()})
	case "RFC822", "RFC822.HEADER", "RFC822.TEXT", "RFC822.PEEK", "RFC822.TEXT.PEEK": // PEEK: RFC 1730 section 6.4.5; Outlook still asks so
		name, peek := strings.CutSuffix(name, ".PEEK")
		s := &imap.FetchItemBodySection{Specifier: map[string]imap.PartSpecifier{"RFC822.HEADER": imap.PartSpecifierHeader, "RFC822.TEXT": imap.PartSpecifierText}[name], Peek: peek || name == "RFC822.HEADER"}
		f.old[s] = name
		o.BodySection = append(o.BodySection, s)
	default:
		c.r.bad("This server doesn't know the FETCH item " + printableName(name) + ".")
	}
}

// lazy reads " (LAZY)" if it follows; the space may be the list's.
func (c *conn) lazy() {
	p, err := c.r.b.Peek(2)
	if err != nil || p[1] != '(' {
		return
	}
	c.r.sp()
	c.r.list(func() {
		if c.r.word() != "LAZY" {
			c.r.bad("PREVIEW takes LAZY.")
		}
	})
}

// bodySection reads [section]<partial> (RFC 9051 section 9: section).
func (c *conn) bodySection(peek bool) *imap.FetchItemBodySection {
	s := &imap.FetchItemBodySection{Peek: peek}
	c.r.expect('[')
	s.Part = c.partNumbers()
	if c.r.peek() != ']' {
		name := upper(c.r.run(func(b byte) bool { return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '.' }))
		switch name {
		case "HEADER", "TEXT":
			s.Specifier = imap.PartSpecifier(name)
		case "MIME":
			if len(s.Part) == 0 {
				c.r.bad("MIME is of a part: BODY[1.MIME].")
			}
			s.Specifier = imap.PartSpecifierMIME
		case "HEADER.FIELDS":
			s.Specifier, s.HeaderFields = imap.PartSpecifierHeader, c.fieldNames()
		case "HEADER.FIELDS.NOT":
			s.Specifier, s.HeaderFieldsNot = imap.PartSpecifierHeader, c.fieldNames()
		default:
			c.r.bad("This server doesn't know the section " + printableName(name) + ".")
		}
	}
	c.r.expect(']')
	s.Partial = c.octets()
	return s
}

// partNumbers reads 1.2.3, with the dot after it if something follows.
func (c *conn) partNumbers() (path []int) {
	for b := c.r.peek(); b >= '0' && b <= '9' && c.r.err == nil; b = c.r.peek() {
		n := c.r.number()
		if n == 0 || len(path) > maxNesting {
			c.r.bad("Parts are counted from 1, and not nested that deep.")
			return nil
		}
		path = append(path, int(n))
		if !c.r.accept('.') {
			break
		}
	}
	return path
}

func (c *conn) fieldNames() (list []string) {
	c.r.sp()
	c.r.list(func() {
		if list = append(list, c.r.astring()); len(list) > maxItems {
			c.r.bad("There are too many fields.")
		}
	})
	if len(list) == 0 && c.r.err == nil {
		c.r.bad("There should be names of fields.")
	}
	return list
}

func (c *conn) binaryPart() []int {
	c.r.expect('[')
	part := c.partNumbers()
	c.r.expect(']')
	return part
}

// octets reads <offset.size>.
func (c *conn) octets() *imap.SectionPartial {
	if c.r.peek() != '<' {
		return nil
	}
	c.r.expect('<')
	p := &imap.SectionPartial{Offset: int64(c.r.number64())}
	c.r.expect('.')
	p.Size = int64(c.r.number64())
	c.r.expect('>')
	if p.Size == 0 && c.r.err == nil {
		c.r.bad("A part of a section has one octet at least.")
	}
	return p
}

func (c *conn) fetchModifiers(f *fetching) {
	c.r.list(func() {
		switch word := c.r.word(); {
		case word == "CHANGEDSINCE" && c.can(imap.CapCondStore):
			c.r.sp()
			f.options.ChangedSince = c.r.number64()
			f.options.ModSeq = true
		case word == "VANISHED" && c.can(imap.CapQResync):
			f.vanished = true
		case word == "PARTIAL" && c.can(capPartial):
			c.r.sp()
			f.partial = c.r.partialRange()
		default:
			c.r.bad("FETCH takes CHANGEDSINCE, VANISHED and PARTIAL.")
		}
	})
}

// fetched is what is read from the store before a response is begun: an error
// must not leave half a line on the wire.
type fetched struct {
	envelope  *imapd.Envelope
	structure imap.BodyStructure
	sections  []*imapd.Section
	binaries  []*imapd.Binary
	sizes     []int64 // of the binaries, then of the BINARY.SIZE items
	preview   string
}

func read(m *imapd.Message, o *imapd.FetchOptions, utf8 bool) (f fetched, err error) {
	if o.Envelope {
		if f.envelope, err = m.Envelope(); err != nil {
			return f, err
		}
	}
	if o.BodyStructure != nil {
		if f.structure, err = m.BodyStructure(utf8); err != nil {
			return f, err
		}
	}
	if o.Preview {
		if f.preview, err = m.Preview(); err != nil {
			return f, err
		}
	}
	for _, q := range o.BodySection {
		s, err := m.Section(q)
		if err != nil {
			return f, err
		}
		f.sections = append(f.sections, s)
	}
	for _, q := range o.BinarySection {
		if err := f.binary(m, q.Part, q.Partial); err != nil {
			return f, err
		}
	}
	for _, q := range o.BinarySectionSize {
		if err := f.binary(m, q.Part, nil); err != nil {
			return f, err
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
func (c *conn) writeMessage(m *imapd.Message, q *fetching) error {
	o := &q.options
	f, err := read(m, o, c.w.utf8)
	if err != nil {
		return err
	}
	var flags []imap.Flag
	if o.Flags || m.FlagsChanged {
		flags = m.Flags()
		c.announce(flags)
	}
	w := c.w
	w.text("* ").number(uint64(m.Seq)).text(" FETCH (")
	sep := ""
	item := func(name string) *writer {
		w.text(sep, name, " ")
		sep = " "
		return w
	}
	if o.UID {
		item("UID").number(uint64(m.UID()))
	}
	if o.Flags || m.FlagsChanged {
		item("FLAGS").flags(flags)
	}
	if o.ModSeq || m.FlagsChanged && c.enabled.condstore {
		item("MODSEQ").text("(").number(m.ModSeq()).text(")")
	}
	if o.InternalDate {
		item("INTERNALDATE").text(`"`, m.InternalDate().UTC().Format(internalDate), `"`)
	}
	if o.RFC822Size {
		item("RFC822.SIZE").number(uint64(m.Size()))
	}
	if o.EmailID {
		item("EMAILID").text("(", m.EmailID(), ")")
	}
	if o.ThreadID {
		c.threadID(item("THREADID"), m.ThreadID())
	}
	if o.SaveDate {
		item("SAVEDATE").text(`"`, m.SaveDate().UTC().Format(internalDate), `"`)
	}
	if o.Preview {
		item("PREVIEW").preview(f.preview)
	}
	if o.Envelope {
		w.envelope(item("ENVELOPE"), f.envelope)
	}
	if o.BodyStructure != nil {
		name := "BODY"
		if o.BodyStructure.Extended {
			name = "BODYSTRUCTURE"
		}
		item(name).structure(f.structure, o.BodyStructure.Extended)
	}
	if err := c.writeSections(q, &f, item); err != nil {
		return err
	}
	w.text(")\r\n")
	return w.err
}

// writeSections writes what are literals.
func (c *conn) writeSections(q *fetching, f *fetched, item func(string) *writer) error {
	o := &q.options
	for i, s := range o.BodySection {
		name := q.old[s]
		if name == "" {
			name = c.sectionName(s)
		}
		if err := item(name).literal(f.sections[i].Size(), false, f.sections[i]); err != nil {
			return err
		}
	}
	for i, s := range o.BinarySection {
		if err := item("BINARY["+pathName(s.Part)+"]"+offset(s.Partial)).literal(f.sizes[i], true, f.binaries[i]); err != nil {
			return err
		}
	}
	for i, s := range o.BinarySectionSize {
		item("BINARY.SIZE[" + pathName(s.Part) + "]").number(uint64(f.sizes[len(o.BinarySection)+i]))
	}
	return nil
}

// internalDate is RFC 9051 section 9: date-time.
const internalDate = "_2-Jan-2006 15:04:05 -0700"

func (c *conn) threadID(w *writer, id string) {
	if id == "" {
		w.text("NIL")
		return
	}
	w.text("(", id, ")")
}

// preview writes text that is UTF-8 whatever the client enabled (RFC 8970
// section 3).
func (w *writer) preview(text string) {
	if w.quotable(text) {
		w.str(text)
		return
	}
	w.text(fmt.Sprintf("{%d}\r\n", len(text)), text)
}

// sectionName is a section as it is answered: the fields' names as they were
// asked for.
func (c *conn) sectionName(s *imap.FetchItemBodySection) string {
	name := pathName(s.Part)
	if s.Specifier != imap.PartSpecifierNone {
		if name != "" {
			name += "."
		}
		name += string(s.Specifier)
	}
	fields, not := s.HeaderFields, ""
	if len(s.HeaderFieldsNot) > 0 {
		fields, not = s.HeaderFieldsNot, ".NOT"
	}
	if len(fields) > 0 {
		quoted := make([]string, len(fields))
		for i, f := range fields {
			quoted[i] = fieldName(f)
		}
		name += ".FIELDS" + not + " (" + strings.Join(quoted, " ") + ")"
	}
	return "BODY[" + name + "]" + offset(s.Partial)
}

// fieldName writes a field's name as an astring.
func fieldName(s string) string {
	for i := range len(s) {
		if !atomChar(s[i]) || s[i] >= 0x80 {
			return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(s) + `"`
		}
	}
	return s
}

func pathName(path []int) string {
	var b []byte
	for i, n := range path {
		if i > 0 {
			b = append(b, '.')
		}
		b = appendNumber(b, uint64(n))
	}
	return string(b)
}

func offset(p *imap.SectionPartial) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("<%d>", p.Offset)
}

package sanitize

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// copyOLE copies a compound file without its metadata.
func (a *attachment) copyOLE(w io.Writer, b []byte) error {
	if c, ok := openCFB(b); ok && c.macros() && slices.Contains(a.rw.o.Unwanted.Contents, FileMacros) {
		return a.found("", FileMacros)
	}
	stripOLE(b)
	a.searchOLE(b)
	_, err := w.Write(b)
	return err
}

// stripOLE overwrites, in a document of Word, Excel or PowerPoint up to 2003,
// the properties and what else names who worked on it. What its text says
// counts as typed; an address anywhere else can't be taken out.
func stripOLE(b []byte) {
	c, ok := openCFB(b)
	if !ok {
		return
	}
	var table *cfbStream
	var document []byte
	for i := range c.streams {
		s := &c.streams[i]
		switch s.name {
		case "\x05SummaryInformation", "\x05DocumentSummaryInformation", "Workbook", "Book", "PowerPoint Document", "Current User", "WordDocument":
		default:
			continue
		}
		content := c.read(s)
		switch s.name {
		case "\x05SummaryInformation", "\x05DocumentSummaryInformation":
			emptyProperties(content)
		case "Workbook", "Book":
			blankWorkbook(content)
		case "PowerPoint Document":
			blankSlides(content, 0)
		case "Current User":
			blankCurrentUser(content)
		case "WordDocument":
			document = content
			table = c.stream(wordTable(content))
			continue
		}
		c.write(s, content)
	}
	if table != nil {
		content := c.read(table)
		blankWord(document, content)
		c.write(table, content)
	}
}

// searchOLE looks for addresses stream by stream: what is parted by the
// file's sectors is found whole, and text told from the rest.
func (a *attachment) searchOLE(b []byte) {
	c, ok := openCFB(b)
	if !ok {
		a.hidden = a.hidden || a.holds(b)
		return
	}
	for i := range c.streams {
		s := &c.streams[i]
		if !a.holds(c.read(s)) {
			continue
		}
		switch s.name {
		case "WordDocument", "Workbook", "Book", "PowerPoint Document":
			a.shown = true
		default:
			a.hidden = true
		}
	}
	// What streams don't use any more may hold it too.
	rest := bytes.Clone(b)
	for i := range c.streams {
		for _, p := range c.streams[i].pieces {
			clear(rest[p.start:p.end])
		}
	}
	a.hidden = a.hidden || a.holds(rest)
}

// emptyProperties overwrites the texts in a property set (MS-OLEPS), and
// thumbnails. Numbers and dates stay.
func emptyProperties(b []byte) {
	word := func(at int) int {
		if at < 0 || at+4 > len(b) {
			return -1
		}
		return int(binary.LittleEndian.Uint32(b[at:]))
	}
	sections := min(word(24), 2)
	for i := range max(0, sections) {
		start := word(28 + 20*i + 16)
		size, count := word(start), word(start+4)
		if start < 0 || count < 0 || size < 0 || start+size > len(b) || count > len(b)/8 {
			continue
		}
		for k := range count {
			at := start + word(start+8+8*k+4)
			end := start + size // or where the next one begins
			for m := range min(count, 256) {
				if o := start + word(start+8+8*m+4); o > at && o < end {
					end = o
				}
			}
			if kind := word(at); at+8 <= end && at >= start && textProperty(kind) && count <= 256 {
				emptyProperty(b[at:end], kind)
			}
		}
	}
}

// textProperty reports whether a type of property holds text, octets or
// lists of them (MS-OLEPS section 2.15). A dictionary has no type, but the
// number of its names.
func textProperty(kind int) bool {
	switch kind {
	case 0x08, 0x1e, 0x1f, 0x41, 0x47, 0x101e, 0x101f, 0x100c:
		return true
	}
	return false
}

// emptyProperty overwrites a value and leaves its type and size.
func emptyProperty(v []byte, kind int) {
	switch kind {
	case 0x101e, 0x101f, 0x100c: // a list: of none
		clear(v[4:])
	default:
		clear(v[8:])
	}
}

// isOLE tells a compound file.
var isOLE = begins("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")

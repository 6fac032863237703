package sanitize

import (
	"bytes"
	"path"
	"strings"
)

// somebody stands for the name of who worked on a document.
const somebody = "Author"

// authorAttributes name people, in whichever part of an OOXML document they
// stand: tracked changes and comments (w:author, w:initials), comment authors
// of a presentation, the persons and users of a workbook.
var authorAttributes = map[string]bool{
	"author": true, "initials": true, "userId": true, "userName": true, "displayName": true, "lastModifiedBy": true,
}

// authorElements hold the name of somebody as their text: comment authors in
// a workbook; tracked changes, notes and printers in an OpenDocument.
var authorElements = map[string]bool{
	"author": true, "creator": true, "initial-creator": true, "creator-initials": true, "printed-by": true, "lastModifiedBy": true, "AccountId": true,
}

// officeXML takes what names people out of a part, and searches what is left.
func (a *attachment) officeXML(name string, b []byte) []byte {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		a.hidden = a.hidden || a.holds(b) // UTF-16: hardly any program writes it
		return b
	}
	s := string(b)
	s = apply(s, officeEdits(name, b))
	if rels := strings.HasSuffix(name, ".rels"); rels || !shownPart(name) {
		// Nobody reads it: identifiers go, by name. But the target of a link is
		// what a reader sees.
		s = a.cleanPart(s, rels)
	}
	if a.reads() {
		a.says(s)
	}
	return []byte(s)
}

// shownPart reports whether readers see what a part says.
func shownPart(name string) bool {
	dir, base := path.Split(name)
	switch strings.SplitN(dir, "/", 2)[0] {
	case "docProps", "customXml", "docMetadata", "META-INF", "Configurations2", "package": // package/services/metadata/core-properties
		return false
	}
	switch base {
	case "settings.xml", "webSettings.xml", "people.xml", "manifest.rdf", "connections.xml", "persons.xml", "person.xml", "presProps.xml", "viewProps.xml", "[Content_Types].xml":
		return false
	}
	return true
}

// cleanPart replaces identifiers in a part that nobody reads.
func (a *attachment) cleanPart(s string, rels bool) string {
	list := a.rw.id.find(s)
	if rels {
		kept := list[:0]
		for _, m := range list {
			if !inHyperlink(s, m.start) {
				kept = append(kept, m)
			}
		}
		list = kept
	}
	var edits []edit
	for _, m := range list {
		edits = append(edits, edit{start: m.start, end: m.end, with: "removed"})
	}
	return apply(s, edits)
}

// inHyperlink reports whether a place is in a relationship that is a link.
func inHyperlink(s string, at int) bool {
	start := strings.LastIndexByte(s[max(0, at-maxLink):at], '<')
	if start < 0 {
		return false
	}
	start += max(0, at-maxLink)
	end := start + tagLength([]byte(s[start:min(len(s), start+maxLink)]))
	return strings.Contains(s[start:end], "/relationships/hyperlink")
}

// officeEdits are the places in a part that name people and paths, and what
// stands there instead.
func officeEdits(name string, b []byte) []edit {
	var edits []edit
	done := 0 // what lies before is cut already
	base := path.Base(name)
	for t := range xmlTags(b) {
		if t.start < done || t.closing {
			continue
		}
		switch {
		case t.name == "!--":
			edits = append(edits, edit{start: t.start, end: t.end})
			done = t.end
		case t.full == "":
		case droppedElement(base, t, b):
			done = t.element(b)
			edits = append(edits, edit{start: t.start, end: done})
		case authorElements[t.name] && !t.empty:
			if end := bytes.IndexByte(b[t.end:], '<'); end > 0 {
				edits = append(edits, edit{start: t.end, end: t.end + end, with: somebody})
				done = t.end + end
			}
		default:
			edits = attributeEdits(edits, base, t, b)
		}
	}
	return edits
}

// droppedElement reports whether an element goes whole: what belongs to a digital
// signature, and what a printer is set to.
func droppedElement(base string, t xmlTag, b []byte) bool {
	switch {
	case base == ".rels" && t.name == "Relationship", base == "[Content_Types].xml" && (t.name == "Override" || t.name == "Default"):
		return bytes.Contains(b[t.start:t.end], []byte("_xmlsignatures")) || bytes.Contains(b[t.start:t.end], []byte("digital-signature"))
	case base == "settings.xml" && t.name == "config-item":
		return bytes.Contains(b[t.start:t.end], []byte(`"PrinterName"`)) || bytes.Contains(b[t.start:t.end], []byte(`"PrinterSetup"`)) ||
			bytes.Contains(b[t.start:t.end], []byte(`"CurrentDatabaseDataSource"`))
	}
	return false
}

// attributeEdits are the edits in one tag.
func attributeEdits(edits []edit, base string, t xmlTag, b []byte) []edit {
	put := func(at [2]int, with string) {
		edits = append(edits, edit{start: at[0], end: at[1], with: with})
	}
	link := bytes.Contains(b[t.start:t.end], []byte("/relationships/hyperlink"))
	for name, at := range t.attributes(b) {
		local := name[strings.IndexByte(name, ':')+1:]
		switch value := string(b[at[0]:at[1]]); {
		case value == "":
		case authorAttributes[local], local == "name" && (t.name == "cmAuthor" || t.name == "author"):
			put(at, somebody)
		case t.name == "absPath" && local == "url": // where a workbook was saved
			put(at, "")
		case t.name == "Relationship" && local == "Target" && !link, local == "sourceFile", local == "odcFile":
			if file, ok := pathTail(value); ok {
				put(at, file)
			}
		}
	}
	return edits
}

// pathTail is the file name of a path on somebody's disk: the folders before
// it often hold the name of their user.
func pathTail(target string) (string, bool) {
	rest, isFile := strings.CutPrefix(target, "file:///")
	if !isFile && !strings.HasPrefix(target, `\\`) && (len(target) < 3 || target[1] != ':' || target[2] != '\\') {
		return "", false
	}
	if i := strings.LastIndexAny(rest, `/\`); i >= 0 {
		rest = rest[i+1:]
	}
	return "file:///" + rest, true
}

// isOfficeText tells a document that is one XML text: flat OpenDocument, Word
// and Excel 2003 XML, flat OPC.
func isOfficeText(head []byte) bool {
	return (begins("<?xml", "\ufeff<?xml")(head)) && (bytes.Contains(head, []byte("<?mso-application")) || bytes.Contains(head, []byte("urn:oasis:names:tc:opendocument:")) ||
		bytes.Contains(head, []byte("schemas.microsoft.com/office/")))
}

// propertyElements hold what such a document says of itself.
var propertyElements = map[string]bool{
	"office:meta": true, "o:DocumentProperties": true, "DocumentProperties": true, "o:CustomDocumentProperties": true, "CustomDocumentProperties": true,
	"cp:coreProperties": true, "office:settings": true,
}

// stripOfficeText empties the properties, and takes out what names people.
func (a *attachment) stripOfficeText(b []byte) []byte {
	var edits []edit
	done := 0
	for t := range xmlTags(b) {
		if t.start < done || t.closing || t.empty || !propertyElements[t.full] {
			continue
		}
		done = t.element(b)
		edits = append(edits, edit{start: t.start, end: done})
	}
	return a.officeXML("content.xml", []byte(apply(string(b), edits)))
}

package sanitize

import (
	"bytes"
	"strings"
)

// isSVG tells an SVG that is not compressed.
func isSVG(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \r\n\t")
	return bytes.HasPrefix(head, []byte("<svg")) || bytes.HasPrefix(head, []byte("<?xml")) && bytes.Contains(head, []byte("<svg")) ||
		bytes.HasPrefix(head, []byte("<!")) && bytes.Contains(head, []byte("<svg"))
}

// stripSVG cuts out of an SVG what drawing programs say of the file and its
// maker: comments, metadata elements, and the programs' own attributes, such
// as the path that a picture was exported to. What is drawn stays octet for
// octet, and what it says counts as typed.
func (a *attachment) stripSVG(b []byte) []byte {
	var edits []edit
	done := 0
	for t := range xmlTags(b) {
		if t.start < done || t.closing {
			continue
		}
		switch {
		case t.name == "!--", strings.HasPrefix(t.name, "?") && t.name != "?xml" && t.name != "?xml-stylesheet":
			done = t.end
		case t.name == "metadata" || t.full == "rdf:RDF" || t.full == "sodipodi:namedview":
			done = t.element(b)
		default:
			for name, at := range t.attributes(b) {
				if programAttribute(name) {
					edits = append(edits, edit{start: at[0], end: at[1]})
				}
			}
			continue
		}
		edits = append(edits, edit{start: t.start, end: done})
	}
	out := apply(string(b), edits)
	if a.reads() {
		a.says(out)
	}
	return []byte(out)
}

// programAttribute reports whether an attribute says where a drawing was
// saved, or exported to.
func programAttribute(name string) bool {
	switch name {
	case "inkscape:export-filename", "sodipodi:docname", "sodipodi:docbase", "sodipodi:absref", "inkscape:export-batch-path", "data-filename", "xml:base":
		return true
	}
	return strings.HasPrefix(name, "serif:") || strings.HasPrefix(name, "sketch:")
}

package sanitize

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/flate"
)

// Bounds of an office document.
const (
	maxOfficeParts = 20000
	maxOfficeXML   = 32 << 20 // octets of one part
)

// officeParts are the files in an office document that say who made it, and
// what stands there instead.
var officeParts = map[string]string{
	"docProps/core.xml": `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>`,
	"docProps/app.xml": `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"/>`,
	"docProps/custom.xml": `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"/>`,
	"word/people.xml": `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w15:people xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml"/>`,
	"meta.xml": `<?xml version="1.0" encoding="UTF-8"?>
<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" office:version="1.2"><office:meta/></office:document-meta>`,
}

var errDocument = &RefusedError{"An attached document is damaged. Please save it again and send it once more."}

// stripZip copies a zip file. An office document (OOXML, ISO/IEC 29500;
// OpenDocument, ISO/IEC 26300) loses what says who made it and who worked on
// it; what has nothing of the kind is copied still compressed. Another archive
// is only looked into, and searched as it is.
func (a *attachment) stripZip(w io.Writer, b []byte) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err == nil {
		left := a.left
		if err := a.lookInZip(z); err != nil {
			return err
		}
		a.left = left // what follows reads it once more
	}
	if err != nil || !isOffice(z) {
		scan := &scanner{id: a.rw.id, w: w}
		_, err := scan.Write(b)
		a.hidden = a.hidden || scan.found
		return err
	}
	if len(z.File) > maxOfficeParts || a.depth > maxWithin {
		return errBomb
	}
	z.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser { return flate.NewReader(r) })
	out := zip.NewWriter(w)
	for _, f := range z.File {
		if signature(f.Name) {
			continue
		}
		if err := a.copyOfficePart(out, f); errors.Is(err, errBomb) || errors.Is(err, errUnwanted) {
			return err
		} else if err != nil {
			return errDocument
		}
	}
	return out.Close()
}

func isOffice(z *zip.Reader) bool {
	for _, f := range z.File {
		if f.Name == "[Content_Types].xml" || f.Name == "mimetype" || strings.HasPrefix(f.Name, "docProps/") {
			return true
		}
	}
	return false
}

// signature reports whether a part belongs to a digital signature, which
// names its maker and does not hold for what is changed.
func signature(name string) bool {
	return strings.HasPrefix(name, "_xmlsignatures/") || name == "META-INF/documentsignatures.xml" || name == "META-INF/macrosignatures.xml"
}

// copyOfficePart copies one part, as its rules say.
func (a *attachment) copyOfficePart(out *zip.Writer, f *zip.File) error {
	f.Comment = ""
	if a.holds([]byte(f.Name)) || a.holds(f.Extra) {
		a.hidden = true
	}
	with, fixed := officeParts[f.Name]
	switch {
	case fixed:
		return writePart(out, f, []byte(with))
	case f.FileInfo().IsDir():
		return out.Copy(f)
	case isXMLPart(f.Name):
		return a.copyXMLPart(out, f)
	}
	return a.copyBinaryPart(out, f)
}

func isXMLPart(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".xml", ".rels", ".vml", ".rdf", ".psmdcp", ".opf", ".ncx", ".xhtml", ".html", ".svg":
		return true
	}
	return false
}

// writePart writes a part anew.
func writePart(out *zip.Writer, f *zip.File, content []byte) error {
	part, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate})
	if err != nil {
		return err
	}
	_, err = part.Write(content)
	return err
}

func (a *attachment) copyXMLPart(out *zip.Writer, f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(budget{r, a}, maxOfficeXML+1))
	if err != nil {
		return err
	}
	if len(b) > maxOfficeXML {
		return errBomb
	}
	changed := a.officeXML(f.Name, b)
	if bytes.Equal(changed, b) {
		return out.Copy(f)
	}
	return writePart(out, f, changed)
}

// copyBinaryPart copies a picture or other file in a document without its own
// metadata: a photograph still says where it was taken.
func (a *attachment) copyBinaryPart(out *zip.Writer, f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if strings.HasPrefix(f.Name, "xl/printerSettings/") {
		b, err := io.ReadAll(io.LimitReader(budget{r, a}, maxProfile))
		if err != nil {
			return err
		}
		return writePart(out, f, emptyDevMode(b))
	}
	part, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: f.Method})
	if err != nil {
		return err
	}
	return a.within(part, budget{r, a})
}

// emptyDevMode empties the printer's name and what its driver keeps in
// Windows' DEVMODE.
func emptyDevMode(b []byte) []byte {
	const name, size = 64, 68 // of the name; where the size of the public part stands
	if len(b) < size+4 {
		return make([]byte, len(b))
	}
	clear(b[:name])
	public := min(int(b[size])|int(b[size+1])<<8, len(b))
	clear(b[public:])
	return b
}

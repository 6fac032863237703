package sanitize

import (
	"archive/zip"
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
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

// copyZip copies a zip file. An office document (OOXML, OpenDocument) loses
// what says who made it; its other files are copied as they are, still
// compressed. Another archive is not opened.
func (rw *rewriter) copyZip(w io.Writer, r *bufio.Reader) error {
	file, size, done, err := rw.spool(r)
	if err != nil {
		return err
	}
	defer done()
	z, err := zip.NewReader(file, size)
	if err != nil || !isOffice(z) {
		_, err := io.Copy(w, io.NewSectionReader(file, 0, size))
		return err
	}
	out := zip.NewWriter(w)
	for _, f := range z.File {
		f.Comment = ""
		if with, ok := officeParts[f.Name]; ok {
			part, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate})
			if err != nil {
				return err
			}
			if _, err := io.WriteString(part, with); err != nil {
				return err
			}
			continue
		}
		if err := out.Copy(f); err != nil {
			return refuse("An attached document is damaged. Please save it again and send it once more.")
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

// spool makes a stream readable by offset: in memory, or in a file of its own
// that is unlinked at once.
func (rw *rewriter) spool(r io.Reader) (file io.ReaderAt, size int64, done func(), err error) {
	head, err := io.ReadAll(io.LimitReader(r, officeMemory))
	if err != nil {
		return nil, 0, nil, err
	}
	if len(head) < officeMemory {
		return bytes.NewReader(head), int64(len(head)), func() {}, nil
	}
	f, err := os.CreateTemp(rw.o.TempDir, "office-*")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("spool an attached document: %w", err)
	}
	os.Remove(f.Name())
	size, err = io.Copy(f, io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		f.Close()
		return nil, 0, nil, fmt.Errorf("spool an attached document: %w", err)
	}
	return f, size, func() { f.Close() }, nil
}

package sanitize

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/klauspost/compress/flate"
)

// FileContent is a kind of file that can be told from within.
type FileContent string

// The kinds of file that can be refused.
const (
	FileProgram  FileContent = "program"  // Windows, Linux, macOS, Java, Android
	FileScript   FileContent = "script"   // names its interpreter in the first line
	FileShortcut FileContent = "shortcut" // Windows shell links
	FileImage    FileContent = "image"    // of a disk, which systems open like a folder
	FileMacros   FileContent = "macros"   // a document with macros
)

// Unwanted says which attached files are refused, also within zip files.
type Unwanted struct {
	Extensions []string // of names, in lower case, without a dot
	Contents   []FileContent
}

// none reports whether nothing is refused.
func (u *Unwanted) none() bool { return len(u.Extensions) == 0 && len(u.Contents) == 0 }

// errUnwanted says that a file is one that is refused; attachment.unwanted says
// which.
var errUnwanted = errors.New("an attached file is unwanted")

// Bounds of looking into zip files, in octets.
const (
	peekContent = 32<<10 + 6 // up to where an image of a CD says what it is
	maxZipInZip = 16 << 20
	maxHeaderAt = 256 << 20 // where Windows looks for the header of a program
)

// wrappings are extensions of what holds one file, whose name stands before them.
var wrappings = map[string]bool{"gz": true, "bz2": true, "xz": true, "zst": true, "zip": true}

// namesUnwanted reports whether a file's name has one of the extensions: the
// last, whatever follows that a system leaves out, or one before that of a
// compressed file. Before a colon is the name for a system that takes what
// follows for a stream of the file (MS-FSCC section 2.1.5).
func (u *Unwanted) namesUnwanted(name string) bool {
	file, _, stream := strings.Cut(name, ":")
	return u.endsUnwanted(name) || stream && u.endsUnwanted(file)
}

func (u *Unwanted) endsUnwanted(name string) bool {
	name, _, _ = strings.Cut(name, "\x00")
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Variation_Selector) {
			return -1
		}
		return r
	}, strings.ToLower(name))
	for range 3 {
		name = strings.TrimRightFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r == '.' })
		ext := strings.TrimPrefix(path.Ext(name), ".")
		if ext == "" {
			return false
		}
		if slices.Contains(u.Extensions, strings.TrimSpace(ext)) {
			return true
		}
		if !wrappings[ext] {
			return false
		}
		name = strings.TrimSuffix(name, "."+ext)
	}
	return false
}

// programKinds are media types by which mail programs give a file an extension
// that its name has not.
var programKinds = map[string]bool{
	"application/x-msdownload": true, "application/x-msdos-program": true, "application/vnd.microsoft.portable-executable": true, "application/x-executable": true,
	"application/hta": true, "application/java-archive": true, "application/vnd.android.package-archive": true,
}

// unwantedName refuses a part by what its header says it is.
func (rw *rewriter) unwantedName(p *outPart) error {
	u := &rw.o.Unwanted
	if u.namesUnwanted(p.name) || programKinds[p.kind] && slices.Contains(u.Contents, FileProgram) {
		return rw.refuseFile(p, &unwantedFile{})
	}
	return nil
}

// unwantedFile is what was found in an attached file.
type unwantedFile struct {
	within  string // the name of a file in it; empty: it is the file itself
	content FileContent
}

// refuseFile says which file is unwanted, and what to do.
func (rw *rewriter) refuseFile(p *outPart, f *unwantedFile) error {
	name := "The attached file " + rw.called(p)
	if inner := rw.fileName(f.within); inner != "" {
		name += " contains “" + inner + "”, which"
	}
	switch f.content {
	case FileMacros:
		return refuse("%s has macros in it, which can do harm. Macros can't be sent here: please save the document without them, or as a PDF, and send the message again.", name)
	case FileImage:
		return refuse("%s is the image of a disk. Such files can't be sent here: please attach what is in it by itself, and send the message again.", name)
	}
	return refuse("%s is a program, or of a kind that can run like one. Programs can't be sent here: please leave it out and send the message again.", name)
}

// lookAt tells what a file is by how it begins.
func (u *Unwanted) lookAt(head []byte) (FileContent, bool) {
	for _, c := range u.Contents {
		if is := beginnings[c]; is != nil && is(head) {
			return c, true
		}
	}
	return "", false
}

// beginnings tell kinds of file.
var beginnings = map[FileContent]func(head []byte) bool{
	FileProgram:  isProgram,
	FileScript:   begins("#!/", "#! /"),
	FileShortcut: begins("L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00F"), // MS-SHLLINK section 2.1
	FileImage: func(head []byte) bool {
		return len(head) >= peekContent && string(head[32769:32774]) == "CD001" || begins("vhdxfile", "conectix")(head) // ECMA-119 section 8.1
	},
}

func isProgram(head []byte) bool {
	switch {
	case begins("\x7fELF", "dex\n035", "dex\n036", "dex\n037", "dex\n038", "dex\n039", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe")(head):
		return true
	case begins("\xca\xfe\xba\xbe")(head) && len(head) >= 8:
		return true // a Java class, or a program for several processors
	case !begins("MZ")(head) || len(head) < 64:
		return false
	}
	// The header of a program for Windows says where the next one is; one for
	// DOS alone has none, but a size that fits.
	at := int64(binary.LittleEndian.Uint32(head[60:]))
	switch {
	case at > 0 && at < int64(len(head)-2):
		return slices.Contains([]string{"PE", "NE", "LE", "LX"}, string(head[at:at+2])) || head[2] < 2 && head[3] < 2
	case at > 0 && at < maxHeaderAt && len(head) >= peekContent:
		return true // it may be further on; a text has letters here, which is more
	}
	return binary.LittleEndian.Uint16(head[2:]) < 512 && binary.LittleEndian.Uint16(head[24:]) < 1024
}

// found notes an unwanted file.
func (a *attachment) found(within string, c FileContent) error {
	a.unwanted = &unwantedFile{within, c}
	return errUnwanted
}

// lookInZip looks at the names in a zip file, at how the files begin, and into
// those that are zip files themselves.
func (a *attachment) lookInZip(z *zip.Reader) error {
	u := &a.rw.o.Unwanted
	if u.none() || a.depth > maxWithin {
		return nil
	}
	if len(z.File) > maxOfficeParts {
		return errBomb
	}
	z.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser { return flate.NewReader(r) })
	head := make([]byte, peekContent)
	for _, f := range z.File {
		name := path.Base(strings.ReplaceAll(f.Name, `\`, "/"))
		switch {
		case f.FileInfo().IsDir():
			continue
		case u.namesUnwanted(name):
			return a.found(name, "")
		case strings.EqualFold(name, "vbaProject.bin") && slices.Contains(u.Contents, FileMacros):
			return a.found("", FileMacros)
		case f.Flags&1 != 0: // encrypted
			continue
		}
		if err := a.lookInEntry(f, name, head); err != nil {
			return err
		}
	}
	return nil
}

func (a *attachment) lookInEntry(f *zip.File, name string, head []byte) error {
	r, err := f.Open()
	if err != nil {
		return nil // damaged, or packed in a way that few programs know
	}
	defer r.Close()
	in := budget{r, a}
	n, err := io.ReadFull(in, head)
	if errors.Is(err, errBomb) {
		return err
	}
	if c, is := a.rw.o.Unwanted.lookAt(head[:n]); is {
		return a.found(name, c)
	}
	if !bytes.HasPrefix(head[:n], []byte("PK\x03\x04")) {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(head[:n]), in), maxZipInZip+1))
	switch {
	case errors.Is(err, errBomb), len(b) > maxZipInZip:
		return errBomb
	case err != nil:
		return nil
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil
	}
	a.depth++
	defer func() { a.depth-- }()
	return a.lookInZip(z)
}

// macros reports whether a compound file keeps macros (MS-OVBA section 2.2.1).
func (c *cfb) macros() bool {
	return slices.ContainsFunc(c.streams, func(s cfbStream) bool { return strings.EqualFold(s.name, "_VBA_PROJECT") })
}

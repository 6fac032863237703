package sanitize

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

var unwanted = Unwanted{
	Extensions: []string{"exe", "scr", "lnk", "bat", "js", "vbs"},
	Contents:   []FileContent{FileProgram, FileScript, FileShortcut, FileImage, FileMacros},
}

// archiveOf is a zip file of one file, or of several if names and contents follow.
func archiveOf(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = io.WriteString(w, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// windowsProgram is the beginning of one.
func windowsProgram() string {
	b := make([]byte, 256)
	copy(b, "MZ\x90\x00\x03")
	b[60] = 128
	copy(b[128:], "PE\x00\x00")
	return string(b)
}

// farProgram is the beginning of one whose header for Windows is beyond what is
// looked at, and whose size in pages is no program's for DOS.
func farProgram() string {
	b := make([]byte, peekContent+1000)
	copy(b, "MZ\xff\xff\xff\xff")
	binary.LittleEndian.PutUint32(b[60:], peekContent+100)
	copy(b[peekContent+100:], "PE\x00\x00")
	return string(b)
}

func withFile(name, kind, content string) string {
	return "From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n--b\r\n" +
		"Content-Type: " + kind + "\r\nContent-Disposition: attachment; filename=\"" + name + "\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString([]byte(content)) + "\r\n--b--\r\n"
}

func TestUnwantedFiles(t *testing.T) {
	const (
		program = "is a program, or of a kind that can run like one"
		octets  = "application/octet-stream"
		pdf     = "%PDF-1.4\n%%EOF\n"
	)
	cd := strings.Repeat("\x00", 32768) + "\x01CD001\x01\x00"
	shortcut := "L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00F" + strings.Repeat("\x00", 60)
	for name, c := range map[string]struct {
		file, kind, content string
		want                string // in the refusal; empty: it passes
	}{
		"by its name":                      {"setup.exe", octets, "x", "“setup.exe” " + program},
		"in capitals":                      {"SETUP.EXE", octets, "x", program},
		"with another before it":           {"invoice.pdf.exe", octets, "x", "“invoice.pdf.exe” " + program},
		"with what Windows leaves out":     {"photo.scr . ", octets, "x", program},
		"with dots and wide spaces":        {"photo.scr .\u3000.", octets, "x", program},
		"as a stream of the file":          {"photo.exe::$DATA", octets, "x", program},
		"as a stream with what is left":    {"photo.exe. :x.jpg", octets, "x", program},
		"after a colon":                    {"Re: photo.exe", octets, "x", program},
		"like a folder":                    {"photo.exe/", octets, "x", program},
		"like a folder of Windows":         {`photo.exe\\`, octets, "x", program},
		"a program that claims to be text": {"cv.txt", "text/plain", windowsProgram(), "“cv.txt” " + program},
		"in a zip file, as a stream":       {"cv.zip", "application/zip", archiveOf(t, "cv.exe::$DATA", "x"), program},
		"a script that claims to be text":  {"run.bat", "text/plain", "x", program},
		"wrapped":                          {"setup.exe.gz", octets, "x", program},
		"read from right to left":          {"=?utf-8?q?annex=E2=80=AEfdp=2Eexe?=", octets, "x", program},
		"as a parameter (RFC 2231)":        {"a\"; filename*=utf-8''evil%2Eexe; x=\"", octets, "x", program},
		"by its media type":                {"setup", "application/x-msdownload", "x", program},
		"a program named as a picture":     {"me.jpg", "image/jpeg", windowsProgram(), "“me.jpg” " + program},
		"with its header far away":         {"me.jpg", "image/jpeg", farProgram(), "“me.jpg” " + program},
		"for Linux":                        {"cv", octets, "\x7fELF\x02\x01\x01", program},
		"for a Mac":                        {"cv", octets, "\xcf\xfa\xed\xfe\x07\x00\x00\x01", program},
		"Java":                             {"cv", octets, "\xca\xfe\xba\xbe\x00\x00\x00\x34", program},
		"a script by its first line":       {"cv.txt", "text/plain", "#!/bin/sh\nrm -rf ~\n", program},
		"a shortcut":                       {"cv.pdf", "application/pdf", shortcut, program},
		"the image of a disk":              {"scenes.dat", octets, cd, "is the image of a disk"},
		"in a zip file, by name":           {"cv.zip", "application/zip", archiveOf(t, "cv.pdf", pdf, "docs/cv.pdf.exe", "x"), "“cv.zip” contains “cv.pdf.exe”, which " + program},
		"in a zip file, by content":        {"cv.zip", "application/zip", archiveOf(t, "cv.pdf", windowsProgram()), "contains “cv.pdf”, which " + program},
		"in a zip file in one":             {"cv.zip", "application/zip", archiveOf(t, "inner.zip", archiveOf(t, "x.js", "x")), "contains “x.js”"},
		"a zip file named otherwise":       {"cv.bin", octets, archiveOf(t, "x.lnk", "x"), "contains “x.lnk”"},
		"a document with macros":           {"cv.docm", octets, archiveOf(t, "[Content_Types].xml", "<Types/>", "word/vbaProject.bin", "x"), "“cv.docm” has macros in it"},

		"a PDF":                       {"cv.pdf", "application/pdf", pdf, ""},
		"an ordinary zip file":        {"photos.zip", "application/zip", archiveOf(t, "one.jpg", "\xff\xd8\xff\xd9", "two.txt", "text"), ""},
		"a document":                  {"cv.docx", octets, archiveOf(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<w/>"), ""},
		"a text that begins with MZ":  {"MZ.txt", "text/plain", "MZ is a file format, and this text is long enough to be looked at as one of it.\n", ""},
		"a long one":                  {"MZ.txt", "text/plain", strings.Repeat("MZ is a file format, and this is text.\n", 2000), ""},
		"a name with a colon":         {"exe: the film.pdf", "application/pdf", pdf, ""},
		"a name that holds one":       {"exe.pdf", "application/pdf", pdf, ""},
		"a name that begins with one": {"my.exercise.pdf", "application/pdf", pdf, ""},
		"a text about scripts":        {"note.txt", "text/plain", "The first line is #!/bin/sh\n", ""},
		"a damaged zip file":          {"cv.zip", "application/zip", archiveOf(t, "a", "b")[:30], ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Rewrite(io.Discard, strings.NewReader(withFile(c.file, c.kind, c.content)), Options{Unwanted: unwanted, TempDir: t.TempDir()})
			var refused *RefusedError
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.As(err, &refused) || !strings.Contains(refused.Reason, c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, err := Rewrite(io.Discard, strings.NewReader(withFile(c.file, c.kind, c.content)), Options{TempDir: t.TempDir()}); err != nil {
				t.Errorf("where nothing is unwanted: %v", err)
			}
		})
	}
}

// A Word document up to 2003 with macros; one without passes.
func TestMacrosOfOldDocuments(t *testing.T) {
	for _, stream := range []string{"_VBA_PROJECT", "Other"} {
		doc := compound("WordDocument", strings.Repeat("x", 5000), stream, strings.Repeat("y", 5000))
		_, err := Rewrite(io.Discard, strings.NewReader(withFile("cv.doc", "application/msword", string(doc))), Options{Unwanted: unwanted, TempDir: t.TempDir()})
		if (err != nil) != (stream == "_VBA_PROJECT") || err != nil && !strings.Contains(err.Error(), "has macros in it") {
			t.Errorf("with a stream %s: %v", stream, err)
		}
	}
}

// In a message within the message it is the same file; a zip file that is
// encrypted shows its names, one of very many files costs what one costs that
// unpacks to too much.
func TestUnwantedFilesWithin(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes")
	}
	inner := withFile("setup.exe", "application/octet-stream", "x")
	raw := "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n" + inner
	if _, err := Rewrite(io.Discard, strings.NewReader(raw), Options{Unwanted: unwanted}); err == nil || !strings.Contains(err.Error(), "setup.exe") {
		t.Errorf("forwarded: %v", err)
	}
	var many []string
	for i := range maxOfficeParts + 1 {
		many = append(many, fmt.Sprint(i), "")
	}
	_, err := Rewrite(io.Discard, strings.NewReader(withFile("many.zip", "application/zip", archiveOf(t, many...))), Options{Unwanted: unwanted, TempDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "unpacks to far more than its size") {
		t.Errorf("of very many files: %v", err)
	}
	bomb := archiveOf(t, "a.zip", archiveOf(t, "zeros", strings.Repeat("\x00", maxZipInZip))+strings.Repeat("\x00", maxZipInZip))
	if _, err := Rewrite(io.Discard, strings.NewReader(withFile("bomb.zip", "application/zip", bomb)), Options{Unwanted: unwanted, TempDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "unpacks to far more") {
		t.Errorf("a bomb: %v", err)
	}
}

func FuzzUnwantedName(f *testing.F) {
	for _, s := range []string{"a.exe", "a.exe.gz.gz", "....", "\u202eexe.pdf", "a.exe\x00.pdf"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if unwanted.namesUnwanted(name) != unwanted.namesUnwanted(name+" . ") {
			t.Errorf("%q: what Windows leaves out matters", name)
		}
	})
}

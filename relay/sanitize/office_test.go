package sanitize

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// zipOf makes a zip of names and contents, in turns. A name that begins with
// = is stored.
func zipOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		name, store := strings.CutPrefix(files[i], "=")
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if store {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, files[i+1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unzip is the contents by name.
func unzip(t testing.TB, b []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(content)
	}
	return out
}

// TestOfficeParts: what each part of a document becomes.
func TestOfficeParts(t *testing.T) {
	link := `<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink" Target="mailto:` + secret + `" TargetMode="External"/>`
	for name, c := range map[string]struct{ part, in, want string }{
		"tracked author":        {"word/document.xml", `<w:ins w:id="1" w:author="` + secret + `" w:date="x"><w:t>by heart</w:t></w:ins>`, `<w:ins w:id="1" w:author="Author" w:date="x"><w:t>by heart</w:t></w:ins>`},
		"author's name":         {"word/comments.xml", `<w:comment w:author="Jane R" w:initials="JR"><w:t>Jane R: "x" > y</w:t></w:comment>`, `<w:comment w:author="Author" w:initials="Author"><w:t>Jane R: "x" > y</w:t></w:comment>`},
		"single quotes":         {"word/footnotes.xml", `<w:del w:author='` + secret + `'/>`, `<w:del w:author='Author'/>`},
		"a comment":             {"word/document.xml", `<a/><!-- ` + secret + ` --><b/>`, `<a/><b/>`},
		"workbook comments":     {"xl/comments1.xml", `<authors><author>` + secret + `</author><author/></authors><t>see A1</t>`, `<authors><author>Author</author><author/></authors><t>see A1</t>`},
		"workbook persons":      {"xl/persons/person.xml", `<person displayName="Jane" id="{1}" userId="` + secret + `" providerId="AD"/>`, `<person displayName="Author" id="{1}" userId="Author" providerId="AD"/>`},
		"workbook's path":       {"xl/workbook.xml", `<x15ac:absPath url="C:\Users\jane.roe\cv\"/><fileSharing userName="jane"/><sheet name="Roles"/>`, `<x15ac:absPath url=""/><fileSharing userName="Author"/><sheet name="Roles"/>`},
		"linked workbook":       {"xl/externalLinks/_rels/externalLink1.xml.rels", `<Relationship Type="x/externalLinkPath" Target="file:///C:\Users\jane\b.xlsx"/>`, `<Relationship Type="x/externalLinkPath" Target="file:///b.xlsx"/>`},
		"template":              {"word/_rels/settings.xml.rels", `<Relationship Type="x/attachedTemplate" Target="file:///\\server\jane\cv.dotx"/>`, `<Relationship Type="x/attachedTemplate" Target="file:///cv.dotx"/>`},
		"a link that was typed": {"word/_rels/document.xml.rels", link, link},
		"slide authors":         {"ppt/commentAuthors.xml", `<p:cmAuthor id="0" name="Jane" initials="J" lastIdx="1"/>`, `<p:cmAuthor id="0" name="Author" initials="Author" lastIdx="1"/>`},
		"a slide's text":        {"ppt/slides/slide1.xml", `<p:cNvPr id="4" name="Title 1"/><a:t>Hello</a:t>`, `<p:cNvPr id="4" name="Title 1"/><a:t>Hello</a:t>`},
		"a form's data":         {"customXml/item1.xml", `<x><mail>` + secret + `</mail></x>`, `<x><mail>removed</mail></x>`},
		"settings":              {"word/settings.xml", `<w:docVar w:name="a" w:val="` + secret + `"/>`, `<w:docVar w:name="a" w:val="removed"/>`},
		"properties":            {"docProps/core.xml", `<dc:creator>` + secret + `</dc:creator>`, officeParts["docProps/core.xml"]},
		"OpenDocument note":     {"content.xml", `<office:annotation><dc:creator>Jane</dc:creator><dc:date>x</dc:date><text:p>ok</text:p></office:annotation>`, `<office:annotation><dc:creator>Author</dc:creator><dc:date>x</dc:date><text:p>ok</text:p></office:annotation>`},
		"OpenDocument printer":  {"settings.xml", `<a><config:config-item config:name="PrinterName" config:type="string">Jane's</config:config-item><b/></a>`, `<a><b/></a>`},
		"properties elsewhere":  {"package/services/metadata/core-properties/1.psmdcp", `<dc:creator>Jane</dc:creator><a>` + secret + `</a>`, `<dc:creator>Author</dc:creator><a>removed</a>`},
		"OpenDocument meta":     {"meta.xml", `<meta:initial-creator>` + secret + `</meta:initial-creator>`, officeParts["meta.xml"]},
		"broken XML":            {"word/document.xml", `<w:t>1 < 2 <w:ins w:author="Jane"`, `<w:t>1 < 2 <w:ins w:author="Jane"`},
	} {
		t.Run(name, func(t *testing.T) {
			in := zipOf(t, "[Content_Types].xml", "<Types/>", c.part, c.in)
			out, a := through(t, in, TypedAllow)
			if a.hidden || a.sealed {
				t.Error("refused")
			}
			if got := unzip(t, out)[c.part]; got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			if found, err := (&gate{search: newSearch(jane), typed: TypedAllow}).leaksFile("application/zip", bytes.NewReader(out)); found || err != nil {
				t.Errorf("the gate does not let it pass (%v)", err)
			}
		})
	}
}

// TestOfficeSignature: a signature names its maker, and no longer holds.
func TestOfficeSignature(t *testing.T) {
	out := unzip(t, stripped(t, zipOf(t, "[Content_Types].xml", `<Types><Override PartName="/_xmlsignatures/sig1.xml"/><Override PartName="/word/document.xml"/></Types>`,
		"_rels/.rels", `<Relationships><Relationship Type="x/digital-signature/origin" Target="_xmlsignatures/origin.sigs"/><Relationship Target="word/document.xml"/></Relationships>`,
		"_xmlsignatures/sig1.xml", secret, "word/document.xml", "<a/>")))
	if len(out) != 3 || out["[Content_Types].xml"] != `<Types><Override PartName="/word/document.xml"/></Types>` || out["_rels/.rels"] != `<Relationships><Relationship Target="word/document.xml"/></Relationships>` {
		t.Errorf("%q", out)
	}
}

// TestOfficePictures: a photograph in a document loses its own metadata.
func TestOfficePictures(t *testing.T) {
	photo := realFiles(t)["picture.jpg"]
	want := stripped(t, bytes.Clone(photo))
	sheet := zipOf(t, "[Content_Types].xml", "<Types/>", "docProps/core.xml", secret, "xl/media/image1.jpg", string(photo))
	out := unzip(t, stripped(t, zipOf(t, "[Content_Types].xml", "<Types/>", "=word/media/image1.jpg", string(photo), "word/embeddings/sheet.xlsx", string(sheet))))
	if out["word/media/image1.jpg"] != string(want) {
		t.Error("the picture is not as it is by itself")
	}
	inner := unzip(t, []byte(out["word/embeddings/sheet.xlsx"]))
	if inner["xl/media/image1.jpg"] != string(want) || strings.Contains(inner["docProps/core.xml"], "realmail") {
		t.Error("the document within was not looked into")
	}
}

// TestOfficeShown: what a document says counts as typed, also where its
// program parts it into runs.
func TestOfficeShown(t *testing.T) {
	for name, c := range map[string]struct {
		part, text    string
		shown, hidden bool
	}{
		"plain":              {"word/document.xml", "<w:t>Write to " + secret + "</w:t>", true, false},
		"stored":             {"=word/document.xml", "<w:t>Write to " + secret + "</w:t>", true, false},
		"in runs":            {"word/document.xml", `<w:t>jane.roe@</w:t></w:r><w:proofErr w:type="x"/><w:r><w:t>realmail</w:t></w:r><w:r><w:t>.example</w:t>`, true, false},
		"entities":           {"content.xml", "<text:p>jane.roe&#64;realmail.example</text:p>", true, false},
		"a link":             {"ppt/slides/_rels/slide1.xml.rels", `<Relationship Type="x/relationships/hyperlink" Target="mailto:` + secret + `"/>`, true, false},
		"another's":          {"word/document.xml", "<w:t>sam@else.example</w:t>", false, false},
		"in a binary part":   {"word/vbaProject.bin", "\x01\x02" + secret + "\x00", false, true},
		"in a part's name":   {"word/media/" + secret + ".png", "x", false, true},
		"in UTF-16":          {"word/document.xml", "\xff\xfe" + strings.Join(strings.Split(secret+" ", ""), "\x00"), false, true},
		"in a macro's table": {"customUI/images/a.bin", secret, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := zipOf(t, "[Content_Types].xml", "<Types/>", c.part, c.text)
			for _, typed := range []Typed{TypedAllow, TypedRedact, TypedRefuse} {
				_, a := through(t, in, typed)
				if shown := c.shown && typed != TypedAllow; a.shown != shown || a.hidden != c.hidden {
					t.Errorf("%s: shown %v, hidden %v", typed, a.shown, a.hidden)
				}
			}
		})
	}
}

// TestOfficeText: documents of one XML text lose the same.
func TestOfficeText(t *testing.T) {
	for in, want := range map[string]string{
		`<?xml version="1.0"?><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"><office:meta><dc:creator>` + secret + `</dc:creator></office:meta><text:p>my resume</text:p>`: `<?xml version="1.0"?><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"><text:p>my resume</text:p>`,
		`<?xml version="1.0"?><?mso-application progid="Word.Document"?><w:wordDocument><o:DocumentProperties><o:Author>` + secret + `</o:Author></o:DocumentProperties><aml:annotation aml:author="Jane"/>`: `<?xml version="1.0"?><?mso-application progid="Word.Document"?><w:wordDocument><aml:annotation aml:author="Author"/>`,
	} {
		if out, a := through(t, []byte(in), TypedAllow); string(out) != want || a.hidden {
			t.Errorf("%s\nwant %s", out, want)
		}
	}
}

// TestOfficeBomb: a part that unpacks to far more than it is ends the matter.
func TestOfficeBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes")
	}
	zeros := strings.Repeat("\x00", 24<<20)
	in := zipOf(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<a/>", "word/a.bin", zeros, "word/b.bin", zeros, "word/c.bin", zeros, "word/d.xml", zeros, "word/e.xml", zeros, "word/f.xml", zeros)
	a := &attachment{rw: &rewriter{o: Options{TempDir: t.TempDir()}, id: compile(&jane)}, left: maxInflated}
	if err := a.copy(io.Discard, bytes.NewReader(in)); !errors.Is(err, errBomb) {
		t.Errorf("it passed: %v", err)
	}
	if found, _ := (&gate{search: newSearch(jane), typed: TypedAllow}).leaksFile("application/zip", bytes.NewReader(in)); !found {
		t.Error("the gate let it pass")
	}
	_, rerr := Rewrite(io.Discard, strings.NewReader(attached("application/zip", "a.docx", in)), Options{Identity: jane, TempDir: t.TempDir()})
	if !isRefusal(rerr) || !strings.Contains(rerr.Error(), "a.docx") {
		t.Errorf("not refused in words: %v", rerr)
	}
}

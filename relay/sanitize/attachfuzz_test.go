package sanitize

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// fuzzFiles takes whatever becomes of some real files through. Nothing panics,
// an address that can be seen in the result was noticed, and what has no
// parts that are packed does not grow by more than a fresh orientation.
func fuzzFiles(f *testing.F, pattern string) {
	for name, b := range realFiles(f) {
		if ok, _ := filepath.Match(pattern, name); ok {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typed := range []Typed{TypedAllow, TypedRefuse} {
			a := &attachment{rw: &rewriter{o: Options{Typed: typed}, id: compile(&jane)}, left: 4 << 20}
			var out bytes.Buffer
			if err := a.copy(&out, bytes.NewReader(b)); err != nil {
				continue
			}
			if bytes.Contains(out.Bytes(), []byte(secret)) && !a.shown && !a.hidden && !a.sealed {
				t.Errorf("%s: an address was not noticed", typed)
			}
			if formatOf(b).pack == nil && out.Len() > len(b)+len(orientationSegment(1)) {
				t.Errorf("%d octets became %d", len(b), out.Len())
			}
			g := &gate{search: newSearch(jane), typed: typed}
			if _, err := g.leaksFile("application/octet-stream", bytes.NewReader(out.Bytes())); err != nil && err != io.ErrUnexpectedEOF {
				t.Error(err)
			}
		}
	})
}

func FuzzMP4(f *testing.F)      { fuzzFiles(f, "f*m[po][4v]") }
func FuzzHEIF(f *testing.F)     { fuzzFiles(f, "picture.[ah][ev]i[cf]") }
func FuzzPicture(f *testing.F)  { fuzzFiles(f, "picture.[jpgw][pnie][gfbk]*") }
func FuzzTIFF(f *testing.F)     { fuzzFiles(f, "*.tiff") }
func FuzzRIFF(f *testing.F)     { fuzzFiles(f, "*.[aw][aiv][vi]*") }
func FuzzMP3(f *testing.F)      { fuzzFiles(f, "*.mp3") }
func FuzzFLAC(f *testing.F)     { fuzzFiles(f, "*.flac") }
func FuzzOgg(f *testing.F)      { fuzzFiles(f, "sound.o*") }
func FuzzMatroska(f *testing.F) { fuzzFiles(f, "*.webm") }
func FuzzPDF(f *testing.F)      { fuzzFiles(f, "*.pdf") }
func FuzzOLE(f *testing.F)      { fuzzFiles(f, "*.xls") }
func FuzzOffice(f *testing.F)   { fuzzFiles(f, "*.xlsx") }

func FuzzSVG(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><svg inkscape:export-filename="` + secret + `"><metadata>` + secret + `</metadata><!-- x --><text>a</text></svg>`))
	fuzzFiles(f, "none")
}

func FuzzRTF(f *testing.F) {
	f.Add([]byte(`{\rtf1{\info{\author ` + secret + `}}{\*\revtbl{Jane;}}\pard My \'e9 resume}`))
	fuzzFiles(f, "none")
}

// FuzzOfficeXML: an XML part changes only where it names people.
func FuzzOfficeXML(f *testing.F) {
	f.Add("word/document.xml", `<w:ins w:author="Jane"><w:t>x</w:t></w:ins><!-- c --><dc:creator>Jane</dc:creator>`)
	f.Add("xl/_rels/workbook.xml.rels", `<Relationship Target="file:///C:\a\b" Type='x'/>`)
	f.Fuzz(func(t *testing.T, name, s string) {
		a := &attachment{rw: &rewriter{o: Options{Typed: TypedRefuse}, id: compile(&jane)}, left: maxInflated}
		out := string(a.officeXML(name, []byte(s)))
		if !strings.ContainsAny(s, "<@=%&") && !strings.Contains(s, "realmail") && !strings.Contains(s, "work") && out != s {
			t.Errorf("%q became %q", s, out)
		}
	})
}

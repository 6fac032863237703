package sanitize

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

func zipped(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

// stream is a PDF's stream object.
func stream(id int, dict, data string) string {
	return fmt.Sprintf("%d 0 obj\n<< %s /Length %d >>\nstream\n%s\nendstream\nendobj\n", id, dict, len(data), data)
}

// packed is an object stream that holds one object.
func packed(id, number int, object string) string {
	return stream(id, "/Type /ObjStm /N 1 /First 6 /Filter /FlateDecode", zipped(fmt.Sprintf("%-5d0 ", number)[:6]+object))
}

// bigEndian is a text in UTF-16 in hexadecimal.
func bigEndian(s string) string {
	out := "FEFF"
	for _, u := range utf16.Encode([]rune(s)) {
		out += fmt.Sprintf("%04X", u)
	}
	return out
}

// TestPDFMetadata: each place that names a person is emptied, at the same
// length; what a page, a form or a bookmark says stays.
func TestPDFMetadata(t *testing.T) {
	trailer := "trailer << /Root 9 0 R /Info 1 0 R >>\n%%EOF\n"
	page := stream(8, "", "BT (My resume) Tj ET")
	for name, c := range map[string]struct{ in, gone, stays string }{
		"information":         {"1 0 obj << /Author (" + secret + ") /Title (My (own\\)) " + secret + ") /CreationDate (D:2026) >> endobj\n" + trailer, secret, "(D:2026)"},
		"in UTF-16":           {"1 0 obj << /Author <" + bigEndian(secret) + "> >> endobj\n" + trailer, bigEndian("jane"), "/Author <>"},
		"name with an escape": {"1 0 obj << /Auth#6fr (" + secret + ") /Producer (x) >> endobj\n" + trailer, secret, "/Auth#6fr ()"},
		"in another object":   {"1 0 obj << /Author 5 0 R /Producer (x) >> endobj\n5 0 obj (" + secret + ") endobj\n" + trailer, secret, "5 0 obj ()"},
		"an older revision":   {"4 0 obj << /Author (" + secret + ") /Producer (x) >> endobj\n" + trailer + "1 0 obj << /Author (Jane) >> endobj\n" + trailer, secret, ""},
		"in an object stream": {packed(3, 1, "<< /Author ("+secret+") /Keywords (casting, stage) >>") + trailer, secret, ""},
		"metadata stream":     {stream(3, "/Type /Metadata /Subtype /XML", "<x:xmpmeta xmlns:x='adobe:ns:meta/'><dc:creator>"+secret+"</dc:creator></x:xmpmeta>   "+strings.Repeat(" ", 90)), secret, "<x:xmpmeta"},
		"packed metadata":     {stream(3, "/Type /Metadata /Subtype /XML /Filter /FlateDecode", zipped("<x:xmpmeta><dc:creator>"+secret+"</dc:creator></x:xmpmeta>")), secret, ""},
		"a picture's EXIF":    {stream(3, "/Subtype /Image /Filter /DCTDecode", "\xff\xd8"+string(segment(0xe1, "Exif\x00\x00"+secret))+"\xff\xda\x00\x04xxpixels"), secret, "pixels"},
		"a note's author":     {"3 0 obj << /Type /Annot /Subtype /Highlight /T (" + secret + ") /Contents (fine) >> endobj\n", secret, "(fine)"},
		"a field's name":      {"3 0 obj << /Type /Annot /Subtype /Widget /FT /Tx /T (your.name) >> endobj\n", "\x00", "/T (your.name)"},
		"a bookmark":          {"3 0 obj << /Title (Chapter 1) /Dest [8 0 R /Fit] /Parent 4 0 R >> endobj\n", "\x00", "/Title (Chapter 1)"},
		"an embedded file":    {"3 0 obj << /Type /Filespec /F (" + secret + ".txt) /EF << /F 4 0 R >> >> endobj\n5 0 obj << /Type /Filespec /F (cv.txt) /EF << /F 4 0 R >> >> endobj\n", secret, "/F (cv.txt)"},
		"a signature":         {"3 0 obj << /Type /Sig /Name (" + secret + ") /Contents <" + fmt.Sprintf("%x", secret) + "> /M (D:2026) >> endobj\n", fmt.Sprintf("%x", "jane"), "(D:2026)"},
		"a program's own":     {"3 0 obj << /Type /Page /PieceInfo << /App << /Private << /User (" + secret + ") >> >> >> >> endobj\n", secret, "/Type /Page"},
	} {
		t.Run(name, func(t *testing.T) {
			in := "%PDF-1.7\n" + page + c.in
			out := string(stripped(t, []byte(in)))
			if len(out) != len(in) {
				t.Fatalf("%d octets became %d", len(in), len(out))
			}
			plain := out + unzippedStreams(t, out)
			if strings.Contains(plain, c.gone) {
				t.Errorf("%q is left in %q", c.gone, plain)
			}
			if !strings.Contains(plain, c.stays) || !strings.Contains(out, page) {
				t.Errorf("%q or the page is gone from %q", c.stays, plain)
			}
		})
	}
}

// unzippedStreams are the contents of the streams that zlib reads to their
// end, checksum included.
func unzippedStreams(t *testing.T, pdf string) string {
	var out bytes.Buffer
	for _, part := range strings.Split(pdf, "stream\n\x78")[1:] {
		z, err := zlib.NewReader(strings.NewReader("\x78" + part))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// TestPDFShown: what a page says counts as typed, however it is written.
func TestPDFShown(t *testing.T) {
	codes := func(s string) string {
		out := ""
		for i := range s {
			out += fmt.Sprintf("%04x", s[i]-32)
		}
		return out
	}
	font := "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0000> <005f> <0020> endbfrange endcmap"
	for name, c := range map[string]struct {
		in    string
		shown bool
	}{
		"plain":             {stream(3, "", "BT (Write to "+secret+") Tj ET"), true},
		"compressed":        {stream(3, "/Filter /FlateDecode", zipped("BT (Write to "+secret+") Tj ET")), true},
		"a list of filters": {stream(3, "/Filter [/ASCIIHexDecode /FlateDecode]", fmt.Sprintf("%x>", zipped("BT ("+secret+") Tj ET"))), true},
		"kerned":            {stream(3, "/Filter /FlateDecode", zipped("BT [(jane.r) -20 (oe@re) 15 (almail.exa) 3 (mple)] TJ ET")), true},
		"octal":             {stream(3, "/Filter /FlateDecode", zipped(`BT (jane.roe\100realmail\056example) Tj ET`)), true},
		"another's codes":   {stream(3, "/Filter /FlateDecode", zipped("BT <"+codes(secret)+"> Tj ET")) + stream(4, "/Filter /FlateDecode", zipped(font)), true},
		"a link":            {"3 0 obj << /Type /Annot /Subtype /Link /A << /S /URI /URI (mailto:" + secret + ") >> >> endobj\n", true},
		"another's":         {stream(3, "/Filter /FlateDecode", zipped("BT (Write to sam@else.example) Tj ET")), false},
	} {
		t.Run(name, func(t *testing.T) {
			in := "%PDF-1.7\n" + c.in
			for typed, want := range map[Typed]bool{TypedRefuse: c.shown, TypedRedact: c.shown} {
				out, a := through(t, []byte(in), typed)
				if a.shown != want || a.hidden || a.sealed {
					t.Errorf("%s: shown %v, hidden %v, sealed %v", typed, a.shown, a.hidden, a.sealed)
				}
				if string(out) != in {
					t.Errorf("%s: the file has changed", typed)
				}
			}
			out, a := through(t, []byte(in), TypedAllow)
			if a.hidden || a.sealed || string(out) != in {
				t.Errorf("allow: hidden %v, sealed %v", a.hidden, a.sealed)
			}
			if found, err := (&gate{search: newSearch(jane), typed: TypedAllow}).leaksFile("application/pdf", bytes.NewReader(out)); found || err != nil {
				t.Errorf("the gate does not let it pass (%v)", err)
			}
		})
	}
}

// TestDeflateTo: content fits into exactly the room that it had.
func TestDeflateTo(t *testing.T) {
	content := bytes.Repeat([]byte("<< /Author () /Title () >> "), 20)
	least := 0
	for n := range 400 {
		b, ok := deflateTo(content, n)
		if !ok {
			least = n + 1
			continue
		}
		if len(b) != n {
			t.Fatalf("%d octets, not %d", len(b), n)
		}
		got := unzippedStreams(t, "stream\n"+string(b))
		if strings.TrimRight(got, " ") != strings.TrimRight(string(content), " ") {
			t.Fatalf("in %d octets it became %q", n, got)
		}
	}
	if least == 0 || least > 120 {
		t.Errorf("it takes %d octets", least)
	}
	if n := len(zipped(string(content))); least > n+12 {
		t.Errorf("it takes %d octets, zlib alone %d", least, n)
	}
}

// TestPDFWork: a file that is made to be looked at again and again is not.
func TestPDFWork(t *testing.T) {
	for name, unit := range map[string]string{"objects": "1 0 obj<", "arrays": "1 0 obj[", "strings": "1 0 obj[(", "trailers": "trailer<</A(", "dictionaries": "1 0 obj<</A"} {
		t.Run(name, func(t *testing.T) {
			b := []byte("%PDF-1.7\n" + strings.Repeat(unit, 100000))
			a := &attachment{rw: &rewriter{id: compile(&jane)}, left: maxInflated}
			p := &pdf{a: a, b: b, info: map[pdfID]bool{}, loose: map[pdfID]bool{}, work: pdfWork * len(b)}
			p.scan()
			p.trailers()
			if p.work < -len(b) {
				t.Errorf("%d octets were looked at in a file of %d", pdfWork*len(b)-p.work, len(b))
			}
		})
	}
}

package sanitize

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// tiffOf is a TIFF in big-endian order: entries of tag, type, count and value,
// and what the values point to, which begins at offset 8+2+12*n+4.
func tiffOf(entries [][4]int, rest string) []byte {
	b := []byte("MM\x00\x2a\x00\x00\x00\x08")
	b = binary.BigEndian.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = binary.BigEndian.AppendUint16(b, uint16(e[0]))
		b = binary.BigEndian.AppendUint16(b, uint16(e[1]))
		b = binary.BigEndian.AppendUint32(b, uint32(e[2]))
		b = binary.BigEndian.AppendUint32(b, uint32(e[3]))
	}
	return append(append(b, 0, 0, 0, 0), rest...)
}

// TestTIFF: entries that are no part of the picture go with their values, in
// the directories below too.
func TestTIFF(t *testing.T) {
	at := 8 + 2 + 12*4 + 4
	below := string(tiffOf([][4]int{{0x9286, 7, len(secret), at + len(secret) + 18}}, "")[8:]) + secret // EXIF's UserComment
	in := tiffOf([][4]int{{256, 4, 1, 60}, {274, 3, 1, 6 << 16}, {315, 2, len(secret), at}, {34665, 4, 1, at + len(secret)}}, secret+below+"pixels")
	out := stripped(t, bytes.Clone(in))
	want := tiffOf([][4]int{{256, 4, 1, 60}, {274, 3, 1, 6 << 16}}, "")
	if len(out) != len(in) || !bytes.HasPrefix(out, want) || bytes.Contains(out, []byte(secret)) || !bytes.HasSuffix(out, []byte("pixels")) {
		t.Errorf("%q", out)
	}
	if exifOrientation(out) != 6 {
		t.Error("the orientation is gone")
	}
	for name, entries := range map[string][][4]int{
		"points to itself": {{330, 4, 1, 8}}, "beyond the file": {{315, 2, 1 << 30, 1 << 30}}, "unknown type": {{315, 99, 1, 8}}, "no entries": {},
	} {
		if out, _ := through(t, tiffOf(entries, "rest"), TypedAllow); !bytes.HasSuffix(out, []byte("rest")) {
			t.Errorf("%s: %q", name, out)
		}
	}
}

// TestUncompressed: a BMP holds nothing but the picture, a TIFF of Go's
// encoder too: both pass as they are.
func TestUncompressed(t *testing.T) {
	var b, f bytes.Buffer
	if err := bmp.Encode(&b, picture()); err != nil {
		t.Fatal(err)
	}
	if err := tiff.Encode(&f, picture(), &tiff.Options{Compression: tiff.Deflate}); err != nil {
		t.Fatal(err)
	}
	for _, in := range [][]byte{b.Bytes(), f.Bytes()} {
		out := stripped(t, bytes.Clone(in))
		want, _, err := image.Decode(bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := image.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		samePixels(t, got, want)
	}
	if _, a := through(t, append(b.Bytes(), secret...), TypedAllow); !a.hidden {
		t.Error("an address behind a BMP was let pass")
	}
}

// TestPNGChunks: only what a picture looks different without stays.
func TestPNGChunks(t *testing.T) {
	var p bytes.Buffer
	if err := png.Encode(&p, picture()); err != nil {
		t.Fatal(err)
	}
	profile := "sRGB\x00\x00" + zipped("profile of colours")
	for name, c := range map[string]struct {
		chunk []byte
		stays string
	}{
		"compressed text":   {chunk("zTXt", "Author\x00\x00"+zipped(secret)), ""},
		"other text":        {chunk("iTXt", "XML:com.adobe.xmp\x00\x01\x00\x00\x00"+zipped(secret)), ""},
		"a program's own":   {chunk("vpAg", secret), ""},
		"profile":           {chunk("iCCP", profile), "iCCP"},
		"profile's name":    {chunk("iCCP", secret+"\x00\x00"+zipped("x")), "ICC profile"},
		"profile that says": {chunk("iCCP", "x\x00\x00"+zipped("Copyright "+secret)), ""},
		"profile, damaged":  {chunk("iCCP", "x\x00\x00zzzz"), ""},
		"not turned":        {chunk("eXIf", string(orientationTIFF(1))), ""},
		"turned":            {chunk("eXIf", string(orientationTIFF(8))+secret), string(orientationTIFF(8))},
	} {
		t.Run(name, func(t *testing.T) {
			out := stripped(t, insert(p.Bytes(), 33, c.chunk))
			if c.stays == "" && !bytes.Equal(out, p.Bytes()) || !bytes.Contains(out, []byte(c.stays)) || bytes.Contains(out, []byte(secret)) {
				t.Errorf("%q", out)
			}
			if _, err := png.Decode(bytes.NewReader(out)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDrawings: SVG and RTF lose who made them; what they show stays, octet for
// octet, and counts as typed.
func TestDrawings(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"metadata":       {`<svg a="1"><metadata><rdf:RDF>` + secret + `</rdf:RDF></metadata><path d="M0 0"/></svg>`, `<svg a="1"><path d="M0 0"/></svg>`},
		"comment":        {`<?xml version="1.0"?><!-- ` + secret + ` --><svg><text>Hi &amp; bye</text></svg>`, `<?xml version="1.0"?><svg><text>Hi &amp; bye</text></svg>`},
		"export path":    {`<svg inkscape:export-filename="/home/jane/cv.png" sodipodi:docname="` + secret + `" id='x'/>`, `<svg inkscape:export-filename="" sodipodi:docname="" id='x'/>`},
		"nested element": {`<svg><metadata><metadata/>` + secret + `<metadata></metadata></metadata><g/></svg>`, `<svg><g/></svg>`},
		"RTF author":     {`{\rtf1{\info{\author ` + secret + `}{\title x}}\pard My resume\par}`, `{\rtf1` + strings.Repeat(" ", len(`{\info{\author }{\title x}}`)+len(secret)) + `\pard My resume\par}`},
		"RTF revisers":   {`{\rtf1{\*\revtbl{Unknown;}{` + secret + `;}}\revised x}`, `{\rtf1{\*\revtbl{       ;}{` + strings.Repeat(" ", len(secret)) + `;}}\revised x}`},
		"RTF, unclosed":  {`{\rtf1 text {\info ` + secret, `{\rtf1 text ` + strings.Repeat(" ", len(`{\info `)+len(secret))},
		"RTF, a word":    {`{\rtf1 {\information text}}`, `{\rtf1 {\information text}}`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, typed := range []Typed{TypedAllow, TypedRefuse} {
				out, a := through(t, []byte(c.in), typed)
				if string(out) != c.want || a.shown || a.hidden {
					t.Errorf("%q\nwant %q (shown %v, hidden %v)", out, c.want, a.shown, a.hidden)
				}
			}
		})
	}
	for name, in := range map[string]string{
		"SVG": `<svg><text>jane.roe<tspan>@realmail.example</tspan></text></svg>`, "SVG, plain": `<svg><text>` + secret + `</text></svg>`,
		"RTF": `{\rtf1 jane.roe\'40{\b realmail}.example}`, "RTF, plain": `{\rtf1 ` + secret + `}`,
	} {
		if out, a := through(t, []byte(in), TypedRefuse); !a.shown || a.hidden || string(out) != in {
			t.Errorf("%s: shown %v, hidden %v", name, a.shown, a.hidden)
		}
		out, a := through(t, []byte(in), TypedAllow)
		if a.hidden {
			t.Errorf("%s: refused", name)
		}
		if found, err := (&gate{search: newSearch(jane), typed: TypedAllow}).leaksFile("image/svg+xml", bytes.NewReader(out)); found || err != nil {
			t.Errorf("%s: the gate does not let it pass (%v)", name, err)
		}
	}
}

package sanitize

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"
)

const secret = "jane.roe@realmail.example"

// picture is a small image with some detail.
func picture() *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, 60, 40), color.Palette{color.Black, color.White, color.RGBA{200, 10, 30, 255}})
	for i := range m.Pix {
		m.Pix[i] = byte(i * i % 7 % 3)
	}
	return m
}

func segment(marker byte, body string) []byte {
	return append([]byte{0xff, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
}

func chunk(kind, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func insert(b []byte, at int, pieces ...[]byte) []byte {
	return append(append(bytes.Clone(b[:at]), bytes.Join(pieces, nil)...), b[at:]...)
}

// through takes a file through as an attachment of Jane's.
func through(t testing.TB, in []byte, typed Typed) ([]byte, *attachment) {
	t.Helper()
	a := &attachment{rw: &rewriter{o: Options{Typed: typed, TempDir: t.TempDir()}, id: compile(&jane)}, left: maxInflated}
	var out bytes.Buffer
	if err := a.copy(&out, bytes.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), a
}

// stripped is a file without its metadata, in which nothing must be left.
func stripped(t testing.TB, in []byte) []byte {
	t.Helper()
	out, a := through(t, in, TypedAllow)
	if a.hidden || a.sealed {
		t.Errorf("hidden: %v, sealed: %v", a.hidden, a.sealed)
	}
	return out
}

// TestPictures: metadata goes, every pixel stays.
func TestPictures(t *testing.T) {
	var j, p, g bytes.Buffer
	if err := jpeg.Encode(&j, picture(), nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&p, picture()); err != nil {
		t.Fatal(err)
	}
	if err := gif.Encode(&g, picture(), nil); err != nil {
		t.Fatal(err)
	}
	exif := "Exif\x00\x00II\x2a\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00Artist " + secret
	profile := "ICC_PROFILE\x00\x01\x01colours"
	gifHead := 13 + 3*4
	for name, c := range map[string]struct {
		in     []byte
		decode func(io.Reader) (image.Image, error)
		keep   string
	}{
		"jpeg": {append(insert(j.Bytes(), 2, segment(0xe1, exif), segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00"+secret), segment(0xed, "Photoshop 3.0\x00"+secret), segment(0xfe, secret), segment(0xe2, profile)), secret...), jpeg.Decode, profile},
		"png":  {append(insert(p.Bytes(), 33, chunk("tEXt", "Author\x00"+secret), chunk("eXIf", exif), chunk("gAMA", "\x00\x00\xb1\x8f")), secret...), png.Decode, "gAMA"},
		"gif":  {append(insert(g.Bytes(), gifHead, []byte("\x21\xfe\x19"+secret+"\x00"), []byte("\x21\xff\x0bXMP DataXMP\x19"+secret+"\x00"), []byte("\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")), secret...), gif.Decode, "NETSCAPE2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := c.decode(bytes.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			out := bytes.NewBuffer(stripped(t, c.in))
			if bytes.Contains(out.Bytes(), []byte("realmail")) {
				t.Errorf("metadata is left: %q", out.Bytes())
			}
			if !bytes.Contains(out.Bytes(), []byte(c.keep)) {
				t.Errorf("%q is gone", c.keep)
			}
			got, err := c.decode(bytes.NewReader(out.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			for y := range 40 {
				for x := range 60 {
					if got.At(x, y) != want.At(x, y) {
						t.Fatalf("pixel %d,%d differs", x, y)
					}
				}
			}
			if name == "jpeg" {
				if i := bytes.Index(out.Bytes(), []byte("Exif\x00\x00")); i < 0 || exifOrientation(out.Bytes()[i+6:]) != 6 {
					t.Error("the orientation is gone")
				}
			}
		})
	}
}

func TestWebP(t *testing.T) {
	part := func(kind, body string) string {
		return kind + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body
	}
	body := "WEBP" + part("VP8X", "\x0c\x00\x00\x00123456") + part("VP8 ", "pixels") + part("EXIF", secret+"x") + part("XMP ", secret+"y")
	in := part("RIFF", body)
	out := bytes.NewBuffer(stripped(t, []byte(in)))
	want := part("RIFF", "WEBP"+part("VP8X", "\x00\x00\x00\x00123456")+part("VP8 ", "pixels")+part("JUNK", strings.Repeat("\x00", 26))+part("JUNK", strings.Repeat("\x00", 26)))
	if out.String() != want {
		t.Errorf("%q\nwant %q", out.String(), want)
	}
}

// office is a document of n octets of text with its writer in the properties.
func office(n int) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{{"[Content_Types].xml", "<Types/>"}, {"docProps/core.xml", "<x>" + secret + "</x>"}, {"word/people.xml", secret}, {"word/document.xml", "my resume"}} {
		w, _ := z.Create(f[0])
		io.WriteString(w, f[1])
	}
	w, _ := z.CreateHeader(&zip.FileHeader{Name: "word/media/a.bin", Method: zip.Store})
	w.Write(bytes.Repeat([]byte{7, 8, 9}, n/3))
	z.Close()
	return b.Bytes()
}

func attached(kind, name string, data []byte) string {
	return benchHead + "Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\n\r\nHere.\r\n--b1\r\nContent-Type: " + kind + "\r\nContent-Disposition: attachment; filename=\"" + name +
		"\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(data) + "\r\n--b1--\r\n"
}

func TestOffice(t *testing.T) {
	for _, n := range []int{300, 3 << 20} { // in memory, and spooled
		var out bytes.Buffer
		res, err := Rewrite(&out, strings.NewReader(attached("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "r.docx", office(n))), Options{Identity: jane, TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow); err != nil {
			t.Fatal(err)
		}
		_, last, _ := strings.Cut(out.String(), "r.docx")
		_, last, _ = strings.Cut(last, "\r\n\r\n")
		data := decodeBase64([]byte(strings.SplitN(last, "\r\n--", 2)[0]))
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, _ := f.Open()
			b, err := io.ReadAll(r)
			if err != nil || bytes.Contains(b, []byte("realmail")) {
				t.Errorf("%s: %v %q", f.Name, err, b)
			}
			if f.Name == "word/document.xml" && string(b) != "my resume" || strings.HasSuffix(f.Name, "a.bin") && len(b) != n/3*3 {
				t.Errorf("%s has changed", f.Name)
			}
		}
	}
}

// TestFiles: what is attached passes octet for octet, or is refused.
func TestFiles(t *testing.T) {
	wide := strings.Join(strings.Split(secret, ""), "\x00")
	for name, c := range map[string]struct {
		kind, file, data string
		typed            Typed
		refused          string
	}{
		"octets":                      {"application/octet-stream", "a.bin", "\x00\x01\r\n\xff\n\n", TypedAllow, ""},
		"address in unknown format":   {"application/x-thing", "thing.bin", "\x00\x01" + secret + "0", TypedAllow, "thing.bin"},
		"as UTF-16":                   {"application/x-thing", "thing.bin", "\x00\x01" + wide, TypedAllow, "thing.bin"},
		"another's address":           {"application/x-thing", "thing.bin", "sam@else.example", TypedRefuse, ""},
		"latin-1 text":                {"text/plain; charset=iso-8859-1", "a.txt", "caf\xe9\r\n", TypedRefuse, ""},
		"typed in a text":             {"text/plain", "cv.txt", "Write to " + secret + "\r\n", TypedAllow, ""},
		"typed in a text, not wanted": {"text/plain", "cv.txt", "Write to " + secret + "\r\n", TypedRefuse, "address"},
		"typed in a table":            {"text/csv", "cv.csv", "name," + secret + "\r\n", TypedAllow, ""},
		"typed in a table, no":        {"text/csv", "cv.csv", "name," + secret + "\r\n", TypedRedact, "cv.csv"},
		"text, not labelled":          {"application/octet-stream", "cv.txt", "Email: " + secret + "\r\n", TypedAllow, ""},
		"text, not labelled, no":      {"application/octet-stream", "cv.txt", "Email: " + secret + "\r\n", TypedRefuse, "cv.txt"},
		"a mail, not labelled":        {"application/octet-stream", "mail", "Subject: x\r\nReceived: from " + secret + "\r\n\r\nx", TypedAllow, "mail"},
		"a print":                     {"application/postscript", "cv.ps", "%!PS-Adobe\n%%For: " + secret + "\n", TypedAllow, "cv.ps"},
		"a picture's sidecar":         {"application/octet-stream", "a.xmp", "<x:xmpmeta>" + secret, TypedAllow, "a.xmp"},
		"archive, unopened":           {"application/zip", "a.zip", "PK\x03\x04 broken", TypedAllow, ""},
		"link in a PDF":               {"application/pdf", "cv.pdf", "%PDF-1.4 /URI (mailto:" + secret + ")", TypedAllow, ""},
		"link in a PDF, no":           {"application/pdf", "cv.pdf", "%PDF-1.4 /URI (mailto:" + secret + ")", TypedRefuse, "cv.pdf"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			res, err := Rewrite(&out, strings.NewReader(attached(c.kind, c.file, []byte(c.data))), Options{Identity: jane, Typed: c.typed})
			if c.refused != "" {
				if !isRefusal(err) || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "realmail") {
					t.Fatalf("not refused as wanted: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, c.typed); err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(out.String(), "filename="+c.file)
			_, rest, _ = strings.Cut(rest, "\r\n\r\n")
			rest, _, _ = strings.Cut(rest, "\r\n--=_")
			got := string(decodeBase64([]byte(rest)))
			if strings.Contains(out.String(), "quoted-printable\r\nContent-Disposition: attachment") {
				got = string(decodeQP([]byte(rest)))
			}
			if got != c.data {
				t.Errorf("%q became %q", c.data, got)
			}
		})
	}
}

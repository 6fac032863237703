package sanitize

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// tenMegabytes are files of 10 MB, of each kind that is looked into.
func tenMegabytes(t testing.TB) map[string][]byte {
	rnd := rand.NewChaCha8([32]byte{2})
	noise := make([]byte, 10<<20)
	rnd.Read(noise)
	noise = bytes.ReplaceAll(noise, []byte{0xff}, []byte{0xfe}) // no markers in it
	s := string(noise)
	page := stream(8, "/Filter /FlateDecode", zipped(strings.Repeat("BT (My resume) Tj ET\n", 100)))
	pdf := "%PDF-1.7\n1 0 obj << /Author (" + secret + ") /Producer (x) >> endobj\n" + stream(7, "/Subtype /Image /Filter /DCTDecode", "\xff\xd8\xff\xda\x00\x02"+s) +
		strings.Repeat(page, 200) + packed(3, 4, "<< /Type /Page >>") + "trailer << /Info 1 0 R >>\n"
	head := realFiles(t)["picture.jpg"]
	return map[string][]byte{
		"pdf":  []byte(pdf),
		"mp4":  []byte(boxOf("ftyp", "isom", nulls) + boxOf("moov", boxOf("udta", secret)) + boxOf("mdat", s)),
		"mp3":  append([]byte("ID3\x04\x00\x00\x00\x00\x00"+string(rune(len(secret)))+secret+"\xff\xfb\x90\x64"), noise...),
		"jpeg": append(bytes.Clone(head[:len(head)-2]), s+"\xff\xd9"...),
		"docx": zipOf(t, "[Content_Types].xml", "<Types/>", "docProps/core.xml", secret, "word/document.xml", strings.Repeat("<w:t>text</w:t>", 1000), "=word/media/image1.bin", s),
		"doc":  compoundOf(s),
		"list": []byte(strings.Repeat("\x00sam.w@realmail.example,Sam W\r\n", 10<<20/32)),
	}
}

// compoundOf is a Word document followed by what no stream of it uses: a
// table of so many sectors is beyond what compound makes.
func compoundOf(s string) []byte {
	return append(compound("\x05SummaryInformation", propertySet(secret), "WordDocument", "\xec\xa5"), s...)
}

// BenchmarkFiles10M takes files through Rewrite and the gate.
func BenchmarkFiles10M(b *testing.B) {
	for name, data := range tenMegabytes(b) {
		raw := []byte(attached("application/octet-stream", "file."+name, data))
		var out bytes.Buffer
		res, err := Rewrite(&out, bytes.NewReader(raw), Options{Identity: jane, TempDir: b.TempDir()})
		if err != nil {
			b.Fatal(name, err)
		}
		b.Run(name+"/strip", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				a := &attachment{rw: &rewriter{o: Options{Typed: TypedAllow, TempDir: b.TempDir()}, id: compile(&jane)}, left: maxInflated}
				if err := a.copy(io.Discard, bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/rewrite", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Rewrite(io.Discard, bytes.NewReader(raw), Options{Identity: jane, TempDir: b.TempDir()}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/check", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestFileMemory: what a file of 10 MB allocates on its way stays under three
// times its size, in Rewrite and in the gate together.
func TestFileMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes")
	}
	for name, data := range tenMegabytes(t) {
		raw := []byte(attached("application/octet-stream", "file."+name, data))
		var out bytes.Buffer
		out.Grow(2 * len(raw))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res, err := Rewrite(&out, bytes.NewReader(raw), Options{Identity: jane, TempDir: t.TempDir()})
		if err == nil {
			err = Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; err != nil || n > uint64(3*len(data)) {
			t.Errorf("%s: %d octets allocated, err %v", name, n, err)
		}
	}
}

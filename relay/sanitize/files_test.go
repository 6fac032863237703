package sanitize

import (
	"bytes"
	"encoding/binary"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// realFiles were made by ffmpeg, libheif, exiftool, OpenPyXL, xlwt, ReportLab
// and qpdf. Each says who made it, some where.
func realFiles(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/files/*")
	if err != nil || len(names) < 25 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = b
	}
	return files
}

// TestRealFiles: what names their maker goes from all of them, whichever
// policy is set, and the gate finds nothing either.
func TestRealFiles(t *testing.T) {
	plain := map[string]bool{"packed.pdf": true, "resume.xlsx": true} // compressed: the address can't be seen in them
	for name, in := range realFiles(t) {
		t.Run(name, func(t *testing.T) {
			if name == "protected.pdf" {
				if _, a := through(t, in, TypedAllow); !a.sealed {
					t.Error("what is in it was not seen, and it passed")
				}
				return
			}
			if !plain[name] && !bytes.Contains(in, []byte(secret)) {
				t.Fatal("the file says nothing of its maker")
			}
			for _, typed := range []Typed{TypedAllow, TypedRefuse} {
				out, a := through(t, bytes.Clone(in), typed)
				if a.shown || a.hidden || a.sealed {
					t.Errorf("%s: shown %v, hidden %v, sealed %v", typed, a.shown, a.hidden, a.sealed)
				}
				if bytes.Contains(out, []byte(secret)) || bytes.Contains(out, []byte("+52.5")) {
					t.Errorf("%s: metadata are left", typed)
				}
				if found, err := (&gate{search: newSearch(jane), typed: TypedRefuse}).leaksFile("application/octet-stream", bytes.NewReader(out)); found || err != nil {
					t.Errorf("%s: the gate found something (%v)", typed, err)
				}
				again, _ := through(t, bytes.Clone(out), typed)
				if !bytes.Equal(again, out) {
					t.Errorf("%s: what has nothing to take out is changed", typed)
				}
			}
		})
	}
}

// TestPixels: every pixel of the pictures is what it was, and how they are
// turned.
func TestPixels(t *testing.T) {
	for name, in := range realFiles(t) {
		want, _, err := image.Decode(bytes.NewReader(in))
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			out := stripped(t, bytes.Clone(in))
			got, _, err := image.Decode(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			samePixels(t, got, want)
			if name == "picture.gif" {
				return // it can't be turned
			}
			if o := byte(6); !bytes.Contains(out, orientationTIFF(o)) && exifOrientation(out) != o {
				t.Error("the orientation is gone")
			}
		})
	}
}

func samePixels(t *testing.T, got, want image.Image) {
	t.Helper()
	if got.Bounds() != want.Bounds() {
		t.Fatalf("%v became %v", want.Bounds(), got.Bounds())
	}
	for y := got.Bounds().Min.Y; y < got.Bounds().Max.Y; y++ {
		for x := got.Bounds().Min.X; x < got.Bounds().Max.X; x++ {
			if got.At(x, y) != want.At(x, y) {
				t.Fatalf("pixel %d,%d differs", x, y)
			}
		}
	}
}

// TestSamples: in films nothing moves, and all media data stay octet for octet.
func TestSamples(t *testing.T) {
	for name, in := range realFiles(t) {
		if len(in) < 12 || string(in[4:8]) != "ftyp" || strings.HasPrefix(name, "picture.") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			out := stripped(t, bytes.Clone(in))
			if len(out) != len(in) {
				t.Fatalf("%d octets became %d", len(in), len(out))
			}
			found := false
			for at := 0; at+8 <= len(in); {
				size := int(binary.BigEndian.Uint32(in[at:]))
				if string(in[at+4:at+8]) == "mdat" {
					found = true
					if !bytes.Equal(in[at:at+size], out[at:at+size]) {
						t.Error("media data differ")
					}
				}
				at += size
			}
			if !found {
				t.Error("no media data")
			}
		})
	}
}

// tool runs a tool, if it is there.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	b, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, b)
	}
	return string(b)
}

// TestOtherDecoders: what other programs decode is the same before and after.
func TestOtherDecoders(t *testing.T) {
	dir := t.TempDir()
	for name, in := range realFiles(t) {
		before, after := filepath.Join("testdata/files", name), filepath.Join(dir, name)
		out, _ := through(t, in, TypedAllow)
		if err := os.WriteFile(after, out, 0o600); err != nil {
			t.Fatal(err)
		}
		compare := func(program string, args func(file string) []string) {
			t.Run(name+"/"+program, func(t *testing.T) {
				want, got := tool(t, program, args(before)...), tool(t, program, args(after)...)
				if got != want || want == "" {
					t.Errorf("%s\nbecame\n%s", want, got)
				}
			})
		}
		switch ext := filepath.Ext(name); {
		case strings.HasPrefix(name, "film") || strings.HasPrefix(name, "fragments") || strings.HasPrefix(name, "sound"):
			compare("ffmpeg", func(file string) []string {
				return []string{"-loglevel", "error", "-i", file, "-map", "0", "-f", "streamhash", "-"}
			})
		case ext == ".heic" || ext == ".avif":
			t.Run(name+"/heif-convert", func(t *testing.T) {
				var pixels [2][]byte
				for i, file := range []string{before, after} {
					to := filepath.Join(dir, "pixels.y4m")
					tool(t, "heif-convert", file, to)
					pixels[i], _ = os.ReadFile(to)
				}
				if !bytes.Equal(pixels[0], pixels[1]) || len(pixels[0]) == 0 {
					t.Error("the picture differs")
				}
			})
		case ext == ".pdf" && name != "protected.pdf":
			compare("pdftotext", func(file string) []string { return []string{file, "-"} })
			compare("pdftoppm", func(file string) []string { return []string{"-r", "40", file} })
			t.Run(name+"/qpdf", func(t *testing.T) { tool(t, "qpdf", "--check", after) })
		}
	}
}

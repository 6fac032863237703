package notify

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// What is larger than an attachment may be is named in its place and in the
// footer; all else, and the structure, stays what it is.
func TestLeftOut(t *testing.T) {
	files, err := filepath.Glob("testdata/leftout/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no messages", err)
	}
	r := New(Options{Brand: "Backstage", BaseURL: "https://msg.example.com", MaxAttachment: 500})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".eml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			header, body := split(raw)
			got := renderBytes(t, r, header, body)
			golden(t, strings.TrimSuffix(file, ".eml")+".golden", got)
			before, after := parts(t, append(bytes.Clone(header), body...)), parts(t, got)
			if len(before) != len(after) {
				t.Fatalf("%d parts became %d", len(before), len(after))
			}
			for i, b := range before {
				a := after[i]
				small := len(b.content) <= 500 || strings.Contains(string(raw), "multipart/signed")
				switch stubbed := strings.Contains(a.content, "is too large for mail"); {
				case small && stubbed, !small && !stubbed:
					t.Errorf("part %d, %s of %d octets: %q", i, b.mediaType, len(b.content), a.content)
				case stubbed && (a.mediaType != "text/plain" || !a.attachment):
					t.Errorf("part %d: its stub is %s", i, a.mediaType)
				case !stubbed && a.content != b.content && !strings.Contains(a.content, "Backstage"):
					t.Errorf("part %d changed: %q", i, a.content)
				}
			}
		})
	}
}

func TestWhatIsSaidOfLargeFiles(t *testing.T) {
	for octets, want := range map[int64]string{1: "1 KB", 1024: "1 KB", 700<<10 + 1: "701 KB", 1 << 20: "1 MB", 48<<20 + 1: "48 MB"} {
		if got := inWords(octets); got != want {
			t.Errorf("%d octets: %s, want %s", octets, got, want)
		}
	}
	for name, want := range map[string]string{
		"a.mp4": "a.mp4", "": "video.mp4", "a\r\nBcc: x": "a Bcc: x", "../../etc/passwd": ".. .. etc passwd", strings.Repeat("ä", 200): strings.Repeat("ä", 60) + " …",
	} {
		p := &mimetree.Part{Type: "video", Subtype: "mp4", DispositionParams: map[string]string{"filename": name}}
		if got := fileName(p); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	var v footerView
	for i := range 30 {
		v.LeftOut = append(v.LeftOut, LeftOut{fmt.Sprint(i), "1 MB"})
	}
	if got := v.Files(); strings.Count(got, "MB") != maxNamed || !strings.HasSuffix(got, ", …") {
		t.Errorf("thirty files: %s", got)
	}
}

package notify

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

var update = flag.Bool("update", false, "write the golden files")

var testRenderer = New(Options{Brand: "Backstage", BaseURL: "https://msg.example.com", SupportURL: "https://example.com/help?a=1&b=2"})

// english is what the renderer's readers of English see.
func english(r *Renderer) Look { return r.look.in(r.o.Templates.Languages.Of("en")) }

// split is a stored message as header block and body, with CRLF.
func split(raw []byte) (header, body []byte) {
	raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
	i := bytes.Index(raw, []byte("\r\n\r\n")) + 4
	return raw[:i:i], raw[i:]
}

func renderBytes(t testing.TB, r *Renderer, header, body []byte) []byte {
	t.Helper()
	content, err := mimetree.Read(header, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	root, err := mimetree.Decode(content.Structure)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := render(&out, header, int64(len(body)), root, inMemory(body), r.footerOf(header, english(r)), r.o.MaxAttachment); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// part is a leaf of a message, decoded by another library than rendered it.
type part struct {
	mediaType  string
	attachment bool
	content    string
}

func parts(t testing.TB, raw []byte) []part {
	t.Helper()
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil && !message.IsUnknownCharset(err) {
		t.Fatal(err)
	}
	var list []part
	err = e.Walk(func(_ []int, e *message.Entity, err error) error {
		mt, params, _ := e.Header.ContentType()
		if strings.HasPrefix(mt, "multipart/") {
			return nil
		}
		b, rerr := io.ReadAll(e.Body)
		if rerr != nil {
			b = append(b, "(can't be decoded)"...)
		}
		disposition, _, _ := e.Header.ContentDisposition()
		list = append(list, part{mt, disposition == "attachment" || params["name"] != "", string(b)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// golden compares a text with a file; its lines end in LF there.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("differs from %s, %v:\n%s", path, err, got)
	}
}

func TestRender(t *testing.T) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no messages", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".eml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			header, body := split(raw)
			got := renderBytes(t, testRenderer, header, body)
			golden(t, strings.TrimSuffix(file, ".eml")+".golden", got)
			sameButFooter(t, parts(t, append(bytes.Clone(header), body...)), parts(t, got))
		})
	}
}

// sameButFooter: the decoded parts are the same, but at most one text and one
// HTML part have a footer more.
func sameButFooter(t *testing.T, before, after []part) {
	t.Helper()
	if len(before) != len(after) {
		t.Fatalf("%d parts became %d", len(before), len(after))
	}
	footers := map[string]int{}
	for i, b := range before {
		a := after[i]
		if a == b {
			continue
		}
		footers[b.mediaType]++
		if a.mediaType != b.mediaType || a.attachment {
			t.Errorf("part %d (%s) changed", i, b.mediaType)
		}
		from := strings.Index(a.content, textDelimiter)
		if b.mediaType == "text/html" {
			from = strings.Index(a.content, "\r\n"+htmlDelimiter)
		}
		if from < 0 {
			t.Errorf("part %d changed without a footer: %q", i, a.content)
			continue
		}
		rest := ""
		if b.mediaType == "text/html" {
			end := strings.LastIndex(a.content, "</div>\r\n") + len("</div>\r\n")
			rest = a.content[end:]
		}
		if got := a.content[:from] + rest; got != b.content && got != b.content+"\r\n" {
			t.Errorf("part %d: beside the footer it is %q, was %q", i, got, b.content)
		}
	}
	if footers["text/plain"] > 1 || footers["text/html"] > 1 {
		t.Errorf("footers: %v", footers)
	}
}

func TestFooterSaysOnlyWhatIsSet(t *testing.T) {
	r := New(Options{Brand: "Backstage"})
	f := r.footerOf([]byte("From: <t-x@msg.example.com>\r\n\r\n"), english(r))
	want := "-- \r\nBackstage\r\n" +
		"To answer the sender, just reply to this message. Your own address stays private.\r\n" +
		"All messages are in your Backstage mailbox, which any mail client opens.\r\n"
	if text, err := f.text(); err != nil || text != want {
		t.Errorf("%q, %v", text, err)
	}
	html, err := f.html()
	for _, s := range []string{"About", "Help", "href", "Too large"} {
		if err != nil || strings.Contains(html, s) {
			t.Errorf("the HTML footer has %q: %s, %v", s, html, err)
		}
	}
}

// TestLargeMessage: neither a large attachment nor a large text is held.
func TestLargeMessage(t *testing.T) {
	const size = 25 << 20
	head := "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	line := strings.Repeat("x", 74) + "\r\n"
	body := []byte("--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + strings.Repeat(line, size/2/len(line)) + "</body>\r\n--b\r\n" +
		"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat(line, size/2/len(line)) + "\r\n--b--\r\n")
	content, err := mimetree.Read([]byte(head), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	root, err := mimetree.Decode(content.Structure)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var n counter
	if err := render(&n, []byte(head), int64(len(body)), root, inMemory(body), testRenderer.footerOf([]byte(head), english(testRenderer)), 0); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("rendering 25 MB allocates %d KB", got>>10)
	}
	if n < size*95/100 {
		t.Errorf("%d octets came out", n)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func TestReaderFails(t *testing.T) {
	header, body := split([]byte("Content-Type: text/plain; charset=utf-8\n\nHello\n"))
	content, err := mimetree.Read(header, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	root, err := mimetree.Decode(content.Structure)
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("lost")
	failing := func(int64, int64) (io.ReadCloser, error) { return nil, lost }
	if err := render(io.Discard, header, int64(len(body)), root, failing, testRenderer.footerOf(header, english(testRenderer)), 0); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
	// A structure that belongs to another body must not read beyond this one.
	if err := render(io.Discard, header, 2, root, inMemory(body[:2]), testRenderer.footerOf(header, english(testRenderer)), 0); err == nil {
		t.Error("no error")
	}
}

func FuzzRender(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.eml")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = append(raw, "\n\n"...)
		header, body := split(raw)
		got := renderBytes(t, testRenderer, header, body)
		if len(got) < len(body)/3 {
			t.Errorf("%d octets became %d", len(body), len(got))
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for _, name := range []string{"plain", "alternative"} {
		b.Run(name, func(b *testing.B) {
			raw, err := os.ReadFile("testdata/" + name + ".eml")
			if err != nil {
				b.Fatal(err)
			}
			header, body := split(raw)
			content, err := mimetree.Read(header, bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				root, err := mimetree.Decode(content.Structure)
				if err != nil {
					b.Fatal(err)
				}
				if err := render(io.Discard, header, int64(len(body)), root, inMemory(body), testRenderer.footerOf(header, english(testRenderer)), 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

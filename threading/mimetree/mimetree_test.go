package mimetree

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/threading"
)

// split cuts a message written with LF into header block and body with CRLF.
func split(msg string) (header []byte, body string) {
	msg = strings.ReplaceAll(msg, "\n", "\r\n")
	h, b, _ := strings.Cut(msg, "\r\n\r\n")
	return []byte(h + "\r\n\r\n"), b
}

func read(t testing.TB, msg string) (*Part, string, string) {
	t.Helper()
	header, body := split(msg)
	c, err := Read(header, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode(c.Structure)
	if err != nil {
		t.Fatal(err)
	}
	return p, body, c.Text
}

// outline writes the tree in one line a part: number, type, lines, body.
func outline(p *Part, body, number string, b *strings.Builder) {
	fmt.Fprintf(b, "%s %s/%s %d %q\n", number, p.Type, p.Subtype, p.Lines, short(body[p.BodyStart:p.BodyEnd]))
	for i, c := range p.Children {
		outline(c, body, strings.TrimPrefix(fmt.Sprintf("%s.%d", number, i+1), "0."), b)
	}
}

func short(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "~")
	if len(s) > 24 {
		return s[:24] + "..."
	}
	return s
}

func TestRead(t *testing.T) {
	for _, c := range []struct{ name, msg, want, text string }{
		{"plain", "Subject: x\n\nHello\nthere\n", `0 text/plain 2 "Hello~there~"`, "hello there"},
		{"unended line", "Subject: x\n\nHello\nthere", `0 text/plain 2 "Hello~there"`, "hello there"},
		{"no body", "Subject: x\n\n", `0 text/plain 0 ""`, ""},
		{"alternative with preamble and epilogue", `Content-Type: multipart/alternative; boundary="b 1"

preamble
--b 1
Content-Type: text/plain

one
two
--b 1
Content-Type: text/html

<p>Gr&uuml;&szlig;e</p><style>x</style>
--b 1--
epilogue
`, `0 multipart/alternative 12 "preamble~--b 1~Content-T..."
1 text/plain 2 "one~two"
2 text/html 1 "<p>Gr&uuml;&szlig;e</p><..."`, "one two grusse"},
		{"nested, inner boundary begins with the outer, inner end missing", `Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/related; boundary=bb

--bb

in
--b
Content-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.txt
Content-Transfer-Encoding: base64

SGVsbG8=
--b--
`, `0 multipart/mixed 12 "--b~Content-Type: multip..."
1 multipart/related 3 "--bb~~in"
1.1 text/plain 1 "in"
2 text/plain 1 "SGVsbG8="`, "in hello resume.txt"},
		{"message in a message", `Content-Type: multipart/mixed; boundary=b

--b
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/mixed; boundary=c

--c

deep
--c--
--b--
`, `0 multipart/mixed 11 "--b~Content-Type: messag..."
1 message/rfc822 7 "Subject: inner~Content-T..."
1.1 multipart/mixed 4 "--c~~deep~--c--"
1.1.1 text/plain 1 "deep"`, "deep"},
		{"encoded message stays closed", `Content-Type: message/rfc822
Content-Transfer-Encoding: base64

U3ViamVjdDogeA0KDQp4
`, `0 message/rfc822 1 "U3ViamVjdDogeA0KDQp4~"`, ""},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\nhi\n--b--\n", `0 multipart/digest 6 "--b~~Subject: x~~hi~--b-..."
1 message/rfc822 3 "Subject: x~~hi"
1.1 text/plain 1 "hi"`, "hi"},
		{"a part that ends in a line end", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\ntwo\n\n--b--\n", `0 multipart/mixed 6 "--b~~one~two~~--b--~"
1 text/plain 2 "one~two~"`, "one two"},
		{"header without a body", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n--b--\n", `0 multipart/mixed 3 "--b~Content-Type: text/p..."
1 text/plain 0 ""`, ""},
		{"multipart without parts", "Content-Type: multipart/mixed; boundary=b\n\nnothing\n", `0 multipart/mixed 1 "nothing~"
1 text/plain 0 ""`, ""},
		{"multipart without boundary", "Content-Type: multipart/mixed\n\nnothing\n", `0 text/plain 1 "nothing~"`, "nothing"},
		{"quoted-printable latin-1", "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 =\nau lait\n", `0 text/plain 2 "caf=E9 =~au lait~"`, "cafe au lait"},
		{"unknown charset", "Content-Type: text/plain; charset=x-nope\n\nabc\n", `0 text/plain 1 "abc~"`, "abc"},
		{"iso-2022-jp", "Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B4A;z\x1b(B\n", "0 text/plain 1 \"\\x1b$B4A;z\\x1b(B~\"", "漢字"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, body, text := read(t, c.msg)
			var b strings.Builder
			outline(p, body, "0", &b)
			if got := strings.TrimSpace(b.String()); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if text != c.text {
				t.Errorf("text %q, want %q", text, c.text)
			}
		})
	}
}

func TestFind(t *testing.T) {
	p, body, _ := read(t, `Content-Type: multipart/mixed; boundary=b

--b

one
--b
Content-Type: message/rfc822

Subject: s

two
--b
Content-Type: message/rfc822

Content-Type: multipart/mixed; boundary=c

--c

three
--c--
--b--
`)
	for _, c := range []struct {
		path []int
		want string // body, empty: no such part
	}{
		{[]int{1}, "one"}, {[]int{2, 1}, "two"}, {[]int{3, 1}, "three"}, {[]int{4}, ""}, {[]int{0}, ""}, {[]int{1, 1}, ""}, {[]int{2, 2}, ""}, {[]int{3, 2}, ""},
	} {
		got := ""
		if f := p.Find(c.path); f != nil {
			got = body[f.BodyStart:f.BodyEnd]
		}
		if got != c.want {
			t.Errorf("Find(%v) = %q, want %q", c.path, got, c.want)
		}
	}
	single, _, _ := read(t, "Subject: x\n\nHello\n")
	if single.Find([]int{1}) != single || single.Find([]int{2}) != nil || single.Find(nil) != single {
		t.Error("part 1 of a single part is its body")
	}
}

func TestFields(t *testing.T) {
	header := []byte("A: 1\r\nB : 2\r\n 2b\r\n\t2c\r\nno field\r\nC:\r\nA: 3\r\n\r\nD: 4\r\n")
	var got []string
	for n, v := range Fields(header) {
		got = append(got, n+"="+v)
	}
	if want := []string{"A=1", "B=2 2b\t2c", "C=", "A=3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, ok := Field(header, "a"); !ok || v != "1" {
		t.Errorf("Field = %q, %v", v, ok)
	}
	for in, want := range map[string]string{
		"=?utf-8?q?Gr=C3=BC=C3=9Fe?=": "Grüße", "=?iso-2022-jp?B?GyRCNEE7ehsoQg==?=": "漢字", "plain": "plain", "caf\xe9": "café", "=?x-nope?q?caf=E9?= =?utf-8?q?b=C3=BC?=": "cafébü", "=?utf-8?x?broken": "=?utf-8?x?broken",
		"für \xe9 Łódź": "für é Łódź", "\x93quoted\x94": "“quoted”",
		"=?utf-8?q?a?= =?utf-8?q?b?=": "ab",
	} {
		if got := DecodeHeader(in); got != want {
			t.Errorf("DecodeHeader(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBoundsHold(t *testing.T) {
	var deep, many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	deep.WriteString("\nx\n")
	many.WriteString("Content-Type: multipart/mixed; boundary=b\n\n")
	for range 3 * MaxParts {
		many.WriteString("--b\n\nx\n")
	}
	childless := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: multipart/mixed; boundary=c\n\n", 2*MaxParts)
	messages := "Content-Type: message/rfc822\n\n" + strings.Repeat("Content-Type: message/rfc822\n\n", 2*MaxDepth)
	for _, msg := range []string{deep.String(), many.String(), childless, messages, "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + strings.Repeat("X: y\n", 100000)} {
		p, body, _ := read(t, msg)
		checkTree(t, p, []byte(body), 0)
	}
}

// checkTree checks that ranges lie within each other and in order, and that
// lines are counted as Part says; it returns the number of parts.
func checkTree(t testing.TB, p *Part, body []byte, depth int) int {
	t.Helper()
	if p.HeaderStart < 0 || p.BodyStart < p.HeaderStart || p.BodyEnd < p.BodyStart || p.BodyEnd > int64(len(body)) {
		t.Fatalf("part %+v in a body of %d octets", p, len(body))
	}
	text := body[p.BodyStart:p.BodyEnd]
	lines := int64(bytes.Count(text, []byte("\n")))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		lines++
	}
	if p.Lines != lines {
		t.Fatalf("%d lines, want %d, in %s/%s %d-%d", p.Lines, lines, p.Type, p.Subtype, p.BodyStart, p.BodyEnd)
	}
	if depth > MaxDepth {
		t.Fatalf("depth %d", depth)
	}
	n, at := 1, p.BodyStart
	for _, c := range p.Children {
		if c.HeaderStart < at || c.BodyEnd > p.BodyEnd {
			t.Fatalf("child %d-%d of a part %d-%d", c.HeaderStart, c.BodyEnd, p.BodyStart, p.BodyEnd)
		}
		at = c.BodyEnd
		n += checkTree(t, c, body, depth+1)
	}
	if depth == 0 && n > MaxParts {
		t.Fatalf("%d parts", n)
	}
	return n
}

// TestPublicCorpora reads messages of many mail programs, where they are there.
func TestPublicCorpora(t *testing.T) {
	root := "../../../shared/corpora"
	if _, err := os.Stat(root); err != nil {
		t.Skip("no corpora here")
	}
	n := 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || n > 3000 {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) < 2 || len(raw) > 1<<20 {
			return err
		}
		n++
		i := bytes.Index(raw, []byte("\n\n"))
		if i < 0 {
			i = len(raw) - 2
		}
		if j := bytes.Index(raw, []byte("\r\n\r\n")); j >= 0 && j < i {
			i = j + 2
		}
		c, err := Read(raw[:i+2], bytes.NewReader(raw[i+2:]))
		if err != nil {
			return err
		}
		p, err := Decode(c.Structure)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		checkTree(t, p, raw[i+2:], 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages", n)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n"), []byte("--b\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b--"))
	f.Add([]byte("Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n"), []byte("PGI+"))
	f.Fuzz(func(t *testing.T, header, body []byte) {
		c, err := Read(header, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(header, iotest.OneByteReader(bytes.NewReader(body)))
		if err != nil || !bytes.Equal(c.Structure, again.Structure) || c.Text != again.Text {
			t.Fatal("reading octet by octet gives something else")
		}
		p, err := Decode(c.Structure)
		if err != nil {
			t.Fatal(err)
		}
		checkTree(t, p, body, 0)
		if !utf8.ValidString(c.Text) || len(c.Text) > threading.MaxSearchText {
			t.Fatalf("the search text has %d octets, or is no UTF-8", len(c.Text))
		}
		if !bytes.Equal(encode(p), c.Structure) {
			t.Fatal("decoding and encoding again gives something else")
		}
	})
}

func FuzzDecode(f *testing.F) {
	c, _ := Read([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n"), strings.NewReader("--b\r\n\r\nx\r\n--b--"))
	f.Add(c.Structure)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		_ = p.Find([]int{1, 2, 1})
		if again, err := Decode(encode(p)); err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("encoding and decoding again gives something else: %v", err)
		}
	})
}

func benchmark(b *testing.B, header, body string) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read([]byte(header), strings.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead4KPlain(b *testing.B) {
	benchmark(b, "Content-Type: text/plain\r\n\r\n", strings.Repeat("All the world's a stage, and all the men and women merely players.\r\n", 60))
}

func BenchmarkRead4KAlternative(b *testing.B) {
	text := strings.Repeat("All the world's a stage, and all the men and women merely players.\r\n", 30)
	benchmark(b, "Content-Type: multipart/alternative; boundary=b\r\n\r\n", "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"+text+
		"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>"+strings.ReplaceAll(text, ",", ",<br>")+"</body></html>\r\n--b--\r\n")
}

func BenchmarkReadAttachment10M(b *testing.B) {
	line := strings.Repeat("QUJD", 19) + "\r\n"
	benchmark(b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
		"--b\r\n\r\nhi\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"+strings.Repeat(line, (10<<20)/len(line))+"--b--\r\n")
}

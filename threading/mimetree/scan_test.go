package mimetree

import (
	"fmt"
	"strings"
	"testing"
)

// theatre has all that BODY[...] can name: nested multiparts, a message with
// parts, one without, a digest, an empty part, and one boundary that begins
// with another.
const theatre = `Subject: all of it
Content-Type: multipart/mixed; boundary=play

preamble
--play
Content-Type: multipart/alternative; boundary=play-1

--play-1
Content-Type: text/plain

To be
--play-1

<b>not to be</b>
--play-1--
inner epilogue
--play
Content-Type: message/rfc822
Content-Description: forwarded

Subject: forwarded
Content-Type: multipart/mixed; boundary="in ner"

--in ner
Content-Type: text/plain

deep

--in ner  
Content-Type: image/png

PNG
--in ner--
--play
Content-Type: message/rfc822

Subject: plain inside

just text
--play
Content-Type: text/plain

--play
--play
Content-Type: text/html
--play--
epilogue
--play

no part
`

// sections answers BODY[path], .MIME, .HEADER and .TEXT from offsets alone, as
// RFC 9051 section 6.4.5.1 defines them.
func sections(body string, p *Part) (whole, mime, header, text string) {
	whole, mime = body[p.BodyStart:p.BodyEnd], body[p.HeaderStart:p.BodyStart]
	if p.Message() {
		m := p.Children[0]
		header, text = body[m.HeaderStart:m.BodyStart], body[m.BodyStart:m.BodyEnd]
	}
	return whole, mime, header, text
}

func TestSectionsOfParts(t *testing.T) {
	root, body, _ := read(t, theatre)
	forwarded := "--in ner\nContent-Type: text/plain\n\ndeep\n\n--in ner  \nContent-Type: image/png\n\nPNG\n--in ner--"
	header := "Subject: forwarded\nContent-Type: multipart/mixed; boundary=\"in ner\"\n\n"
	for _, c := range []struct {
		path                      []int
		whole, mime, header, text string
	}{
		{[]int{1}, "--play-1\nContent-Type: text/plain\n\nTo be\n--play-1\n\n<b>not to be</b>\n--play-1--\ninner epilogue", "Content-Type: multipart/alternative; boundary=play-1\n\n", "", ""},
		{[]int{1, 1}, "To be", "Content-Type: text/plain\n\n", "", ""},
		{[]int{1, 2}, "<b>not to be</b>", "\n", "", ""},
		{[]int{2}, header + forwarded, "Content-Type: message/rfc822\nContent-Description: forwarded\n\n", header, forwarded},
		{[]int{2, 1}, "deep\n", "Content-Type: text/plain\n\n", "", ""},
		{[]int{2, 2}, "PNG", "Content-Type: image/png\n\n", "", ""},
		{[]int{3}, "Subject: plain inside\n\njust text", "Content-Type: message/rfc822\n\n", "Subject: plain inside\n\n", "just text"},
		{[]int{3, 1}, "just text", "Subject: plain inside\n\n", "", ""},
		{[]int{4}, "", "Content-Type: text/plain\n\n", "", ""},
		{[]int{5}, "", "", "", ""},
		{[]int{6}, "", "Content-Type: text/html", "", ""},
	} {
		p := root.Find(c.path)
		if p == nil {
			t.Errorf("no part %v", c.path)
			continue
		}
		whole, mime, header, text := sections(body, p)
		for _, s := range []struct{ name, got, want string }{
			{"", whole, c.whole}, {".MIME", mime, c.mime}, {".HEADER", header, c.header}, {".TEXT", text, c.text},
		} {
			if want := strings.ReplaceAll(s.want, "\n", "\r\n"); s.got != want {
				t.Errorf("BODY[%v%s] = %q, want %q", c.path, s.name, s.got, want)
			}
		}
	}
	if root.Find([]int{7}) != nil {
		t.Error("the epilogue has become a part")
	}
}

// TestBareLineFeeds: the same tree and text where lines end in LF alone.
func TestBareLineFeeds(t *testing.T) {
	_, body, _ := strings.Cut(theatre, "\n\n")
	c, err := Read([]byte("Content-Type: multipart/mixed; boundary=play\n\n"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	root, err := Decode(c.Structure)
	if err != nil {
		t.Fatal(err)
	}
	checkTree(t, root, []byte(body), 0)
	if got := body[root.Children[0].Children[0].BodyStart:root.Children[0].Children[0].BodyEnd]; got != "To be" {
		t.Errorf("part 1.1 is %q", got)
	}
	if _, _, text := read(t, theatre); c.Text != text {
		t.Errorf("text %q, with CRLF %q", c.Text, text)
	}
}

// TestLinesAroundTheBuffer: a line that fills the buffer to the octet, so that
// its CR and LF are seen apart, is a line like others, in bodies and headers.
func TestLinesAroundTheBuffer(t *testing.T) {
	for n := maxLine - 12; n <= maxLine+3; n++ {
		long := strings.Repeat("x", n)
		p, body, _ := read(t, "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"+long+"\n--b--\n")
		if got := body[p.Children[0].BodyStart:p.Children[0].BodyEnd]; got != long {
			t.Errorf("a body line of %d octets: %d octets that end in %q", n, len(got), got[len(got)-2:])
		}
		checkTree(t, p, []byte(body), 0)
		p, body, _ = read(t, "Content-Type: multipart/mixed; boundary=b\n\n--b\nX: "+long+"\nContent-Type: text/html\n\nbody\n--b--\n")
		if c := p.Children[0]; c.Subtype != "html" || body[c.BodyStart:c.BodyEnd] != "body" {
			t.Errorf("a header line of %d octets: text/%s %q", n, c.Subtype, short(body[c.BodyStart:c.BodyEnd]))
		}
		p, _, _ = read(t, "Content-Type: multipart/mixed; boundary=b\n\n--b"+strings.Repeat(" ", n)+"\n\nbody\n--b--\n")
		if len(p.Children) != 1 {
			t.Errorf("padding of %d octets: %d parts", n, len(p.Children))
		}
	}
}

func TestBoundaries(t *testing.T) {
	for _, c := range []struct{ name, contentType, body, want string }{
		{"looks like an encoded word", `multipart/mixed; boundary="=?utf-8?q?b?="`, "--=?utf-8?q?b?=\n\none\n--=?utf-8?q?b?=--\n", "one"},
		{"is not UTF-8", "multipart/mixed; boundary=\"b\xe9\"", "--b\xe9\n\none\n--b\xe9--\n", "one"},
		{"ends in a space", `multipart/mixed; boundary="b "`, "--b\n\none\n--b--\n", "one"},
		{"not quoted though it should be", `multipart/mixed; boundary=a=b/c:d?e`, "--a=b/c:d?e\n\none\n--a=b/c:d?e--\n", "one"},
		{"before a comment", `multipart/mixed; boundary=b (made by hand)`, "--b\n\none\n--b--\n", "one"},
		{"in sections", `multipart/mixed; boundary*0=a; boundary*1=b`, "--ab\n\none\n--ab--\n", "one"},
		{"no subtype", `multipart/; boundary=b`, "--b\n\none\n--b--\n", "one"},
		{"the part's is the same", `multipart/mixed; boundary=b`, "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n", "one|two"},
		{"the part's seems to be our last", `multipart/mixed; boundary=b`, "--b\nContent-Type: multipart/mixed; boundary=\"b--\"\n\n--b--\n\none\n--b----\n--b\n\ntwo\n--b--\n", "one|two"},
		{"ends twice", `multipart/mixed; boundary=b`, "--b\n\none\n--b--\n--b\n\ntwo\n--b--\n", "one"},
		{"too long", `multipart/mixed; boundary=b`, "--b\n\none\n--bb\ntwo\n--b--\n", "one~--bb~two"},
		{"not at the start of a line", `multipart/mixed; boundary=b`, "--b\n\none\n --b\ntwo\n--b--\n", "one~ --b~two"},
	} {
		p, body, _ := read(t, "Content-Type: "+c.contentType+"\n\n"+c.body)
		var leaves []string
		var visit func(p *Part)
		visit = func(p *Part) {
			for _, c := range p.Children {
				visit(c)
			}
			if len(p.Children) == 0 {
				leaves = append(leaves, short(body[p.BodyStart:p.BodyEnd]))
			}
		}
		visit(p)
		if got := strings.Join(leaves, "|"); got != c.want {
			t.Errorf("%s: leaves %q, want %q", c.name, got, c.want)
		}
	}
}

// TestStructureStaysSmall: a plain message takes little, and a header full of
// rubbish not more than the bounds.
func TestStructureStaysSmall(t *testing.T) {
	c, err := Read([]byte("Content-Type: text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"), strings.NewReader("hi\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Structure); n > 100 {
		t.Errorf("a plain message takes %d octets", n)
	}
	var params strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&params, "; p%d=%s", i, strings.Repeat("v", 50))
	}
	rubbish := strings.Repeat("é", 30000)
	for _, header := range []string{
		"Content-Type: text/plain" + params.String(), "Content-ID: " + rubbish, "Content-Description: " + rubbish,
		"Content-Language: " + strings.Repeat("en,", 20000), "Content-Transfer-Encoding: " + strings.Repeat("x", 60000),
		"Content-Disposition: attachment; filename=" + rubbish,
	} {
		c, err := Read([]byte(header+"\r\n\r\n"), strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(c.Structure); err != nil || len(c.Structure) > 4000 {
			t.Errorf("%s...: %d octets, %v", header[:20], len(c.Structure), err)
		}
	}
}

func TestDecodeRefusesWhatReadNeverWrites(t *testing.T) {
	leaf := func(from, to int64) *Part {
		return &Part{Type: "text", Subtype: "plain", HeaderStart: from, BodyStart: from, BodyEnd: to}
	}
	multipart := func(parts ...*Part) *Part {
		return &Part{Type: "multipart", Subtype: "mixed", BodyEnd: 10, Children: parts}
	}
	deep := leaf(0, 10)
	for range MaxDepth + 2 {
		deep = multipart(deep)
	}
	good := encode(multipart(leaf(0, 5), leaf(5, 10)))
	if _, err := Decode(good); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "another version": append([]byte{formatVersion + 1}, good[1:]...), "cut": good[:len(good)-1], "longer": append(good[:len(good):len(good)], 0),
		"parts out of order": encode(multipart(leaf(5, 10), leaf(0, 5))), "parts that overlap": encode(multipart(leaf(0, 6), leaf(5, 10))),
		"a part that is too long": encode(multipart(leaf(0, 11))), "a multipart without parts": encode(multipart()),
		"a text with parts": encode(&Part{Type: "text", BodyEnd: 10, Children: []*Part{leaf(0, 1)}}), "too deep": encode(deep),
		"a root with a header": encode(leaf(1, 2)), "a length beyond all": append([]byte{formatVersion, 0, 0, 0, 0, 0}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
	} {
		if p, err := Decode(b); err == nil {
			t.Errorf("%s: decoded as %+v", name, p)
		}
	}
}

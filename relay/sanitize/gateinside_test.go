package sanitize

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestGateInside: were metadata left in a file, the gate would find them, near
// its beginning and beyond what is held in memory; and it lets pass what the
// policy allows.
func TestGateInside(t *testing.T) {
	fib, empty := wordFile("Write to "+secret, nil)
	for name, c := range map[string]struct {
		file         func(filler string) []byte
		allow, other bool // whether it is a leak, where typed addresses are allowed and where not
	}{
		"PDF, information": {func(f string) []byte {
			return []byte("%PDF-1.7\n" + f + "1 0 obj << /Author (" + secret + ") >> endobj\n")
		}, true, true},
		"PDF, object stream": {func(f string) []byte { return []byte("%PDF-1.7\n" + f + packed(3, 1, "<< /Author ("+secret+") >>")) }, true, true},
		"PDF, packed metadata": {func(f string) []byte {
			return []byte("%PDF-1.7\n" + f + stream(3, "/Type /Metadata /Filter /FlateDecode", zipped(secret)))
		}, true, true},
		"PDF, plain XMP": {func(f string) []byte {
			return []byte("%PDF-1.7\n" + f + stream(3, "", "<dc:creator><rdf:Seq><rdf:li>"+secret))
		}, true, true},
		"PDF, link": {func(f string) []byte {
			return []byte("%PDF-1.7\n" + f + "3 0 obj << /URI (mailto:" + secret + ") >> endobj\n")
		}, false, true},
		"PDF, link in a stream": {func(f string) []byte {
			return []byte("%PDF-1.7\n" + f + packed(3, 1, "<< /URI (mailto:"+secret+") >>"))
		}, false, true},
		"PDF, page": {func(f string) []byte {
			return []byte("%PDF-1.7\n" + f + stream(3, "/Filter /FlateDecode", zipped("BT ("+secret+") Tj ET")))
		}, false, true},
		"document, properties": {func(f string) []byte {
			return zipOf(t, "[Content_Types].xml", "", "=a.bin", f, "docProps/core.xml", secret)
		}, true, true},
		"document, author": {func(f string) []byte {
			return zipOf(t, "mimetype", "", "=a.bin", f, "word/document.xml", `<w:ins w:author="`+secret+`"/>`)
		}, true, true},
		"document, commenter": {func(f string) []byte {
			return zipOf(t, "mimetype", "", "=a.bin", f, "xl/comments1.xml", "<author>"+secret+"</author>")
		}, true, true},
		"document, text": {func(f string) []byte {
			return zipOf(t, "mimetype", "", "=a.bin", f, "word/document.xml", "<w:t>"+secret+"</w:t>")
		}, false, true},
		"document, stored text": {func(f string) []byte {
			return zipOf(t, "mimetype", "", "=a.bin", f, "=word/document.xml", "<w:t>"+secret+"</w:t>")
		}, false, true},
		"document, picture": {func(f string) []byte { return zipOf(t, "mimetype", "", "=a.bin", f, "word/media/a.jpg", secret) }, true, true},
		"document, name":    {func(f string) []byte { return zipOf(t, "mimetype", "", "=a.bin", f, "word/"+secret, "") }, true, true},
		"archive, unopened": {func(f string) []byte { return zipOf(t, "=a.bin", f, "a.txt", strings.Repeat(secret, 9)) }, false, false},
		"archive, stored":   {func(f string) []byte { return zipOf(t, "=a.bin", f, "=a.txt", secret) }, true, true},
		"PNG, packed text": {func(f string) []byte {
			return []byte(pngMagic + string(pngChunk("IDAT", []byte(f))) + string(pngChunk("zTXt", []byte("Author\x00\x00"+zipped(secret)))))
		}, true, true},
		"JPEG":             {func(f string) []byte { return []byte("\xff\xd8" + f + secret) }, true, true},
		"in UTF-16":        {func(f string) []byte { return []byte("RIFF" + f + wide(secret)) }, true, true},
		"RTF, information": {func(f string) []byte { return []byte(`{\rtf1 ` + f + `{\info{\author ` + secret + `}}`) }, true, true},
		"RTF, text":        {func(f string) []byte { return []byte(`{\rtf1 ` + f + secret + `}`) }, false, true},
		"Word 97, properties": {func(f string) []byte {
			return append(compound("Data", "x", "\x05SummaryInformation", propertySet(secret)), f...)
		}, true, true},
		"Word 97, text": {func(f string) []byte { return append(compound("WordDocument", fib, "0Table", empty), f...) }, false, true},
		"nothing":       {func(f string) []byte { return []byte("\x00\x01" + f + "sam@else.example") }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, filler := range []string{"", strings.Repeat("filler of no meaning, 1234567890\n", 40000)} {
				file := c.file(filler)
				header := "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n"
				body := "--b1\r\nContent-Type: text/plain\r\n\r\nHere.\r\n--b1\r\nContent-Type: application/x-thing\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
					string(appendBase64(nil, file)) + "\r\n--b1--\r\n"
				for typed, want := range map[Typed]bool{TypedAllow: c.allow, TypedRefuse: c.other} {
					err := Check([]byte(header), strings.NewReader(body), jane, typed)
					if (err != nil) != want {
						t.Errorf("%s, %d octets: %v", typed, len(file), err)
					}
				}
			}
		})
	}
}

// TestAttachmentPolicies: whole messages, from Rewrite through the gate.
func TestAttachmentPolicies(t *testing.T) {
	text := "<w:t>Call me, or write to " + secret + "</w:t>"
	docx := zipOf(t, "[Content_Types].xml", "<Types/>", "docProps/core.xml", secret, "=word/document.xml", text)
	page := "%PDF-1.7\n1 0 obj << /Author (" + secret + ") /Producer (x) >> endobj\n" + stream(3, "/Filter /FlateDecode", zipped("BT ("+secret+") Tj ET"))
	for name, c := range map[string]struct {
		kind string
		data []byte
	}{
		"cv.docx": {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", docx},
		"cv.pdf":  {"application/pdf", []byte(page)},
		"cv.rtf":  {"application/rtf", []byte(`{\rtf1{\info{\author ` + secret + `}}` + secret + `}`)},
		"cv.svg":  {"image/svg+xml", []byte(`<svg><metadata>` + secret + `</metadata><text>` + secret + `</text></svg>`)},
		"cv.txt":  {"text/plain", []byte("write to " + secret + "\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, typed := range []Typed{TypedAllow, TypedRedact, TypedRefuse} {
				var out bytes.Buffer
				res, err := Rewrite(&out, strings.NewReader(attached(c.kind, name, c.data)), Options{Identity: jane, Typed: typed, TempDir: t.TempDir()})
				if typed == TypedAllow || typed == TypedRedact && name == "cv.txt" {
					if err == nil {
						err = Check(res.MIMEFields, &out, jane, typed)
					}
					if err != nil {
						t.Errorf("%s: %v", typed, err)
					}
					continue
				}
				if !isRefusal(err) || !strings.Contains(err.Error(), "address") || strings.Contains(err.Error(), "realmail") {
					t.Errorf("%s: not refused in words: %v", typed, err)
				}
			}
		})
	}
}

// TestAttachmentNames: a file's name never keeps an identifier, whatever the
// policy.
func TestAttachmentNames(t *testing.T) {
	for _, typed := range []Typed{TypedAllow, TypedRefuse} {
		for i, kind := range []string{"application/pdf", "image/jpeg", "application/zip", "video/mp4"} {
			var out bytes.Buffer
			res, err := Rewrite(&out, strings.NewReader(attached(kind, fmt.Sprintf("%s-%d.bin", secret, i), []byte("x"))), Options{Identity: jane, Typed: typed})
			if err == nil {
				err = Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, typed)
			}
			if err != nil || strings.Contains(out.String(), "realmail") || !strings.Contains(out.String(), ".bin") {
				t.Errorf("%s, %s: %v\n%s", typed, kind, err, out.String())
			}
		}
	}
}

package sanitize

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

var jane = Identity{
	Name: "Jane Roe", Addresses: []string{"jane.roe@realmail.example", "jroe@work.example"},
	RelayDomain: "msg.example.com", RelayURL: "https://msg.example.com",
}

const benchHead = "Received: from laptop.home (unknown [192.0.2.77]) by mx.realmail.example with ESMTPSA; Tue, 01 Sep 2026 10:00:00 +0200\r\n" +
	"From: Jane Roe <jane.roe@realmail.example>\r\nTo: Sam Casting via Backstage <t-k3x9qdm2w7@msg.example.com>\r\nSubject: Re: Callback for Ophelia\r\n" +
	"Date: Tue, 01 Sep 2026 10:00:00 +0200\r\nMessage-ID: <CAF1234abcd@realmail.example>\r\nIn-Reply-To: <x1@msg.example.com>\r\nMIME-Version: 1.0\r\n"

func benchText(mark string) string {
	line := mark + "The rehearsal on Tuesday begins at ten; please bring the second act, \"by heart\", and good shoes.\r\n"
	return strings.Repeat(line, 1900/len(line))
}

func plain4K() []byte {
	return []byte(benchHead + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + benchText("") +
		"\r\nOn Mon, Aug 31, 2026 at 4:12 PM Sam Casting via Backstage <t-k3x9qdm2w7@msg.example.com> wrote:\r\n\r\n" + benchText("> "))
}

func alternative4K() []byte {
	text := benchText("")[:900]
	htm := strings.ReplaceAll(text, "\r\n", "<br>\r\n")
	return []byte(benchHead + "Content-Type: multipart/alternative; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text +
		"\r\nOn Mon, Aug 31, 2026 at 4:12 PM Sam Casting via Backstage <t-k3x9qdm2w7@msg.example.com> wrote:\r\n\r\n> " + strings.ReplaceAll(text, "\r\n", "\r\n> ") +
		"\r\n\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<div dir=\"ltr\">" + htm + "</div><br><div class=\"gmail_quote\"><div dir=\"ltr\" class=\"gmail_attr\">On Mon, Aug 31, 2026 at 4:12 PM " +
		"Sam Casting via Backstage &lt;<a href=\"mailto:t-k3x9qdm2w7@msg.example.com\">t-k3x9qdm2w7@msg.example.com</a>&gt; wrote:<br></div>" +
		"<blockquote class=\"gmail_quote\" style=\"margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex\">" + htm + "</blockquote></div>\r\n--b1--\r\n")
}

func BenchmarkRewrite4K(b *testing.B) {
	for name, raw := range map[string][]byte{"plain": plain4K(), "alternative": alternative4K()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				var out bytes.Buffer
				out.Grow(2 * len(raw))
				res, err := Rewrite(&out, bytes.NewReader(raw), Options{Identity: jane, Domain: "msg.example.com"})
				if err != nil {
					b.Fatal(err)
				}
				if err := Check(res.MIMEFields, &out, jane, TypedAllow); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/check", func(b *testing.B) {
			var out bytes.Buffer
			res, err := Rewrite(&out, bytes.NewReader(raw), Options{Identity: jane, Domain: "msg.example.com"})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// withAttachment is a message with n random octets attached.
func withAttachment(n int, kind string) []byte {
	rnd := rand.NewChaCha8([32]byte{1})
	data := make([]byte, n)
	rnd.Read(data)
	var b bytes.Buffer
	b.WriteString(benchHead + "Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n--b1\r\nContent-Type: " + kind +
		"; name=\"reel.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	e := base64.StdEncoding
	for len(data) > 0 {
		m := min(57, len(data))
		b.WriteString(e.EncodeToString(data[:m]) + "\r\n")
		data = data[m:]
	}
	b.WriteString("--b1--\r\n")
	return b.Bytes()
}

func BenchmarkAttachment10M(b *testing.B) {
	raw := withAttachment(10<<20, "application/octet-stream")
	b.Run("rewrite", func(b *testing.B) {
		b.SetBytes(10 << 20)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Rewrite(io.Discard, bytes.NewReader(raw), Options{Identity: jane}); err != nil {
				b.Fatal(err)
			}
		}
	})
	var out bytes.Buffer
	res, err := Rewrite(&out, bytes.NewReader(raw), Options{Identity: jane})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("check", func(b *testing.B) {
		b.SetBytes(10 << 20)
		b.ReportAllocs()
		for b.Loop() {
			if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestMemory: a 25 MB message costs little while it passes.
func TestMemory(t *testing.T) {
	raw := withAttachment(18<<20, "application/octet-stream")
	var out bytes.Buffer
	out.Grow(len(raw) + 1<<20)
	allocated := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	var res Result
	var err error
	if n := allocated(func() { res, err = Rewrite(&out, bytes.NewReader(raw), Options{Identity: jane}) }); err != nil || n > 2<<20 {
		t.Errorf("Rewrite allocated %d octets, err %v", n, err)
	}
	if n := allocated(func() { err = Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow) }); err != nil || n > 4<<20 {
		t.Errorf("Check allocated %d octets, err %v", n, err)
	}
}

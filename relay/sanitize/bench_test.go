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

// newsletter is an HTML text of about n octets that names the writer's domain
// in every link: the kind that the gate has to read most often.
func newsletter(n int) []byte {
	const block = `<table width="600" style="border-collapse:collapse"><tr><td style="padding:4px"><a href="https://www.realmail.example/c/0123456789abcdef0123456789abcdef?m=1&amp;u=2">Autumn season &amp; workshops</a><br>` +
		"Rehearsals begin at ten: bring shoes.</td></tr></table>\r\n"
	return []byte(benchHead + "Content-Type: text/html; charset=utf-8\r\n\r\n" + strings.Repeat(block, n/len(block)))
}

func BenchmarkNewsletter400K(b *testing.B) {
	raw := newsletter(400 << 10)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		passed(b, raw)
	}
}

func passed(t testing.TB, raw []byte) {
	var out bytes.Buffer
	res, err := Rewrite(&out, bytes.NewReader(raw), Options{Identity: jane})
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow); err != nil {
		t.Fatal(err)
	}
}

// allocated counts the octets that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLinear: the work follows the size. Every reading of a text is a copy of
// it, so what is allocated counts the readings: no more for a long text.
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes")
	}
	for name, grow := range map[string]func(n int) []byte{
		"newsletter": newsletter,
		"long quote": func(n int) []byte {
			line := "> jane.roe@realmail.example wrote to t-k3x9qdm2w7@msg.example.com about 31.08.2026:\r\n"
			return []byte(benchHead + "\r\nYes.\r\n" + strings.Repeat(line, n/len(line)))
		},
		"block of base64": func(n int) []byte {
			line := "> " + strings.Repeat("QUJD", 18) + "\r\n"
			return []byte(benchHead + "\r\nYes.\r\n> jane.roe@realmail.example\r\n" + strings.Repeat(line, n/len(line)))
		},
		"comments in a style": func(n int) []byte {
			return []byte(benchHead + "Content-Type: text/html\r\n\r\n<style>" + strings.Repeat("/* x */ p { color: red }\r\n", n/26) + "</style><p>x</p>")
		},
		"elements": func(n int) []byte {
			return []byte(benchHead + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<blockquote>jane.roe@realmail.example<p>", n/40))
		},
		"one link": func(n int) []byte {
			return []byte(benchHead + "\r\n> https://realmail.example/" + strings.Repeat("a%20", n/4))
		},
	} {
		small, large := grow(60<<10), grow(960<<10)
		passed(t, small) // tables that are made once
		a, b := allocated(func() { passed(t, small) }), allocated(func() { passed(t, large) })
		perOctet := float64(b) / float64(len(large))
		t.Logf("%s: %d octets allocated for %d, %d for %d: %.0f each", name, a, len(small), b, len(large), perOctet)
		if b > 32*a || perOctet > 120 {
			t.Errorf("%s: %d octets are allocated for %d, %d for %d", name, a, len(small), b, len(large))
		}
	}
}

// TestMemory: a 25 MB message costs little while it passes.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes")
	}
	raw := withAttachment(18<<20, "application/octet-stream")
	var out bytes.Buffer
	out.Grow(len(raw) + 1<<20)
	var res Result
	var err error
	if n := allocated(func() { res, err = Rewrite(&out, bytes.NewReader(raw), Options{Identity: jane}) }); err != nil || n > 2<<20 {
		t.Errorf("Rewrite allocated %d octets, err %v", n, err)
	}
	if n := allocated(func() { err = Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow) }); err != nil || n > 4<<20 {
		t.Errorf("Check allocated %d octets, err %v", n, err)
	}
}

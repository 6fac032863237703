package sanitize

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the wanted results of the messages in testdata anew")

const goldens = "../../testdata/sanitize"

// writer is who writes the messages there.
var writer = Identity{
	Name: "Jane Roe", Addresses: []string{"jane.roe@realmail.example", "jroe@work.example", "jr@bücher.example", "janemroe@gmail.com"},
	RelayDomain: "msg.example.com", RelayURL: "https://msg.example.com", Brand: "Backstage",
}

// TestGolden: each message there becomes exactly what its .want file says.
// Lines end in LF in the files and in CRLF on the way. A message whose name
// begins with first- gets a preface; its X-Corpus field may name policies.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(goldens, "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages in %s: %v", goldens, err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".eml")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			tags := corpusTags(raw)
			o := Options{Identity: writer, Typed: Typed(tags["typed"]), RemoteImages: RemoteImages(tags["images"]), Domain: "msg.example.com", Rand: zeros{}}
			if strings.HasPrefix(name, "first-") {
				o.Preface = "About: Ophelia in Hamlet"
			}
			got := rewritten(t, strings.ReplaceAll(string(raw), "\n", "\r\n"), o)
			out := strings.TrimSuffix(f, ".eml") + ".want"
			if *update {
				if err := os.WriteFile(out, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// rewritten is the outcome of Rewrite and Check as text with LF.
func rewritten(t *testing.T, raw string, o Options) string {
	t.Helper()
	var out bytes.Buffer
	res, err := Rewrite(&out, strings.NewReader(raw), o)
	if isRefusal(err) {
		return "refused: " + err.Error() + "\n"
	} else if err != nil {
		t.Fatal(err)
	}
	header := append([]byte("Subject: "+res.Subject+"\r\n"), res.MIMEFields...)
	o.Identity.Hosts = res.Hosts
	if err := Check(header, bytes.NewReader(out.Bytes()), o.Identity, o.Typed); err != nil {
		t.Errorf("%v in\n%s", err, out.String())
	}
	if err := canonical(out.Bytes()); err != nil {
		t.Error(err)
	}
	if !bytes.HasPrefix(res.MIMEFields, []byte("MIME-Version: 1.0\r\n")) {
		t.Errorf("the fields begin with %q", res.MIMEFields)
	}
	note := ""
	if len(res.Repaired) > 0 {
		note = "repaired: " + strings.Join(res.Repaired, ", ") + "\n"
	}
	return note + strings.ReplaceAll(string(header)+"\r\n"+out.String(), "\r\n", "\n")
}

func TestTyped(t *testing.T) {
	const head = "Content-Type: text/plain\r\n\r\n"
	for _, c := range []struct {
		typed    Typed
		in, want string
	}{
		{TypedAllow, "Mail  me: jane.roe@realmail.example .\t\r\n\r\n> jane.roe@realmail.example", "Mail  me: jane.roe@realmail.example .=09\r\n\r\n> Jane Roe\r\n"},
		{TypedAllow, "See realmail.example", "See realmail.example\r\n"},
		{TypedRedact, "Mail me: jane.roe@realmail.example", "Mail me: Jane Roe\r\n"},
		{TypedRedact, "See realmail.example", "See realmail.example\r\n"},
		{TypedRefuse, "Mail me: jane.roe (at) realmail.example", "refused"},
		{TypedRefuse, "> jane.roe@realmail.example", "> Jane Roe\r\n"},
		{TypedAllow, "Reply to t-k3x9qdm2w7@msg.example.com", "Reply to [address hidden]\r\n"},
		{TypedAllow, "To: jane.roe@realmail.example", "To: Jane Roe\r\n"},
		{TypedAllow, "Sent from the account of jane.roe@realmail.example", "Sent from the account of Jane Roe\r\n"},
	} {
		var out bytes.Buffer
		res, err := Rewrite(&out, strings.NewReader(head+c.in), Options{Identity: jane, Typed: c.typed})
		if c.want == "refused" {
			if !errors.Is(err, errTyped) {
				t.Errorf("%q, %s: %v", c.in, c.typed, err)
			}
			continue
		}
		if err != nil || out.String() != c.want {
			t.Errorf("%q, %s\n gives %q\n  want %q, %v", c.in, c.typed, out.String(), c.want, err)
		}
		if err := Check(res.MIMEFields, &out, jane, c.typed); err != nil {
			t.Errorf("%q, %s: %v", c.in, c.typed, err)
		}
	}
}

// TestCheckFinds: the gate does not depend on what Rewrite does.
func TestCheckFinds(t *testing.T) {
	const multi = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
	const text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	const html = "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
	large := strings.Repeat("QUFBQUFBQUFB\r\n", 40000)
	for name, c := range map[string]struct {
		header, body string
		typed        Typed
		leaks        bool
	}{
		"clean":              {text, "Hello", TypedAllow, false},
		"typed":              {text, "Mail jane.roe@realmail.example", TypedAllow, false},
		"typed, not allowed": {text, "Mail jane.roe@realmail.example", TypedRedact, true},
		"quoted":             {text, "> jane.roe@realmail.example", TypedAllow, true},
		"quoted, QP":         {text + "Content-Transfer-Encoding: quoted-printable\r\n", "> jane.roe=40real=\r\nmail.example", TypedAllow, true},
		"quoted, base64":     {text + "Content-Transfer-Encoding: base64\r\n", "PiBqYW5lLnJvZUByZWFsbWFpbC5leGFtcGxl", TypedAllow, true},
		"packed":             {text, "> PiBqYW5lLnJvZUByZWFsbWFpbC5leGFtcGxl", TypedAllow, true},
		"domain":             {text, "> www.realmail.example", TypedAllow, true},
		"domain, typed":      {text, "www.realmail.example", TypedRefuse, false},
		"alias":              {text, "t-k3x9qdm2w7@msg.example.com", TypedAllow, true},
		"contact address":    {text, "> sam@msg.example.com", TypedAllow, false},
		"relay's link":       {text, "https://msg.example.com/u/x", TypedAllow, true},
		"header":             {text + "Subject: =?utf-8?b?amFuZS5yb2VAcmVhbG1haWwuZXhhbXBsZQ==?=\r\n", "x", TypedAllow, true},
		"html attribute":     {html, `<p title="jane.roe@realmail.example">x</p>`, TypedAllow, true},
		"html comment":       {html, `<p>x<!-- jane.roe&#64;realmail.example --></p>`, TypedRedact, true},
		"html, typed":        {html, `<p>Mail <a href="mailto:jane.roe@realmail.example">jane.roe@realmail.example</a></p>`, TypedAllow, false},
		"html, hidden link":  {html, `<p>Mail <a href="mailto:jane.roe@realmail.example">me</a></p>`, TypedAllow, true},
		"html, across tags":  {html, `<blockquote>jane.<b>roe</b>@real<wbr>mail.example</blockquote>`, TypedAllow, true},
		"file name":          {multi, "--b\r\nContent-Type: image/png; name*=utf-8''jane.roe%40realmail.example\r\n\r\n--b--\r\n", TypedAllow, true},
		"preamble":           {multi, "jane.roe@realmail.example\r\n--b\r\n\r\nx\r\n--b--\r\n", TypedAllow, true},
		"attached message":   {multi, "--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: text/plain\r\n\r\njane.roe@realmail.example\r\n--b--\r\n", TypedAllow, true},
		"attachment":         {multi, "--b\r\nContent-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\namFuZS5yb2VAcmVhbG1haWwuZXhhbXBsZQ==\r\n--b--\r\n", TypedAllow, true},
		"large attachment":   {multi, "--b\r\nContent-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + large + "AGphbmUucm9lQHJlYWxtYWlsLmV4YW1wbGUA\r\n" + large + "--b--\r\n", TypedAllow, true},
		"large, clean":       {multi, "--b\r\nContent-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + large + "--b--\r\n", TypedAllow, false},
		"undecodable":        {"Content-Type: x y z\r\n", "x", TypedAllow, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check([]byte(c.header), strings.NewReader(c.body), jane, c.typed)
			if (err != nil) != c.leaks {
				t.Errorf("err = %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "realmail") {
				t.Errorf("the error shows the address: %v", err)
			}
		})
	}
}

// TestHostile: damage and malice get an answer.
func TestHostile(t *testing.T) {
	nest := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		return b.String() + "\r\ndeep\r\n"
	}
	for name, c := range map[string]struct {
		raw     string
		refused bool
	}{
		"200 deep":              {nest(200), true},
		"10000 deep":            {nest(10000), true},
		"20 deep":               {nest(20), false},
		"messages in messages":  {strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 100), true},
		"endless header":        {"Subject: " + strings.Repeat("x", 1<<20) + "\r\n\r\nx", true},
		"endless fields":        {strings.Repeat("X: y\r\n", 100000) + "\r\nx", true},
		"endless part header":   {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + strings.Repeat("X: y\r\n", 100000) + "\r\nx", true},
		"too many parts":        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 20000), true},
		"too long a text":       {"\r\n" + strings.Repeat("a line of text\r\n", 400000), true},
		"one endless line":      {"\r\n" + strings.Repeat("x", 1<<20), false},
		"boundary lines only":   {"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--\r\n", 200000), false},
		"angle brackets":        {"Content-Type: text/html\r\n\r\n" + strings.Repeat("<", 300000), false},
		"open elements":         {"Content-Type: text/html\r\n\r\n" + strings.Repeat("<div><b>", 60000), false},
		"quoted elements":       {"Content-Type: text/html\r\n\r\n" + strings.Repeat("<blockquote>jane.roe@realmail.example", 5000), false},
		"percent signs":         {"\r\n" + strings.Repeat("%25", 100000), false},
		"ampersands":            {"\r\n" + strings.Repeat("&amp;", 100000), false},
		"at signs":              {"\r\n> " + strings.Repeat("@realmail.example", 50000), false},
		"local parts":           {"\r\n> " + strings.Repeat("jane.roe+", 50000) + "@realmail.example", false},
		"quote marks":           {"\r\n" + strings.Repeat(strings.Repeat(">", 900)+"\r\n", 300), false},
		"labels":                {"\r\n" + strings.Repeat("Subject: x\r\n", 50000), false},
		"colons":                {"\r\n" + strings.Repeat("x 123:\r\n", 50000), false},
		"base64 that is none":   {"Content-Transfer-Encoding: base64\r\n\r\n\xff\x00=!=!====Zm9v=Y", false},
		"QP that is none":       {"Content-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ=\r=4=\r\n=", false},
		"bare CR and LF":        {"Subject: a\rb\nContent-Type: text/plain\n\nx\ry\nz", false},
		"NULs":                  {"Subject: \x00a\r\nContent-Type: text/plain\x00; charset=\x00\r\n\r\n\x00\x00x", false},
		"nothing":               {"", false},
		"parameter continued":   {"Content-Type: text/plain; " + strings.Repeat("name*0*=x; ", 5000) + "\r\n\r\nx", false},
		"a boundary of nothing": {"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			res, err := Rewrite(&out, struct{ io.Reader }{strings.NewReader(c.raw)}, Options{Identity: jane})
			if isRefusal(err) != c.refused || err != nil && !c.refused {
				t.Fatalf("err = %v", err)
			}
			if err == nil {
				if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), jane, TypedAllow); err != nil {
					t.Error(err)
				}
				if err := canonical(out.Bytes()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// FuzzRewrite: any octets are relayed clean or refused.
func FuzzRewrite(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(goldens, "*.eml"))
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n")), byte(0))
	}
	f.Fuzz(func(t *testing.T, raw []byte, typed byte) {
		o := Options{Identity: jane, Typed: []Typed{TypedAllow, TypedRedact, TypedRefuse}[typed%3], Rand: zeros{}, Preface: "About: x"}
		var out bytes.Buffer
		res, err := Rewrite(&out, bytes.NewReader(raw), o)
		if isRefusal(err) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		id := jane
		id.Hosts = res.Hosts
		if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), id, o.Typed); err != nil {
			t.Fatalf("%v\n%q", err, out.Bytes())
		}
		if err := canonical(out.Bytes()); err != nil {
			t.Fatal(err)
		}
	})
}

package notify

import (
	"bytes"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-message"

	"github.com/stagedoor/stagedoor/relay/sanitize"
)

// quotes are the ways in which mail programs quote a notification's text.
var quotes = map[string]func(text string) string{
	"marked":                 func(s string) string { return marked(s) },
	"marked, lines broken":   func(s string) string { return marked(broken(s)) },
	"broken after the marks": func(s string) string { return broken(marked(s)) },
	"below a header block": func(s string) string {
		return "From: Sam via Backstage <t-x@msg.example.com>\r\nSent: Monday\r\nTo: Tess <tess@msg.example.com>\r\nSubject: Callback\r\n\r\n" + s
	},
	"the delimiter's space lost": func(s string) string { return marked(strings.ReplaceAll(s, "-- \r\n", "--\r\n")) },
}

func marked(s string) string {
	return "On Monday Sam via Backstage wrote:\r\n\r\n> " + strings.ReplaceAll(strings.TrimRight(s, "\r\n"), "\r\n", "\r\n> ") + "\r\n"
}

// broken breaks lines at 76 octets, as programs do.
func broken(s string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(s, "\r\n") {
		for len(line) > 76 {
			i := strings.LastIndexByte(line[:76], ' ')
			if i < 3 {
				break
			}
			b.WriteString(line[:i] + "\r\n")
			line = line[i+1:]
			if strings.HasPrefix(s, "On ") && !strings.HasPrefix(line, ">") {
				line = "> " + line
			}
		}
		b.WriteString(line + "\r\n")
	}
	return strings.TrimSuffix(b.String(), "\r\n")
}

// htmlQuotes are the ways in which they quote its HTML.
var htmlQuotes = map[string]func(text string) string{
	"a blockquote": func(s string) string { return `<p>Yes!</p><blockquote type="cite">` + s + "</blockquote>" },
	"renamed class": func(s string) string {
		return `<p>Yes!</p><blockquote>` + strings.ReplaceAll(s, "sd-footer", "m_-12sd-footer") + "</blockquote>"
	},
	"Gmail's": func(s string) string {
		return `<div dir="ltr">Yes!</div><div class="gmail_quote">` + strings.ReplaceAll(s, "sd-footer", "m_-12sd-footer") + "</div>"
	},
	"the class lost": func(s string) string {
		return `<p>Yes!</p><blockquote>` + strings.ReplaceAll(s, ` class="sd-footer"`, "") + "</blockquote>"
	},
}

var tags = regexp.MustCompile(`<[^>]*>`)

// TestQuotedFooterIsRemoved: what a reader's mail client quotes of a
// notification, in whatever language, comes to the other side without our footer,
// which speaks to its reader only.
func TestQuotedFooterIsRemoved(t *testing.T) {
	templates, err := LoadTemplates("testdata/templates")
	if err != nil {
		t.Fatal(err)
	}
	for name, look := range map[string]*Templates{"built-in": builtIn(), "own": templates} {
		r := New(Options{Brand: "Backstage", BaseURL: "https://msg.example.com", SupportURL: "https://example.com/help", Templates: look})
		for _, tag := range look.Languages.Tags() {
			for _, sent := range []footerView{
				sample("footer.txt", r.look.in(look.Languages.Of(tag)), true).(footerView),
				{Look: r.look.in(look.Languages.Of(tag)), Writer: "Sam", Others: true},
				{Look: r.look.in(look.Languages.Of(tag))},
			} {
				f := footer{sent, look}
				text, err := f.text()
				if err != nil {
					t.Fatal(err)
				}
				for way, quote := range quotes {
					checkQuoted(t, name+", "+tag+", text, "+way, "text/plain", "Yes!\r\n\r\n"+quote("Hello,\r\ncoming?\r\n"+text), text)
				}
				page, err := f.html()
				if err != nil {
					t.Fatal(err)
				}
				for way, quote := range htmlQuotes {
					checkQuoted(t, name+", "+tag+", HTML, "+way, "text/html", quote("<p>Hello,<br>coming?</p>"+page), html.UnescapeString(tags.ReplaceAllString(page, "")))
				}
			}
		}
	}
}

// checkQuoted: of a reply, no line of the footer reaches the other side, and
// all else does.
func checkQuoted(t *testing.T, name, kind, body, footer string) {
	t.Helper()
	reply := "From: <tess@mail.example>\r\nTo: <t-x@msg.example.com>\r\nMIME-Version: 1.0\r\nContent-Type: " + kind + "; charset=utf-8\r\n\r\n" + body + "\r\n"
	var out bytes.Buffer
	res, err := sanitize.Rewrite(&out, strings.NewReader(reply), sanitize.Options{
		Identity: sanitize.Identity{Name: "Tess", Addresses: []string{"tess@mail.example"}, RelayDomain: "msg.example.com", RelayURL: "https://msg.example.com", Brand: "Backstage"},
		Typed:    sanitize.TypedAllow, Domain: "msg.example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := message.Read(io.MultiReader(bytes.NewReader(res.MIMEFields), strings.NewReader("\r\n"), &out))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	err = e.Walk(func(_ []int, e *message.Entity, err error) error {
		if err == nil && !strings.HasPrefix(e.Header.Get("Content-Type"), "multipart/") {
			_, err = io.Copy(&b, e.Body)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for line := range strings.Lines(footer) {
		line = strings.TrimSpace(line)
		if line == "" || line == "--" || line == "Backstage" {
			continue
		}
		if start, _, _ := strings.Cut(line, ","); strings.Contains(got, start[:min(len(start), 25)]) {
			t.Errorf("%s: %q is left in the reply:\n%s", name, line, got)
			return
		}
	}
	if strings.Contains(got, "sd-footer") || !strings.Contains(got, "Yes!") || !strings.Contains(got, "Hello") || !strings.Contains(got, "coming?") {
		t.Errorf("%s: the reply is\n%s", name, got)
	}
}

package web

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

const linkKey = "a secret of the platform"

// postForm posts a contact form, with files by name.
func (b *browser) postForm(path string, fields map[string]string, files map[string]string) (int, string) {
	b.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for name, value := range fields {
		_ = m.WriteField(name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) { // a browser keeps their order
		part, err := m.CreateFormFile("files", name)
		if err == nil {
			_, err = io.WriteString(part, files[name])
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	_ = m.Close()
	res, err := b.Post(b.base+path, m.FormDataContentType(), &body)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return res.StatusCode, string(page)
}

// newest is the newest message in a member's INBOX, whole.
func (b *browser) newest(handle string) string {
	b.Helper()
	ctx := context.Background()
	m, err := b.Store.MemberByHandle(ctx, handle)
	if err != nil {
		b.Fatal(err)
	}
	box, err := b.Store.Mailbox(ctx, m.ID, threading.Inbox)
	if err != nil {
		b.Fatal(err)
	}
	var last threading.Entry
	if err := b.Store.Entries(ctx, m.ID, box.ID, threading.UIDSet{{First: 1, Last: 1<<32 - 1}}, func(e threading.Entry) error { last = e; return nil }); err != nil {
		b.Fatal(err)
	}
	item, err := b.Store.Item(ctx, m.ID, last.ItemID)
	if err != nil {
		return ""
	}
	r, err := b.Store.OpenBody(ctx, item.BodyID, 0, -1)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	body, err := io.ReadAll(r)
	if err != nil {
		b.Fatal(err)
	}
	return string(item.Header) + string(body)
}

func TestContactForm(t *testing.T) {
	b := newBrowser(t)
	wants(t, b.open("/contact/sam", nil, 200), "<h1>Sign in</h1>", `value="/contact/sam"`)
	wants(t, b.open("/contact/nobody-here", nil, 200), "<h1>Sign in</h1>") // the same for everybody
	b.signInTess()
	page := b.open("/contact/sam?subject=Hello+%22you%22&about=hamlet/ophelia", nil, 200)
	wants(t, page, "<h1>Write to Sam</h1>", `value="Hello &#34;you&#34;"`, `<option value="hamlet/ophelia" selected>Ophelia in Hamlet</option>`)
	once := regexp.MustCompile(`name="once" value="(\w+)"`).FindStringSubmatch(page)[1]
	before := len(b.Mailbox("sam", "INBOX"))
	form := map[string]string{"once": once, "subject": "Ophelia, Zoë", "text": "I would love to.\n.\nTess", "about": "hamlet/ophelia"}
	files := map[string]string{"C:\\Users\\tess\\résumé.txt": "My parts:\n- Ophelia\n", "picture.bin": strings.Repeat("\x00\xff", 300<<10)}
	for range 2 { // pressed twice
		if status, page := b.postForm("/contact/sam", form, files); status != http.StatusCreated {
			t.Fatalf("%d\n%s", status, page)
		}
	}
	if n := len(b.Mailbox("sam", "INBOX")); n != before+1 {
		t.Errorf("Sam has %d messages more", n-before)
	}
	got := b.newest("sam")
	subject, _ := mimetree.Field([]byte(got), "Subject")
	role, _ := mimetree.Field([]byte(got), "X-Role")
	if mimetree.DecodeHeader(strings.TrimSpace(subject)) != "Ophelia, Zoë" || strings.TrimSpace(role) != "Ophelia" {
		t.Errorf("Subject %q, role %q", subject, role)
	}
	for _, want := range []string{"About: Ophelia in Hamlet", "I would love to.", "sum%C3%A9.txt", "picture.bin"} {
		if !strings.Contains(got, want) {
			t.Errorf("the message lacks %q:\n%.3000s", want, got)
		}
	}
	if strings.Contains(got, "Users") || strings.Contains(got, "tess.real") {
		t.Error("the message shows where its writer's files are, or the address")
	}
}

func TestContactFormsThatAreWrong(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	good := func(change map[string]string) map[string]string {
		f := map[string]string{"subject": "Hello", "text": "Hello"}
		for k, v := range change {
			f[k] = v
		}
		return f
	}
	many := map[string]string{}
	for i := range 11 {
		many[fmt.Sprint(i, ".txt")] = "x"
	}
	b.s.o.MaxMessage = 1 << 20
	for name, c := range map[string]struct {
		fields, files map[string]string
		says          string
	}{
		"no text":                  {good(map[string]string{"text": "  "}), nil, "The message is empty"},
		"two lines in the subject": {good(map[string]string{"subject": "Hello\r\nBcc: x@y"}), nil, "The subject must be one line"},
		"a long subject":           {good(map[string]string{"subject": strings.Repeat("x", 600)}), nil, "The subject is too long"},
		"a production of others":   {good(map[string]string{"about": "macbeth"}), nil, "Please choose one of the productions"},
		"a role that is not there": {good(map[string]string{"about": "hamlet/yorick"}), nil, "no such role"},
		"too many files":           {good(nil), many, "too many files"},
		"too large files":          {good(nil), map[string]string{"x": strings.Repeat("x", 3<<20)}, "too large together"},
		"markup":                   {good(map[string]string{"text": "", "subject": "<script>alert(1)</script>"}), nil, "&lt;script&gt;"},
	} {
		before := len(b.Mailbox("sam", "INBOX"))
		status, page := b.postForm("/contact/sam", c.fields, c.files)
		if status != http.StatusUnprocessableEntity || !strings.Contains(page, c.says) || strings.Contains(page, "<script>") || len(b.Mailbox("sam", "INBOX")) != before {
			t.Errorf("%s: %d\n%.2000s", name, status, page)
		}
	}
	b.open("/contact/sam", url.Values{"text": {"x"}}, http.StatusUnprocessableEntity) // not a form with files
	b.open("/contact/nobody-here", nil, http.StatusNotFound)
	b.open("/contact/tess", nil, http.StatusNotFound) // oneself
	b.open("/contact/..%2faccount", nil, http.StatusNotFound)
}

// The platform's link says who writes, for a while, and to one member only.
func TestSignedLinks(t *testing.T) {
	b := newBrowser(t)
	b.s.o.LinkKey = linkKey
	sign := func(key, to, from, expires string) string {
		h := hmac.New(sha256.New, []byte(key))
		_, _ = io.WriteString(h, "contact\n"+to+"\n"+from+"\n"+expires+"\n")
		return hex.EncodeToString(h.Sum(nil))
	}
	soon := fmt.Sprint(time.Now().Add(time.Minute).Unix())
	link := func(to, from, expires, sig string) string {
		return "/contact/" + to + "?" + url.Values{"from": {from}, "expires": {expires}, "sig": {sig}}.Encode()
	}
	good := link("sam", "tess", soon, sign(linkKey, "sam", "tess", soon))
	wants(t, b.open(good, nil, 200), "<h1>Write to Sam</h1>")
	if status, page := b.postForm(good, map[string]string{"subject": "Hello", "text": "It is me"}, nil); status != http.StatusCreated || !strings.Contains(b.newest("sam"), "It is me") {
		t.Errorf("%d\n%s", status, page)
	}
	past := fmt.Sprint(time.Now().Add(-time.Minute).Unix())
	for name, bad := range map[string]string{
		"another recipient": link("otto", "tess", soon, sign(linkKey, "sam", "tess", soon)),
		"another writer":    link("sam", "otto", soon, sign(linkKey, "sam", "tess", soon)),
		"a longer time":     link("sam", "tess", soon+"0", sign(linkKey, "sam", "tess", soon)),
		"over":              link("sam", "tess", past, sign(linkKey, "sam", "tess", past)),
		"another key":       link("sam", "tess", soon, sign("another", "sam", "tess", soon)),
		"no member":         link("sam", "nobody-here", soon, sign(linkKey, "sam", "nobody-here", soon)),
		"not signed":        link("sam", "tess", soon, ""),
		"a broken time":     link("sam", "tess", "x", sign(linkKey, "sam", "tess", "x")),
	} {
		b.open(bad, nil, http.StatusForbidden)
		if status, _ := b.postForm(bad, map[string]string{"subject": "x", "text": "x"}, nil); status != http.StatusForbidden {
			t.Errorf("%s: %d", name, status)
		}
	}
	b.s.o.LinkKey = ""
	b.open(link("sam", "tess", soon, sign("", "sam", "tess", soon)), nil, http.StatusForbidden)
}

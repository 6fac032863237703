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
	if ticket := fields["form"]; ticket != "" { // a browser keeps their order
		_ = m.WriteField("form", ticket)
	}
	for name, value := range fields {
		if name != "form" {
			_ = m.WriteField(name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
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

// signedFor is the platform's link by which from writes to a member.
func signedFor(key, to, from, expires string) url.Values {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(h, "contact\n"+to+"\n"+from+"\n"+expires+"\n")
	return url.Values{"from": {from}, "expires": {expires}, "sig": {hex.EncodeToString(h.Sum(nil))}}
}

func contactLink(to string, q url.Values) string { return "/contact/" + to + "?" + q.Encode() }

func ticketIn(page string) string {
	m := regexp.MustCompile(`name="form" value="([\w-]+)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

// The platform's link says who writes, for a while, to one member, and once.
func TestSignedLinks(t *testing.T) {
	b := newBrowser(t)
	b.s.o.LinkKey = linkKey
	in := func(d time.Duration) string { return fmt.Sprint(time.Now().Add(d).Unix()) }
	soon := in(time.Minute)
	link := contactLink("sam", signedFor(linkKey, "sam", "tess", soon))
	page := b.open(link, nil, 200)
	wants(t, page, "<h1>Write to Sam</h1>")
	form := map[string]string{"form": ticketIn(page), "subject": "Hello", "text": ""}
	status, page := b.postForm("/contact/sam", form, nil)
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, form["form"]) {
		t.Fatalf("a form without a text: %d\n%s", status, page)
	}
	before := len(b.Mailbox("sam", "INBOX"))
	form["text"] = "It is me"
	for range 2 { // pressed twice
		if status, page := b.postForm("/contact/sam", form, nil); status != http.StatusCreated || !strings.Contains(b.newest("sam"), "It is me") {
			t.Fatalf("%d\n%s", status, page)
		}
	}
	if n := len(b.Mailbox("sam", "INBOX")); n != before+1 {
		t.Errorf("%d messages of one form", n-before)
	}
	for name, other := range map[string]map[string]string{"text": {"text": "It is somebody else"}, "about": {"about": "hamlet"}} {
		changed := maps.Clone(form)
		maps.Copy(changed, other)
		status, page := b.postForm("/contact/sam", changed, nil)
		if n := len(b.Mailbox("sam", "INBOX")); status != http.StatusUnprocessableEntity || n != before+1 {
			t.Errorf("the form with another %s: %d, %d messages\n%s", name, status, n-before, page)
		}
		wants(t, page, "has been sent already", changed["text"]) // no word is lost
	}
	if status, page := b.postForm("/contact/sam", form, nil); status != http.StatusCreated {
		t.Errorf("the same once more: %d\n%s", status, page)
	}
	wants(t, b.open(link, nil, http.StatusForbidden), "This link has been used")

	with := func(q url.Values, name, value string) url.Values { q.Set(name, value); return q }
	good := func() url.Values { return signedFor(linkKey, "sam", "tess", soon) }
	for name, bad := range map[string]string{
		"another recipient": contactLink("otto", good()),
		"another writer":    contactLink("sam", with(good(), "from", "otto")),
		"a longer time":     contactLink("sam", with(good(), "expires", soon+"0")),
		"over":              contactLink("sam", signedFor(linkKey, "sam", "tess", in(-time.Minute))),
		"for too long":      contactLink("sam", signedFor(linkKey, "sam", "tess", in(25*time.Hour))),
		"another key":       contactLink("sam", signedFor("another", "sam", "tess", soon)),
		"no member":         contactLink("sam", signedFor(linkKey, "sam", "nobody-here", soon)),
		"not signed":        contactLink("sam", with(good(), "sig", "")),
		"a broken time":     contactLink("sam", signedFor(linkKey, "sam", "tess", "x")),
	} {
		if page := b.open(bad, nil, http.StatusForbidden); !strings.Contains(page, "does not work any more") || ticketIn(page) != "" {
			t.Errorf("%s:\n%s", name, page)
		}
	}
	b.s.o.LinkKey = ""
	b.open(contactLink("sam", signedFor("", "sam", "tess", soon)), nil, http.StatusForbidden)
}

// A link that somebody else opened too is the first's who sends; a form works
// for half a day, for its writer and recipient, and gives a late one back.
func TestForms(t *testing.T) {
	b := newBrowser(t)
	b.s.o.LinkKey, b.s.o.Now = linkKey, b.Now
	opened := func(to string) string {
		t.Helper()
		q := signedFor(linkKey, to, "tess", fmt.Sprint(b.Now().Add(time.Hour).Unix()))
		return ticketIn(b.open(contactLink(to, q), nil, 200))
	}
	refused := func(name, path, ticket string) {
		t.Helper()
		before := len(b.Mailbox("sam", "INBOX"))
		status, page := b.postForm(path, map[string]string{"form": ticket, "subject": "My subject", "text": "My <text>"}, map[string]string{"x.txt": "x"})
		if status != http.StatusForbidden || len(b.Mailbox("sam", "INBOX")) != before || strings.Contains(page, "Sam") {
			t.Errorf("%s: %d\n%s", name, status, page)
		}
		wants(t, page, "My subject", "My &lt;text&gt;", "choose your files again")
	}
	first, second := opened("sam"), opened("sam")
	if status, _ := b.postForm("/contact/sam", map[string]string{"form": second, "subject": "x", "text": "x"}, nil); status != http.StatusCreated {
		t.Fatal(status)
	}
	refused("the other form of the link", "/contact/sam", first)
	b.Advance(time.Second)
	late := opened("sam")
	refused("another recipient", "/contact/otto", late)
	refused("changed", "/contact/sam", late[:10]+"x"+late[11:])
	refused("cut", "/contact/sam", late[:20])
	b.Advance(ticketFor + time.Minute)
	refused("late", "/contact/sam", late)
	refused("nobody", "/contact/sam", "")
}

// A member whose session ended meanwhile loses no word.
func TestDraftsSurvive(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	b.open("/signout", url.Values{}, 200)
	form := map[string]string{"once": "x", "subject": "My subject", "text": "My text", "about": "hamlet/ophelia"}
	status, page := b.postForm("/contact/sam", form, nil)
	if status != http.StatusForbidden || strings.Contains(page, "Sam") {
		t.Errorf("%d\n%s", status, page)
	}
	wants(t, page, "My subject", "My text", `name="about" value="hamlet/ophelia"`, `name="once" value="x"`, `role="alert"`, "Sign in in a new tab")
	b.signInTess()
	if status, page := b.postForm("/contact/sam", form, nil); status != http.StatusCreated {
		t.Errorf("%d\n%s", status, page)
	}
}

// Who is signed in can't try out which names there are; a visitor hears the
// same of all.
func TestNamesAreNotTriedOut(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	for i := range maxMisses {
		b.open(fmt.Sprint("/contact/nobody-", i), nil, http.StatusNotFound)
	}
	b.open("/contact/nobody", nil, http.StatusTooManyRequests)
	wants(t, b.open("/contact/sam", nil, http.StatusTooManyRequests), "Please try again in an hour.")
	if status, page := b.postForm("/contact/sam", map[string]string{"subject": "x", "text": "x"}, nil); status != http.StatusTooManyRequests || strings.Contains(page, "Sam") {
		t.Errorf("%d\n%s", status, page)
	}
}

// A flood of forms ends for its network, and for its member, and nothing that
// was written is lost.
func TestFloodsOfForms(t *testing.T) {
	b := newBrowser(t)
	b.s.o.FormsPerMember, b.s.o.FormsPerNetwork = 5, 8
	b.signInTess()
	form := map[string]string{"subject": "My subject", "text": ""} // wrong, but it counts
	for range b.s.o.FormsPerMember {
		if status, _ := b.postForm("/contact/sam", form, nil); status != http.StatusUnprocessableEntity {
			t.Fatal(status)
		}
	}
	form["text"] = "My text"
	status, page := b.postForm("/contact/sam", form, map[string]string{"x.txt": "x"})
	if status != http.StatusTooManyRequests {
		t.Errorf("%d\n%s", status, page)
	}
	wants(t, page, "My subject", "My text", "try again in an hour")
	other := newBrowserOf(b)
	other.open("/signin", url.Values{"name": {"otto"}, "password": {"otto-secret"}}, 200)
	for range 2 {
		if status, page := other.postForm("/contact/sam", form, nil); status != http.StatusCreated {
			t.Errorf("another member: %d\n%s", status, page)
		}
	}
	if status, page := other.postForm("/contact/sam", form, nil); status != http.StatusTooManyRequests {
		t.Errorf("the network: %d\n%s", status, page)
	}
}

// Only the platform's origins may show the form in their pages, and only the
// form; the script in it speaks to them only.
func TestEmbedding(t *testing.T) {
	b := newBrowser(t)
	b.s.o.LinkKey = linkKey
	get := func(path string, header ...string) (*http.Response, string) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodGet, b.base+path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := b.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res, string(body)
	}
	link := contactLink("sam", signedFor(linkKey, "sam", "tess", fmt.Sprint(time.Now().Add(time.Minute).Unix())))
	if res, _ := get(link + "&embed=1"); !strings.HasSuffix(res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || res.Header.Get("X-Frame-Options") != "DENY" {
		t.Error("without origins it may be embedded")
	}
	b.s.o.EmbedOrigins = []string{"https://stage.example", "https://www.stage.example"}
	for path, embed := range map[string]bool{link: false, link + "&embed=1": true, "/contact/sam?embed": true, "/contact/sam?from=x&embed=1": true} {
		res, body := get(path)
		policy := res.Header.Get("Content-Security-Policy")
		if !strings.HasSuffix(policy, "frame-ancestors https://stage.example https://www.stage.example") || res.Header.Get("X-Frame-Options") != "" {
			t.Errorf("%s: %s, %s", path, policy, res.Header.Get("X-Frame-Options"))
		}
		if script := strings.Contains(body, `<script src="/frame.js" data-origins="https://stage.example https://www.stage.example" defer>`); script != embed || strings.Contains(policy, "script-src 'self'") != embed {
			t.Errorf("%s: %s\n%s", path, policy, body)
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", path, policy)
		}
	}
	if res, body := get(link, "Sec-Fetch-Dest", "iframe"); res.StatusCode != 200 || !strings.Contains(body, "/frame.js") {
		t.Error("a plain iframe is not noticed")
	}
	// Without a session and a link it leads to a tab of ours: one can't sign in within another's page.
	if res, body := get("/contact/sam?embed=1"); res.StatusCode != http.StatusForbidden || !strings.Contains(body, `href="http://msg.example.com/contact/sam" target="_blank"`) || strings.Contains(body, "Sam") {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
	b.signInTess()
	for _, path := range []string{"/signin", "/account", "/account/data?embed=1", "/alerts/x?embed=1"} {
		if res, _ := get(path, "Sec-Fetch-Dest", "iframe"); !strings.HasSuffix(res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || res.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s may be embedded", path)
		}
	}
	for _, path := range []string{"/contact.js", "/frame.js"} {
		if res, body := get(path); res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || !strings.Contains(body, "use strict") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
	}
}

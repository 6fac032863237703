package web

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// onStageTime lets the browser's server follow the stage's clock.
func (b *browser) onStageTime() *browser {
	b.s.o.Now = b.Now
	return b
}

func TestConversations(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	page := b.open("/account/conversations", nil, 200)
	wants(t, page, "Callback", "Sam", `href="/block/`, `<option value="" selected>`)
	thread := regexp.MustCompile(`name="thread" value="([a-z2-7]{26})"`).FindStringSubmatch(page)[1]
	form := url.Values{"thread": {thread}, "alerts": {"never"}}
	wants(t, b.open("/account/conversations", form, 200), "Your choice has been saved.", `<option value="never" selected>`)
	block := regexp.MustCompile(`/block/[a-z2-7]{26}`).FindString(page)
	wants(t, b.open(block, nil, 200), "<h1>Block or report Sam?</h1>")

	// The settings of another member's conversation are not to be had.
	ctx := context.Background()
	sam, _ := b.Store.MemberByHandle(ctx, "sam")
	otto, err := b.Store.MemberByHandle(ctx, "otto")
	if err != nil {
		t.Fatal(err)
	}
	filed, err := b.Pipeline.Contact(ctx, relay.ContactForm{Writer: sam, To: otto, Subject: "Secret", Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	others := b.Store.Keyring().Token(seal.TokenThread, filed.ThreadID)
	for name, bad := range map[string]url.Values{
		"of others":  {"thread": {others}, "alerts": {"never"}},
		"no thread":  {"thread": {strings.Repeat("a", 26)}, "alerts": {"never"}},
		"none given": {},
		"no setting": {"thread": {thread}, "alerts": {"hourly"}},
	} {
		if page := b.open("/account/conversations", bad, http.StatusUnprocessableEntity); strings.Contains(page, "Secret") {
			t.Errorf("%s:\n%s", name, page)
		}
	}
	if own, err := b.Store.ThreadAlerts(ctx, b.tess().ID, filed.ThreadID); err != nil || own != threading.AlertsUsual {
		t.Errorf("%q, %v", own, err)
	}
	// In pages; a change leads back to the page, and to nowhere else.
	for i := range threadsPerPage {
		if _, err := b.Pipeline.Contact(ctx, relay.ContactForm{Writer: sam, To: b.tess(), Subject: fmt.Sprint("More ", i), Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	page = b.open("/account/conversations", nil, 200)
	older := regexp.MustCompile(`/account/conversations\?before=[a-z2-7]{26}`).FindString(page)
	if older == "" || strings.Contains(page, "Callback") {
		t.Fatalf("no second page\n%s", page)
	}
	wants(t, b.open(older, nil, 200), "Callback")
	form.Set("before", strings.TrimPrefix(older, "/account/conversations?before="))
	wants(t, b.open("/account/conversations", form, 200), "Callback", "Your choice has been saved.")
	form.Set("before", "x&to=https://evil.example/\r\nX: y")
	wants(t, b.open("/account/conversations", form, 200), "Your choice has been saved.")
}

// export posts the form and returns the archive's files.
func (b *browser) export(form url.Values) map[string]string {
	b.Helper()
	res, err := b.PostForm(b.base+"/account/export", form)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/zip" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), `attachment; filename="tess-`) || res.Header.Get("Cache-Control") != "no-store" {
		b.Fatalf("%d %v\n%.500s", res.StatusCode, res.Header, body)
	}
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		b.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			b.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

func TestExport(t *testing.T) {
	b := newBrowser(t).onStageTime()
	b.open("/account/export", url.Values{}, http.StatusForbidden)
	b.signInTess()
	files := b.export(url.Values{})
	wants(t, files["account.json"], "tess.real@mail.example", `"handle": "tess"`)
	wants(t, files["INBOX.mbox"], "Callback", "Tuesday?")
	for name, text := range files {
		if strings.Contains(text, "sam.real") || strings.Contains(text, "agency.example") {
			t.Errorf("%s shows Sam's address", name)
		}
	}
	if res, err := b.Get(b.base + "/account/export"); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("by GET: %v, %v", res.StatusCode, err)
	}

	// Later a browser that was left open is not enough.
	b.Advance(freshFor + time.Minute)
	for _, form := range []url.Values{{}, {"current": {"wrong"}}} {
		wants(t, b.open("/account/export", form, http.StatusUnprocessableEntity), `id="current-export" name="current"`, `href="#current-export"`, "The password is wrong.")
	}
	b.export(url.Values{"current": {"tess-secret"}})
	b.s.exporters.Store(b.tess().ID, true)
	wants(t, b.open("/account/export", url.Values{"current": {"tess-secret"}}, http.StatusTooManyRequests), "You are loading your data already")
	b.s.exporters.Delete(b.tess().ID)
	b.export(url.Values{"current": {"tess-secret"}})
	for range maxExportsPerHour {
		b.s.exports.allow("tess", maxExportsPerHour)
	}
	wants(t, b.open("/account/export", url.Values{"current": {"tess-secret"}}, http.StatusTooManyRequests), "try again in an hour")
}

// Who reads so slowly that others wait for their place is cut off, though it
// never stops.
func TestSlowReaders(t *testing.T) {
	end := make(chan error, 1)
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		out := &slowly{w: w, c: http.NewResponseController(w), rate: 1 << 30, grace: 100 * time.Millisecond}
		var err error
		for chunk := make([]byte, 64<<10); err == nil && out.sent < 1<<30; {
			_, err = out.Write(chunk)
		}
		end <- err
	}))
	defer door.Close()
	conn, err := net.Dial("tcp", door.Listener.Addr().String())
	if err == nil {
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for {
		select {
		case err := <-end:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("it ended with %v", err)
			}
			return
		case <-time.After(10 * time.Millisecond):
			_, _ = conn.Read(make([]byte, 100))
		}
	}
}

// What a stranger at an open browser must not do asks for the password once
// the sign-in is old; a member who has none signs in again.
func TestOldSessionsProveThemselves(t *testing.T) {
	b := newBrowser(t).onStageTime()
	b.signInTess()
	b.Advance(freshFor + time.Minute)
	guarded := map[string]url.Values{
		"/account/address":      {"address": {"new@elsewhere.example"}},
		"/account/app":          {"label": {"Phone"}},
		"/account/connect/code": {},
		"/account/export":       {},
		"/account/remove":       {"handle": {"tess"}},
	}
	b.open("/account/password", url.Values{"new": {"a new password"}}, http.StatusUnprocessableEntity)
	for path, form := range guarded {
		wants(t, b.open(path, form, http.StatusUnprocessableEntity), "The password is wrong.", `name="current"`)
		form.Set("current", "wrong")
		b.open(path, form, http.StatusUnprocessableEntity)
	}
	if b.tess().Status != threading.MemberActive {
		t.Fatal("removed without the password")
	}
	wants(t, b.open("/account/app", url.Values{"label": {"Phone"}, "current": {"tess-secret"}}, 200), "shown only now")

	// Nina has no password: she signs in by a link, and later again.
	ctx := context.Background()
	nina, err := b.Store.AddMember(ctx, threading.Member{Handle: "nina", Name: "Nina"}, []string{"nina@mail.example"})
	if err != nil {
		t.Fatal(err)
	}
	other := newBrowserOf(b)
	other.open(other.deviceLink(nina), url.Values{}, 200)
	b.Advance(freshFor + time.Minute)
	for _, path := range []string{"/account/addresses", "/account/passwords", "/account/connect", "/account/data"} {
		page := other.open(path, nil, 200)
		if !strings.Contains(page, `action="/account/again"`) || strings.Contains(page, `name="current"`) {
			t.Errorf("%s:\n%s", path, page)
		}
	}
	for path, form := range guarded {
		other.open(path, form, http.StatusUnprocessableEntity)
	}
	// Nor does she get a password to prove it with.
	other.open("/account/password", url.Values{"new": {"a new password"}}, http.StatusUnprocessableEntity)
	other.open("/account/app", url.Values{"label": {"Phone"}, "current": {"a new password"}}, http.StatusUnprocessableEntity)
	wants(t, other.open("/account/again", url.Values{"to": {"/account/data"}}, 200), "<h1>Sign in</h1>", `name="to" value="/account/data"`)
	wants(t, other.open("/account", nil, 200), "<h1>Sign in</h1>")
}

// deviceLink is the path of a link that signs a member in.
func (b *browser) deviceLink(m threading.Member) string {
	b.Helper()
	link, err := b.Pipeline.DeviceLink(context.Background(), m)
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimPrefix(link, "http://"+dialog.Domain)
}

// The code is a link that signs a phone in, once, and leads to the page with
// the settings.
func TestCodeForAPhone(t *testing.T) {
	b := newBrowser(t).onStageTime()
	b.signInTess()
	wants(t, b.open("/account/connect/code", url.Values{}, 200), `<svg class="code" role="img" aria-label="QR code`, "it works once, for 15 minutes")
	link := b.deviceLink(b.tess())
	phone := newBrowserOf(b)
	wants(t, phone.open(link+"?to=/account/connect", nil, 200), "Sign in on this device")
	wants(t, phone.open(link+"?to=/account/connect", url.Values{}, 200), "<h1>Connect your mail app</h1>")
	phone.open(link, url.Values{}, http.StatusNotFound)
	late := b.deviceLink(b.tess())
	b.Advance(store.SignInLinkFor + time.Minute)
	newBrowserOf(b).open(late, url.Values{}, http.StatusNotFound)
	abroad := b.deviceLink(b.tess())
	if res, err := newBrowserOf(b).follow(abroad + "?to=https://evil.example/"); err != nil || res != "/account" {
		t.Errorf("it leads to %s, %v", res, err)
	}
	b.signInTess()
	for range 3 {
		b.open("/account/connect/code", url.Values{}, 200)
	}
	wants(t, b.open("/account/connect/code", url.Values{}, http.StatusUnprocessableEntity), "wait to be used already")
}

// follow posts an empty form and says where the answer leads.
func (b *browser) follow(path string) (string, error) {
	c := http.Client{Jar: b.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.PostForm(b.base+path, nil)
	if err != nil {
		return "", err
	}
	return res.Header.Get("Location"), res.Body.Close()
}

func TestSessionsEnd(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	second, third := newBrowserOf(b), newBrowserOf(b)
	second.signInTess()
	third.signInTess()
	list, err := b.Store.Sessions(context.Background(), b.tess().ID)
	if err != nil || len(list) != 3 {
		t.Fatal(len(list), err)
	}
	b.open("/account/sessions/end", url.Values{"id": {list[0].ID.String()}}, 200) // the newest: the third
	wants(t, third.open("/account", nil, 200), "<h1>Sign in</h1>")
	wants(t, second.open("/account", nil, 200), "<h1>Your account</h1>")
	b.open("/account/sessions/end", url.Values{"id": {list[2].ID.String()}}, 200) // its own: there is Sign out for that
	wants(t, b.open("/account/passwords", nil, 200), "this one")
	b.open("/account/sessions/end", url.Values{"id": {"x"}}, 200)
	wants(t, second.open("/account", nil, 200), "<h1>Your account</h1>")
	b.open("/account/sessions/end", url.Values{}, 200)
	wants(t, second.open("/account", nil, 200), "<h1>Sign in</h1>")

	// Signing in again in one browser leaves no session behind, and another
	// member's session can't be ended.
	b.signInTess()
	if list, _ = b.Store.Sessions(context.Background(), b.tess().ID); len(list) != 1 {
		t.Errorf("%d sessions of one browser", len(list))
	}
	second.open("/signin", url.Values{"name": {"otto"}, "password": {"otto-secret"}}, 200)
	second.open("/account/sessions/end", url.Values{"id": {list[0].ID.String()}}, 200)
	wants(t, b.open("/account", nil, 200), "<h1>Your account</h1>")
}

// An app password opens the mailbox, not the account.
func TestAppPasswordsDoNotSignIn(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	page := b.open("/account/app", url.Values{"label": {"Phone"}, "from": {"connect"}}, 200)
	wants(t, page, "<h1>Connect your mail app</h1>", "shown only now")
	app := regexp.MustCompile(`[a-z2-7]{4}(-[a-z2-7]{4}){3}`).FindString(page)
	newBrowserOf(b).open("/signin", url.Values{"name": {"tess"}, "password": {app}}, http.StatusForbidden)
	b.open("/account/password", url.Values{"old": {app}, "new": {"a new password"}}, http.StatusUnprocessableEntity)
}

func TestAgentName(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36":                   "Chrome on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0":     "Opera on Mac",
		"<script>": "A browser", "": "A browser",
	} {
		if got := agentName(agent); got != want {
			t.Errorf("%q: %s", agent, got)
		}
	}
}

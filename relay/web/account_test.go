package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/login"
	"github.com/stagedoor/stagedoor/threading/store"
)

// browser is a member's browser on a Server over a stage.
type browser struct {
	*dialog.Stage
	http.Client
	base string
	s    *Server
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{Stage: dialog.New(t, func(o *relay.Options) { o.BaseURL = "http://" + dialog.Domain })}
	b.s, b.base = doorWith(t, Options{
		Ready: func(context.Context) error { return nil }, Pipeline: b.Pipeline, Store: b.Store, Login: login.New(login.Options{Store: b.Store, Domain: dialog.Domain}),
		Domain: dialog.Domain, Brand: "Backstage", BaseURL: "http://" + dialog.Domain, Logger: b.Logger,
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Jar = jar
	return b
}

// open gets a page, or posts a form to it, and returns what it shows.
func (b *browser) open(path string, form url.Values, status int) string {
	b.Helper()
	var res *http.Response
	var err error
	if form == nil {
		res, err = b.Get(b.base + path)
	} else {
		res, err = b.PostForm(b.base+path, form)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	if res.StatusCode != status {
		b.Fatalf("%s %v: %d, want %d\n%s", path, form, res.StatusCode, status, body)
	}
	return string(body)
}

func (b *browser) signInTess() string {
	b.Helper()
	return b.open("/signin", url.Values{"name": {"tess"}, "password": {"tess-secret"}}, 200)
}

func (b *browser) tess() threading.Member {
	b.Helper()
	m, err := b.Store.MemberByHandle(context.Background(), "tess")
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestSignInByPassword(t *testing.T) {
	b := newBrowser(t)
	wants(t, b.open("/account", nil, 200), "<h1>Sign in</h1>", `name="to" value="/account"`)
	for _, form := range []url.Values{
		{"name": {"tess"}, "password": {"wrong"}}, {"name": {"nobody"}, "password": {"x"}}, {"name": {"<b>"}, "password": {""}}, {},
	} {
		page := b.open("/signin", form, http.StatusForbidden)
		wants(t, page, "The name or the password is wrong.")
		if strings.Contains(page, "<b>") {
			t.Error("what was typed is shown as HTML")
		}
	}
	wants(t, b.open("/signin", url.Values{"name": {"tess.real@mail.example"}, "password": {"tess-secret"}}, http.StatusForbidden), "A password goes with your name here")
	wants(t, b.signInTess(), "<h1>Your account</h1>", "tess@msg.example.com")
	wants(t, b.open("/account/addresses", nil, 200), "tess.real@mail.example")
	page := b.open("/signout", url.Values{}, 200)
	wants(t, page, "You are signed out")
	wants(t, b.open("/account", nil, 200), "<h1>Sign in</h1>")
}

// Signing in gives a new cookie, whatever the browser came with, and leads to
// pages of ours only.
func TestSignInIsSafe(t *testing.T) {
	b := newBrowser(t)
	u, _ := url.Parse(b.base)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: "stagedoor", Value: "PLANTED", Path: "/"}})
	b.signInTess()
	for _, c := range b.Jar.Cookies(u) {
		if c.Value == "PLANTED" {
			t.Error("a planted cookie became a session")
		}
	}
	for to, want := range map[string]string{
		"/account": "/account", "/account/connect": "/account/connect", "/contact/sam": "/contact/sam", "/contact/sam?about=hamlet/ophelia&x=//evil.example": "/contact/sam?about=hamlet%2Fophelia", "/contact/sam?%zz": "/contact/sam",
		"https://evil.example/": "/account", "//evil.example/": "/account", "/\\evil.example": "/account", "/account//evil.example": "/account", "/account@evil.example": "/account", "": "/account",
	} {
		if got := b.s.landing(to); got != want {
			t.Errorf("%q leads to %q", to, got)
		}
	}
	// Another site's form has the cookie's browser, and says where it comes from.
	for name, header := range map[string]http.Header{"Sec-Fetch-Site": {"Sec-Fetch-Site": {"cross-site"}}, "Origin": {"Origin": {"https://evil.example"}}} {
		req, _ := http.NewRequest(http.MethodPost, b.base+"/account/remove", strings.NewReader("handle=tess"))
		req.Header = header.Clone()
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := b.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusForbidden || b.tess().Status != threading.MemberActive {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

func TestSignInByLink(t *testing.T) {
	b := newBrowser(t)
	answers := map[string]bool{}
	for _, name := range []string{"tess", "nobody", "tess.real@mail.example", "x@stranger.example", "TESS@msg.example.com"} {
		answers[b.open("/signin/link", url.Values{"name": {name}, "to": {"/contact/sam?about=hamlet"}}, 200)] = true
	}
	if len(answers) != 1 {
		t.Error("the answer tells whether there is such an account")
	}
	b.open("/signin/link", url.Values{"name": {""}}, http.StatusBadRequest)
	b.s.working.Wait()
	rows, err := b.Store.Queue(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for _, r := range rows {
		if r.Kind != store.QueueSignIn {
			continue
		}
		body, err := b.Store.OpenBody(context.Background(), r.BodyID, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(body)
		_ = body.Close()
		links = append(links, regexp.MustCompile(`/signin/[a-z2-7]{26}\S*`).FindString(strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(string(text))))
	}
	if len(links) != 3 {
		t.Fatalf("%d links were mailed", len(links))
	}
	if !strings.HasSuffix(links[0], "?to=%2Fcontact%2Fsam%3Fabout%3Dhamlet") {
		t.Errorf("%s does not lead back to the form", links[0])
	}
	wants(t, b.open(links[0], nil, 200), "Sign in on this device")
	wants(t, b.open(links[0], nil, 200), "Sign in on this device") // a scanner opened it first
	wants(t, b.open(links[0], url.Values{}, 200), "<h1>Write to Sam</h1>", `<option value="hamlet" selected>`)
	wants(t, b.open("/account", nil, 200), "<h1>Your account</h1>")
	b.open(links[0], url.Values{}, http.StatusNotFound)
	b.open("/signin/"+strings.Repeat("a", 26), nil, http.StatusNotFound)
}

func TestAccountSettings(t *testing.T) {
	b := newBrowser(t)
	ctx := context.Background()
	b.signInTess()
	good := url.Values{"alerts": {"daily"}, "digest_at": {"07:30"}, "timezone": {"Europe/Berlin"}, "language": {"de"}}
	wants(t, b.open("/account/alerts", good, 200), "Your choice has been saved.", `value="daily" checked`, `value="07:30"`)
	if m := b.tess(); m.Alerts != threading.AlertsDaily || m.DigestAt != "07:30" || m.Timezone != "Europe/Berlin" {
		t.Errorf("%+v", m)
	}
	for field, value := range map[string]string{"alerts": "hourly", "digest_at": "7", "timezone": "Mars/Olympus", "language": "xx"} {
		bad := url.Values{"alerts": good["alerts"], "digest_at": good["digest_at"], "timezone": good["timezone"], "language": good["language"]}
		bad.Set(field, value)
		wants(t, b.open("/account/alerts", bad, http.StatusUnprocessableEntity), `role="alert"`)
	}

	wants(t, b.open("/account/address", url.Values{"address": {"new@elsewhere.example"}}, 200), "A link has been mailed")
	wants(t, b.open("/account/address", url.Values{"address": {"sam.real@agency.example"}}, 200), "A link has been mailed") // as for any other
	for _, bad := range []string{"", "x", "x@msg.example.com", "a@b@c"} {
		wants(t, b.open("/account/address", url.Values{"address": {bad}}, http.StatusUnprocessableEntity), `role="alert"`)
	}
	if err := b.Store.AddAddress(ctx, b.tess().ID, "second@mail.example"); err != nil {
		t.Fatal(err)
	}
	addrs, err := b.Store.Addresses(ctx, b.tess().ID)
	if err == nil {
		err = b.Pipeline.AddressFailed(ctx, addrs[0].ID, "5.1.1")
	}
	if err != nil {
		t.Fatal(err)
	}
	wants(t, b.open("/account/addresses", nil, 200), "Nothing is sent to it since", "mail to it came back (5.1.1)", "It works again")
	b.open("/account/address/works", url.Values{"id": {"1"}}, http.StatusUnprocessableEntity)
	if page := b.open("/account/address/works", url.Values{"id": {addrs[0].ID.String()}}, 200); strings.Contains(page, "came back") {
		t.Errorf("the address still does not work:\n%s", page)
	}
	wants(t, b.open("/account/address/remove", url.Values{"address": {"tess.real@mail.example"}}, http.StatusUnprocessableEntity), "choose another one for that first")
	wants(t, b.open("/account/address/remove", url.Values{"address": {"sam.real@agency.example"}}, http.StatusUnprocessableEntity), "not there any more")
	b.open("/account/address/primary", url.Values{"address": {"second@mail.example"}}, 200)
	if page := b.open("/account/address/remove", url.Values{"address": {"tess.real@mail.example"}}, 200); strings.Contains(page, "tess.real") {
		t.Error("the address is still there")
	}
}

func TestPasswordsAndSessions(t *testing.T) {
	b := newBrowser(t)
	ctx := context.Background()
	b.signInTess()
	page := b.open("/account/app", url.Values{"label": {"Phone <1>"}}, 200)
	password := regexp.MustCompile(`[a-z2-7]{4}(-[a-z2-7]{4}){3}`).FindString(page)
	wants(t, page, "Phone &lt;1&gt;", "never used")
	if strings.Contains(b.open("/account/passwords", nil, 200), password) {
		t.Error("an app password is shown twice")
	}
	auth := login.New(login.Options{Store: b.Store, Domain: dialog.Domain})
	verify := func(password string) error {
		_, err := auth.Verify(ctx, "tess", password, remoteIP(&http.Request{RemoteAddr: "192.0.2.1:1"}))
		return err
	}
	if err := verify(password); err != nil {
		t.Errorf("the app password: %v", err)
	}
	wants(t, b.open("/account/app", url.Values{"label": {"Phone <1>"}}, http.StatusUnprocessableEntity), "of that name already")
	wants(t, b.open("/account/app", url.Values{"label": {""}}, http.StatusUnprocessableEntity), "short name")
	list, err := b.Store.Credentials(ctx, b.tess().ID)
	if err != nil || len(list) != 2 {
		t.Fatal(len(list), err)
	}
	b.open("/account/app/remove", url.Values{"id": {list[1].ID.String()}}, 200)
	b.open("/account/app/remove", url.Values{"id": {"x"}}, http.StatusUnprocessableEntity)
	if err := verify(password); err == nil {
		t.Error("the removed app password still works")
	}

	// A new password ends the other sessions.
	other := newBrowserOf(b)
	other.signInTess()
	wants(t, b.open("/account/password", url.Values{"old": {"wrong"}, "new": {"a new password"}}, http.StatusUnprocessableEntity), "The old password is wrong.")
	wants(t, b.open("/account/password", url.Values{"old": {"tess-secret"}, "new": {"short"}}, http.StatusUnprocessableEntity), "at least 8")
	wants(t, b.open("/account/password", url.Values{"old": {"tess-secret"}, "new": {"a new password"}}, 200), "has been changed")
	wants(t, other.open("/account", nil, 200), "<h1>Sign in</h1>")
	other.open("/account/unblock", url.Values{"id": {"1"}}, http.StatusForbidden)
	if err := verify("a new password"); err != nil {
		t.Error(err)
	}
}

func newBrowserOf(b *browser) *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{Stage: b.Stage, Client: http.Client{Jar: jar}, base: b.base, s: b.s}
}

func TestUnblockAndRemove(t *testing.T) {
	b := newBrowser(t)
	ctx := context.Background()
	sam, err := b.Store.MemberByHandle(ctx, "sam")
	if err == nil {
		err = b.Store.Block(ctx, b.tess().ID, sam.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.signInTess()
	wants(t, b.open("/account/blocked", nil, 200), "<strong>Sam</strong>")
	b.open("/account/unblock", url.Values{"id": {sam.ID.String()}}, 200)
	if blocked, _ := b.Store.Blocked(ctx, b.tess().ID, sam.ID); blocked {
		t.Error("still blocked")
	}
	wants(t, b.open("/account/remove", url.Values{"handle": {"sam"}}, http.StatusUnprocessableEntity), "write your name")
	tess := b.tess().ID
	wants(t, b.open("/account/remove", url.Values{"handle": {"tess"}}, 200), "has been removed")
	if m, err := b.Store.Member(ctx, tess); err != nil || m.Status != threading.MemberRemoved {
		t.Errorf("%+v, %v", m, err)
	}
	wants(t, b.open("/account", nil, 200), "<h1>Sign in</h1>")
}

// A suspended member's session shows nothing.
func TestSuspended(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	_, err := b.Store.ChangeMember(context.Background(), "tess", func(m *threading.Member) error {
		m.Status = threading.MemberSuspended
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, b.open("/account", nil, 200), "<h1>Sign in</h1>")
	b.open("/signin", url.Values{"name": {"tess"}, "password": {"tess-secret"}}, http.StatusForbidden)
}

// Who is suspended while a form of theirs comes in stays so: it is looked at
// who they are when it is there, and it changes only what it is about.
func TestSlowFormOfTheSuspended(t *testing.T) {
	ctx := context.Background()
	for path, form := range map[string]string{
		"/account/first":  "first=own",
		"/account/alerts": "alerts=daily&digest_at=09%3A00&timezone=UTC",
	} {
		b := newBrowser(t)
		b.signInTess()
		u, _ := url.Parse(b.base)
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
			path, u.Host, b.Jar.Cookies(u)[0], len(form))
		r := bufio.NewReader(c)
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") { // the form is being read
			t.Fatalf("%q, %v", line, err)
		}
		if _, err := b.Store.ChangeMember(ctx, "tess", func(m *threading.Member) error { m.Status = threading.MemberSuspended; return nil }); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, form)
		answer, err := io.ReadAll(r)
		if err != nil || !strings.Contains(string(answer), "HTTP/1.1 403") {
			t.Errorf("%s: %v\n%s", path, err, answer)
		}
		if m := b.tess(); m.Status != threading.MemberSuspended || m.FirstContact == threading.FirstContactOwn || m.Alerts == threading.AlertsDaily {
			t.Errorf("%s: %+v", path, m)
		}
	}
}

// A browser that doesn't say whence a form comes by Sec-Fetch-Site says it by
// Origin, unless a page of ours tells it not to.
func TestFormsOfOldBrowsers(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	res, err := b.Get(b.base + "/account")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	origin := b.base
	if res.Header.Get("Referrer-Policy") == "no-referrer" { // Fetch, "append a request Origin header"
		origin = "null"
	}
	req, _ := http.NewRequest(http.MethodPost, b.base+"/account/first", strings.NewReader("first=own"))
	req.Header = http.Header{"Origin": {origin}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if res, err = b.Do(req); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 || b.tess().FirstContact != threading.FirstContactOwn {
		t.Errorf("%d, %+v", res.StatusCode, b.tess())
	}
}

func TestRemoteIP(t *testing.T) {
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:55", "", "192.0.2.1"},
		{"192.0.2.1:55", "198.51.100.7", "192.0.2.1"}, // anybody can write that
		{"127.0.0.1:55", "198.51.100.7", "198.51.100.7"},
		{"127.0.0.1:55", "10.9.8.7, 198.51.100.7", "198.51.100.7"},
		{"[::1]:55", "2001:db8::1", "2001:db8::1"},
		{"127.0.0.1:55", "nonsense", "127.0.0.1"},
		{"@", "198.51.100.7", "198.51.100.7"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := remoteIP(r).String(); got != c.want {
			t.Errorf("%s, %q: %s", c.remote, c.forwarded, got)
		}
	}
}

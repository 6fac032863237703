package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

const markup = `"><script src=//evil.example></script><img src=x onerror=alert(1)><b>`

// marked fails if a page has an element or attribute that none of ours has.
func marked(t *testing.T, where, page string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		tok := z.Token()
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		switch tok.Data {
		case "script", "img", "b", "iframe", "style", "object", "base":
			t.Errorf("%s: <%s %v>", where, tok.Data, tok.Attr)
		}
		for _, a := range tok.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.Contains(a.Key, "<") || strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("%s: <%s %s=%q>", where, tok.Data, a.Key, a.Val)
			}
		}
	}
}

// HTML in every field that anybody can fill comes out as text on every page.
func TestMarkupIsText(t *testing.T) {
	b := newBrowser(t)
	ctx := context.Background()
	name := strings.ReplaceAll(markup, "@", "")
	mallory, err := b.Store.AddMember(ctx, threading.Member{Handle: "mallory", Name: name}, []string{"mallory@evil.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store.SetCredential(ctx, threading.Credential{MemberID: mallory.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier("mallory-secret")}); err != nil {
		t.Fatal(err)
	}
	p, err := b.Store.AddProduction(ctx, threading.Production{Slug: "macbeth", Title: name, OwnerID: mallory.ID})
	if err == nil {
		_, err = b.Store.AddRole(ctx, threading.Role{ProductionID: p.ID, Slug: "banquo", Title: name})
	}
	if err == nil {
		_, err = b.Pipeline.Contact(ctx, relay.ContactForm{Writer: mallory, To: b.tess(), Subject: markup, Text: markup, Production: "macbeth", Role: "banquo"})
	}
	if err == nil {
		err = b.Store.Block(ctx, b.tess().ID, mallory.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	evil := newBrowserOf(b)
	evil.open("/signin", url.Values{"name": {"mallory"}, "password": {"mallory-secret"}}, 200)
	req, _ := http.NewRequest(http.MethodPost, b.base+"/signin", strings.NewReader("name=tess&password=tess-secret"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", markup)
	if res, err := b.Do(req); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	q := url.QueryEscape(markup)
	for _, path := range []string{
		"/account", "/account/conversations", "/account/blocked", "/account/passwords", "/account/connect", "/account/addresses", "/account/data",
		"/contact/sam?subject=" + q + "&about=" + q, "/contact/mallory", "/account/conversations?before=" + q, "/account?done=" + q, "/signin?to=" + q,
	} {
		marked(t, path, b.open(path, nil, 200))
	}
	marked(t, "the writer's own form", evil.open("/contact/tess", nil, 200))
	for path, form := range map[string]url.Values{
		"/account/alerts":         {"alerts": {markup}, "digest_at": {markup}, "timezone": {markup}},
		"/account/address":        {"address": {markup}},
		"/account/app":            {"label": {markup + "@"}},
		"/account/remove":         {"handle": {markup}},
		"/account/conversations":  {"thread": {markup}, "alerts": {markup}, "before": {markup}},
		"/account/address/remove": {"address": {markup}},
		"/account/first":          {"first": {markup}},
	} {
		marked(t, path, b.open(path, form, http.StatusUnprocessableEntity))
	}
	marked(t, "/signin", newBrowserOf(b).open("/signin", url.Values{"name": {markup}, "password": {markup}, "to": {markup}}, http.StatusForbidden))
	_, page := b.postForm("/contact/sam", map[string]string{"form": markup, "once": markup, "subject": markup, "text": markup, "about": markup}, map[string]string{markup: "x"})
	marked(t, "/contact/sam", page)
	page = b.open("/account/app", url.Values{"label": {markup}}, 200)
	marked(t, "an app password", page)
}

// What is typed into names and subjects makes no header field.
func TestHeadersAreNotInjected(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	const evil = "x\r\nBcc: <stranger@evil.example>\r\nX-Evil: yes"
	if status, _ := b.postForm("/contact/sam", map[string]string{"subject": evil, "text": "x"}, nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a subject of several lines: %d", status)
	}
	// File names and types come as the client likes.
	for name, h := range map[string]textproto.MIMEHeader{
		"line ends":         {"Content-Disposition": {`form-data; name="files"; filename="a%0D%0AX-Evil: yes.txt"`}, "Content-Type": {"text/plain"}},
		"a type":            {"Content-Disposition": {`form-data; name="files"; filename="a.txt"`}, "Content-Type": {"text/plain; x=\"y\\\r\n X-Evil: yes\""}},
		"an encoding":       {"Content-Disposition": {`form-data; name="files"; filename="a.txt"`}, "Content-Type": {"text/plain"}, "Content-Transfer-Encoding": {"x-evil"}},
		"a path":            {"Content-Disposition": {`form-data; name="files"; filename="../../../etc/cron.d/evil"`}, "Content-Type": {"text/plain"}},
		"a path of Windows": {"Content-Disposition": {`form-data; name="files"; filename="..\\..\\evil.txt"`}, "Content-Type": {"text/plain"}},
		"a message":         {"Content-Disposition": {`form-data; name="files"; filename="a.eml"`}, "Content-Type": {"message/rfc822"}},
	} {
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		_ = m.WriteField("subject", name)
		_ = m.WriteField("text", "See the file.")
		part, _ := m.CreatePart(h)
		_, _ = io.WriteString(part, "X-Evil: yes\r\n\r\nx")
		_ = m.Close()
		res, err := b.Post(b.base+"/contact/sam", m.FormDataContentType(), &body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusCreated {
			t.Errorf("%s: %d", name, res.StatusCode)
			continue
		}
		got := b.newest("sam")
		for line := range strings.Lines(got) {
			if strings.HasPrefix(line, "X-Evil:") {
				t.Errorf("%s: a field of its own:\n%s", name, got)
			}
		}
		if strings.Contains(got, "../") || strings.Contains(got, `..\`) || strings.Contains(got, "etc/cron") {
			t.Errorf("%s: the path is left:\n%s", name, got)
		}
	}
	// What a page's address says makes no header of the answer.
	for _, path := range []string{"/signin?to=%0d%0aX-Evil:+yes", "/account?done=%0d%0aX-Evil:+yes", "/contact/sam%0d%0aX-Evil:%20yes"} {
		res, err := newBrowserOf(b).Get(b.base + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.Header.Get("X-Evil") != "" {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
}

func TestPathTricks(t *testing.T) {
	b := newBrowser(t)
	for _, path := range []string{
		"/..%2f..%2fetc/passwd", "/pages/style.css", "/style.css/..", "/contact/..%2faccount", "/contact/%00", "/contact/.", "/contact.js%00", "/%2e%2e/account", "//evil.example/%2f..", "/account/../../x",
		"/account/nothing", "/static/account.html", "/account.html", "/contact/" + strings.Repeat("a", 3000),
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(path, err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = conn.Close()
		if res.StatusCode == 200 || bytes.Contains(body, []byte("{{")) || bytes.Contains(body, []byte("root:")) {
			t.Errorf("%s: %d\n%.300s", path, res.StatusCode, body)
		}
		if to := res.Header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\")) {
			t.Errorf("%s leads to %q", path, to)
		}
	}
}

// Whoever sends slowly is cut off: time for files is for those we know.
func TestSlowClientsAreCutOff(t *testing.T) {
	b := newBrowser(t)
	o := b.s.o
	s := New(o)
	s.http.ReadHeaderTimeout, s.http.ReadTimeout, s.http.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond, time.Minute
	l := b.Listen()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		<-done
	})
	const head = "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"x\"\r\n\r\nx"
	for name, sent := range map[string]string{
		"a header":                "GET /account HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"a form to sign in":       "POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nname=",
		"a form with files":       fmt.Sprintf(head, "/contact/sam"),
		"a form that we know not": strings.Replace(fmt.Sprintf(head, "/contact/sam"), `name="files"; filename="x"`, `name="form"`, 1),
	} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(conn, sent)
		if _, err := io.Copy(io.Discard, conn); err != nil {
			var slow net.Error
			if errors.As(err, &slow) && slow.Timeout() {
				t.Errorf("%s: the connection stays open", name)
			}
		}
		_ = conn.Close()
	}
}

// Connections are bounded; those that end make room.
func TestConnectionsAreBounded(t *testing.T) {
	_, base := doorWith(t, Options{Ready: func(context.Context) error { return nil }, MaxConnections: 2, MaxPerIP: 1}) // loopback is a web server in front
	dial := func() (net.Conn, error) {
		t.Helper()
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err = http.ReadResponse(bufio.NewReader(c), nil)
		return c, err
	}
	first, err1 := dial()
	second, err2 := dial()
	third, err3 := dial()
	if err1 != nil || err2 != nil || err3 == nil {
		t.Errorf("%v, %v, %v", err1, err2, err3)
	}
	_, _ = third.Close(), second.Close()
	for i := 0; ; i++ { // the server notices in its own time
		c, err := dial()
		_ = c.Close()
		if err == nil {
			break
		} else if i == 100 {
			t.Fatal("a closed connection makes no room")
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = first.Close()

	k := conns{maxPerIP: 2}
	from := func(ip string) net.Conn {
		return fakeConn{addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}, id: new(int)}
	}
	a, neighbour, third6, other := from("2001:db8::1"), from("2001:db8::2"), from("2001:db8::3"), from("192.0.2.1")
	if !k.add(a) || !k.add(neighbour) || k.add(third6) || !k.add(other) {
		t.Error("an IPv6 /64 counts as one address, and nothing else does")
	}
	k.remove(third6) // was not counted
	k.remove(a)
	if !k.add(third6) || k.add(a) {
		t.Error("a connection that ended makes room for one")
	}
}

type fakeConn struct {
	net.Conn
	addr net.Addr
	id   *int
}

func (c fakeConn) RemoteAddr() net.Addr { return c.addr }

// Every answer says what browsers must know, and by HTTPS that it stays so.
func TestSecurityHeaders(t *testing.T) {
	b := newBrowser(t)
	b.signInTess()
	for _, path := range []string{"/account", "/account/data", "/contact/sam", "/signin", "/contact/nobody-here", "/held/x"} {
		res, err := b.Get(b.base + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		for name, want := range map[string]string{
			"Content-Security-Policy": page{}.policy(), "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
	o := b.s.o
	o.BaseURL = "https://msg.example.com"
	_, base := doorWith(t, o)
	res, err := http.Get(base + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := res.Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security: %q", got)
	}
	req, _ := http.NewRequest(http.MethodPost, base+"/signin", strings.NewReader("name=tess&password=tess-secret"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if res, err = http.DefaultTransport.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	c := res.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-stagedoor=", "Path=/;", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(c, want) {
			t.Errorf("the cookie %q lacks %s", c, want)
		}
	}
}

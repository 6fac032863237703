package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading/store"
)

// pages is a Server over a stage on which Tess has written to Sam from an
// address that is not hers yet, and the link that she was mailed.
type pages struct {
	*dialog.Stage
	base, link string
}

const (
	baseURL  = "https://msg.example.com/inbox"
	stranger = "tess.new@elsewhere.example"
)

func newPages(t *testing.T) *pages {
	t.Helper()
	p := &pages{Stage: dialog.New(t, func(o *relay.Options) { o.BaseURL, o.HoldFor = baseURL, time.Hour })}
	_, p.base = doorWith(t, Options{
		Ready: func(context.Context) error { return nil }, Pipeline: p.Pipeline, Brand: "Backstage & Co", BaseURL: baseURL, SupportURL: "https://help.example", Logger: p.Logger,
	})
	p.arrive("It is me.")
	p.link = p.linkIn("held")
	return p
}

func (p *pages) arrive(text string) {
	p.Helper()
	ctx := context.Background()
	to, err := p.Pipeline.Recipient(ctx, p.Alias)
	if err == nil {
		err = p.Pipeline.Receive(ctx, relay.Inbound{
			ReversePath: stranger, Targets: []relay.Target{to}, Auth: senderauth.Result{From: stranger, Aligned: true},
			Message: spool.FromBytes([]byte("From: " + stranger + "\r\nSubject: Re: Callback\r\n\r\n" + text + "\r\n")),
		})[0]
	}
	if err != nil {
		p.Fatal(err)
	}
}

var links = regexp.MustCompile(`https://msg\.example\.com/inbox(/(?:held|address)/[a-z2-7]{26})`)

// linkIn is the newest link of that kind that waits in the queue.
func (p *pages) linkIn(kind string) string {
	p.Helper()
	ctx := context.Background()
	rows, err := p.Store.Queue(ctx, 100)
	if err != nil {
		p.Fatal(err)
	}
	found := ""
	for _, r := range rows {
		if r.Kind != store.QueueNotice && r.Kind != store.QueueConfirmation {
			continue
		}
		body, err := p.Store.OpenBody(ctx, r.BodyID, 0, -1)
		if err != nil {
			p.Fatal(err)
		}
		text, err := io.ReadAll(body)
		_ = body.Close()
		if err != nil {
			p.Fatal(err)
		}
		if m := links.FindStringSubmatch(strings.ReplaceAll(string(text), "=\r\n", "")); m != nil && strings.Contains(m[1], kind) {
			found = m[1]
		}
	}
	if found == "" {
		p.Fatalf("no link to %s was mailed", kind)
	}
	return found
}

func (p *pages) get(path string) (*http.Response, string) {
	p.Helper()
	res, err := http.Get(p.base + path)
	return p.read(res, err)
}

func (p *pages) post(path string, form url.Values) (*http.Response, string) {
	p.Helper()
	res, err := http.PostForm(p.base+path, form)
	return p.read(res, err)
}

func (p *pages) read(res *http.Response, err error) (*http.Response, string) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	for _, leak := range []string{stranger, "elsewhere.example", "tess.real", "sam.real", "agency.example"} {
		if strings.Contains(string(b), leak) {
			p.Errorf("the page shows %q:\n%s", leak, b)
		}
	}
	return res, string(b)
}

func (p *pages) held() int {
	p.Helper()
	list, err := p.Store.HeldMessages(context.Background(), 10)
	if err != nil {
		p.Fatal(err)
	}
	return len(list)
}

// Scanners open the links in a mail: nothing happens, however often.
func TestOpeningTheLinkChangesNothing(t *testing.T) {
	p := newPages(t)
	for range 3 {
		res, body := p.get(p.link)
		if res.StatusCode != 200 || !strings.Contains(body, "<strong>Sam</strong>") || !strings.Contains(body, "Backstage &amp; Co") || !strings.Contains(body, `href="/inbox/style.css?`) {
			t.Fatalf("%d\n%s", res.StatusCode, body)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": page{}.policy(), "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	if res, _ := p.post(p.link, nil); res.StatusCode != http.StatusBadRequest {
		t.Errorf("an empty form: %d", res.StatusCode)
	}
	if p.held() != 1 || len(p.Mailbox("sam", "INBOX")) != 0 {
		t.Error("something was changed")
	}
}

func TestYes(t *testing.T) {
	p := newPages(t)
	res, body := p.post(p.link, url.Values{"answer": {"yes"}, "register": {"yes"}})
	if res.StatusCode != 200 || !strings.Contains(body, "on its way to Sam") || p.held() != 0 || len(p.Mailbox("sam", "INBOX")) != 1 {
		t.Fatalf("%d, %d held\n%s", res.StatusCode, p.held(), body)
	}
	if res, body := p.get(p.link); res.StatusCode != http.StatusNotFound || !strings.Contains(body, "does not work any more") {
		t.Errorf("the link after the answer: %d\n%s", res.StatusCode, body)
	}
	link := p.linkIn("address")
	if res, body := p.get(link); res.StatusCode != 200 || !strings.Contains(body, "<strong>Tess</strong>") {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
	if _, err := p.Store.MemberByAddress(context.Background(), stranger); err == nil {
		t.Error("opening the link added the address")
	}
	if res, body := p.post(link, url.Values{"answer": {"yes"}}); res.StatusCode != 200 {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
	if m, err := p.Store.MemberByAddress(context.Background(), stranger); err != nil || m.Handle != "tess" {
		t.Errorf("%v, %v", m.Handle, err)
	}
	if res, _ := p.post(link, url.Values{"answer": {"yes"}}); res.StatusCode != http.StatusNotFound {
		t.Errorf("the link used again: %d", res.StatusCode)
	}
}

func TestNo(t *testing.T) {
	p := newPages(t)
	if res, _ := p.post("/inbox"+p.link, url.Values{"answer": {"no"}}); res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
	if p.held() != 0 || len(p.Mailbox("sam", "INBOX")) != 0 {
		t.Error("the message is not thrown away")
	}
}

// What can't be relayed stays until its time is over, and the member reads why.
func TestYesToWhatCanNotBeSent(t *testing.T) {
	p := newPages(t)
	threads, err := p.Store.HeldMessages(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	alias, err := p.Store.Alias(context.Background(), threads[0].AliasID)
	if err == nil {
		err = p.Store.CloseThread(context.Background(), alias.ThreadID)
	}
	if err != nil {
		t.Fatal(err)
	}
	res, body := p.post(p.link, url.Values{"answer": {"yes"}})
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "This conversation has been closed") || p.held() != 1 {
		t.Errorf("%d, %d held\n%s", res.StatusCode, p.held(), body)
	}
}

func TestBadRequests(t *testing.T) {
	p := newPages(t)
	for _, path := range []string{"/held/", "/held/x", "/held/" + strings.Repeat("a", 26), "/held/" + strings.Repeat("a", 5000), "/address/..%2f..%2fetc", strings.Replace(p.link, "held", "address", 1)} {
		if res, _ := p.get(path); res.StatusCode != http.StatusNotFound {
			t.Errorf("GET %.40s: %d", path, res.StatusCode)
		}
		if res, _ := p.post(path, url.Values{"answer": {"yes"}}); res.StatusCode != http.StatusNotFound {
			t.Errorf("POST %.40s: %d", path, res.StatusCode)
		}
	}
	if res, _ := p.post(p.link, url.Values{"answer": {"yes"}, "x": {strings.Repeat("x", 2*maxForm)}}); res.StatusCode != http.StatusBadRequest || p.held() != 1 {
		t.Errorf("a form of more than %d octets: %d, %d held", maxForm, res.StatusCode, p.held())
	}
}

// Pages say what they are to a screen reader: a language, a title, one
// heading, a label for each field, a name for each button.
func TestPagesAreAccessible(t *testing.T) {
	p := newPages(t)
	_, question := p.get(p.link)
	if !strings.Contains(question, `type="checkbox"`) {
		t.Error("the page does not offer to add the address")
	}
	_, done := p.post(p.link, url.Values{"answer": {"yes"}, "register": {"yes"}})
	_, address := p.get(p.linkIn("address"))
	for name, body := range map[string]string{"question": question, "done": done, "address": address} {
		z := html.NewTokenizer(strings.NewReader(body))
		count := map[string]int{}
		inLabel := false
		for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
			tok := z.Token()
			if kind == html.StartTagToken || kind == html.SelfClosingTagToken {
				count[tok.Data]++
				for _, a := range tok.Attr {
					if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
						t.Errorf("%s: <%s %s>: the policy forbids it", name, tok.Data, a.Key)
					}
				}
			}
			switch tok.Data {
			case "label":
				inLabel = kind == html.StartTagToken
			case "input":
				if !inLabel {
					t.Errorf("%s: a field without a label", name)
				}
			}
		}
		if count["h1"] != 1 || count["title"] != 1 || count["main"] != 1 || count["script"] != 0 || !strings.Contains(body, `<html lang="en">`) {
			t.Errorf("%s: %v\n%s", name, count, body)
		}
	}
	if res, css := p.get("/style.css"); res.StatusCode != 200 || !strings.Contains(css, "prefers-color-scheme: dark") || res.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("style.css: %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
}

package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// platform is the platform's program: a server that checks what it is sent as
// Standard Webhooks say, and keeps it.
type platform struct {
	*dialog.Stage
	server *httptest.Server
	hook   threading.Webhook

	mu       sync.Mutex
	got      []received
	answer   func(received) int // nil: 200
	arrivals chan struct{}
}

// received is a delivery.
type received struct {
	id, body string
	event    struct {
		Type string
		Data map[string]any
	}
	status int // that it was answered
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{Stage: dialog.New(t, func(o *relay.Options) { o.BaseURL = "https://" + dialog.Domain }), arrivals: make(chan struct{}, 10000)}
	p.server = httptest.NewTLSServer(http.HandlerFunc(p.receive))
	t.Cleanup(p.server.Close)
	p.hook = p.add(p.server.URL+"/hook?x=1", threading.EventAll)
	return p
}

func (p *platform) add(url string, events threading.Event) threading.Webhook {
	p.Helper()
	h, err := p.Store.AddWebhook(context.Background(), threading.Webhook{URL: url, Events: events, Secret: NewSecret()})
	if err != nil {
		p.Fatal(err)
	}
	return h
}

func (p *platform) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	x := received{id: r.Header.Get("webhook-id"), body: string(body), status: http.StatusOK}
	at := r.Header.Get("webhook-timestamp")
	if n, err := strconv.ParseInt(at, 10, 64); err != nil || p.Now().Sub(time.Unix(n, 0)).Abs() > time.Minute {
		p.Errorf("the time is %q", at)
	}
	m := hmac.New(sha256.New, p.hook.Secret)
	m.Write([]byte(x.id + "." + at + "." + x.body))
	if want := "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)); r.Header.Get("webhook-signature") != want {
		p.Errorf("the signature is %q, want %q", r.Header.Get("webhook-signature"), want)
	}
	if err := json.Unmarshal(body, &x.event); err != nil || r.Header.Get("Content-Type") != "application/json" {
		p.Errorf("%v, %v: %s", err, r.Header, body)
	}
	if leak := regexp.MustCompile(`(?i)(sam|tess)\.real|agency\.example|mail\.example|actor\.example|Tuesday|Callback|secret words`).FindString(x.body + fmt.Sprint(r.Header)); leak != "" {
		p.Errorf("the webhook shows %q:\n%s", leak, x.body)
	}
	if p.answer != nil {
		x.status = p.answer(x)
	}
	p.got = append(p.got, x)
	w.WriteHeader(x.status)
	p.arrivals <- struct{}{}
}

// sender runs a Sender until the test ends or stop is called.
func (p *platform) sender(change func(*Options)) (stop func()) {
	p.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	o := Options{Store: p.Store, Allow: loopback, RootCAs: roots, Now: p.Now, Logger: p.Logger, Pause: func(int) time.Duration { return 10 * time.Millisecond }}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		New(o).Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	p.Cleanup(stop)
	return stop
}

// await waits for so many deliveries that were taken, and returns all.
func (p *platform) await(taken int) []received {
	p.Helper()
	deadline := time.After(60 * time.Second)
	for {
		p.mu.Lock()
		n := 0
		for _, x := range p.got {
			if x.status/100 == 2 {
				n++
			}
		}
		all := slices.Clone(p.got)
		p.mu.Unlock()
		if n >= taken {
			return all
		}
		select {
		case <-p.arrivals:
		case <-deadline:
			p.Fatalf("%d of %d deliveries:\n%v", n, taken, all)
		}
	}
}

func (p *platform) write(from, to, subject string) threading.Filed {
	p.Helper()
	ctx := context.Background()
	form := relay.ContactForm{Subject: subject, Text: "secret words"}
	var err error
	if form.Writer, err = p.Store.MemberByHandle(ctx, from); err != nil {
		p.Fatal(err)
	}
	if form.To, err = p.Store.MemberByHandle(ctx, to); err != nil {
		p.Fatal(err)
	}
	filed, err := p.Pipeline.Contact(ctx, form)
	if err != nil {
		p.Fatal(err)
	}
	return filed
}

// reply files one more message of Sam's in his thread with Tess, by the store.
func (p *platform) reply(thread threading.ID, text string) {
	p.Helper()
	ctx := context.Background()
	sam, err := p.Store.MemberByHandle(ctx, "sam")
	if err != nil {
		p.Fatal(err)
	}
	tess, err := p.Store.MemberByHandle(ctx, "tess")
	if err != nil {
		p.Fatal(err)
	}
	_, err = p.Store.File(ctx, threading.Filing{
		Message: threading.Message{ID: p.Store.IDs().Next(), ThreadID: thread, WriterID: sam.ID, FiledAt: p.Now()},
		Body:    threading.Body{ID: p.Store.IDs().Next(), Size: int64(len(text)), Data: []byte(text), Content: threading.Content{Structure: []byte{1}}},
		Copies:  []threading.Copy{{MemberID: tess.ID, Mailbox: threading.UseInbox, Header: []byte("Subject: x\r\n\r\n")}},
	})
	if err != nil {
		p.Fatal(err)
	}
}

// opaque replaces what differs from run to run.
var opaque = regexp.MustCompile(`"[a-z2-7]{26}"|"\d{4}-\d\d-\d\dT[\d:.]+Z"`)

// TestPayloads holds what is sent against testdata/payloads.golden.
func TestPayloads(t *testing.T) {
	p := newPlatform(t)
	p.sender(nil)
	ctx := t.Context()
	first := p.write("sam", "tess", "Callback")
	p.await(1)
	tess, err := p.Store.MemberByHandle(ctx, "tess")
	if err != nil {
		t.Fatal(err)
	}
	form := relay.ContactForm{Writer: tess, Subject: "Ophelia", Text: "secret words", Production: "hamlet", Role: "ophelia"}
	if form.To, err = p.Store.MemberByHandle(ctx, "sam"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Pipeline.Contact(ctx, form); err != nil {
		t.Fatal(err)
	}
	p.await(2)
	if _, err := p.Pipeline.Note(ctx, relay.Note{To: tess, Subject: "Welcome", Text: "secret words"}); err != nil {
		t.Fatal(err)
	}
	p.await(3)
	if _, _, err := p.Store.AddReport(ctx, threading.Report{ReporterID: tess.ID, OtherID: form.To.ID, ThreadID: first.ThreadID, Via: threading.ReportPage, Reason: "secret words"}); err != nil {
		t.Fatal(err)
	}
	p.await(4)
	addresses, err := p.Store.Addresses(ctx, tess.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Pipeline.AddressFailed(ctx, addresses[0].ID, "5.1.1"); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, x := range p.await(5) {
		lines = append(lines, opaque.ReplaceAllString(x.body, `"…"`))
	}
	got := strings.Join(lines, "\n") + "\n"
	golden := filepath.Join("testdata", "payloads.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if id := p.await(5)[0].event.Data["thread"]; id != p.Store.Keyring().Token(seal.TokenThread, first.ThreadID) {
		t.Errorf("the thread is %v", id)
	}
}

// The signature is the one of the Standard Webhooks specification.
func TestSignature(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Error(got)
	}
	if s := ShowSecret(secret); s != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" {
		t.Error(s)
	}
}

// The platform is down for a while: in each thread everything comes in order, an
// event keeps its ID, and another thread does not wait.
func TestOrderUnderFailure(t *testing.T) {
	p := newPlatform(t)
	a, b := p.write("sam", "tess", "A").ThreadID, p.write("sam", "otto", "B").ThreadID
	for i := range 10 {
		p.reply(a, fmt.Sprint(i))
	}
	keys := p.Store.Keyring()
	sick, tries := keys.Token(seal.TokenThread, a), map[string]int{}
	p.answer = func(x received) int {
		if tries[x.id]++; x.event.Data["thread"] == sick && tries[x.id] < 3 {
			return []int{500, 302, 404}[tries[x.id]%3]
		}
		return 204
	}
	p.sender(nil)
	all := p.await(12)
	var order []string
	for _, x := range all {
		if x.status/100 == 2 && x.event.Data["thread"] == sick {
			order = append(order, x.event.Data["message"].(string))
		}
	}
	var want []string
	v, err := p.Store.Thread(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Chain {
		want = append(want, keys.Token(seal.TokenMessage, c.MessageID))
	}
	if !slices.Equal(order, want) {
		t.Errorf("in the order\n%v\nwant\n%v", order, want)
	}
	for i, x := range all {
		if x.event.Data["thread"] == keys.Token(seal.TokenThread, b) && i > 3 {
			t.Errorf("the other thread waited for %d", i)
		}
	}
}

// The process dies between filing and sending: what was filed is sent by the
// next one, and what was under way is sent once more, under the same ID.
func TestCrashBetweenFilingAndSending(t *testing.T) {
	p := newPlatform(t)
	p.write("sam", "tess", "A")
	lost, err := p.Store.LeaseWebhookEvents(t.Context(), p.hook.ID, 10, time.Minute) // and then it died
	if err != nil || len(lost) != 1 {
		t.Fatal(lost, err)
	}
	p.write("sam", "tess", "B")
	stop := p.sender(nil)
	p.await(1)
	stop()
	p.Advance(time.Minute)
	p.sender(nil)
	all := p.await(2)
	if all[1].id != "msg_"+p.Store.Keyring().Token(seal.TokenEvent, lost[0].ID) {
		t.Errorf("%+v", all)
	}
}

// Two daemons on one database send each event once.
func TestTwoDaemons(t *testing.T) {
	p := newPlatform(t)
	p.sender(nil)
	p.sender(nil)
	thread := p.write("sam", "tess", "A").ThreadID
	for i := range 20 {
		p.reply(thread, fmt.Sprint(i))
	}
	seen := map[string]int{}
	for _, x := range p.await(21) {
		seen[x.id]++
	}
	if len(seen) != 21 {
		t.Errorf("%v", seen)
	}
}

// What can't be delivered for days is given up and kept, its thread goes on, and
// it can be sent again.
func TestDeadLetters(t *testing.T) {
	p := newPlatform(t)
	p.answer = func(received) int { return http.StatusInternalServerError }
	var outcomes sync.Map
	stop := p.sender(func(o *Options) { o.Observe = func(s string) { outcomes.Store(s, true) } })
	p.write("sam", "tess", "A")
	told := func(outcome string) bool {
		_, ok := outcomes.Load(outcome)
		return ok
	}
	for !told("failed") {
		time.Sleep(time.Millisecond)
	}
	p.Advance(MaxAge + time.Minute)
	ctx := t.Context()
	for {
		state, err := p.Store.WebhookState(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if state.Dead == 1 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if !told("dead") {
		t.Error("nobody was told that it is dead")
	}
	list, err := p.Store.WebhookEvents(ctx, p.hook.ID, true, 0, 10)
	if err != nil || len(list) != 1 || list[0].LastError != "answered 500" {
		t.Errorf("%+v, %v", list, err)
	}
	p.mu.Lock()
	p.answer = nil
	p.mu.Unlock()
	if _, err := p.Store.ReviveWebhookEvents(ctx, p.hook.ID, list[0].ID); err != nil {
		t.Fatal(err)
	}
	p.sender(nil)
	p.await(1)
}

// A webhook that hangs holds up no other, and stopping waits for it no longer
// than its time.
func TestAHangingWebhook(t *testing.T) {
	p := newPlatform(t)
	hang, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(hang) })
		<-release
	}))
	defer slow.Close()
	defer close(release)
	p.add(slow.URL, threading.EventMessage)
	p.sender(nil)
	p.write("sam", "tess", "A")
	p.await(1)
	<-hang
	p.write("sam", "tess", "B")
	p.await(2)
}

// A webhook that is removed is told nothing more.
func TestRemovedWebhook(t *testing.T) {
	p := newPlatform(t)
	p.sender(nil)
	p.write("sam", "tess", "A")
	p.await(1)
	if err := p.Store.RemoveWebhook(t.Context(), p.hook.ID); err != nil {
		t.Fatal(err)
	}
	p.write("sam", "tess", "B")
	p.hook = p.add(p.server.URL, threading.EventMessage)
	p.write("sam", "tess", "C")
	if all := p.await(2); len(all) != 2 {
		t.Errorf("%+v", all)
	}
}

func TestCheckURL(t *testing.T) {
	for url, says := range map[string]string{
		"https://www.example.com/hook?x=1":       "",
		"https://1.1.1.1/":                       "",
		"https://[2606:4700:4700::1111]:8443/":   "",
		"http://www.example.com/":                "must begin with https://",
		"ftp://www.example.com/":                 "must begin with https://",
		"www.example.com":                        "is not a URL",
		"https:///hook":                          "is not a URL",
		"https:www.example.com":                  "is not a URL",
		"https://user:pw@www.example.com/":       "user name or password",
		"https://www.example.com/#x":             "fragment",
		"https://127.0.0.1/":                     "not public",
		"https://127.1.2.3:8080/":                "not public",
		"https://[::1]/":                         "not public",
		"https://[::ffff:127.0.0.1]/":            "not public",
		"https://[64:ff9b::7f00:1]/":             "not public",
		"https://[2002:7f00:1::]/":               "not public",
		"https://[fe80::1]/":                     "not public",
		"https://[fd00::1]/":                     "not public",
		"https://[::]/":                          "not public",
		"https://0.0.0.0/":                       "not public",
		"https://10.1.2.3/":                      "not public",
		"https://172.16.0.1/":                    "not public",
		"https://192.168.1.1/":                   "not public",
		"https://169.254.169.254/latest/":        "not public",
		"https://100.64.0.1/":                    "not public",
		"https://224.0.0.1/":                     "not public",
		"https://255.255.255.255/":               "not public",
		"https://" + strings.Repeat("x", 3000):   "longer than",
		"https://www.example.com\r\nHost: evil/": "is not a URL",
	} {
		err := CheckURL(url, nil)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%.60q: %v, want %q", url, err, says)
		}
	}
	if err := CheckURL("http://10.1.2.3/", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); err != nil {
		t.Error(err)
	}
	if err := CheckURL("http://10.1.2.3/", loopback); err == nil {
		t.Error("http to a network that is not allowed")
	}
}

// Where a webhook leads is looked at when it is connected to, whatever its name
// led to before; a redirect leads nowhere, nor does a proxy of the environment.
func TestTargets(t *testing.T) {
	var hits sync.Map
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hits.Store(r.URL.Path, true) }))
	defer inside.Close()
	t.Setenv("HTTPS_PROXY", inside.URL)
	t.Setenv("HTTP_PROXY", inside.URL)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(inside.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	redirect := httptest.NewServer(http.RedirectHandler(inside.URL+"/redirected", http.StatusTemporaryRedirect))
	defer redirect.Close()
	for name, c := range map[string]struct {
		url   string
		allow []netip.Prefix
		says  string
	}{
		"a name that leads inside":         {"https://localhost:" + port + "/name", nil, "not public"},
		"the same without TLS":             {"http://localhost:" + port + "/plain", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "not public"},
		"a redirect":                       {redirect.URL, loopback, "answered 307: redirects are not followed"},
		"a certificate nobody knows":       {"https://localhost:" + port + "/tls", loopback, "the connection failed"},
		"a port where nobody listens":      {"http://127.0.0.1:1/", loopback, "refused the connection"},
		"a name that is none":              {"http://nobody.invalid/", loopback, "its host name"},
		"an allowed network":               {inside.URL + "/allowed", loopback, ""},
		"a name that leads to one allowed": {"http://localhost:" + port + "/named", loopback, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t)
			if err := p.Store.RemoveWebhook(t.Context(), p.hook.ID); err != nil {
				t.Fatal(err)
			}
			h := p.add(c.url, threading.EventMessage)
			p.write("sam", "tess", "A")
			s := New(Options{Store: p.Store, Allow: c.allow, Logger: p.Logger, Now: p.Now})
			events, err := p.Store.LeaseWebhookEvents(t.Context(), h.ID, 1, time.Minute)
			if err != nil || len(events) != 1 {
				t.Fatal(events, err)
			}
			err = (&worker{Sender: s, hook: h}).send(t.Context(), events[0])
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
	for _, path := range []string{"/name", "/plain", "/redirected", "/tls"} {
		if _, hit := hits.Load(path); hit {
			t.Errorf("%s was reached", path)
		}
	}
	for _, path := range []string{"/allowed", "/named"} {
		if _, hit := hits.Load(path); !hit {
			t.Errorf("%s was not reached", path)
		}
	}
}

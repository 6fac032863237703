package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/login"
)

// Who starts too many conversations hears when to go on, and keeps the text.
func TestContactFormTooOften(t *testing.T) {
	b := newBrowser(t)
	b.Stage = dialog.New(t, func(o *relay.Options) { o.Pace = threading.Pace{ThreadsPerHour: 1} })
	b.s, b.base = doorWith(t, Options{Pipeline: b.Pipeline, Store: b.Store, Login: login.New(login.Options{Store: b.Store, Domain: dialog.Domain}), Domain: dialog.Domain, Brand: "Backstage", LinkKey: linkKey})
	b.signInTess()
	if status, page := b.postForm("/contact/sam", map[string]string{"subject": "One", "text": "Hello?", "once": "1"}, nil); status != http.StatusCreated {
		t.Fatal(status, page)
	}
	status, page := b.postForm("/contact/sam", map[string]string{"subject": "Two", "text": "My long text", "once": "2"}, nil)
	if status != http.StatusTooManyRequests {
		t.Errorf("%d", status)
	}
	wants(t, page, "You have started conversations with 1 members within an hour", "My long text")
	res, err := b.Post(b.base+"/contact/sam", "multipart/form-data; boundary=b", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nagain\r\n--b--\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if after, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || after < 1 || after > int(time.Hour/time.Second)+1 {
		t.Errorf("Retry-After: %q", res.Header.Get("Retry-After"))
	}
}

func TestFirstContactSetting(t *testing.T) {
	b := newBrowser(t)
	wants(t, b.signInTess(), `value="anyone" checked`)
	wants(t, b.open("/account/first", url.Values{"first": {"own"}}, 200), "Your choice has been saved.", `value="own" checked`)
	wants(t, b.open("/account/first", url.Values{"first": {"nobody"}}, http.StatusUnprocessableEntity), "Please choose one of the two.")
	if m := b.tess(); m.FirstContact != threading.FirstContactOwn {
		t.Errorf("%+v", m)
	}
	// Other settings leave it as it is.
	b.open("/account/alerts", url.Values{"alerts": {"daily"}, "digest_at": {"09:00"}, "timezone": {"UTC"}}, 200)
	if m, err := b.Store.MemberByHandle(context.Background(), "tess"); err != nil || m.FirstContact != threading.FirstContactOwn {
		t.Errorf("%+v, %v", m, err)
	}
}

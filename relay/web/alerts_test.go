package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

func TestAlerts(t *testing.T) {
	p := newPages(t)
	alerts := func() threading.Alerts {
		t.Helper()
		m, err := p.Store.MemberByHandle(context.Background(), "tess")
		if err != nil {
			t.Fatal(err)
		}
		return m.Alerts
	}
	tess, err := p.Store.MemberByHandle(context.Background(), "tess")
	if err != nil {
		t.Fatal(err)
	}
	link := "/alerts/" + p.Store.Keyring().Token(seal.TokenSettings, tess.ID)
	// A mail program opens the link before anybody has chosen anything.
	if res, body := p.get(link); res.StatusCode != 200 || !strings.Contains(body, `value="immediate" checked`) || alerts() != threading.AlertsImmediate {
		t.Fatalf("%d, %s\n%s", res.StatusCode, alerts(), body)
	}
	for _, c := range []struct {
		form   url.Values
		status int
		want   threading.Alerts
	}{
		{url.Values{"alerts": {"daily"}}, 200, threading.AlertsDaily},
		{url.Values{"alerts": {"immediate"}}, 200, threading.AlertsImmediate},
		{url.Values{"List-Unsubscribe": {"One-Click"}}, 200, threading.AlertsNever}, // RFC 8058 section 3.2
		{url.Values{"List-Unsubscribe": {"One-Click"}}, 200, threading.AlertsNever},
		{url.Values{"alerts": {"hourly"}}, http.StatusBadRequest, threading.AlertsNever},
		{nil, http.StatusBadRequest, threading.AlertsNever},
	} {
		if res, body := p.post(link, c.form); res.StatusCode != c.status || alerts() != c.want {
			t.Errorf("%v: %d, %s\n%s", c.form, res.StatusCode, alerts(), body)
		}
	}
	for _, token := range []string{"x", strings.Repeat("a", 26), strings.TrimPrefix(p.link, "/held/")} {
		if res, _ := p.post("/alerts/"+token, url.Values{"alerts": {"daily"}}); res.StatusCode != http.StatusNotFound {
			t.Errorf("another token: %d", res.StatusCode)
		}
	}
	if err := p.Store.RemoveMember(context.Background(), tess.ID); err != nil {
		t.Fatal(err)
	}
	if res, _ := p.get(link); res.StatusCode != http.StatusNotFound {
		t.Errorf("a former member's link: %d", res.StatusCode)
	}
}

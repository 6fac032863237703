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

// A notification's link offers its own conversation's setting as well.
func TestAlertsOfAConversation(t *testing.T) {
	p := newPages(t)
	ctx := context.Background()
	token, _, _ := strings.Cut(strings.TrimPrefix(p.Alias, threading.AliasPrefix), "@")
	id, _ := p.Store.Keyring().ParseToken(seal.TokenAlias, token)
	alias, err := p.Store.Alias(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	link := "/alerts/" + p.Store.Keyring().Token(seal.TokenTopic, id)
	if res, body := p.get(link); res.StatusCode != 200 || !strings.Contains(body, "“Callback”") || !strings.Contains(body, `value="" checked`) {
		t.Fatalf("%d\n%s", res.StatusCode, body)
	}
	for _, c := range []struct {
		form        url.Values
		status      int
		own, member threading.Alerts
	}{
		{url.Values{"about": {"conversation"}, "alerts": {"daily"}}, 200, threading.AlertsDaily, threading.AlertsImmediate},
		{url.Values{"about": {"conversation"}, "alerts": {"never"}}, 200, threading.AlertsNever, threading.AlertsImmediate},
		{url.Values{"about": {"conversation"}, "alerts": {"hourly"}}, 400, threading.AlertsNever, threading.AlertsImmediate},
		{url.Values{"about": {"conversation"}}, 400, threading.AlertsNever, threading.AlertsImmediate},
		{url.Values{"about": {"conversation"}, "alerts": {""}}, 200, threading.AlertsUsual, threading.AlertsImmediate},
		{url.Values{"alerts": {""}}, 400, threading.AlertsUsual, threading.AlertsImmediate},
		{url.Values{"alerts": {"daily"}}, 200, threading.AlertsUsual, threading.AlertsDaily},
		{url.Values{"about": {"conversation"}, "alerts": {"immediate"}}, 200, threading.AlertsImmediate, threading.AlertsDaily},
		{url.Values{"List-Unsubscribe": {"One-Click"}}, 200, threading.AlertsUsual, threading.AlertsNever}, // of everything
	} {
		res, body := p.post(link, c.form)
		own, err := p.Store.ThreadAlerts(ctx, alias.ViewerID, alias.ThreadID)
		if err != nil {
			t.Fatal(err)
		}
		m, err := p.Store.Member(ctx, alias.ViewerID)
		if err != nil || res.StatusCode != c.status || own != c.own || m.Alerts != c.member {
			t.Errorf("%v: %d, %q, %q, %v\n%s", c.form, res.StatusCode, own, m.Alerts, err, body)
		}
	}
}

// The pages that a mail's footer links to speak the language of the mail.
func TestLinkedPagesInTheMembersLanguage(t *testing.T) {
	p := newPages(t)
	ctx := context.Background()
	_, err := p.Store.ChangeMember(ctx, "tess", func(m *threading.Member) error {
		m.Language = "de"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(p.Alias, threading.AliasPrefix), "@")
	id, _ := p.Store.Keyring().ParseToken(seal.TokenAlias, token)
	alerts, block := "/alerts/"+p.Store.Keyring().Token(seal.TokenTopic, id), "/block/"+p.Store.Keyring().Token(seal.TokenBlock, id)
	for _, c := range []struct {
		link string
		form url.Values // nil: it is opened
		want []string
	}{
		{alerts, nil, []string{`<html lang="de">`, "Wie oft möchten Sie Mail über neue Nachrichten?", "Nur diese Unterhaltung", "Mail über „Callback“"}},
		{alerts, url.Values{"alerts": {"daily"}}, []string{`<html lang="de">`, "Ihre Wahl ist gespeichert", "eine Mail am Tag"}},
		{alerts, url.Values{"alerts": {"hourly"}}, []string{"Bitte wählen Sie eine Antwort"}},
		{block, nil, []string{`<html lang="de">`, "Sam blockieren oder melden?", "Keine Mail darüber"}},
		{block, url.Values{"action": {"mute"}}, []string{"Sie bekommen keine Mail über diese Unterhaltung mehr."}},
		{block, url.Values{"action": {"block"}}, []string{"Erledigt", "Sam ist blockiert"}},
		{block, nil, []string{"Sam ist blockiert", "Sam nicht mehr blockieren"}},
	} {
		var body string
		if c.form == nil {
			_, body = p.get(c.link)
		} else {
			_, body = p.post(c.link, c.form)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s %v lacks %q:\n%s", c.link, c.form, want, body)
			}
		}
	}
}

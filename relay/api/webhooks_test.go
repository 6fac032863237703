package api

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func TestWebhooks(t *testing.T) {
	p := newPlatform(t, nil)
	body := doc{"url": "https://www.example.com/hook", "events": []string{"message.filed", "report.made"}}
	a := p.ask("POST", "/webhooks", body, "Idempotency-Key: hook").want(201)
	if !strings.HasPrefix(a.text("secret"), "whsec_") || a.header.Get("Location") != "/api/v1/webhooks/"+a.text("id") {
		t.Error(a.raw)
	}
	if b := p.ask("POST", "/webhooks", body, "Idempotency-Key: hook").want(201); b.raw != a.raw {
		t.Error(b.raw)
	}
	got := p.ask("GET", "/webhooks/"+a.text("id"), nil).want(200)
	if got.body["secret"] != nil || got.text("url") != "https://www.example.com/hook" {
		t.Error(got.raw)
	}
	if list := p.ask("GET", "/webhooks", nil).want(200); !slices.Equal(list.items("id"), []string{a.text("id")}) || strings.Contains(list.raw, "whsec_") {
		t.Error(list.raw)
	}

	// What waits, and what was given up.
	for range 3 {
		p.ask("POST", "/threads", doc{"from": "otto", "to": "tess", "text": "Hello"}).want(201)
	}
	events := "/webhooks/" + a.text("id") + "/events"
	list := p.ask("GET", events+"?limit=2", nil).want(200)
	if !slices.Equal(list.items("type"), []string{"message.filed", "message.filed"}) || list.text("next") == "" {
		t.Error(list.raw)
	}
	if rest := p.ask("GET", events+"?limit=2&cursor="+list.text("next"), nil).want(200); len(rest.items("id")) != 1 {
		t.Error(rest.raw)
	}
	id, _ := p.Store.Keyring().ParseToken(seal.TokenWebhook, a.text("id"))
	leased, err := p.Store.LeaseWebhookEvents(t.Context(), id, 1, time.Minute)
	if err != nil || len(leased) != 1 {
		t.Fatal(leased, err)
	}
	if err := p.Store.WebhookEventDead(t.Context(), leased[0], "answered 500"); err != nil {
		t.Fatal(err)
	}
	dead := p.ask("GET", events+"?state=dead", nil).want(200)
	if !slices.Equal(dead.items("last_error"), []string{"answered 500"}) || dead.items("id")[0] != list.items("id")[0] {
		t.Error(dead.raw)
	}
	p.ask("GET", events+"?state=lost", nil).want(400)
	p.ask("POST", events+"/"+dead.items("id")[0]+"/retry", nil).want(204)
	p.ask("POST", events+"/"+dead.items("id")[0]+"/retry", nil).want(404)
	if dead = p.ask("GET", events+"?state=dead", nil).want(200); len(dead.items("id")) != 0 {
		t.Error(dead.raw)
	}
	p.ask("DELETE", "/webhooks/"+a.text("id"), nil).want(204)
	p.ask("DELETE", "/webhooks/"+a.text("id"), nil).want(404)
	for range store.MaxWebhooks {
		if _, err := p.Store.AddWebhook(t.Context(), threading.Webhook{URL: "https://www.example.com/", Events: threading.EventAll, Secret: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	p.ask("POST", "/webhooks", body).want(409)
}

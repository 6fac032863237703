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

// Who blocks and unblocks all the time is asked to wait.
func TestFloodsOfBlocks(t *testing.T) {
	p := newPages(t)
	local, _, _ := strings.Cut(p.Alias, "@")
	id, _ := p.Store.Keyring().ParseToken(seal.TokenAlias, strings.TrimPrefix(local, "t-"))
	link := "/block/" + p.Store.Keyring().Token(seal.TokenBlock, id)
	for i := range maxBlocksPerHour {
		if res, body := p.post(link, url.Values{"action": {[]string{"block", "unblock"}[i%2]}}); res.StatusCode != 200 {
			t.Fatalf("%d: %d\n%s", i, res.StatusCode, body)
		}
	}
	res, body := p.post(link, url.Values{"action": {"block"}})
	if res.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, "try again in an hour") {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
	alias, err := p.Store.Alias(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if blocked, err := p.Store.Blocked(t.Context(), alias.ViewerID, alias.OtherID); err != nil || blocked {
		t.Errorf("blocked all the same: %v, %v", blocked, err)
	}
	if res, _ := p.get(link); res.StatusCode != 200 {
		t.Errorf("the page: %d", res.StatusCode)
	}
}

func TestBlockAndReport(t *testing.T) {
	p := newPages(t)
	ctx := context.Background()
	local, _, _ := strings.Cut(p.Alias, "@")
	id, _ := p.Store.Keyring().ParseToken(seal.TokenAlias, strings.TrimPrefix(local, "t-"))
	link := "/block/" + p.Store.Keyring().Token(seal.TokenBlock, id)
	alias, err := p.Store.Alias(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	state := func() (blocked bool, reports int) {
		t.Helper()
		blocked, err := p.Store.Blocked(ctx, alias.ViewerID, alias.OtherID)
		list, rerr := p.Store.Reports(ctx, threading.ReportOpen, 10)
		if err != nil || rerr != nil {
			t.Fatal(err, rerr)
		}
		return blocked, len(list)
	}
	if res, body := p.get(link); res.StatusCode != 200 || !strings.Contains(body, "<h1>Block or report Sam?</h1>") {
		t.Fatalf("%d\n%s", res.StatusCode, body)
	}
	if blocked, reports := state(); blocked || reports != 0 {
		t.Fatal("opening the link did something")
	}
	for _, c := range []struct {
		form    url.Values
		status  int
		blocked bool
		reports int
	}{
		{nil, http.StatusBadRequest, false, 0},
		{url.Values{"action": {"block"}}, 200, true, 0},
		{url.Values{"action": {"unblock"}}, 200, false, 0},
		{url.Values{"action": {"report"}, "reason": {"<b>money</b>"}}, 200, false, 1},
		{url.Values{"action": {"both"}, "reason": {strings.Repeat("ä", threading.MaxReason)}}, 200, true, 1},
	} {
		res, body := p.post(link, c.form)
		if blocked, reports := state(); res.StatusCode != c.status || blocked != c.blocked || reports != c.reports {
			t.Errorf("%.60v: %d, blocked %v, %d reports\n%s", c.form, res.StatusCode, blocked, reports, body)
		}
	}
	for _, c := range []struct {
		action string
		muted  bool
		offers string
	}{{"mute", true, `value="unmute"`}, {"unmute", false, `value="mute"`}} {
		p.post(link, url.Values{"action": {c.action}})
		alerts, err := p.Store.ThreadAlerts(ctx, alias.ViewerID, alias.ThreadID)
		muted := alerts == threading.AlertsNever
		if _, body := p.get(link); err != nil || muted != c.muted || !strings.Contains(body, c.offers) {
			t.Errorf("%s: muted %v, %v\n%s", c.action, muted, err, body)
		}
	}
	if _, body := p.get(link); !strings.Contains(body, "Sam is blocked") || !strings.Contains(body, `value="unblock"`) {
		t.Errorf("the page of a block:\n%s", body)
	}
	list, err := p.Store.Reports(ctx, "", 10)
	if err != nil || len(list) != 1 || len(list[0].Reason) > threading.MaxReason || !strings.HasPrefix(list[0].Reason, "ää") {
		t.Errorf("%d reports, %v", len(list), err)
	}
	if res, _ := p.get("/block/" + strings.Repeat("a", 26)); res.StatusCode != http.StatusNotFound {
		t.Errorf("a made-up token: %d", res.StatusCode)
	}
}

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func TestMembers(t *testing.T) {
	p := newPlatform(t, nil)
	a := p.ask("POST", "/members", doc{"handle": "ann", "name": " Ann Actor ", "addresses": []string{"Ann@elsewhere.example", "ann@work.example"}, "alerts": "daily", "timezone": "Europe/Berlin", "language": "de", "password": "correct horse"}).want(201)
	if a.header.Get("Location") != "/api/v1/members/ann" || a.text("name") != "Ann Actor" || a.text("contact_address") != "ann@"+dialog.Domain || a.text("alerts") != "daily" || a.text("digest_at") != "08:00" || a.text("language") != "de" {
		t.Errorf("%v\n%s", a.header, a.raw)
	}
	got := p.ask("GET", "/members/ann", nil).want(200)
	if got.raw != a.raw {
		t.Errorf("%s, was made as %s", got.raw, a.raw)
	}
	// The same once more is no error; another one is.
	p.ask("POST", "/members", doc{"handle": "ann", "name": "Ann Actor", "addresses": []string{"ann@elsewhere.example"}}).want(200)
	p.ask("POST", "/members", doc{"handle": "ann", "name": "Another Ann", "addresses": []string{"ann@elsewhere.example"}}).want(409)
	p.ask("POST", "/members", doc{"handle": "ann", "name": "Ann Actor", "addresses": []string{"other@elsewhere.example"}}).want(409)
	p.ask("POST", "/members", doc{"handle": "ann2", "name": "Ann", "addresses": []string{"ANN@work.example"}}).want(409)
	p.ask("GET", "/members/ann2", nil).want(404)
	same := doc{"handle": "ann", "name": "Ann Actor", "addresses": []string{"ann@WORK.example"}, "alerts": "daily", "digest_at": "08:00", "timezone": "Europe/Berlin", "first_contact": "anyone", "language": "de", "password": "correct horse"}
	p.ask("POST", "/members", same).want(200)
	for field, other := range (doc{"alerts": "never", "digest_at": "09:00", "timezone": "UTC", "first_contact": "own", "language": "en", "password": "another horse", "addresses": []string{"ann@work.example", "ann@new.example"}}) {
		b := maps.Clone(same)
		b[field] = other
		if a := p.ask("POST", "/members", b).want(409); strings.Contains(a.raw, "new.example") {
			t.Error(a.raw)
		}
		if now := p.ask("GET", "/members/ann", nil).want(200); now.raw != a.raw {
			t.Errorf("another %s has made it %s", field, now.raw)
		}
	}

	// A change sees to what was changed meanwhile.
	tag := got.header.Get("ETag")
	p.ask("GET", "/members/ann", nil, "If-None-Match: "+tag).want(304)
	changed := p.ask("PATCH", "/members/ann", doc{"alerts": "never", "name": "Ann", "first_contact": "own"}, "If-Match: "+tag).want(200)
	if changed.text("alerts") != "never" || changed.text("name") != "Ann" || changed.text("timezone") != "Europe/Berlin" {
		t.Error(changed.raw)
	}
	p.ask("PATCH", "/members/ann", doc{"alerts": "daily"}, "If-Match: "+tag).want(412)
	p.ask("DELETE", "/members/ann", nil, "If-Match: "+tag).want(412)
	p.ask("GET", "/members/ann", nil, "If-None-Match: "+tag).want(200)

	// Suspended, a member can't write.
	p.ask("PATCH", "/members/ann", doc{"status": "suspended"}).want(200)
	if a := p.ask("POST", "/threads", doc{"from": "ann", "to": "tess", "text": "Hello"}).want(422); !strings.HasSuffix(a.text("type"), "/refused") {
		t.Error(a.raw)
	}
	p.ask("PATCH", "/members/ann", doc{"status": "active"}).want(200)

	p.ask("PUT", "/members/ann/password", doc{"password": "another horse"}).want(204)
	p.ask("PUT", "/members/ann/password", doc{"password": "short"}).want(422)
	p.ask("DELETE", "/members/ann", nil).want(204)
	p.ask("DELETE", "/members/ann", nil).want(404)
}

func TestAddresses(t *testing.T) {
	p := newPlatform(t, nil)
	list := p.ask("GET", "/members/tess/addresses", nil).want(200)
	if !slices.Equal(list.items("masked"), []string{"t***@***.example"}) || !slices.Equal(list.items("primary"), []string{"true"}) {
		t.Error(list.raw)
	}
	a := p.ask("POST", "/members/tess/addresses", doc{"address": "Tess@elsewhere.example"}).want(201)
	if a.text("masked") != "T***@***.example" || !strings.HasSuffix(a.header.Get("Location"), a.text("id")) {
		t.Error(a.raw)
	}
	id := a.text("id")
	p.ask("POST", "/members/tess/addresses", doc{"address": "tess@ELSEWHERE.example"}).want(200)
	// Whose an address is, the platform is not told.
	p.ask("POST", "/members/sam/addresses", doc{"address": "tess@elsewhere.example"}).want(409)
	if b := p.ask("PATCH", "/members/tess/addresses/"+id, doc{"primary": true}).want(200); b.body["primary"] != true {
		t.Error(b.raw)
	}
	p.ask("DELETE", "/members/tess/addresses/"+id, nil).want(409)
	p.ask("DELETE", "/members/sam/addresses/"+id, nil).want(404)
	p.ask("PATCH", "/members/tess/addresses/"+list.items("id")[0], doc{"primary": true}).want(200)
	p.ask("DELETE", "/members/tess/addresses/"+id, nil).want(204)
	p.ask("DELETE", "/members/tess/addresses/"+id, nil).want(404)

	m, err := p.Store.MemberByHandle(t.Context(), "tess")
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := p.Store.Addresses(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Pipeline.AddressFailed(t.Context(), addresses[0].ID, "5.1.1"); err != nil {
		t.Fatal(err)
	}
	if list := p.ask("GET", "/members/tess/addresses", nil).want(200); list.items("failure")[0] != "mail to it came back (5.1.1)" {
		t.Error(list.raw)
	}
	if b := p.ask("PATCH", "/members/tess/addresses/"+list.items("id")[0], doc{"works": true}).want(200); b.body["failed_at"] != nil {
		t.Error(b.raw)
	}
}

func TestProductionsAndRoles(t *testing.T) {
	p := newPlatform(t, nil)
	a := p.ask("POST", "/productions", doc{"slug": "macbeth", "title": "Macbeth", "owner": "sam"}).want(201)
	p.ask("POST", "/productions", doc{"slug": "macbeth", "title": "Macbeth", "owner": "sam"}).want(200)
	p.ask("POST", "/productions", doc{"slug": "macbeth", "title": "Macbeth", "owner": "otto"}).want(409)
	p.ask("POST", "/productions", doc{"slug": "lear", "title": "Lear", "owner": "nobody-here"}).want(422)
	if got := p.ask("GET", "/productions/macbeth", nil).want(200); got.raw != a.raw {
		t.Error(got.raw)
	}
	tag := p.ask("GET", "/productions/macbeth", nil).header.Get("ETag")
	if b := p.ask("PATCH", "/productions/macbeth", doc{"title": "The Scottish Play", "owner": "otto"}, "If-Match: "+tag).want(200); b.text("title") != "The Scottish Play" || b.text("owner") != "otto" {
		t.Error(b.raw)
	}
	p.ask("PATCH", "/productions/macbeth", doc{"title": "Macbeth"}, "If-Match: "+tag).want(412)
	p.ask("PATCH", "/productions/lear", doc{"title": "Lear"}).want(404)
	if b := p.ask("PATCH", "/productions/macbeth", doc{"closed": true}).want(200); b.body["closed_at"] == nil {
		t.Error(b.raw)
	}
	p.ask("POST", "/threads", doc{"from": "sam", "to": "tess", "text": "x", "production": "macbeth"}).want(422)
	if b := p.ask("PATCH", "/productions/macbeth", doc{"closed": false}).want(200); b.body["closed_at"] != nil {
		t.Error(b.raw)
	}
	if list := p.ask("GET", "/productions", nil).want(200); !slices.Equal(list.items("slug"), []string{"hamlet", "macbeth"}) {
		t.Error(list.raw)
	}

	r := p.ask("POST", "/productions/hamlet/roles", doc{"slug": "yorick", "title": "Yorick"}).want(201)
	if r.text("address") != "yorick.hamlet@"+dialog.Domain || r.header.Get("Location") != "/api/v1/productions/hamlet/roles/yorick" {
		t.Error(r.raw)
	}
	p.ask("POST", "/productions/hamlet/roles", doc{"slug": "yorick", "title": "Yorick"}).want(200)
	p.ask("POST", "/productions/hamlet/roles", doc{"slug": "yorick", "title": "A skull"}).want(409)
	if got := p.ask("GET", "/productions/hamlet/roles/yorick", nil).want(200); got.raw != r.raw {
		t.Error(got.raw)
	}
	if b := p.ask("PATCH", "/productions/hamlet/roles/yorick", doc{"title": "A skull"}).want(200); b.text("title") != "A skull" {
		t.Error(b.raw)
	}
	if list := p.ask("GET", "/productions/hamlet/roles", nil).want(200); !slices.Equal(list.items("slug"), []string{"ophelia", "yorick"}) {
		t.Error(list.raw)
	}
}

// A thread that is started here is one like any other: filed, alerted, answered.
func TestThreads(t *testing.T) {
	p := newPlatform(t, nil)
	a := p.ask("POST", "/threads", doc{"from": "sam", "to": "tess", "subject": "Callback, Zoë", "text": "Tuesday?\n.\nSam", "production": "hamlet", "role": "ophelia"}, "Idempotency-Key: one").want(201)
	id := a.text("id")
	if a.text("started_by") != "sam" || a.text("role") != "ophelia" || a.header.Get("Location") != "/api/v1/threads/"+id {
		t.Errorf("%s", a.raw)
	}
	for _, secret := range []string{"Callback", "Tuesday"} {
		if strings.Contains(a.raw, secret) {
			t.Errorf("the answer shows what a member wrote:\n%s", a.raw)
		}
	}
	if m := p.Newest("tess"); !strings.Contains(m, "About: Ophelia in Hamlet") || !strings.Contains(m, "Tuesday?") {
		t.Errorf("%s", m)
	}
	if got := p.ask("GET", "/threads/"+id, nil).want(200); got.raw != a.raw {
		t.Error(got.raw)
	}
	p.ask("POST", "/threads", doc{"from": "otto", "to": "tess", "text": "Hello"}).want(201)
	for query, want := range map[string]int{"": 3, "?member=otto": 1, "?member=sam": 2, "?member=sam&status=closed": 0, "?status=open": 3} {
		if list := p.ask("GET", "/threads"+query, nil).want(200); len(list.items("id")) != want {
			t.Errorf("%s: %s", query, list.raw)
		}
	}
	if b := p.ask("PATCH", "/threads/"+id, doc{"status": "closed"}).want(200); b.text("status") != "closed" {
		t.Error(b.raw)
	}
	p.ask("PATCH", "/threads/"+id, doc{"status": "open"}).want(422)
	if list := p.ask("GET", "/threads?status=closed", nil).want(200); !slices.Equal(list.items("id"), []string{id}) {
		t.Error(list.raw)
	}
}

// Members have bounds that the platform's requests don't widen.
func TestMembersBounds(t *testing.T) {
	stage := dialog.New(t, func(o *relay.Options) {
		o.Pace = threading.Pace{ThreadsPerHour: 2}
	})
	p := onStage(stage, nil)
	for i := range 3 {
		a := p.ask("POST", "/threads", doc{"from": "otto", "to": []string{"sam", "tess", "sam"}[i], "text": "Hello"})
		if want := []int{201, 201, 429}[i]; a.status != want || want == 429 && (a.header.Get("Retry-After") == "" || !strings.Contains(a.text("detail"), "You have started conversations with 2 members within an hour")) {
			t.Errorf("%d: %d %v\n%s", i, a.status, a.header, a.raw)
		}
	}
}

// A note comes from the platform, is alerted like any other message, can't be
// blocked or reported as a member's, and what is answered goes to the operator.
func TestNotes(t *testing.T) {
	p := newPlatform(t, nil)
	before, err := p.Store.Queue(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	n := doc{"to": "tess", "subject": "Your profile, Zoë", "text": "It is complete now.\n<b>Well done</b>"}
	a := p.ask("POST", "/notes", n, "Idempotency-Key: note-1").want(201)
	if b := p.ask("POST", "/notes", n, "Idempotency-Key: note-1").want(201); b.raw != a.raw {
		t.Error(b.raw)
	}
	m := p.Newest("tess")
	for _, want := range []string{"From: \"Backstage\" <support@" + dialog.Domain + ">\r\n", "To: \"Tess\" <tess@" + dialog.Domain + ">\r\n", "Auto-Submitted: auto-generated\r\n", "Content-Type: text/plain", "Message-ID: <" + a.text("message") + "@", "It is complete now."} {
		if !strings.Contains(m, want) {
			t.Errorf("the note lacks %q:\n%s", want, m)
		}
	}
	after, err := p.Store.Queue(t.Context(), 100)
	if err != nil || len(after) != len(before)+1 || after[len(after)-1].Kind != store.QueueNotification {
		t.Errorf("%d rows, were %d: %v", len(after), len(before), err)
	}
	th := p.ask("GET", "/threads/"+a.text("thread"), nil).want(200)
	if th.body["started_by"] != nil || !strings.Contains(th.raw, `"participants":["tess"]`) {
		t.Error(th.raw)
	}
	// Moved to Junk it is no report on anybody.
	tess, err := p.Store.MemberByHandle(t.Context(), "tess")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := p.Store.Mailbox(t.Context(), tess.ID, threading.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Store.Copy(t.Context(), tess.ID, inbox.ID, threading.UIDSet{{First: inbox.UIDNext - 1, Last: inbox.UIDNext - 1}}, "Junk", true); err != nil {
		t.Fatal(err)
	}
	if list := p.ask("GET", "/reports", nil).want(200); len(list.items("id")) != 0 {
		t.Error(list.raw)
	}
	// The answer.
	target, err := p.Pipeline.SubmissionRecipient(t.Context(), tess, "support@"+dialog.Domain)
	if err == nil {
		err = p.Pipeline.Submit(t.Context(), tess, []relay.Target{target}, spool.FromBytes([]byte("From: tess@"+dialog.Domain+"\r\nSubject: Re: Your profile\r\n\r\nThanks!\r\n")), false)
	}
	rows, qerr := p.Store.Queue(t.Context(), 100)
	if err != nil || qerr != nil || rows[len(rows)-1].Kind != store.QueueOperator {
		t.Errorf("%v, %v", err, qerr)
	}
}

func TestReports(t *testing.T) {
	p := newPlatform(t, nil)
	_, token, _ := strings.Cut(p.Alias, "t-")
	token, _, _ = strings.Cut(token, "@")
	id, _ := p.Store.Keyring().ParseToken(seal.TokenAlias, token)
	who, err := p.Pipeline.Acquaintance(t.Context(), p.Store.Keyring().Token(seal.TokenBlock, id))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Pipeline.Report(t.Context(), who, threading.ReportPage, "asks for <money>"); err != nil {
		t.Fatal(err)
	}
	list := p.ask("GET", "/reports?status=open", nil).want(200)
	if !slices.Equal(list.items("reporter"), []string{"tess"}) || !slices.Equal(list.items("other"), []string{"sam"}) || strings.Contains(list.raw, "Tuesday") {
		t.Fatal(list.raw)
	}
	looks, err := p.Store.AuditLog(t.Context(), 10)
	if err != nil || len(looks) != 0 {
		t.Errorf("%v, %v", looks, err)
	}
	path := "/reports/" + list.items("id")[0]
	a := p.ask("GET", path, nil).want(200)
	if !strings.Contains(a.raw, `"reason":"asks for <money>"`) || !strings.Contains(a.raw, `"from":"sam","subject":"Callback"`) || !strings.Contains(a.raw, "Tuesday?") || strings.Contains(a.raw, "t-") {
		t.Error(a.raw)
	}
	if b := p.ask("POST", path+"/resolve", doc{"resolution": "warned"}).want(200); b.text("status") != "resolved" || b.text("resolution") != "warned" {
		t.Error(b.raw)
	}
	p.ask("POST", path+"/resolve", doc{"resolution": strings.Repeat("x", 3000)}).want(422)
	if looks, err = p.Store.AuditLog(t.Context(), 10); err != nil || len(looks) != 2 || looks[1].Actor != "api" || looks[1].Action != "report show" || looks[1].Subject != list.items("id")[0] {
		t.Errorf("%+v, %v", looks, err)
	}
	p.ask("GET", "/reports/"+strings.Repeat("a", 26), nil).want(404)
}

// Every page but the last leads to the next, and all of them together are the
// listing, whatever is added meanwhile.
func TestPages(t *testing.T) {
	p := newPlatform(t, nil)
	var want []string
	for i := range 25 {
		handle := fmt.Sprintf("m%02d", i)
		p.ask("POST", "/members", doc{"handle": handle, "name": "M", "addresses": []string{handle + "@elsewhere.example"}}).want(201)
		p.ask("POST", "/threads", doc{"from": handle, "to": "tess", "text": "Hello"}).want(201)
		want = append(want, handle)
	}
	want = append(want, "otto", "sam", "tess")
	walk := func(path, name string) (all []string, pages int) {
		for next := ""; pages == 0 || next != ""; pages++ {
			a := p.ask("GET", path+"limit=7"+next, nil).want(200)
			all = append(all, a.items(name)...)
			if next = a.text("next"); next != "" {
				next = "&cursor=" + next
			}
			p.ask("POST", "/threads", doc{"from": "otto", "to": "sam", "text": "Meanwhile"}).want(201)
		}
		return all, pages
	}
	if all, pages := walk("/members?", "handle"); !slices.Equal(all, want) || pages != 4 {
		t.Errorf("%d pages: %v", pages, all)
	}
	if all, pages := walk("/threads?member=tess&", "started_by"); len(all) != 26 || pages != 4 || all[0] != "m24" || all[25] != "sam" {
		t.Errorf("%d pages: %v", pages, all)
	}
	cursor := p.ask("GET", "/members?limit=1", nil).text("next")
	for name, path := range map[string]string{
		"a cursor of another listing":          "/threads?cursor=" + cursor,
		"a cursor with other filters":          "/threads?member=tess&cursor=" + p.ask("GET", "/threads?limit=1", nil).text("next"),
		"a cursor that was changed":            "/members?cursor=" + cursor[:len(cursor)-2] + "AA",
		"no cursor":                            "/members?cursor=m01",
		"no limit":                             "/members?limit=0",
		"a large limit":                        "/members?limit=201",
		"a limit that is no number":            "/members?limit=ten",
		"a parameter that is not known":        "/members?status=active",
		"a parameter twice":                    "/members?limit=1&limit=2",
		"a member who is not there":            "/threads?member=nobody-here",
		"a status that is none":                "/threads?status=ajar",
		"a status of reports that is not":      "/reports?status=x'%20OR%201=1--",
		"a parameter whose name is an address": "/members?tess.real@mail.example=1",
	} {
		if a := p.ask("GET", path, nil); a.status != 400 {
			t.Errorf("%s: %d\n%s", name, a.status, a.raw)
		}
	}
}

func TestTokens(t *testing.T) {
	p := newPlatform(t, nil)
	for _, good := range []string{"Bearer " + token, "bearer an older one"} {
		p.ask("GET", "/members", nil, "Authorization: "+good).want(200)
	}
	for _, bad := range []string{"", "Bearer", "Bearer wrong", "Basic " + token, token, "Bearer " + token + "x"} {
		if a := p.ask("GET", "/members", nil, "Authorization: "+bad).want(401); a.header.Get("WWW-Authenticate") == "" || a.header.Get("RateLimit") != "" {
			t.Errorf("%q: %v", bad, a.header)
		}
	}
	// The description and what problems mean are for everybody.
	if a := p.ask("GET", "/openapi.json", nil, "Authorization: ").want(200); a.text("openapi") != "3.1.0" {
		t.Error(a.raw)
	}
	a := p.ask("GET", "/members", nil, "Authorization: ").want(401)
	if b := p.ask("GET", strings.TrimPrefix(a.text("type"), Prefix), nil, "Authorization: ").want(200); !strings.HasPrefix(b.raw, "A token is needed (401)\n") {
		t.Error(b.raw)
	}
	p.ask("GET", "/problems/none", nil).want(404)
}

func TestRateLimit(t *testing.T) {
	p := newPlatform(t, func(o *Options) { o.PerMinute = 3 })
	for i := range 5 {
		a := p.ask("GET", "/members/tess", nil)
		if want := 200 + 229*(i/3); a.status != want || a.header.Get("RateLimit-Policy") != `"minute";q=3;w=60` || !strings.HasPrefix(a.header.Get("RateLimit"), fmt.Sprintf(`"minute";r=%d;t=`, max(2-i, 0))) {
			t.Errorf("%d: %d, %v", i, a.status, a.header)
		}
		if a.status == 429 && (a.header.Get("Retry-After") == "" || a.header.Get("Retry-After") == "0") {
			t.Errorf("%v", a.header)
		}
	}
	p.Advance(time.Minute)
	p.ask("GET", "/members/tess", nil).want(200)
}

// A request with a key is done once, whichever process gets it, and a key means
// one request.
func TestIdempotency(t *testing.T) {
	p := newPlatform(t, nil)
	q := onStage(p.Stage, nil) // another process
	body := doc{"from": "otto", "to": "tess", "subject": "Once", "text": "Hello"}
	before := len(p.Mailbox("tess", "INBOX"))
	first := p.ask("POST", "/threads", body, "Idempotency-Key: k1").want(201)
	for _, x := range []*platform{p, q} {
		a := x.ask("POST", "/threads", body, "Idempotency-Key: k1").want(201)
		if a.raw != first.raw || a.header.Get("Idempotency-Replayed") != "true" || a.header.Get("Location") != first.header.Get("Location") {
			t.Errorf("%v\n%s", a.header, a.raw)
		}
		x.ask("POST", "/threads", doc{"from": "otto", "to": "tess", "text": "Another"}, "Idempotency-Key: k1").want(422)
		x.ask("POST", "/notes", body, "Idempotency-Key: k1").want(422)
	}
	if n := len(p.Mailbox("tess", "INBOX")); n != before+1 {
		t.Errorf("%d messages more", n-before)
	}
	// What failed may be mended under the same key.
	p.ask("POST", "/notes", doc{"to": "tess", "subject": "", "text": "x"}, "Idempotency-Key: k2").want(422)
	p.ask("POST", "/notes", doc{"to": "tess", "subject": "x", "text": "x"}, "Idempotency-Key: k2").want(201)
	for _, bad := range []string{strings.Repeat("k", 256), "with space", "ümlaut"} {
		p.ask("POST", "/notes", doc{"to": "tess", "subject": "x", "text": "x"}, "Idempotency-Key: "+bad).want(400)
	}
	// After a day the key is free.
	p.Advance(store.KeepAnswers + time.Second)
	p.ask("POST", "/notes", doc{"to": "tess", "subject": "y", "text": "y"}, "Idempotency-Key: k1").want(201)
}

// A caller who goes away while it is done gets the answer later, and what failed
// is free again.
func TestIdempotencyWithoutCaller(t *testing.T) {
	p := newPlatform(t, nil)
	s := New(Options{Store: p.Store, Pipeline: p.Pipeline, Domain: dialog.Domain})
	var done int
	var fails error
	try := func(ctx context.Context) (*reply, error) {
		ctx, goAway := context.WithCancel(ctx)
		c := &call{Context: ctx, r: httptest.NewRequest("POST", "/api/v1/notes", nil), header: http.Header{}, status: 201}
		return s.once(c, operation{do: func(*Server, *call) (any, error) {
			goAway()
			done++
			return doc{"n": done}, fails
		}}, "k1")
	}
	fails = problemf(errNotFound, "There is nothing yet.")
	_, _ = try(t.Context())
	fails = nil
	first, err := try(t.Context())
	if err != nil || done != 2 {
		t.Fatalf("done %d times, %v", done, err)
	}
	again, err := try(t.Context())
	if err != nil || done != 2 || string(again.body) != string(first.body) {
		t.Errorf("done %d times, %+v, %v", done, again, err)
	}
}

// Ten at once are one.
func TestIdempotencyUnderWay(t *testing.T) {
	p := newPlatform(t, nil)
	q := onStage(p.Stage, nil)
	before := len(p.Mailbox("sam", "INBOX"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	threads := map[string]int{}
	for i := range 10 {
		wg.Go(func() {
			x := []*platform{p, q}[i%2]
			a := x.ask("POST", "/threads", doc{"from": "otto", "to": "sam", "text": "Hello"}, "Idempotency-Key: many")
			if a.status != 201 && a.status != 409 {
				t.Errorf("%d\n%s", a.status, a.raw)
			}
			mu.Lock()
			defer mu.Unlock()
			if a.status == 201 {
				threads[a.text("id")]++
			}
		})
	}
	wg.Wait()
	if n := len(p.Mailbox("sam", "INBOX")); n != before+1 || len(threads) != 1 {
		t.Errorf("%d messages, threads %v", n-before, threads)
	}
}

// A process that died between doing it and answering: the claim runs out, and
// the next try finds what was done.
func TestIdempotencyAfterACrash(t *testing.T) {
	p := newPlatform(t, nil)
	body := doc{"from": "otto", "to": "tess", "subject": "Crash", "text": "Hello"}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	keys := p.Store.Keyring()
	if _, err := p.Store.ClaimRequest(t.Context(), keys.Hash("api request", "k"), keys.Hash("api request body", "POST", Prefix+"/threads", string(raw)), workTime); err != nil {
		t.Fatal(err)
	}
	otto, err := p.Store.MemberByHandle(t.Context(), "otto")
	if err != nil {
		t.Fatal(err)
	}
	tess, err := p.Store.MemberByHandle(t.Context(), "tess")
	if err != nil {
		t.Fatal(err)
	}
	filed, err := p.Pipeline.Contact(t.Context(), relay.ContactForm{Writer: otto, To: tess, Subject: "Crash", Text: "Hello", Once: "api k"})
	if err != nil {
		t.Fatal(err)
	}
	if a := p.ask("POST", "/threads", body, "Idempotency-Key: k").want(409); a.header.Get("Retry-After") == "" || !strings.HasSuffix(a.text("type"), "/in-progress") {
		t.Errorf("%v\n%s", a.header, a.raw)
	}
	p.Advance(workTime + time.Second)
	if a := p.ask("POST", "/threads", body, "Idempotency-Key: k").want(201); a.text("id") != keys.Token(seal.TokenThread, filed.ThreadID) {
		t.Errorf("another thread: %s", a.raw)
	}
}

// A client that sends its body slowly is cut off with a problem, and holds
// nobody up.
func TestSlowClient(t *testing.T) {
	p := newPlatform(t, nil)
	slow := httptest.NewUnstartedServer(p.s)
	slow.Config.ReadTimeout = 200 * time.Millisecond
	slow.Start()
	defer slow.Close()
	c, err := net.Dial("tcp", slow.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintf(c, "POST %s/notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", Prefix, token); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 400 ") || !strings.Contains(string(got), "The body did not arrive as a whole.") {
		t.Errorf("%v\n%s", err, got)
	}
}

// When the store does not answer in time, the platform hears that it may try
// again.
func TestTheStoreIsSlow(t *testing.T) {
	p := newPlatform(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest("GET", Prefix+"/members", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	p.s.ServeHTTP(w, r)
	description().check(t, http.MethodGet, Prefix+"/members", w.Result(), w.Body.Bytes())
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v\n%s", w.Code, w.Header(), w.Body)
	}
}

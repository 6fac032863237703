package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// leakScan decodes what it is given in every way and looks for addresses; it is
// beside the repository where it is at all.
const leakScan = "../../../shared/lab/leakscan.py"

// realAddresses are those of the members in this test.
var realAddresses = []string{"tess.real@mail.example", "sam.real@agency.example", "tess.two@work.example"}

// hookedPlatform is a platform's program: it asks the API and receives webhooks,
// and keeps all that it reads.
type hookedPlatform struct {
	in   *installation
	base string

	mu     sync.Mutex
	events []hookedEvent // that were taken
	read   []string      // every answer and every webhook
	before func()        // of the next answer to a webhook
}

type hookedEvent struct {
	ID   string
	Type string
	Data map[string]any
}

func (p *hookedPlatform) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	e := hookedEvent{ID: r.Header.Get("webhook-id")}
	if err := json.Unmarshal(body, &e); err != nil {
		p.in.t.Errorf("%v: %s", err, body)
	}
	p.mu.Lock()
	before := p.before
	p.before = nil
	p.read = append(p.read, string(body))
	if before == nil {
		p.events = append(p.events, e)
	}
	p.mu.Unlock()
	if before != nil {
		before() // the daemon that asks is gone: it never hears the answer
	}
	w.WriteHeader(http.StatusNoContent)
}

// ask asks the API.
func (p *hookedPlatform) ask(method, path, body string, want int) map[string]any {
	p.in.t.Helper()
	req, err := http.NewRequest(method, p.base+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		p.in.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiToken)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.in.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		p.in.t.Fatalf("%s %s: %d, %v\n%s", method, path, res.StatusCode, err, raw)
	}
	p.mu.Lock()
	p.read = append(p.read, string(raw))
	p.mu.Unlock()
	var v map[string]any
	_ = json.Unmarshal(raw, &v)
	return v
}

// threads are those that the platform was told of, in the order in which it was.
func (p *hookedPlatform) threads() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if id, _ := e.Data["thread"].(string); e.Type == "message.filed" && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

// TestThePlatformIsToldOfAll: whatever was filed, by whichever process, reaches
// the platform though the daemon is killed between filing and telling, and while
// it tells; and nothing that the platform reads has a real address in it.
func TestThePlatformIsToldOfAll(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a daemon of its own")
	}
	in := newInstallation(t)
	p := &hookedPlatform{in: in}
	receiver := httptest.NewServer(http.HandlerFunc(p.receive))
	defer receiver.Close()
	door, token := freePort(t), filepath.Join(in.dir, "api.token")
	toml, err := os.ReadFile(in.config)
	if err == nil {
		err = os.WriteFile(in.config, append(bytes.Replace(toml, []byte("[http]\nlisten = []"), fmt.Appendf(nil, "[http]\nlisten = [%q]\napi_token_file = %q", door, token), 1), "[webhooks]\nallow_networks = [\"127.0.0.0/8\"]\n"...), 0o600)
	}
	if err == nil {
		err = os.WriteFile(token, []byte(apiToken+"\n"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.base = "http://" + door
	in.start()
	p.ask("POST", "/members", `{"handle": "sam", "name": "Sam Casting", "addresses": ["sam.real@agency.example"], "alerts": "never"}`, 201)
	p.ask("POST", "/members", `{"handle": "tess", "name": "Tess Talent", "addresses": ["tess.real@mail.example", "tess.two@work.example"], "alerts": "never"}`, 201)
	p.ask("POST", "/members", `{"handle": "otto", "name": "Otto", "addresses": ["TESS.two@work.example"]}`, 409)
	p.ask("POST", "/webhooks", fmt.Sprintf(`{"url": %q, "events": ["message.filed", "report.made", "address.failed"]}`, receiver.URL), 201)

	var want []string
	note := func(out string) {
		m := regexp.MustCompile(`thread ([a-z2-7]{26})`).FindStringSubmatch(out)
		if m == nil {
			t.Fatal(out)
		}
		want = append(want, m[1])
	}
	contact := func(subject string) {
		note(in.run("Hello\n", "contact", "--from", "sam", "--to", "tess", "--subject", subject))
	}
	wait := func() {
		t.Helper()
		for range 1200 {
			if len(p.threads()) == len(want) {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("the platform was told of %v, want %v", p.threads(), want)
	}
	contact("by another process")
	wait()
	in.kill()
	contact("while no daemon runs")
	contact("and again")
	in.start()
	wait()
	// Killed between what it sends and what it hears: sent again under the same ID.
	p.mu.Lock()
	p.before = in.kill
	p.mu.Unlock()
	contact("killed while it tells")
	for range 1200 {
		p.mu.Lock()
		killed := p.before == nil
		p.mu.Unlock()
		if killed {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	contact("while it is down")
	in.start()
	waitLeased(t, in, p, want)
	if got := p.threads(); len(got) != len(want) {
		t.Errorf("told of %v, want %v", got, want)
	}
	for _, path := range []string{"/members", "/members/tess", "/members/tess/addresses", "/threads", "/threads/" + want[0], "/productions", "/reports", "/webhooks"} {
		p.ask("GET", path, "", 200)
	}
	p.ask("PATCH", "/members/tess", `{"name": "tess.real@mail.example"}`, 422)
	p.ask("POST", "/threads", `{"from": "tess.real@mail.example", "to": "sam", "text": "x"}`, 422)
	scan(t, p.read)
}

// waitLeased waits for the last of the events, one of which a dead daemon had
// leased: for less than half a minute.
func waitLeased(t *testing.T, in *installation, p *hookedPlatform, want []string) {
	t.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	for len(p.threads()) < len(want) {
		if time.Now().After(deadline) {
			t.Fatalf("the platform was told of %v, want %v\n%s", p.threads(), want, in.run("", "webhook", "list"))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// scan looks for real addresses in texts, by itself and with leakscan.
func scan(t *testing.T, texts []string) {
	t.Helper()
	all := strings.ToLower(strings.Join(texts, "\n"))
	for _, a := range realAddresses {
		if strings.Contains(all, a) {
			t.Errorf("the platform reads %s:\n%s", a, all)
		}
	}
	if _, err := os.Stat(leakScan); err != nil {
		return
	}
	dir := t.TempDir()
	args := []string{leakScan, strings.Join(realAddresses, ",")}
	for i, text := range texts {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte("Content-Type: text/plain; charset=utf-8\r\n\r\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	if out, err := exec.Command("python3", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

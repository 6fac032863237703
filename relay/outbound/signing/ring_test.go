package signing

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	mdns "github.com/miekg/dns"

	relaydns "github.com/stagedoor/stagedoor/relay/dns"
)

const domain = "msg.example.com"

// zone is a DNS server whose TXT records change.
type zone struct {
	addr string

	mu  sync.Mutex
	txt map[string][]string
}

func newZone(t testing.TB) *zone {
	t.Helper()
	z := &zone{txt: map[string][]string{}}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z.addr = pc.LocalAddr().String()
	s := &mdns.Server{PacketConn: pc, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		a := new(mdns.Msg)
		a.SetReply(q)
		a.RecursionAvailable = true
		z.mu.Lock()
		defer z.mu.Unlock()
		texts, known := z.txt[q.Question[0].Name]
		if !known {
			a.Rcode = mdns.RcodeNameError
		}
		for _, text := range texts {
			rr := &mdns.TXT{Hdr: mdns.RR_Header{Name: q.Question[0].Name, Rrtype: mdns.TypeTXT, Class: mdns.ClassINET, Ttl: 1}}
			for part := range slices.Chunk([]byte(text), 255) {
				rr.Txt = append(rr.Txt, string(part))
			}
			a.Answer = append(a.Answer, rr)
		}
		_ = w.WriteMsg(a)
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return z
}

// lookup asks the server, as Options.LookupTXT.
func (z *zone) lookup(ctx context.Context, name string) ([]string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, z.addr)
	}}
	return r.LookupTXT(ctx, name)
}

// set publishes a key; with other values, those.
func (z *zone) set(t testing.TB, k Key, values ...string) {
	t.Helper()
	value, err := relaydns.DKIMValue(k.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	if values == nil {
		values = []string{value}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.txt[k.Selector+"._domainkey."+domain+"."] = values
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func openRing(t testing.TB, o Options) *Ring {
	t.Helper()
	o.Domain = domain
	if o.Selector == "" {
		o.Selector = "stagedoor"
	}
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// states is a ring in short: "stagedoor signing, stagedoor-2 next".
func states(r *Ring) string {
	var list []string
	for _, p := range r.Pairs() {
		list = append(list, p.Keys[0].Selector+" "+string(p.State))
	}
	return strings.Join(list, ", ")
}

// signs are the selectors that a message gets; each signature must hold by
// what is in DNS.
func signs(t *testing.T, r *Ring, z *zone) string {
	t.Helper()
	fields, err := r.Signer().Sign(strings.NewReader(signedMessage))
	if err != nil {
		t.Fatal(err)
	}
	results, err := dkim.VerifyWithOptions(bytes.NewReader(append(fields, signedMessage...)), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) { return z.lookup(t.Context(), name+".") },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range results {
		if v.Err != nil {
			t.Errorf("a signature does not hold: %v", v.Err)
		}
	}
	var list []string
	for field := range strings.SplitSeq(string(fields), "DKIM-Signature:") {
		if s := tag(strings.ReplaceAll(field, "\r\n", ""), "s"); s != "" {
			list = append(list, s)
		}
	}
	return strings.Join(list, " ")
}

// TestRotation is the life of two pairs.
func TestRotation(t *testing.T) {
	z, c := newZone(t), &clock{now: time.Now()}
	path := filepath.Join(t.TempDir(), "dkim.pem")
	o := Options{KeyFile: path, LookupTXT: z.lookup, Now: c.Now}
	r, command := openRing(t, o), openRing(t, o) // the daemon's, and that of a command beside it
	want := func(inDNS, state, selectors string) {
		t.Helper()
		if err := r.check(t.Context()); err == nil && inDNS != "" || err != nil && (inDNS == "" || !strings.Contains(err.Error(), inDNS)) {
			t.Errorf("Check: %v, want %q", err, inDNS)
		}
		if got := states(r); got != state {
			t.Errorf("the ring is %q, want %q", got, state)
		}
		if got := signs(t, r, z); got != selectors {
			t.Errorf("signed by %q, want %q", got, selectors)
		}
	}
	for _, k := range r.Records() {
		z.set(t, k)
	}
	want("", "stagedoor signing", "stagedoor stagedoor-ed")

	next, err := command.Rotate()
	if err != nil || next.Selectors() != "stagedoor-2, stagedoor-2-ed" || len(command.Records()) != 4 {
		t.Fatalf("the next pair is %s, %d records, %v", next.Selectors(), len(command.Records()), err)
	}
	if _, err := command.Rotate(); !errors.Is(err, ErrWaiting) {
		t.Errorf("a second rotation: %v", err)
	}
	const before, old = "stagedoor signing, stagedoor-2 next", "stagedoor stagedoor-ed"
	want("stagedoor-2: its record is not in DNS", before, old)
	z.set(t, next.Keys[0])
	want("stagedoor-2-ed: its record is not in DNS", before, old)
	z.set(t, next.Keys[1], "v=DKIM1; k=ed25519; p=AAAA")
	want("another record", before, old)
	z.set(t, next.Keys[1])
	want("", "stagedoor retired, stagedoor-2 signing", "stagedoor-2 stagedoor-2-ed")

	c.advance(KeepRetired - time.Minute)
	if n := len(r.Records()); n != 4 {
		t.Errorf("%d records before the old ones may go, want 4", n)
	}
	c.advance(time.Minute)
	if n := len(r.Records()); n != 2 || !r.Pairs()[0].Withdrawable(c.Now()) {
		t.Errorf("%d records when the old ones may go, want 2", n)
	}
	if _, err := command.Rotate(); err != nil {
		t.Fatal(err)
	}
	want("stagedoor-3: its record is not in DNS", "stagedoor-2 signing, stagedoor-3 next", "stagedoor-2 stagedoor-2-ed")
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.pem")); len(files) != 4 {
		t.Errorf("the key files are %v", files)
	}
	if got := states(openRing(t, o)); got != states(r) {
		t.Errorf("after a restart the ring is %q", got)
	}
}

// running runs a ring until the returned function is called.
func running(t *testing.T, r *Ring) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// check is one of Run's looks.
func (r *Ring) check(ctx context.Context) error {
	if err := r.load(); err != nil {
		return err
	}
	return r.useNext(ctx)
}

// TestRun: the daemon looks when it starts and when it is woken.
func TestRun(t *testing.T) {
	z := newZone(t)
	path := filepath.Join(t.TempDir(), "dkim.pem")
	asked := make(chan string, 100)
	lookup := func(ctx context.Context, name string) ([]string, error) {
		values, err := z.lookup(ctx, name)
		asked <- name
		return values, err
	}
	var log bytes.Buffer
	r := openRing(t, Options{KeyFile: path, LookupTXT: lookup, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	next, err := openRing(t, Options{KeyFile: path}).Rotate()
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, r)
	awaitLookup(t, asked) // at the start
	for _, k := range next.Keys {
		z.set(t, k)
	}
	r.Wake()
	awaitLookup(t, asked)
	awaitLookup(t, asked)
	stop()
	if got := states(r); got != "stagedoor retired, stagedoor-2 signing" {
		t.Errorf("the ring is %q", got)
	}
	if text := log.String(); !strings.Contains(text, "are not used yet") || !strings.Contains(text, "signed with them from now on") {
		t.Errorf("the log: %s", text)
	}
}

func awaitLookup(t *testing.T, asked <-chan string) {
	t.Helper()
	select {
	case <-asked:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody looks into DNS")
	}
}

// TestOwnKeys: keys that the operator brings.
func TestOwnKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.key")
	if err := makeKey(path, makeEd25519); err != nil {
		t.Fatal(err)
	}
	r := openRing(t, Options{KeyFile: path, Selector: "mail"})
	if got := r.Pairs()[0]; got.Selectors() != "mail" {
		t.Errorf("an Ed25519 key alone: %s", got.Selectors())
	}
	if next, err := r.Rotate(); err != nil || next.Selectors() != "mail-2, mail-2-ed" {
		t.Errorf("after it: %s, %v", next.Selectors(), err)
	}
	if _, ok := r.Pairs()[1].Keys[1].Private.(ed25519.PrivateKey); !ok {
		t.Error("the second key of a pair is not Ed25519")
	}
}

// TestLostKeysAreSaid: the log says that keys are lost, not that new ones wait.
func TestLostKeysAreSaid(t *testing.T) {
	logged := make(lines, 10)
	r := openRing(t, Options{KeyFile: filepath.Join(t.TempDir(), "dkim.pem"), LookupTXT: newZone(t).lookup, Logger: slog.New(slog.NewTextHandler(logged, nil))})
	if err := os.Remove(r.keyFile(1, "")); err != nil {
		t.Fatal(err)
	}
	stop := running(t, r)
	select {
	case line := <-logged:
		if !strings.Contains(line, `level=ERROR msg="the DKIM keys can't be read again: mail is signed with those that were read before" reason=`) || !strings.Contains(line, "put it back from a backup") {
			t.Error(line)
		}
	case <-time.After(20 * time.Second):
		t.Error("nothing is said")
	}
	stop()
}

// lines are what a log says.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// TestLostKeys: a key that is in DNS is not replaced by one that is not.
func TestLostKeys(t *testing.T) {
	z := newZone(t)
	o := Options{KeyFile: filepath.Join(t.TempDir(), "dkim.pem"), LookupTXT: z.lookup}
	r := openRing(t, o)
	for _, k := range r.Records() {
		z.set(t, k)
	}
	for _, lost := range []string{r.keyFile(1, ""), r.keyFile(1, edSuffix)} {
		if err := os.Rename(lost, lost+".away"); err != nil {
			t.Fatal(err)
		}
		if err := r.check(t.Context()); err == nil || !strings.Contains(err.Error(), "put it back from a backup") {
			t.Errorf("%s: the daemon says %v", filepath.Base(lost), err)
		}
		if got := signs(t, r, z); got != "stagedoor stagedoor-ed" {
			t.Errorf("%s: signed by %q", filepath.Base(lost), got)
		}
		_, err := Open(Options{Domain: domain, Selector: "stagedoor", KeyFile: o.KeyFile})
		if err == nil || !strings.Contains(err.Error(), "put it back from a backup") {
			t.Errorf("%s: a start says %v", filepath.Base(lost), err)
		}
		if _, err := os.Stat(lost); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: made anew: %v", filepath.Base(lost), err)
		}
		if err := os.Rename(lost+".away", lost); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	for name, content := range map[string]string{
		"not JSON":       "{",
		"none signs":     `{"pairs":[{"number":1,"state":"retired"}]}`,
		"two are next":   `{"pairs":[{"number":1,"state":"signing"},{"number":2,"state":"next"},{"number":3,"state":"next"}]}`,
		"the same twice": `{"pairs":[{"number":1,"state":"signing"},{"number":1,"state":"retired"}]}`,
		"no number":      `{"pairs":[{"state":"signing"}]}`,
		"unknown state":  `{"pairs":[{"number":1,"state":"signing"},{"number":2,"state":"x"}]}`,
		"too large":      strings.Repeat(" ", maxList+1),
	} {
		path := filepath.Join(t.TempDir(), "dkim.pem")
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "dkim.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Domain: domain, Selector: "stagedoor", KeyFile: path}); err == nil || !strings.Contains(err.Error(), "list of DKIM keys") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

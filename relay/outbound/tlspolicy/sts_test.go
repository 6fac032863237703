package tlspolicy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// world is a domain with a name server and a policy host, whose answers can be
// changed, and a clock.
type world struct {
	t     *testing.T
	dir   string
	roots *x509.CertPool
	port  int
	dns   string

	mu      sync.Mutex
	now     time.Time
	records []string // TXT at _mta-sts.example.com; nil: SERVFAIL
	answer  http.HandlerFunc
	fetches int
}

// newWorld: httptest's own certificate is for example.com and what is below
// it, of which mta-sts.example.com is one.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Now()}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.fetches++
		answer := w.answer
		w.mu.Unlock()
		if r.Host != net.JoinHostPort("mta-sts.example.com", portText(w.port)) || r.URL.Path != "/.well-known/mta-sts.txt" {
			t.Errorf("%s%s is asked for", r.Host, r.URL.Path)
		}
		answer(rw, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	w.port = srv.Listener.Addr().(*net.TCPAddr).Port
	w.roots = x509.NewCertPool()
	w.roots.AddCert(srv.Certificate())

	w.dns = nameServer(t, w.resolve)
	return w
}

// nameServer answers by UDP; it returns where.
func nameServer(t *testing.T, answer mdns.HandlerFunc) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ns := &mdns.Server{PacketConn: pc, Handler: answer}
	go func() { _ = ns.ActivateAndServe() }()
	t.Cleanup(func() { _ = ns.Shutdown() })
	return pc.LocalAddr().String()
}

func (w *world) resolve(rw mdns.ResponseWriter, q *mdns.Msg) {
	a := new(mdns.Msg)
	a.SetReply(q)
	a.RecursionAvailable = true
	name, typ := q.Question[0].Name, q.Question[0].Qtype
	hdr := mdns.RR_Header{Name: name, Rrtype: typ, Class: mdns.ClassINET, Ttl: 60}
	w.mu.Lock()
	records := w.records
	w.mu.Unlock()
	switch {
	case name == "_mta-sts.example.com." && typ == mdns.TypeTXT && records == nil:
		a.Rcode = mdns.RcodeServerFailure
	case name == "_mta-sts.example.com." && typ == mdns.TypeTXT:
		for _, r := range records {
			a.Answer = append(a.Answer, &mdns.TXT{Hdr: hdr, Txt: []string{r}})
		}
	case strings.HasPrefix(name, "mta-sts.") && typ == mdns.TypeA:
		a.Answer = append(a.Answer, &mdns.A{Hdr: hdr, A: net.IPv4(127, 0, 0, 1)})
	}
	_ = rw.WriteMsg(a)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// set changes what the world answers.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// start is a process: a Finder on the same database.
func (w *world) start() *Finder {
	w.t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		w.t.Fatal(err)
	}
	st, err := store.Open(w.t.Context(), store.Options{DSN: "sqlite:" + filepath.Join(w.dir, "s.db"), Keyring: keys, IDs: threading.NewIDSource(), Now: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = st.Close() })
	return New(Options{
		Store: st, Roots: w.roots, PolicyPort: w.port, Now: w.clock, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Net: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, w.dns)
		}},
	})
}

func serve(typ, text string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", typ)
		_, _ = rw.Write([]byte(text))
	}
}

const enforced = "version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 604800\n"

// mode is what f.sts has to say, in a word.
func mode(t *testing.T, f *Finder, domain string) string {
	t.Helper()
	got := f.sts(t.Context(), domain)
	switch {
	case (got.fault != nil || got.unsure != nil) && got.known:
		t.Error("a policy that is known comes with a fault")
	case got.fault != nil:
		return got.fault.Result
	case got.unsure != nil:
		return "unsure"
	case !got.known:
		return "none"
	}
	return string(got.policy.Mode)
}

func TestFetch(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"a policy", serve("text/plain", enforced), "enforce"},
		{"with a charset", serve("text/plain; charset=utf-8", enforced), "enforce"},
		{"another type", serve("text/html", enforced), "sts-policy-invalid"},
		{"no policy", serve("text/plain", "hello: world\n"), "sts-policy-invalid"},
		{"no end", func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "text/plain")
			for r.Context().Err() == nil {
				if _, err := rw.Write(bytes.Repeat([]byte("x: y\n"), 1000)); err != nil {
					return
				}
			}
		}, "sts-policy-invalid"},
		{"not found", http.NotFound, "sts-policy-fetch-error"},
		{"a redirect", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "/.well-known/mta-sts.txt", http.StatusFound)
		}, "sts-policy-fetch-error"},
		{"closed in the middle", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/plain")
			rw.Header().Set("Content-Length", "1000")
			_, _ = rw.Write([]byte(enforced))
		}, "sts-policy-fetch-error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.records, w.answer = []string{"v=STSv1; id=1"}, c.answer
			f := w.start()
			if got := mode(t, f, "example.com"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			// Neither answer is asked for at once again.
			if got := mode(t, f, "example.com"); got != c.want || w.fetches != 1 {
				t.Errorf("then %s, after %d fetches", got, w.fetches)
			}
		})
	}
}

// The policy host must prove its name.
func TestFetchWrongName(t *testing.T) {
	w := newWorld(t)
	w.answer = serve("text/plain", enforced)
	f := w.start()
	_, fault, err := f.fetch(t.Context(), "other.example")
	if fault != faultWebPKI || err == nil || w.fetches != 0 {
		t.Errorf("%v, %v", fault, err)
	}
	f.o.Roots = x509.NewCertPool()
	if _, fault, _ = f.fetch(t.Context(), "example.com"); fault != faultWebPKI {
		t.Errorf("an authority that is not trusted: %v", fault)
	}
}

// A policy host in our own network is not asked: the domain's owner chose its
// address.
func TestFetchFromWithin(t *testing.T) {
	w := newWorld(t)
	w.records, w.answer = []string{"v=STSv1; id=1"}, serve("text/plain", enforced)
	f := w.start()
	f.o.AllowNetworks = nil
	if got := mode(t, f, "example.com"); got != "sts-policy-fetch-error" || w.fetches != 0 {
		t.Errorf("%s after %d fetches", got, w.fetches)
	}
}

// TestCache follows one domain through days.
func TestCache(t *testing.T) {
	w := newWorld(t)
	announce := func(id string) func() { return func() { w.records = []string{"v=STSv1; id=" + id} } }
	broken := func() { w.answer = http.NotFound }
	policy := func(mode string) func() {
		return func() { w.answer = serve("text/plain", strings.Replace(enforced, "enforce", mode, 1)) }
	}
	pass := func(d time.Duration) func() { return func() { w.now = w.now.Add(d) } }
	f := w.start()
	for _, c := range []struct {
		what    string
		change  []func()
		restart bool
		want    string
		fetches int // so far
	}{
		{"nothing is announced", []func(){func() { w.records = []string{} }}, false, "none", 0},
		{"DNS fails", []func(){func() { w.records = nil }}, false, "unsure", 0},
		{"announced, but the host is down", []func(){announce("a"), broken}, false, "sts-policy-fetch-error", 1},
		{"the host is back, too soon", []func(){policy("enforce")}, false, "sts-policy-fetch-error", 1},
		{"five minutes later", []func(){pass(5*time.Minute + time.Second)}, false, "enforce", 2},
		{"it is kept", nil, false, "enforce", 2},
		{"by a restart as well", []func(){broken}, true, "enforce", 2},
		{"DNS fails", []func(){func() { w.records = nil }}, false, "enforce", 2},
		{"the record is taken away", []func(){func() { w.records = []string{} }}, false, "enforce", 2},
		{"a new id, but the host is down", []func(){announce("b")}, false, "enforce", 3},
		{"it comes back with another policy", []func(){policy("testing"), pass(6 * time.Minute)}, false, "testing", 4},
		{"the same id for a day", []func(){pass(23 * time.Hour)}, false, "testing", 4},
		{"refreshed after a day", []func(){policy("none"), pass(2 * time.Hour)}, false, "none", 5},
		{"a refresh that fails", []func(){broken, pass(25 * time.Hour)}, false, "none", 6},
		{"its time is over", []func(){pass(7 * 24 * time.Hour)}, false, "sts-policy-fetch-error", 7},
		{"and that is so after a restart", nil, true, "sts-policy-fetch-error", 8},
	} {
		for _, change := range c.change {
			w.set(change)
		}
		if c.restart {
			f = w.start()
		}
		if got := mode(t, f, "example.com"); got != c.want || w.fetches != c.fetches {
			t.Fatalf("%s: %s after %d fetches, want %s after %d", c.what, got, w.fetches, c.want, c.fetches)
		}
	}
}

// Deliveries that begin together share one fetch.
func TestOneFetch(t *testing.T) {
	w := newWorld(t)
	w.records, w.answer = []string{"v=STSv1; id=1"}, serve("text/plain", enforced)
	f := w.start()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := mode(t, f, "example.com"); got != "enforce" {
				t.Errorf("%s", got)
			}
		})
	}
	wg.Wait()
	if w.fetches != 1 || len(f.asking) != 0 {
		t.Errorf("%d fetches, %d left", w.fetches, len(f.asking))
	}
}

// Whose word is believed: that of a resolver on this machine.
func TestLocalValidator(t *testing.T) {
	for server, want := range map[string]bool{
		"127.0.0.1:53": true, "127.0.0.53:53": true, "[::1]:5353": true, "[::ffff:127.0.0.1]:53": true,
		"127.0.0.11:53": false, "[::ffff:127.0.0.11]:53": false, // Docker's, which passes on what another says
		"192.0.2.1:53": false, "10.0.0.1:53": false, "[2001:db8::1]:53": false, "localhost:53": false,
	} {
		if got := localValidator(server) != nil; got != want {
			t.Errorf("%s: %v", server, got)
		}
	}
}

// TestMX: where DANE is used the hosts are those of the answer that was
// validated, whatever a second question gets.
func TestMX(t *testing.T) {
	mx := func(host string, ad bool) string {
		return nameServer(t, func(rw mdns.ResponseWriter, q *mdns.Msg) {
			a := new(mdns.Msg)
			a.SetReply(q)
			a.RecursionAvailable, a.AuthenticatedData = true, ad
			a.Answer = append(a.Answer, &mdns.MX{Hdr: mdns.RR_Header{Name: q.Question[0].Name, Rrtype: mdns.TypeMX, Class: mdns.ClassINET, Ttl: 60}, Preference: 10, Mx: host})
			_ = rw.WriteMsg(a)
		})
	}
	other := mx("mx.other.example.", false)
	system := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, other)
	}}
	for _, c := range []struct {
		resolver, host string
		signed         bool
	}{
		{mx("mx.example.com.", true), "mx.example.com.", true},
		{mx("mx.example.com.", false), "mx.example.com.", false},
		{"192.0.2.1:53", "mx.other.example.", false}, // it is not on this machine: the system's way
	} {
		got, err := New(Options{Net: system, Resolver: c.resolver}).MX(t.Context(), "example.com")
		if err != nil || len(got.Records) != 1 || got.Records[0].Host != c.host || got.signed != c.signed {
			t.Errorf("%s: %+v, %v; want %s", c.resolver, got, err, c.host)
		}
	}
}

// TestValidates asks a resolver that does, and one that does not.
func TestValidates(t *testing.T) {
	for _, ad := range []bool{true, false} {
		server := nameServer(t, func(rw mdns.ResponseWriter, q *mdns.Msg) {
			a := new(mdns.Msg)
			a.SetReply(q)
			a.AuthenticatedData = ad
			_ = rw.WriteMsg(a)
		})
		if local, validating, err := Validates(t.Context(), server); err != nil || !local || validating != ad {
			t.Errorf("%v, %v, %v; want %v", local, validating, err, ad)
		}
	}
	if local, validating, err := Validates(t.Context(), "192.0.2.1:53"); err != nil || local || validating {
		t.Errorf("elsewhere: %v, %v, %v", local, validating, err)
	}
}

// A chain without certificates, as a resumed session of long ago might have,
// passes nothing.
func TestNoCertificate(t *testing.T) {
	if f := verifyPKIX(tls.ConnectionState{}, nil, "x.example", time.Now()); f != faultCertificate {
		t.Error(f)
	}
	if f := verifyTLSA(tls.ConnectionState{}, []tlsa{{usage: usageEE}}, nil, time.Now()); f != faultCertificate {
		t.Error(f)
	}
}

package outbound

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

// program starts a server that stays in the foreground, and ends it with the
// test. The test is skipped where it is not installed.
func program(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, said.String())
		}
	})
}

// freePort is a port of 127.0.0.1 that nobody uses, by UDP and TCP.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// until asks a DNS server until it answers with records.
func until(t *testing.T, port int, name string, typ uint16, edns bool) []mdns.RR {
	t.Helper()
	q := new(mdns.Msg)
	q.SetQuestion(name, typ)
	q.SetEdns0(4096, edns)
	var last any
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		c := mdns.Client{Net: "tcp", Timeout: time.Second}
		in, _, err := c.Exchange(q, fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil && len(in.Answer) > 0 {
			return in.Answer
		}
		last = err
	}
	t.Fatalf("port %d does not know %s: %v", port, name, last)
	return nil
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDANEWithRealServers: zones signed by Knot, validated by unbound: what is
// signed counts, what is not does not, what is signed wrongly gets nothing.
func TestDANEWithRealServers(t *testing.T) {
	for _, name := range []string{"knotd", "unbound"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed (Debian: %s)", name, strings.TrimSuffix(name, "d"))
		}
	}
	ca := newAuthority(t)
	good, cert := ca.mx("self", "mx.good.test")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	knot, unbound := freePort(t), freePort(t)
	var zones, knotZones strings.Builder
	for domain, sum := range map[string]string{"good.test": keySum(t, cert), "wrong.test": strings.Repeat("ab", 32), "plain.test": strings.Repeat("ab", 32), "bogus.test": keySum(t, cert)} {
		write(t, filepath.Join(dir, domain+".zone"), fmt.Sprintf(`$ORIGIN %s.
@ 60 SOA ns hostmaster 1 3600 600 86400 1
@ 60 NS ns
@ 60 MX 10 mx
ns 60 A 127.0.0.1
mx 60 A 127.0.0.1
_%d._tcp.mx 60 TLSA 3 1 1 %s
`, domain, good.port, sum))
		signing := "on"
		if domain == "plain.test" {
			signing = "off"
		}
		fmt.Fprintf(&knotZones, "  - domain: %s\n    dnssec-signing: %s\n", domain, signing)
		fmt.Fprintf(&zones, "stub-zone:\n  name: %s\n  stub-addr: 127.0.0.1@%d\n", domain, knot)
	}
	program(t, "knotd", "-c", write(t, filepath.Join(dir, "knot.conf"), fmt.Sprintf(`server:
  rundir: %[1]s
  pidfile: %[1]s/knot.pid
  listen: 127.0.0.1@%[2]d
database:
  storage: %[1]s/db
template:
  - id: default
    storage: %[1]s
    file: "%%s.zone"
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: all
zone:
%[3]s`, dir, knot, knotZones.String())))

	anchors := "" // what unbound trusts: the keys of two zones, and for the third another's
	for domain, of := range map[string]string{"good.test.": "good.test.", "wrong.test.": "wrong.test.", "bogus.test.": "good.test."} {
		for _, rr := range until(t, knot, of, mdns.TypeDNSKEY, true) {
			if key, ok := rr.(*mdns.DNSKEY); ok && key.Flags&mdns.SEP != 0 {
				key = mdns.Copy(key).(*mdns.DNSKEY)
				key.Hdr.Name = domain
				anchors += key.ToDS(mdns.SHA256).String() + "\n"
			}
		}
	}
	program(t, "unbound", "-d", "-p", "-c", write(t, filepath.Join(dir, "unbound.conf"), fmt.Sprintf(`server:
  interface: 127.0.0.1
  port: %d
  username: ""
  chroot: ""
  directory: %q
  do-daemonize: no
  use-syslog: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  local-zone: "test." nodefault
  domain-insecure: "plain.test"
  trust-anchor-file: %q
%s`, unbound, dir, write(t, filepath.Join(dir, "anchors"), anchors), zones.String())))
	until(t, unbound, "good.test.", mdns.TypeMX, false)

	for _, c := range []struct{ domain, outcome, text, observed string }{
		{"good.test", "sent", "", "tlsa true"},
		{"wrong.test", "host", "4.7.5 DANE: the server's certificate is not one that its TLSA records name", "tlsa false"},
		{"plain.test", "sent", "", "no-policy-found true"},
		{"bogus.test", "host", "4.4.3 looking up the receiving domain", ""},
	} {
		q := network(t, Options{Resolver: fmt.Sprintf("127.0.0.1:%d", unbound), Port: good.port})
		seen := observed(q)
		err := q.send(t.Context(), c.domain, letterTo("a@"+c.domain, small))
		if outcome(err) != c.outcome || err != nil && !strings.HasPrefix(err.Error(), c.text) {
			t.Errorf("%s: %s: %v, want %s: %s", c.domain, outcome(err), err, c.outcome, c.text)
		}
		if got := strings.Join(*seen, ", "); got != c.observed {
			t.Errorf("%s: observed %s, want %s", c.domain, got, c.observed)
		}
	}
}

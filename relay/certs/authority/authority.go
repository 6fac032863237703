// Package authority runs Pebble, Let's Encrypt's small certificate authority
// for tests, on free ports of loopback, with a DNS server that leads names
// where the test wants them. The program is named by STAGEDOOR_PEBBLE
// (.ci/acme builds it); without it tests skip.
package authority

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

// Authority is a running Pebble.
type Authority struct {
	Directory string // URL
	CAFile    string // that the directory's own certificate is verified by
	// HTTPPort and TLSPort are where proofs are looked for, in place of 80 and
	// 443.
	HTTPPort, TLSPort int

	management string
	client     *http.Client

	mu    sync.Mutex
	names map[string]string // name -> IPv4 address
}

// Start starts an authority that ends with the test.
func Start(t *testing.T) *Authority {
	t.Helper()
	program := os.Getenv("STAGEDOOR_PEBBLE")
	if program == "" {
		t.Skip("STAGEDOOR_PEBBLE names no Pebble (.ci/acme builds one)")
	}
	dir := t.TempDir()
	a := &Authority{CAFile: filepath.Join(dir, "directory.pem"), names: map[string]string{}}
	a.client = writeCertificate(t, a.CAFile, filepath.Join(dir, "directory.key"))
	ports := freePorts(t, 4)
	a.HTTPPort, a.TLSPort = ports[0], ports[1]
	listen, management := fmt.Sprintf("127.0.0.1:%d", ports[2]), fmt.Sprintf("127.0.0.1:%d", ports[3])
	a.Directory, a.management = "https://"+listen+"/dir", "https://"+management
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": management, "certificate": a.CAFile, "privateKey": filepath.Join(dir, "directory.key"),
		"httpPort": a.HTTPPort, "tlsPort": a.TLSPort, "retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "90 days", "validityPeriod": 90 * 24 * 3600}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	a.run(t, program, filepath.Join(dir, "config.json"), a.serveDNS(t))
	return a
}

// run starts the program and waits until it answers.
func (a *Authority) run(t *testing.T, program, config, dnsServer string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-config", config, "-dnsserver", dnsServer)
	// Some nonces are refused, as a real authority does now and then.
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=5", "PEBBLE_AUTHZREUSE=0")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("pebble said:\n%s", out.String())
		}
	})
	for range 200 {
		if res, err := a.client.Get(a.Directory); err == nil {
			_ = res.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("pebble does not start")
}

// Point leads a name to an IPv4 address from now on; empty: nowhere.
func (a *Authority) Point(name, ip string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names[name] = ip
}

// Roots are what the authority's certificates are verified by.
func (a *Authority) Roots(t *testing.T) *x509.CertPool {
	t.Helper()
	res, err := a.client.Get(a.management + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(b) {
		t.Fatalf("no root certificate (%v)", err)
	}
	return pool
}

// serveDNS starts the DNS server. Pebble asks by TCP.
func (a *Authority) serveDNS(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mdns.Server{Listener: l, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		m := new(mdns.Msg)
		m.SetReply(q)
		name := q.Question[0].Name
		a.mu.Lock()
		ip := a.names[strings.ToLower(strings.TrimSuffix(name, "."))]
		a.mu.Unlock()
		if ip != "" && q.Question[0].Qtype == mdns.TypeA {
			m.Answer = []mdns.RR{&mdns.A{Hdr: mdns.RR_Header{Name: name, Rrtype: mdns.TypeA, Class: mdns.ClassINET, Ttl: 1}, A: net.ParseIP(ip)}}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return l.Addr().String()
}

// freePorts are ports that are free now, below those that outgoing
// connections get.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for port := 20000 + os.Getpid()%9000; len(ports) < n; port++ {
		if port > 32000 {
			t.Fatal("no port is free")
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			ports = append(ports, port)
		}
	}
	return ports
}

// writeCertificate makes the directory's own certificate, and a client that
// trusts it.
func writeCertificate(t *testing.T, certFile, keyFile string) *http.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "directory"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, b := range map[string][]byte{certFile: cert, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

package wire

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/imapd"
)

// certificate is a self-signed one for localhost, and the client's settings
// that trust it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func TestPasswordsNeedTLS(t *testing.T) {
	server, client := certificate(t)
	h := newHouse(t, func(o *Options, _ *imapd.Options) { o.InsecureAuth, o.TLSConfig = false, server })
	p := h.dial()
	if caps := h.say(p, "a CAPABILITY", "* CAPABILITY"); !strings.Contains(caps, " STARTTLS LOGINDISABLED") || strings.Contains(caps, "AUTH=") {
		t.Error(caps)
	}
	h.hear(p, "a OK")
	h.say(p, "a LOGIN tess secret-1", "a NO [PRIVACYREQUIRED]")
	h.say(p, "a AUTHENTICATE PLAIN AHRlc3MAc2VjcmV0LTE=", "a NO [PRIVACYREQUIRED]")
	h.say(p, "a STARTTLS", "a OK")
	c := tls.Client(p.Conn, client)
	p = &peer{Conn: c, Reader: bufio.NewReader(c)}
	if caps := h.say(p, "a CAPABILITY", "* CAPABILITY"); strings.Contains(caps, "STARTTLS") || !strings.Contains(caps, " AUTH=PLAIN") {
		t.Error(caps)
	}
	h.hear(p, "a OK")
	h.say(p, "a LOGIN tess secret-1", "a OK")
}

// tickets keeps what a server sends for resuming.
type tickets struct{ n atomic.Int32 }

func (*tickets) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (c *tickets) Put(string, *tls.ClientSessionState)      { c.n.Add(1) }

// Nothing comes unasked for after the handshake: there are clients that can't
// read while they write.
func TestNoSessionTickets(t *testing.T) {
	server, client := certificate(t)
	h := newHouse(t, func(o *Options, _ *imapd.Options) { o.InsecureAuth, o.TLSConfig = false, server })
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		p, kept := h.dial(), &tickets{}
		h.say(p, "a STARTTLS", "a OK")
		client := client.Clone()
		client.MinVersion, client.MaxVersion, client.ClientSessionCache = version, version, kept
		c := tls.Client(p.Conn, client)
		p = &peer{Conn: c, Reader: bufio.NewReader(c)}
		h.say(p, "a NOOP", "a OK") // what was sent before it has been read
		if n := kept.n.Load(); n != 0 || c.ConnectionState().Version != version {
			t.Errorf("%s: %d tickets", tls.VersionName(version), n)
		}
	}
	if server.SessionTicketsDisabled {
		t.Error("the configuration of other doors was changed")
	}
}

// What was sent in clear after STARTTLS must not be taken for what was sent
// within TLS (CVE-2011-0411).
func TestStartTLSTakesNothingAlong(t *testing.T) {
	server, client := certificate(t)
	h := newHouse(t, func(o *Options, _ *imapd.Options) { o.InsecureAuth, o.TLSConfig = false, server })
	p := h.dial()
	h.say(p, "a STARTTLS\r\na LOGIN tess secret-1", "* BYE")
	if err := tls.Client(p.Conn, client).Handshake(); err == nil {
		t.Error("a handshake succeeds after injected octets")
	}
	h.untilGone()
}

func TestImplicitTLS(t *testing.T) {
	server, client := certificate(t)
	h := newHouse(t, func(o *Options, _ *imapd.Options) {
		o.InsecureAuth, o.TLSConfig, o.SignInWithin = false, server, 300*time.Millisecond
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = h.srv.Serve(l, true) }()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Conn: c, Reader: bufio.NewReader(c)}
	h.hear(p, "* OK [CAPABILITY")
	h.say(p, "a LOGIN tess secret-1", "a OK")
	_ = c.Close()
	// One that never shakes hands doesn't hold its place.
	silent, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_ = silent.SetDeadline(time.Now().Add(10 * time.Second))
	h.untilGone()
}

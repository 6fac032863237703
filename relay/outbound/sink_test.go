package outbound

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	mdns "github.com/miekg/dns"
)

// received is a message that a sink took.
type received struct {
	from, to string
	raw      []byte
	tls      bool
	utf8     bool
	eightBit bool
	require  bool // REQUIRETLS
	size     int64
	conn     int // the how many-eth connection
}

// sink is a receiving server that behaves as the recipient's local part says:
//
//	reject      550 5.1.1, with the address in its text
//	unknown     550 without an enhanced code, in words
//	busy        550 5.2.1, for how fast mail comes
//	temp        451 at RCPT, always
//	grey        451 at RCPT the first time
//	late        554 after DATA
//	drop        takes the message and closes the connection before 250, once
//	slow        waits before it answers to the final dot
type sink struct {
	*smtp.Server
	host string
	port int

	mu       sync.Mutex
	got      []received
	conns    int
	open     int
	mostOpen int
	seen     map[string]int
	fresh    chan struct{}
	slow     time.Duration
	allSlow  bool            // whoever the recipient is
	slowed   int             // messages whose answer has been held back
	quiet    bool            // don't keep messages
	refuses  *smtp.SMTPError // every recipient
}

func newSink(t testing.TB, change func(*sink)) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveSink(t, l, change)
}

func serveSink(t testing.TB, l net.Listener, change func(*sink)) *sink {
	s := &sink{seen: map[string]int{}, fresh: make(chan struct{}, 1), slow: 300 * time.Millisecond}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.host, s.port = a.IP.String(), a.Port
	}
	s.Server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns++
		s.open++
		s.mostOpen = max(s.mostOpen, s.open)
		return &sinkSession{s: s, c: c, n: s.conns}, nil
	}))
	s.Domain = "mx.sink.example"
	s.EnableSMTPUTF8 = true
	s.MaxMessageBytes = 64 << 20
	s.AllowInsecureAuth = true
	s.ErrorLog = quietLog{}
	if change != nil {
		change(s)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Server.Close() })
	return s
}

type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

func (s *sink) addr() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// messages waits for n messages and returns what there is.
func (s *sink) messages(t testing.TB, n int) []received {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		s.mu.Lock()
		got := append([]received(nil), s.got...)
		s.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-s.fresh:
		case <-deadline:
			t.Fatalf("%d messages came, want %d", len(got), n)
		}
	}
}

// underWay waits until n messages have come whose answer is held back.
func (s *sink) underWay(t testing.TB, n int) {
	t.Helper()
	for range 24000 {
		s.mu.Lock()
		slowed := s.slowed
		s.mu.Unlock()
		if slowed >= n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d messages are not under way", n)
}

// quiesce waits until no connection is open, and what was under way has ended.
func (s *sink) quiesce(t testing.TB) {
	t.Helper()
	for range 24000 {
		s.mu.Lock()
		open := s.open
		s.mu.Unlock()
		if open == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("connections stay open")
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

func (s *sink) keep(r received) {
	s.mu.Lock()
	s.got = append(s.got, r)
	s.mu.Unlock()
	select {
	case s.fresh <- struct{}{}:
	default:
	}
}

// first reports whether it is called for the first time with this key.
func (s *sink) first(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[key]++
	return s.seen[key] == 1
}

type sinkSession struct {
	s    *sink
	c    *smtp.Conn
	n    int
	m    received
	user string
}

func (x *sinkSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (x *sinkSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "relay" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		x.user = user
		return nil
	}), nil
}

func (x *sinkSession) Mail(from string, o *smtp.MailOptions) error {
	_, isTLS := x.c.TLSConnectionState()
	x.m = received{from: from, tls: isTLS, utf8: o.UTF8, eightBit: o.Body == smtp.Body8BitMIME, require: o.RequireTLS, conn: x.n}
	return nil
}

func (x *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.m.to = to
	switch local, _, _ := strings.Cut(to, "@"); {
	case x.s.refuses != nil:
		return x.s.refuses
	case local == "reject":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no mailbox <" + to + "> here"}
	case local == "unknown":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.NoEnhancedCode, Message: "no such user here: " + to}
	case local == "busy":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 2, 1}, Message: "The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered"}
	case local == "temp", local == "grey" && x.s.first("grey"):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "<" + to + "> come back later"}
	}
	return nil
}

func (x *sinkSession) Data(r io.Reader) error {
	var kept bytes.Buffer
	to := io.Writer(&kept)
	if x.s.quiet {
		to = io.Discard
	}
	size, err := io.Copy(to, r)
	if err != nil {
		return err
	}
	local, _, _ := strings.Cut(x.m.to, "@")
	switch {
	case local == "late":
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "spam for " + x.m.to}
	case local == "slow" || x.s.allSlow:
		x.s.mu.Lock()
		x.s.slowed++
		x.s.mu.Unlock()
		time.Sleep(x.s.slow)
	}
	x.m.raw, x.m.size = kept.Bytes(), size
	x.s.keep(x.m)
	if local == "drop" && x.s.first("drop") {
		_ = x.c.Conn().Close()
		return errors.New("dropped")
	}
	return nil
}

func (x *sinkSession) Reset() {}

func (x *sinkSession) Logout() error {
	x.s.mu.Lock()
	x.s.open--
	x.s.mu.Unlock()
	return nil
}

// selfSigned is a certificate for a host, and a pool that trusts it.
func selfSigned(t testing.TB, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// serveDNS answers from a zone file: names in it are known, others are
// NXDOMAIN; names below servfail.example fail. It vouches, as a resolver that
// validates does, for what is below signed.example.
func serveDNS(t testing.TB, zone string) string {
	t.Helper()
	records := map[string][]mdns.RR{}
	p := mdns.NewZoneParser(strings.NewReader(zone), ".", "")
	p.SetDefaultTTL(60)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		name := strings.ToLower(rr.Header().Name)
		records[name] = append(records[name], rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("the zone does not parse: %v", err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mdns.Server{PacketConn: pc, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		a := new(mdns.Msg)
		a.SetReply(q)
		a.RecursionAvailable = true
		name := strings.ToLower(q.Question[0].Name)
		signed := true
		for range 4 { // follow CNAMEs as a resolver does
			rrs, known := records[name]
			switch {
			case strings.HasSuffix(name, "servfail.example."), strings.HasPrefix(name, "sixfail.") && q.Question[0].Qtype == mdns.TypeAAAA:
				a.Rcode = mdns.RcodeServerFailure
			case !known:
				a.Rcode = mdns.RcodeNameError
			}
			signed = signed && strings.HasSuffix(name, "signed.example.")
			next := ""
			for _, rr := range rrs {
				if c, ok := rr.(*mdns.CNAME); ok {
					next = c.Target
				}
				if t := rr.Header().Rrtype; t == q.Question[0].Qtype || t == mdns.TypeCNAME {
					a.Answer = append(a.Answer, rr)
				}
			}
			if next == "" || q.Question[0].Qtype == mdns.TypeCNAME {
				break
			}
			name = next
		}
		a.AuthenticatedData = signed && q.AuthenticatedData
		_ = w.WriteMsg(a)
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return pc.LocalAddr().String()
}

// header returns a field of a raw message, unfolded.
func header(raw []byte, name string) string {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	unfolded := strings.ReplaceAll(strings.ReplaceAll(string(head), "\r\n ", " "), "\r\n\t", " ")
	for _, line := range strings.Split(unfolded, "\r\n") {
		if n, v, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

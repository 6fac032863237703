package doctor

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Kind is what a door speaks.
type Kind string

// The kinds of door.
const (
	SMTP       Kind = "smtp"
	LMTP       Kind = "lmtp"
	Submission Kind = "submission"
	IMAP       Kind = "imap"
	HTTP       Kind = "http"
)

// Door is a listener of the daemon.
type Door struct {
	Key              string // of the configuration: smtp.listen
	Kind             Kind
	Network, Address string // as for net.Listen
	TLS              bool   // from the first octet
}

func (d Door) name() string {
	if d.Network == "unix" {
		return d.Key + " unix:" + d.Address
	}
	return d.Key + " " + d.Address
}

// doorTime bounds the talk with one door.
const doorTime = 20 * time.Second

// doors knocks at each door, and looks at the certificates that they show.
func (d *doctor) doors(ctx context.Context) []Finding {
	findings := make([]Finding, len(d.Doors))
	certs := make([][]*x509.Certificate, len(d.Doors))
	var wg sync.WaitGroup
	for i, door := range d.Doors {
		wg.Go(func() { findings[i], certs[i] = d.knock(ctx, door) })
	}
	wg.Wait()
	if len(findings) == 0 {
		findings = one("doors", Failed, "the configuration opens no door: nobody can send or read", "set smtp.listen, submission.listen_tls and imap.listen_tls")
	}
	seen := map[[sha256.Size]byte]bool{}
	for i, chain := range certs {
		if len(chain) == 0 || seen[sha256.Sum256(chain[0].Raw)] {
			continue
		}
		seen[sha256.Sum256(chain[0].Raw)] = true
		findings = append(findings, d.certificate(d.Doors[i].Key, d.Hostname, chain))
	}
	return append(findings, d.webCertificates(ctx)...)
}

// webCertificates looks at what the HTTP door shows for each name that it
// serves.
func (d *doctor) webCertificates(ctx context.Context) []Finding {
	var findings []Finding
	for _, door := range d.Doors {
		address, ok := reachableAt(door)
		if door.Kind != HTTP || !door.TLS || !ok {
			continue
		}
		for _, name := range d.WebNames {
			ctx, cancel := context.WithTimeout(ctx, doorTime)
			c, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: name, MinVersion: tls.VersionTLS12}}).DialContext(ctx, door.Network, address)
			cancel()
			if err != nil {
				continue // that nobody answers is told of the door
			}
			findings = append(findings, d.certificate(door.Key, name, c.(*tls.Conn).ConnectionState().PeerCertificates))
			_ = c.Close()
		}
	}
	return findings
}

// knock talks with one door. The certificates are those it showed.
func (d *doctor) knock(ctx context.Context, door Door) (Finding, []*x509.Certificate) {
	f := Finding{Check: door.name(), State: OK}
	address, ok := reachableAt(door)
	if !ok {
		f.State, f.Text = Skipped, "the port is chosen anew at each start"
		return f, nil
	}
	ctx, cancel := context.WithTimeout(ctx, doorTime)
	defer cancel()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, door.Network, address)
	if err != nil {
		f.State, f.Text, f.Todo = Failed, "nobody answers: "+reason(err), "start the daemon (systemctl start stagedoor), or look into its log for why it does not listen"
		if errors.Is(err, syscall.EACCES) {
			f.Todo = "run this as the daemon's user: sudo -u stagedoor stagedoor doctor"
		}
		return f, nil
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	v := &visit{door: door, domain: d.Domain, hostname: d.Hostname}
	if door.TLS {
		if c, err = v.handshake(c); err != nil {
			f.State, f.Text, f.Todo = Failed, "no TLS: "+reason(err), "look into the daemon's log"
			return f, nil
		}
	}
	switch door.Kind {
	case HTTP:
		err = v.http(c)
	case IMAP:
		err = v.imap(c)
	default:
		err = v.smtp(c)
	}
	f.Text = v.heard
	if err != nil {
		f.State, f.Text, f.Todo = Failed, err.Error(), "make sure that it is stagedoor that listens there (ss -ltnp), and look into its log"
	}
	return f, v.chain
}

// visit is a talk with one door.
type visit struct {
	door             Door
	domain, hostname string
	chain            []*x509.Certificate
	heard            string // what is well
}

// handshake starts TLS. The certificate is judged later: a bad one must not
// hide what else there is to see.
func (v *visit) handshake(c net.Conn) (net.Conn, error) {
	t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: v.hostname, MinVersion: tls.VersionTLS12})
	if err := t.Handshake(); err != nil {
		return nil, err
	}
	v.chain = t.ConnectionState().PeerCertificates
	return t, nil
}

// reachableAt is where a listen address is reached from this machine.
func reachableAt(door Door) (string, bool) {
	if door.Network == "unix" {
		return door.Address, true
	}
	host, port, err := net.SplitHostPort(door.Address)
	if err != nil || port == "0" {
		return "", false
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && ip == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && ip == netip.IPv6Unspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port), true
}

// reason puts an I/O error in words.
func reason(err error) string {
	var sys *os.SyscallError
	var dns *net.DNSError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &sys):
		return sys.Err.Error()
	case errors.As(err, &dns):
		return "the name can't be looked up"
	}
	return strings.TrimSpace(err.Error())
}

// expiresSoon is when a certificate should have been renewed: ACME clients do
// so 30 days before its end.
const expiresSoon = 14 * 24 * time.Hour

// certificate judges what a door showed.
func (d *doctor) certificate(key, name string, chain []*x509.Certificate) Finding {
	leaf, now := chain[0], d.Now()
	f := Finding{Check: "certificate", State: OK}
	left := leaf.NotAfter.Sub(now)
	until := "valid until " + leaf.NotAfter.UTC().Format(time.DateOnly)
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: d.Roots, Intermediates: intermediates, CurrentTime: now})
	renew, trust := "renew it, then run systemctl reload stagedoor", "put the whole chain into tls.cert_file, the server's certificate first"
	if d.ACME {
		renew = "look into the daemon's log for why it is not renewed; systemctl reload stagedoor tries again"
		trust = "none has come by ACME yet: look into the daemon's log for why; systemctl reload stagedoor tries again"
	}
	switch {
	case left <= 0:
		f.State, f.Text, f.Todo = Failed, "expired on "+leaf.NotAfter.UTC().Format(time.DateOnly), renew
	case now.Before(leaf.NotBefore):
		f.State, f.Text, f.Todo = Failed, "not valid before "+leaf.NotBefore.UTC().Format(time.DateOnly), "is this machine's clock right?"
	case leaf.VerifyHostname(name) != nil:
		f.State, f.Text, f.Todo = Failed, fmt.Sprintf("is not for %s: programs refuse it", name), "get one that names "+name
	case d.SelfSigned:
		f.Text = "self-signed, " + until // that it is not trusted is said of the configuration
	case err != nil:
		f.State, f.Text, f.Todo = Failed, fmt.Sprintf("for %s, programs don't trust it: %s (%s)", name, err, key), trust
	case left < expiresSoon:
		f.State, f.Text, f.Todo = Warning, fmt.Sprintf("for %s, ends in %d days, on %s", name, int(left/(24*time.Hour)), leaf.NotAfter.UTC().Format(time.DateOnly)), renew
	default:
		f.Text = "for " + name + ", " + until
	}
	return f
}

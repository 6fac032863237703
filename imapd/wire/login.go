package wire

import (
	"crypto"
	_ "crypto/sha256" // for certificateHash
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading/login"
)

// The SASL mechanisms.
const (
	saslPlain     = "PLAIN"         // RFC 4616
	saslLogin     = "LOGIN"         // for old clients
	saslScram     = "SCRAM-SHA-256" // RFC 7677, for app passwords
	saslScramPlus = "SCRAM-SHA-256-PLUS"
	saslBearer    = "OAUTHBEARER" // RFC 7628
)

var (
	tooManyWrong = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAuthenticationFailed, Text: "Too many wrong passwords."}
	errInsecure  = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodePrivacyRequired, Text: "Please switch on TLS (STARTTLS, or the port for TLS) before you sign in."}
)

// mayAuthenticate reports whether passwords may be sent.
func (c *conn) mayAuthenticate() bool { return c.secure || c.srv.o.InsecureAuth }

// mechanisms are those that the connection can use.
func (c *conn) mechanisms() []string {
	var list []string
	if c.srv.o.Scram {
		if len(c.channels()) > 0 {
			list = append(list, saslScramPlus)
		}
		list = append(list, saslScram)
	}
	list = append(list, saslPlain, saslLogin)
	if c.s.TakesTokens() {
		list = append(list, saslBearer)
	}
	return list
}

// channels are what SCRAM can bind to: the connection, by TLS 1.3's exporter (RFC
// 9266), and the server's certificate, for clients that have no exporter.
func (c *conn) channels() map[string][]byte {
	t, ok := c.net.(*tls.Conn)
	if !ok {
		return nil
	}
	list := map[string][]byte{}
	state := t.ConnectionState()
	if state.Version >= tls.VersionTLS13 {
		if data, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err == nil {
			list["tls-exporter"] = data
		}
	}
	if hash := c.certificateHash(state.ServerName); hash != nil {
		list["tls-server-end-point"] = hash
	}
	return list
}

// certificateHash is what RFC 5929 section 4.1 makes of the certificate that
// clients who ask for a name are shown; nil if it is signed in a way that names
// no hash.
func (c *conn) certificateHash(name string) []byte {
	o := c.srv.o.TLSConfig
	var shown *tls.Certificate
	switch {
	case o.GetCertificate != nil:
		shown, _ = o.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
	case len(o.Certificates) > 0:
		shown = &o.Certificates[0]
	}
	if shown == nil || len(shown.Certificate) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(shown.Certificate[0])
	if err != nil {
		return nil
	}
	var hash crypto.Hash
	switch leaf.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.MD5WithRSA, x509.SHA256WithRSA, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		hash = crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		hash = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		hash = crypto.SHA512
	default:
		return nil
	}
	h := hash.New()
	h.Write(leaf.Raw)
	return h.Sum(nil)
}

// login answers LOGIN (RFC 9051 section 6.2.3).
func (c *conn) login() (done, error) {
	c.r.sp()
	name := c.r.astring()
	c.r.sp()
	password := c.r.astring()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	return c.signingIn(func() error { return c.s.Login(name, password) })
}

// signingIn signs in. After too many wrong passwords the next one is not looked
// at and the connection ends.
func (c *conn) signingIn(f func() error) (done, error) {
	if !c.mayAuthenticate() {
		return done{}, errInsecure
	}
	if c.failures == maxSignInFailures {
		c.sayBye(tooManyWrong.Text)
		return done{}, nil
	}
	if err := f(); err != nil {
		var told *imap.Error
		if errors.As(err, &told) && told.Code == imap.ResponseCodeAuthenticationFailed {
			c.failures++
		}
		return done{}, err
	}
	c.signIn.Stop()
	c.state = imap.ConnStateAuthenticated
	return done{code: c.capabilityCode(), text: "Welcome."}, nil
}

// authenticate answers AUTHENTICATE (RFC 9051 section 6.2.2; RFC 4959).
func (c *conn) authenticate() (done, error) {
	c.r.sp()
	mechanism := c.r.word()
	initial, given := "", false
	if c.r.more() {
		initial, given = c.r.run(func(b byte) bool { return b > ' ' && b < 0x7f }), true
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	step, known := map[string]func(*challenge) error{
		saslPlain: c.plain, saslLogin: c.oldLogin, saslBearer: c.bearer,
		saslScram:     func(x *challenge) error { return c.scram(x, login.Binding{Channels: c.channels()}) },
		saslScramPlus: func(x *challenge) error { return c.scram(x, login.Binding{Channels: c.channels(), Plus: true}) },
	}[mechanism]
	if !known || !strings.Contains(" "+strings.Join(c.mechanisms(), " ")+" ", " "+mechanism+" ") {
		return done{}, &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeCannot, Text: "This server doesn't know that way to sign in."}
	}
	if !c.mayAuthenticate() {
		return done{}, errInsecure
	}
	x := &challenge{c: c, initial: initial, given: given}
	return c.signingIn(func() error { return step(x) })
}

// challenge is a SASL exchange.
type challenge struct {
	c       *conn
	initial string
	given   bool // the initial response, not used yet
}

// ask sends a challenge and returns the response.
func (x *challenge) ask(text string) (string, error) {
	line := x.initial
	if x.given {
		x.given = false
		if line == "=" { // an empty initial response (RFC 4959 section 3)
			return "", nil
		}
	} else {
		x.c.w.text("+ ", base64.StdEncoding.EncodeToString([]byte(text)), "\r\n")
		if err := x.c.flush(); err != nil {
			return "", err
		}
		x.c.r.begin(maxStranger)
		line = x.c.r.run(func(b byte) bool { return b > ' ' && b < 0x7f })
		if x.c.r.end(); x.c.r.err != nil {
			return "", x.c.r.err
		}
	}
	if line == "*" {
		return "", syntaxError("You gave up signing in.")
	}
	b, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return "", syntaxError("That is not base64.")
	}
	return string(b), nil
}

func (c *conn) plain(x *challenge) error {
	text, err := x.ask("")
	if err != nil {
		return err
	}
	parts := strings.Split(text, "\x00")
	if len(parts) != 3 {
		return syntaxError("PLAIN needs a name and a password.")
	}
	if parts[0] != "" && !strings.EqualFold(parts[0], parts[1]) {
		return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAuthorizationFailed, Text: "Nobody acts for another here."}
	}
	return c.s.Login(parts[1], parts[2])
}

func (c *conn) oldLogin(x *challenge) error {
	name, err := x.ask("Username:")
	if err != nil {
		return err
	}
	password, err := x.ask("Password:")
	if err != nil {
		return err
	}
	return c.s.Login(name, password)
}

func (c *conn) scram(x *challenge, b login.Binding) error {
	first, err := x.ask("")
	if err != nil {
		return err
	}
	exchange, answer, err := c.s.BeginScram(first, b)
	if err != nil {
		return err
	}
	final, err := x.ask(answer)
	if err != nil {
		return err
	}
	answer, err = c.s.FinishScram(exchange, final)
	if err != nil {
		return err
	}
	if _, err = x.ask(answer); err != nil { // the client says nothing more (RFC 5802 section 5)
		return errBye // it is signed in already
	}
	return nil
}

func (c *conn) bearer(x *challenge) error {
	text, err := x.ask("")
	if err != nil {
		return err
	}
	for part := range strings.SplitSeq(text, "\x01") {
		if token, ok := strings.CutPrefix(part, "auth=Bearer "); ok {
			err := c.s.LoginBearer(token)
			if err != nil { // the client is told why, and answers with nothing (RFC 7628 section 3.2.3)
				_, _ = x.ask(`{"status":"invalid_token"}`)
			}
			return err
		}
	}
	return syntaxError("There is no bearer token.")
}

// startTLS answers STARTTLS (RFC 9051 section 6.2.1). A client waits for the
// answer: what comes before, somebody else may have put there, and the
// connection ends. What comes in a moment later is dropped with the reader.
func (c *conn) startTLS() (done, error) {
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if c.r.b.Buffered() > 0 {
		c.sayBye("There is more after STARTTLS: somebody put it there.")
		return done{}, nil
	}
	c.status(imap.StatusResponseTypeOK, "", "Begin TLS negotiation now")
	if err := c.flush(); err != nil {
		return done{}, err
	}
	t := tls.Server(c.net, c.srv.o.TLSConfig)
	_ = c.net.SetDeadline(time.Now().Add(stall))
	if err := t.Handshake(); err != nil {
		c.state = imap.ConnStateLogout
		return done{}, errBye
	}
	_ = c.net.SetDeadline(time.Time{})
	c.net, c.secure = t, true
	c.wire(t)
	return done{}, errAnswered
}

// errAnswered: the command has answered itself.
var errAnswered = errors.New("answered")

func (c *conn) logout() (done, error) {
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	c.w.text("* BYE Goodbye\r\n")
	c.state = imap.ConnStateLogout
	return done{}, nil
}

func (c *conn) noop() (done, error) { return done{}, c.parsed() }

// check answers CHECK (RFC 3501 section 6.4.1): everything is on disk.
func (c *conn) check() (done, error) { return done{}, c.parsed() }

// id answers ID (RFC 2971). The client's name is remembered, for the
// capabilities that are switched off for it.
func (c *conn) id() (done, error) {
	c.r.sp()
	name := ""
	if c.r.peek() == '(' {
		n := 0
		c.r.list(func() {
			key := c.r.str()
			c.r.sp()
			value, _ := c.r.nstring()
			if strings.EqualFold(key, "name") {
				name = value
			}
			if n++; n > 30 { // RFC 2971 section 3.3
				c.r.bad("ID takes up to 30 fields.")
			}
		})
	} else {
		_, _ = c.r.nstring()
	}
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	c.client = name[:min(len(name), 100)]
	c.w.text(`* ID ("name" "Stagedoor")`, "\r\n")
	return done{}, nil
}

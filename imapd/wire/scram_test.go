package wire

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/threading/login"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// secure returns a connection over TLS whose greeting was read.
func (h *house) secure(client *tls.Config) (*peer, *tls.Conn) {
	h.Helper()
	p := h.dial()
	h.say(p, "a STARTTLS", "a OK")
	c := tls.Client(p.Conn, client)
	if err := c.Handshake(); err != nil {
		h.Fatal(err)
	}
	return &peer{Conn: c, Reader: bufio.NewReader(c)}, c
}

// appPassword makes one for Tess.
func (h *house) appPassword() string {
	h.Helper()
	password, verifier := seal.NewAppPassword(seal.ScramSalt(h.store.Keyring(), "tess"))
	if err := h.store.AddAppPassword(context.Background(), h.tess.ID, "Phone", verifier); err != nil {
		h.Fatal(err)
	}
	return password
}

// scram signs in by SCRAM and returns the tagged answer.
func (h *house) scram(p *peer, mechanism string, conv *scram.ClientConversation) string {
	h.Helper()
	first, err := conv.Step("")
	if err != nil {
		h.Fatal(err)
	}
	b64 := base64.StdEncoding
	line := "a AUTHENTICATE " + mechanism + " " + b64.EncodeToString([]byte(first))
	for {
		if _, err := p.Write([]byte(line + "\r\n")); err != nil {
			h.Fatal(err)
		}
		got, err := p.ReadString('\n')
		if err != nil {
			h.Fatal(err)
		}
		challenge, ok := strings.CutPrefix(strings.TrimRight(got, "\r\n"), "+ ")
		if !ok {
			return got
		}
		text, err := b64.DecodeString(challenge)
		if err != nil {
			h.Fatal(err)
		}
		answer, err := conv.Step(string(text))
		if err != nil {
			h.Fatal(err)
		}
		line = b64.EncodeToString([]byte(answer))
	}
}

// SCRAM-SHA-256 (RFC 7677) and -PLUS (RFC 5802 section 6) over IMAP: the client
// library proves the app password, and the server that it knows it.
func TestScram(t *testing.T) {
	server, client := certificate(t)
	h := newHouse(t, func(o *Options, _ *imapd.Options) { o.InsecureAuth, o.TLSConfig, o.Scram = false, server, true })
	password := h.appPassword()
	only12 := client.Clone()
	only12.MaxVersion = tls.VersionTLS12
	sum := sha256.Sum256(server.Certificates[0].Certificate[0])
	for _, c := range []struct {
		what, mechanism, binding string
		client                   *tls.Config
		want                     string
	}{
		{"without a binding", "SCRAM-SHA-256", "", client, "a OK"},
		{"bound to the connection (RFC 9266)", "SCRAM-SHA-256-PLUS", "tls-exporter", client, "a OK"},
		{"bound to the certificate (RFC 5929 section 4)", "SCRAM-SHA-256-PLUS", "tls-server-end-point", client, "a OK"},
		{"TLS 1.2 has no exporter to bind to", "SCRAM-SHA-256-PLUS", "tls-exporter", only12, "a NO"},
		{"TLS 1.2, bound to the certificate", "SCRAM-SHA-256-PLUS", "tls-server-end-point", only12, "a OK"},
		{"bound to another connection", "SCRAM-SHA-256-PLUS", "other", client, "a NO [AUTHENTICATIONFAILED]"},
		{"a binding without -PLUS", "SCRAM-SHA-256", "tls-server-end-point", client, "a NO"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p, secured := h.secure(c.client)
			if caps := h.say(p, "a CAPABILITY", "* CAPABILITY"); !strings.Contains(caps, " AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 AUTH=PLAIN") {
				t.Error(caps)
			}
			h.hear(p, "a OK")
			lib, err := scram.SHA256.NewClient("tess", password, "")
			if err != nil {
				t.Fatal(err)
			}
			conv := lib.NewConversation()
			bind := func(name string, data []byte) {
				conv = lib.NewConversationWithChannelBinding(scram.ChannelBinding{Type: scram.ChannelBindingType(name), Data: data})
			}
			switch c.binding {
			case "tls-exporter":
				state := secured.ConnectionState()
				data := []byte("none")
				if state.Version >= tls.VersionTLS13 {
					if data, err = state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err != nil {
						t.Fatal(err)
					}
				}
				bind(c.binding, data)
			case "tls-server-end-point":
				bind(c.binding, sum[:])
			case "other":
				bind("tls-exporter", []byte("of somebody in between"))
			}
			if got := h.scram(p, c.mechanism, conv); !strings.HasPrefix(got, c.want) {
				t.Errorf("%q", got)
			}
			if strings.HasPrefix(c.want, "a OK") {
				h.say(p, "a SELECT INBOX", "a OK")
			}
		})
	}
}

// Without TLS there is nothing to bind to, and without being switched on no
// SCRAM.
func TestScramIsOfferedWhereItCanBe(t *testing.T) {
	h := newHouse(t, func(o *Options, _ *imapd.Options) { o.Scram = true })
	if caps := h.say(h.dial(), "a CAPABILITY", "* CAPABILITY"); !strings.Contains(caps, " AUTH=SCRAM-SHA-256 ") || strings.Contains(caps, "PLUS") {
		t.Error(caps)
	}
	p := newHouse(t).dial()
	h.say(p, "a AUTHENTICATE SCRAM-SHA-256 biwsbj10ZXNzLHI9MDEyMzQ1Njc4OQ==", "a NO [CANNOT]")
}

// A token signs in where the operator's hook knows whose it is (RFC 7628).
func TestOAuthBearer(t *testing.T) {
	h := newHouse(t, func(_ *Options, i *imapd.Options) {
		i.Bearer = func(_ context.Context, token string) (string, error) {
			switch token {
			case "of-tess":
				return "tess", nil
			case "of-nobody":
				return "nobody", nil
			case "broken":
				return "", errors.New("the issuer is away")
			}
			return "", login.ErrDenied
		}
	})
	token := func(text string) string {
		return base64.StdEncoding.EncodeToString([]byte("n,a=tess@msg.example.com,\x01host=msg.example.com\x01auth=Bearer " + text + "\x01\x01"))
	}
	p := h.dial()
	if caps := h.say(p, "a CAPABILITY", "* CAPABILITY"); !strings.Contains(caps, " AUTH=OAUTHBEARER") {
		t.Error(caps)
	}
	h.hear(p, "a OK")
	for _, wrong := range []string{"of-nobody", "anything"} {
		// Section 3.2.3: the client is told why, and says that it heard.
		got := h.say(p, "a AUTHENTICATE OAUTHBEARER "+token(wrong), "+ ")
		if why, err := base64.StdEncoding.DecodeString(strings.TrimSpace(got[2:])); err != nil || !strings.Contains(string(why), `"invalid_token"`) {
			t.Errorf("%q %v", why, err)
		}
		h.say(p, "AQ==", "a NO [AUTHENTICATIONFAILED]")
	}
	h.say(p, "a AUTHENTICATE OAUTHBEARER "+token("broken"), "+ ")
	h.say(p, "AQ==", "a NO [UNAVAILABLE]")
	h.say(p, "a AUTHENTICATE OAUTHBEARER bm90aGluZw==", "a BAD")
	h.say(p, "a AUTHENTICATE OAUTHBEARER "+token("of-tess"), "a OK")
	h.say(p, "a SELECT INBOX", "a OK")
}

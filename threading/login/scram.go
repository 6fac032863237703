package login

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Binding is the channel that a SCRAM exchange runs over (RFC 5802 section 6).
type Binding struct {
	// Channels are what a client may bind to, by name: "tls-exporter" (RFC 9266),
	// "tls-server-end-point" (RFC 5929 section 4). Empty: there is nothing.
	Channels map[string][]byte
	Plus     bool // the client chose SCRAM-SHA-256-PLUS
}

// Scram is an exchange of SCRAM-SHA-256 (RFC 5802, RFC 7677) for app passwords.
// What the server says first is the same whether the name exists or not.
type Scram struct {
	a           *Authenticator
	ip          netip.Addr
	bound       []byte // the client's header and what it binds to
	handle      string
	member      threading.Member
	credentials []threading.Credential
	nonce       string // both sides'
	messages    string // client-first-message-bare "," server-first-message
}

// errScram is an exchange that breaks the grammar.
var errScram = fmt.Errorf("the SCRAM exchange is broken: %w", ErrDenied)

// maxScram bounds a message of an exchange, in octets.
const maxScram = 2048

// BeginScram takes the client's first message and returns what to answer.
func (a *Authenticator) BeginScram(ctx context.Context, first string, b Binding, ip netip.Addr) (*Scram, string, error) {
	flag, rest, ok1 := strings.Cut(first, ",")
	identity, bare, ok2 := strings.Cut(rest, ",")
	if !ok1 || !ok2 || len(first) > maxScram {
		return nil, "", errScram
	}
	attrs := strings.Split(bare, ",")
	if len(attrs) < 2 || !strings.HasPrefix(attrs[0], "n=") || !strings.HasPrefix(attrs[1], "r=") || len(attrs[1]) < 10 {
		return nil, "", errScram
	}
	channel, binds := strings.CutPrefix(flag, "p=")
	data, known := b.Channels[channel]
	switch {
	case b.Plus != binds, binds && !known:
		return nil, "", errScram
	case flag == "y" && len(b.Channels) > 0:
		// The client thinks that the server can't bind: somebody in between took -PLUS away.
		return nil, "", errScram
	case flag != "n" && flag != "y" && !binds:
		return nil, "", errScram
	}
	name := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(attrs[0][2:])
	if who, given := strings.CutPrefix(identity, "a="); given && !strings.EqualFold(who, attrs[0][2:]) {
		return nil, "", errScram // nobody acts for another
	}
	x := &Scram{a: a, ip: ip, bound: append([]byte(flag+","+identity+","), data...), nonce: attrs[1][2:] + rand.Text()}
	handle, known := a.handle(name)
	x.handle = handle
	if known {
		m, err := a.o.Store.MemberByHandle(ctx, handle)
		switch {
		case err == nil && m.Status == threading.MemberActive:
			x.member = m
			if x.credentials, err = a.o.Store.Credentials(ctx, m.ID); err != nil {
				return nil, "", err
			}
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, "", fmt.Errorf("look up the member: %w", err)
		}
	}
	salt := seal.ScramSalt(a.o.Store.Keyring(), handle)
	server := fmt.Sprintf("r=%s,s=%s,i=%d", x.nonce, base64.StdEncoding.EncodeToString(salt), seal.ScramRounds)
	x.messages = bare + "," + server
	return x, server, nil
}

// Finish takes the client's final message, and returns the member and what to
// answer; ErrDenied.
func (x *Scram) Finish(ctx context.Context, final string) (threading.Member, string, error) {
	from, who := "ip "+source(x.ip), "name "+x.handle
	if err := wait(ctx, max(x.a.delay(from), x.a.delay(who))); err != nil {
		return threading.Member{}, "", err
	}
	deny := func() (threading.Member, string, error) {
		x.a.failed(from, who)
		return threading.Member{}, "", ErrDenied
	}
	without, proof64, ok := strings.Cut(final, ",p=")
	proof, err := base64.StdEncoding.DecodeString(proof64)
	attrs := strings.Split(without, ",")
	if !ok || err != nil || len(proof) != sha256.Size || len(final) > maxScram || len(attrs) < 2 {
		return deny()
	}
	if attrs[0] != "c="+base64.StdEncoding.EncodeToString(x.bound) || attrs[1] != "r="+x.nonce {
		return deny()
	}
	auth := []byte(x.messages + "," + without)
	for i := range x.credentials {
		c := &x.credentials[i]
		stored, server, ok := seal.ScramKeys(c.Verifier, x.a.o.Store.Keyring(), x.handle)
		if c.Kind != threading.CredentialApp || !ok {
			continue
		}
		key := mac(stored, auth)
		for k := range key {
			key[k] ^= proof[k]
		}
		if got := sha256.Sum256(key); subtle.ConstantTimeCompare(got[:], stored) == 1 {
			_ = x.a.o.Store.TouchCredential(ctx, *c) // a note, not worth refusing a member for
			return x.member, "v=" + base64.StdEncoding.EncodeToString(mac(server, auth)), nil
		}
	}
	return deny()
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

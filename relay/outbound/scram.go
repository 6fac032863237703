package outbound

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Bounds of what a server may ask of us: more rounds than anybody uses cost
// seconds.
const (
	minScramRounds = 4096 // RFC 7677 section 4
	maxScramRounds = 1000000
)

// scram is the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without
// channel binding. It implements sasl.Client.
type scram struct {
	user, password string
	bare           string // client-first-message-bare
	nonce          string
	server         []byte // the signature that proves that the server knows the password
	proven         bool
}

func newScram(user, password string) *scram {
	c := &scram{user: user, password: password, nonce: rand.Text()}
	c.bare = "n=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user) + ",r=" + c.nonce
	return c
}

var errScram = errors.New("the SCRAM exchange is broken")

func (c *scram) Start() (mechanism string, first []byte, err error) {
	return "SCRAM-SHA-256", []byte("n,," + c.bare), nil
}

func (c *scram) Next(challenge []byte) ([]byte, error) {
	if c.server != nil { // server-final-message
		want := "v=" + base64.StdEncoding.EncodeToString(c.server)
		if !hmac.Equal([]byte(want), bytes.TrimRight(challenge, "\r\n")) {
			return nil, errScram
		}
		c.proven = true
		return nil, nil
	}
	var nonce, salt64, rounds string
	for attr := range strings.SplitSeq(string(challenge), ",") {
		switch name, value, _ := strings.Cut(attr, "="); name {
		case "r":
			nonce = value
		case "s":
			salt64 = value
		case "i":
			rounds = value
		case "m": // an extension that must be known
			return nil, errScram
		}
	}
	salt, err := base64.StdEncoding.DecodeString(salt64)
	n, nerr := strconv.Atoi(rounds)
	if err != nil || nerr != nil || len(salt) == 0 || n < minScramRounds || n > maxScramRounds ||
		!strings.HasPrefix(nonce, c.nonce) || len(nonce) == len(c.nonce) {
		return nil, errScram
	}
	salted, err := pbkdf2.Key(sha256.New, c.password, salt, n, sha256.Size)
	if err != nil {
		return nil, err
	}
	without := "c=" + base64.StdEncoding.EncodeToString([]byte("n,,")) + ",r=" + nonce
	text := c.bare + "," + string(challenge) + "," + without
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	signature := mac(stored[:], text)
	for i := range key {
		key[i] ^= signature[i]
	}
	c.server = mac(mac(salted, "Server Key"), text)
	return []byte(without + ",p=" + base64.StdEncoding.EncodeToString(key)), nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

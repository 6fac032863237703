package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// App passwords are made here and never chosen: 80 random bits need no slow
// hash. Their verifiers are those of SCRAM-SHA-256 (RFC 7677), which a client
// may therefore use with them.
const (
	appGroups   = 4 // of four characters each
	scramPrefix = "SCRAM-SHA-256$"
	// ScramRounds is how often an app password is hashed (RFC 7677 section 4).
	ScramRounds   = 4096
	maxScramRound = 1 << 17
)

// ScramSalt is the salt of all app passwords of a member: a SCRAM server tells
// it before it knows which of them the client has. It looks the same for a
// handle that nobody has.
func ScramSalt(k *Keyring, handle string) []byte { return k.Hash("scram salt", handle) }

// NewAppPassword returns a new app password, such as abcd-efgh-ijkl-mnop, and
// its verifier under the member's ScramSalt. The verifier is made of the
// password as it is shown.
func NewAppPassword(salt []byte) (password, verifier string) {
	random := make([]byte, appGroups*4*5/8+1)
	_, _ = rand.Read(random) // never fails (crypto/rand, since Go 1.24)
	text := tokenEncoding.EncodeToString(random)
	groups := make([]string, appGroups)
	for i := range groups {
		groups[i] = text[4*i : 4*i+4]
	}
	password = strings.Join(groups, "-")
	return password, newScram(password, salt, ScramRounds)
}

// AppPassword reports whether a password has the form of an app password, and
// returns it as it was shown: people leave the hyphens out, or write capitals.
func AppPassword(s string) (string, bool) {
	s = strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(s))
	if len(s) != 4*appGroups || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(s); i += 4 {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(s[i : i+4])
	}
	return b.String(), true
}

// newScram is a verifier in the form of RFC 5803 section 2, without its LDAP
// braces: SCRAM-SHA-256$ROUNDS:SALT$STOREDKEY:SERVERKEY.
func newScram(password string, salt []byte, rounds int) string {
	stored, server := scramKeys(password, salt, rounds)
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", scramPrefix, rounds, b64(salt), b64(stored), b64(server))
}

// scramKeys are StoredKey and ServerKey (RFC 5802 section 3). The password is
// ASCII: it needs no SASLprep.
func scramKeys(password string, salt []byte, rounds int) (stored, server []byte) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil { // only for lengths that can't be
		return nil, nil
	}
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	sum := sha256.Sum256(mac("Client Key"))
	return sum[:], mac("Server Key")
}

// scramVerifier is a verifier that is taken apart.
type scramVerifier struct {
	rounds               int
	salt, stored, server []byte
}

func parseScram(verifier string) (v scramVerifier, ok bool) {
	rest, ok := strings.CutPrefix(verifier, scramPrefix)
	rounds, rest, _ := strings.Cut(rest, ":")
	salt64, keys, _ := strings.Cut(rest, "$")
	stored64, server64, both := strings.Cut(keys, ":")
	var errs [4]error
	v.rounds, errs[0] = strconv.Atoi(rounds)
	v.salt, errs[1] = base64.StdEncoding.DecodeString(salt64)
	v.stored, errs[2] = base64.StdEncoding.DecodeString(stored64)
	v.server, errs[3] = base64.StdEncoding.DecodeString(server64)
	return v, ok && both && errors.Join(errs[:]...) == nil && v.rounds >= 1 && v.rounds <= maxScramRound && len(v.stored) == sha256.Size && len(v.server) == sha256.Size
}

// verifyScram reports whether the password fits the verifier. It takes about
// a millisecond.
func verifyScram(verifier, password string) bool {
	v, ok := parseScram(verifier)
	if !ok {
		return false
	}
	got, _ := scramKeys(password, v.salt, v.rounds)
	return subtle.ConstantTimeCompare(got, v.stored) == 1
}

// ScramKeys returns the keys of a verifier that was made under the handle's
// salt, which is the one that a client is told.
func ScramKeys(verifier string, k *Keyring, handle string) (stored, server []byte, ok bool) {
	v, ok := parseScram(verifier)
	return v.stored, v.server, ok && v.rounds == ScramRounds && bytes.Equal(v.salt, ScramSalt(k, handle))
}

package seal

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// App passwords are made here and never chosen: 80 random bits need no slow
// hash. Their verifiers are those of SCRAM-SHA-256 (RFC 7677), which a client
// may therefore use with them.
const (
	appGroups     = 4 // of four characters each
	scramPrefix   = "SCRAM-SHA-256$"
	scramRounds   = 4096 // RFC 7677 section 4
	maxScramRound = 1 << 17
)

// NewAppPassword returns a new app password, such as abcd-efgh-ijkl-mnop, and
// its verifier. The verifier is made of the password as it is shown.
func NewAppPassword() (password, verifier string) {
	random := make([]byte, appGroups*4*5/8+1)
	_, _ = rand.Read(random) // never fails (crypto/rand, since Go 1.24)
	text := tokenEncoding.EncodeToString(random)
	groups := make([]string, appGroups)
	for i := range groups {
		groups[i] = text[4*i : 4*i+4]
	}
	password = strings.Join(groups, "-")
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	return password, newScram(password, salt, scramRounds)
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

// verifyScram reports whether the password fits the verifier. It takes about
// a millisecond.
func verifyScram(verifier, password string) bool {
	rounds, rest, _ := strings.Cut(strings.TrimPrefix(verifier, scramPrefix), ":")
	salt64, keys, _ := strings.Cut(rest, "$")
	stored64, _, ok := strings.Cut(keys, ":")
	n, err := strconv.Atoi(rounds)
	if !ok || err != nil || n < 1 || n > maxScramRound {
		return false
	}
	salt, err1 := base64.StdEncoding.DecodeString(salt64)
	stored, err2 := base64.StdEncoding.DecodeString(stored64)
	if err1 != nil || err2 != nil || len(stored) != sha256.Size {
		return false
	}
	got, _ := scramKeys(password, salt, n)
	return subtle.ConstantTimeCompare(got, stored) == 1
}

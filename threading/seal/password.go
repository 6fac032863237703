package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The argon2id parameters of new verifiers: OWASP's first choice for servers
// (19 MiB, 2 passes, 1 lane). RFC 9106 section 4 discusses larger ones; a
// mail client logs in several times at once, and memory is what bounds us.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonKey     = 32
	argonSalt    = 16
)

// MinPassword and MaxPassword bound a password, in octets.
const (
	MinPassword = 8
	MaxPassword = 1000
)

// CheckPassword says why a password can't be set, in words for a person.
func CheckPassword(password string) error {
	switch {
	case len(password) < MinPassword:
		return fmt.Errorf("the password is too short: use at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return fmt.Errorf("the password is too long: use at most %d characters", MaxPassword)
	case strings.ContainsRune(password, 0):
		return errors.New("the password contains a NUL character")
	}
	return nil
}

// NewVerifier returns the argon2id verifier of a password in PHC form.
func NewVerifier(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails (crypto/rand, since Go 1.24)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// Verify reports whether the password fits the verifier. For a chosen password
// it takes about 20 ms and 19 MiB: callers bound how many run at once.
func Verify(verifier, password string) bool {
	if strings.HasPrefix(verifier, scramPrefix) {
		return verifyScram(verifier, password)
	}
	p, ok := parseArgon(verifier)
	if !ok {
		return false
	}
	got := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.key)))
	return subtle.ConstantTimeCompare(got, p.key) == 1
}

// CheckVerifier says why a verifier that another system made can't be used, or
// returns nil: only argon2id in PHC form can.
func CheckVerifier(verifier string) error {
	if _, ok := parseArgon(verifier); !ok {
		return errors.New("is not an argon2id hash such as $argon2id$v=19$m=19456,t=2,p=1$SALT$KEY, of at most 1 GiB and 16 passes")
	}
	return nil
}

// argon is a parsed argon2id verifier.
type argon struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

func parseArgon(verifier string) (a argon, ok bool) {
	var version uint32
	parts := strings.Split(verifier, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return a, false
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return a, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &a.memory, &a.time, &a.threads); err != nil {
		return a, false
	}
	if a.memory == 0 || a.memory > 1<<20 || a.time == 0 || a.time > 16 || a.threads == 0 {
		return a, false
	}
	var err1, err2 error
	a.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	a.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	return a, err1 == nil && err2 == nil && len(a.key) >= 16 && len(a.key) <= 1024
}

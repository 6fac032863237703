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
	var version, memory, time uint32
	var threads uint8
	parts := strings.Split(verifier, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return false
	}
	if memory == 0 || memory > 1<<20 || time == 0 || time > 16 || threads == 0 {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(key) < 16 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1
}

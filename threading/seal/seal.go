// Package seal keeps the secrets that must not stand in the database.
//
// One key file of 32 random octets (as 64 hex digits) is kept outside the
// database. From it HKDF-SHA-256 (RFC 5869) derives one key for each use, so
// that no output of one use helps against another:
//
//   - Seal and Open keep real addresses and foreign Message-IDs
//     (XChaCha20-Poly1305, a random nonce each);
//   - Hash finds them again (HMAC-SHA-256, first 16 octets);
//   - Token turns an ID into what people and clients see of it, and
//     ParseToken back. A token is one AES-256 block over (ID, kind, zeros):
//     it shows nothing of the ID's age or order and can't be guessed: of 2^64
//     made-up tokens one is accepted.
//
// A stolen database without the key file shows no registered address. A key
// file that is lost makes every sealed value unreadable: back it up.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/stagedoor/stagedoor/threading"
)

// KeySize is the size of the key file's secret, in octets.
const KeySize = 32

// Keyring holds the keys derived from one secret. It is safe for concurrent
// use.
type Keyring struct {
	aead  cipher.AEAD
	hash  []byte
	block cipher.Block
	root  []byte
}

// New derives a keyring from a secret of KeySize octets.
func New(secret []byte) (*Keyring, error) {
	if len(secret) != KeySize {
		return nil, fmt.Errorf("the key has %d octets, want %d", len(secret), KeySize)
	}
	k := &Keyring{root: append([]byte(nil), secret...)}
	sealKey, err := k.Derive("seal", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	if k.hash, err = k.Derive("hash", sha256.Size); err != nil {
		return nil, err
	}
	tokenKey, err := k.Derive("token", 32)
	if err != nil {
		return nil, err
	}
	if k.aead, err = chacha20poly1305.NewX(sealKey); err != nil {
		return nil, err
	}
	k.block, err = aes.NewCipher(tokenKey)
	return k, err
}

// Derive returns n octets of key for another use. Each use names itself.
func (k *Keyring) Derive(use string, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, k.root, nil, "stagedoor/"+use, n)
}

// LoadOrCreate reads the key file, or makes it (mode 0600, directory 0700)
// where there is none. It refuses a file that others may read.
func LoadOrCreate(path string) (k *Keyring, created bool, err error) {
	k, err = Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	secret := make([]byte, KeySize)
	if _, err := rand.Read(secret); err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, fmt.Errorf("make the key file's directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		k, err = Load(path)
		return k, false, err
	}
	if err != nil {
		return nil, false, fmt.Errorf("make the key file: %w", err)
	}
	_, err = fmt.Fprintln(f, hex.EncodeToString(secret))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, false, fmt.Errorf("write the key file: %w", err)
	}
	// The key must survive a power cut if what it seals does.
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	k, err = New(secret)
	return k, true, err
}

// Load reads the key file.
func Load(path string) (*Keyring, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s can be read by others (mode %04o): run chmod 600 %s", path, st.Mode().Perm(), path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(secret) != KeySize {
		return nil, fmt.Errorf("key file %s is not a key: it must hold %d hexadecimal digits", path, 2*KeySize)
	}
	return New(secret)
}

// Seal encrypts and authenticates text; context (such as the column's name)
// must be given again to Open. The result differs each time.
func (k *Keyring) Seal(context, text string) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(text)+chacha20poly1305.Overhead)
	_, _ = rand.Read(nonce) // never fails (crypto/rand, since Go 1.24)
	return k.aead.Seal(nonce, nonce, []byte(text), []byte(context))
}

// ErrSealed means that a sealed value can't be opened: it was changed, or
// sealed with another key file.
var ErrSealed = errors.New("a sealed value can't be opened: it was changed, or this is not the key file that sealed it")

// Open decrypts what Seal returned for the same context.
func (k *Keyring) Open(context string, sealed []byte) (string, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return "", ErrSealed
	}
	n := chacha20poly1305.NonceSizeX
	b, err := k.aead.Open(nil, sealed[:n], sealed[n:], []byte(context))
	if err != nil {
		return "", ErrSealed
	}
	return string(b), nil
}

// HashSize is the length of a keyed hash, in octets.
const HashSize = 16

// Hash returns the keyed hash of the parts under which a value is found. The
// parts are told apart: ("a","bc") and ("ab","c") differ.
func (k *Keyring) Hash(use string, parts ...string) []byte {
	m := hmac.New(sha256.New, k.hash)
	var n [8]byte
	write := func(s string) {
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		m.Write(n[:])
		m.Write([]byte(s))
	}
	write(use)
	for _, p := range parts {
		write(p)
	}
	return m.Sum(nil)[:HashSize]
}

// TokenKind says what a token stands for; a token of one kind is not accepted
// as another.
type TokenKind byte

// The kinds of token.
const (
	TokenAlias       TokenKind = 1 + iota // reply alias: threading.Alias
	TokenMessage                          // Message-ID: threading.Message
	TokenBounce                           // VERP reverse-path: queue row
	TokenThread                           // THREADID: threading.Thread
	TokenItem                             // EMAILID: threading.Item
	TokenHeld                             // question about a held message, in its address and its link
	TokenAddress                          // link that confirms an address: request
	TokenSettings                         // settings address and link of a notification: member
	TokenBlock                            // link to block and report: alias
	TokenSignIn                           // link that signs in once: sign-in link
	TokenReturn                           // VERP reverse-path of mail to a member: address
	TokenMailbox                          // MAILBOXID: threading.Mailbox
	TokenTopic                            // settings address and link of a notification, with its thread: alias
	TokenRealAddress                      // what the API calls a real address: address
	TokenWebhook                          // what the API calls a webhook
	TokenEvent                            // and an event for one
)

// TokenLen is the length of a token in characters.
const TokenLen = 26

// tokenEncoding is lower case without digits 0, 1, 8 and 9 (RFC 4648 section
// 6), so that a token survives being read out and changed in case.
var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Token returns the opaque form of an ID: TokenLen characters a-z, 2-7.
func (k *Keyring) Token(kind TokenKind, id threading.ID) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:8], uint64(id))
	b[15] = byte(kind)
	k.block.Encrypt(b[:], b[:])
	return tokenEncoding.EncodeToString(b[:])
}

// ParseToken returns the ID of a token of that kind, in whatever case, and
// whether it is one that this keyring made.
func (k *Keyring) ParseToken(kind TokenKind, token string) (threading.ID, bool) {
	if len(token) != TokenLen {
		return 0, false
	}
	var buf [aes.BlockSize + 1]byte
	n, err := tokenEncoding.Decode(buf[:], []byte(strings.ToLower(token)))
	if err != nil || n != aes.BlockSize {
		return 0, false
	}
	b := buf[:aes.BlockSize]
	k.block.Decrypt(b, b)
	for _, c := range b[8:15] {
		if c != 0 {
			return 0, false
		}
	}
	id := threading.ID(binary.BigEndian.Uint64(b[:8]))
	// The 26th character carries 3 unused bits: only one spelling is valid.
	if b[15] != byte(kind) || id <= 0 || k.Token(kind, id) != strings.ToLower(token) {
		return 0, false
	}
	return id, true
}

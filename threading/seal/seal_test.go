package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

func testKeyring(t testing.TB) *Keyring {
	k, err := New(bytes.Repeat([]byte{7}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealOpen(t *testing.T) {
	k := testKeyring(t)
	s := k.Seal("address", "tess@mail.example")
	if bytes.Contains(s, []byte("tess")) {
		t.Fatal("the sealed value shows the text")
	}
	if got, err := k.Open("address", s); err != nil || got != "tess@mail.example" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	if bytes.Equal(s, k.Seal("address", "tess@mail.example")) {
		t.Error("sealing twice gives the same octets")
	}
	if _, err := k.Open("queue", s); !errors.Is(err, ErrSealed) {
		t.Errorf("another context: %v", err)
	}
	s[len(s)-1] ^= 1
	if _, err := k.Open("address", s); !errors.Is(err, ErrSealed) {
		t.Errorf("a changed value: %v", err)
	}
	if _, err := k.Open("address", nil); !errors.Is(err, ErrSealed) {
		t.Errorf("an empty value: %v", err)
	}
}

func TestHashTellsPartsApart(t *testing.T) {
	k := testKeyring(t)
	if bytes.Equal(k.Hash("u", "a", "bc"), k.Hash("u", "ab", "c")) || bytes.Equal(k.Hash("u", "a"), k.Hash("v", "a")) {
		t.Error("two different inputs have one hash")
	}
}

func TestTokens(t *testing.T) {
	k := testKeyring(t)
	for _, id := range []threading.ID{1, 2, 1 << 40, 1<<63 - 1} {
		tok := k.Token(TokenAlias, id)
		if len(tok) != TokenLen || tok != strings.ToLower(tok) {
			t.Fatalf("token %q", tok)
		}
		for _, s := range []string{tok, strings.ToUpper(tok)} {
			if got, ok := k.ParseToken(TokenAlias, s); !ok || got != id {
				t.Errorf("ParseToken(%q) = %v, %v; want %v", s, got, ok, id)
			}
		}
		if _, ok := k.ParseToken(TokenMessage, tok); ok {
			t.Error("a token is accepted as another kind")
		}
		for i := range tok {
			for _, c := range "abcdefghijklmnopqrstuvwxyz234567" {
				other := tok[:i] + string(c) + tok[i+1:]
				if _, ok := k.ParseToken(TokenAlias, other); ok && other != tok {
					t.Fatalf("%q is accepted beside %q", other, tok)
				}
			}
		}
	}
	for _, s := range []string{"", "a", strings.Repeat("a", 26), strings.Repeat("1", 26), strings.Repeat("é", 13), strings.Repeat("a", 27)} {
		if _, ok := k.ParseToken(TokenAlias, s); ok {
			t.Errorf("ParseToken(%q) accepts it", s)
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "secret.key")
	k, created, err := LoadOrCreate(path)
	if err != nil || !created {
		t.Fatalf("LoadOrCreate: %v, created %v", err, created)
	}
	again, created, err := LoadOrCreate(path)
	if err != nil || created {
		t.Fatalf("second LoadOrCreate: %v, created %v", err, created)
	}
	if k.Token(TokenAlias, 5) != again.Token(TokenAlias, 5) {
		t.Error("the file gives another key the second time")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that all may read: %v", err)
	}
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(path, 0o600)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "64 hexadecimal digits") {
		t.Errorf("a file with something else: %v", err)
	}
}

func TestVerifier(t *testing.T) {
	v := NewVerifier("correct horse")
	if !strings.HasPrefix(v, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("verifier %q", v)
	}
	if !Verify(v, "correct horse") || Verify(v, "correct horsf") || Verify(v, "") {
		t.Error("Verify does not tell the right password from a wrong one")
	}
	for _, bad := range []string{"", "x", "$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAA", "$argon2i$v=19$m=8,t=1,p=1$AA$AA", v[:len(v)-30]} {
		if Verify(bad, "correct horse") {
			t.Errorf("Verify accepts the verifier %q", bad)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	k := testKeyring(f)
	f.Add(k.Token(TokenAlias, 77))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := k.ParseToken(TokenAlias, s); ok && k.Token(TokenAlias, id) != strings.ToLower(s) {
			t.Fatalf("%q is accepted but is not the token of %v", s, id)
		}
	})
}

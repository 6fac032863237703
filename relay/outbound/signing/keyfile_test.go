package signing

import (
	"crypto/rsa"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "dkim.pem")
	first, err := loadOrMake(path, makeRSA)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadOrMake(path, makeRSA)
	if err != nil || !first.(*rsa.PrivateKey).Equal(again) {
		t.Errorf("the second start does not find the key: %v", err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode() != fs.FileMode(0o600) {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".dkim-*")); len(left) != 0 {
		t.Errorf("files are left: %v", left)
	}
	if err := makeKey(path, makeEd25519); err == nil {
		t.Error("a key that is there is replaced")
	}
	for name, prepare := range map[string]func() error{
		"read by others": func() error { return os.Chmod(path, 0o640) },
		"not PEM":        func() error { return os.WriteFile(path, []byte("x"), 0o600) },
		"not a key":      func() error { return os.WriteFile(path, []byte("-----BEGIN X-----\nAAAA\n-----END X-----\n"), 0o600) },
	} {
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := prepare(); err != nil {
			t.Fatal(err)
		}
		if _, err := loadOrMake(path, makeRSA); err == nil || !strings.Contains(err.Error(), "DKIM key") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

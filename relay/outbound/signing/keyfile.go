package signing

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// rsaBits is the size of a key that is made here: what RFC 8301 section 3.2
// asks of signers, and the largest that fits every DNS provider's form.
const rsaBits = 2048

// makeRSA and makeEd25519 make a new key.
func makeRSA() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }

func makeEd25519() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// loadOrMake reads a DKIM key (PEM: PKCS #8, or PKCS #1 as opendkim's tools
// write it), or makes one (mode 0600, directory 0700) where there is no file.
// It refuses a file that others may read.
func loadOrMake(path string, generate func() (crypto.Signer, error)) (crypto.Signer, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(path, generate); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the DKIM key: %w", err)
	}
	return loadKey(path) // also what another process was faster to make
}

// makeKey puts a new key at path; one that is there is not replaced.
func makeKey(path string, generate func() (crypto.Signer, error)) error {
	key, err := generate()
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return writeWhole(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), os.Link) // link refuses to replace
}

// writeWhole writes a file (mode 0600) that appears at path whole or not at
// all, also in a power cut: it is written beside and then put there. What is
// published in DNS must not be lost here.
func writeWhole(path string, content []byte, put func(from, to string) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".dkim-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = put(f.Name(), path)
	}
	if err != nil {
		return err
	}
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// loadKey reads a DKIM key.
func loadKey(path string) (crypto.Signer, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("DKIM key: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("DKIM key %s can be read by others (mode %04o): run chmod 600 %s", path, st.Mode().Perm(), path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("DKIM key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("DKIM key %s is not a PEM file: put it back from a backup", path)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("DKIM key %s is not a private key in PKCS #8 form", path)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 1024 {
			return nil, fmt.Errorf("DKIM key %s has %d bits: verifiers ignore RSA keys of less than 1024 (RFC 8301 section 3.2)", path, k.N.BitLen())
		}
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("DKIM key %s is neither RSA nor Ed25519", path)
}

package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// store keeps what an authority gave: DIR/AUTHORITY/account.key and, for each
// name, NAME.pem with key and chain in one file, so that they can't be parted.
// What one authority gave (a test one, say) is not shown for another's.
type store struct{ dir string }

func newStore(dir, directory string) store {
	part := "authority"
	if u, err := url.Parse(directory); err == nil {
		part = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
				return r
			}
			return '-'
		}, strings.ToLower(u.Host+strings.TrimSuffix(u.Path, "/")))
	}
	return store{filepath.Join(dir, strings.TrimLeft(part, "."))}
}

const keyType, certType = "PRIVATE KEY", "CERTIFICATE"

// accountKey reads the account's key, or makes it.
func (s store) accountKey() (crypto.Signer, error) {
	path := filepath.Join(s.dir, "account.key")
	b, err := os.ReadFile(path)
	if err == nil {
		block, _ := pem.Decode(b)
		if block == nil || block.Type != keyType {
			return nil, fmt.Errorf("%s holds no key: remove it, and another account is made", path)
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse %s (remove it, and another account is made): %w", path, err)
		}
		if k, ok := key.(crypto.Signer); ok {
			return k, nil
		}
		return nil, fmt.Errorf("%s holds a key that can't sign: remove it, and another account is made", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the account's key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	text, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	return key, s.write("account.key", text)
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der}), nil
}

// certificate reads a name's certificate; nil: there is none.
func (s store) certificate(name string) (*tls.Certificate, error) {
	path := filepath.Join(s.dir, name+".pem")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return parse(name, b)
}

// parse takes key and chain apart and makes sure that they serve the name.
func parse(name string, b []byte) (*tls.Certificate, error) {
	c, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, fmt.Errorf("parse the certificate: %w", err)
	}
	if c.Leaf == nil {
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, fmt.Errorf("parse the certificate: %w", err)
		}
	}
	if err := c.Leaf.VerifyHostname(name); err != nil {
		return nil, fmt.Errorf("the certificate is another's: %w", err)
	}
	return &c, nil
}

// keep writes a certificate that the authority gave.
func (s store) keep(name string, key crypto.Signer, chain [][]byte) (*tls.Certificate, error) {
	var b bytes.Buffer
	text, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	b.Write(text)
	for _, der := range chain {
		_ = pem.Encode(&b, &pem.Block{Type: certType, Bytes: der}) // a Buffer takes everything
	}
	c, err := parse(name, b.Bytes())
	if err != nil {
		return nil, err
	}
	return c, s.write(name+".pem", b.Bytes())
}

// write writes a file whole or not at all: beside it first, then renamed.
func (s store) write(name string, b []byte) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for certificates: %w", err)
	}
	f, err := os.CreateTemp(s.dir, ".new-") // mode 0600
	if err != nil {
		return fmt.Errorf("write into the folder for certificates: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", filepath.Join(s.dir, name), err)
	}
	if d, err := os.Open(s.dir); err == nil { // the rename, too, is to outlive a power cut
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

package outbound

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// signedFields are the h= of our signatures (RFC 6376 section 5.4.1). A field
// that stands once more than a message has it is oversigned: whoever adds
// another breaks the signature (section 8.15).
var signedFields = []string{
	"From", "From", "To", "To", "Cc", "Subject", "Subject", "Date", "Date", "Reply-To",
	"Message-ID", "In-Reply-To", "References", "MIME-Version", "MIME-Version", "Content-Type", "Content-Type",
	"List-Unsubscribe", "List-Unsubscribe-Post", // RFC 8058 section 3.1 wants both
}

// DKIMKey is a private key and the selector that its public half is published
// under.
type DKIMKey struct {
	Selector string
	Private  crypto.Signer // RSA or Ed25519
}

// Signer puts DKIM signatures on messages, one for each of its keys. It is
// safe for concurrent use.
type Signer struct {
	domain string
	keys   []DKIMKey
}

// NewSigner returns a signer for mail From domain. Without a key it signs
// nothing.
func NewSigner(domain string, keys ...DKIMKey) (*Signer, error) {
	s := &Signer{domain: domain, keys: keys}
	for _, k := range keys {
		if k.Selector == "" || strings.Trim(k.Selector, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
			return nil, errors.New("the DKIM selector must be a name of a-z, 0-9, hyphen and dot")
		}
		ds, err := dkim.NewSigner(s.options(k))
		if err != nil {
			return nil, fmt.Errorf("DKIM key of selector %s: %w", k.Selector, err)
		}
		_ = ds.Close() // only its opinion on the options was wanted
	}
	return s, nil
}

func (s *Signer) options(k DKIMKey) *dkim.SignOptions {
	return &dkim.SignOptions{
		Domain: s.domain, Selector: k.Selector, Signer: k.Private,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: signedFields,
	}
}

// Sign reads a whole message, whose lines end in CRLF, and returns the
// DKIM-Signature fields to put before it. It holds the header in memory and
// streams the body.
func (s *Signer) Sign(r io.Reader) ([]byte, error) {
	if len(s.keys) == 0 {
		return nil, nil
	}
	signers := make([]*dkim.Signer, len(s.keys))
	writers := make([]io.Writer, len(s.keys))
	for i, k := range s.keys {
		ds, err := dkim.NewSigner(s.options(k))
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		signers[i], writers[i] = ds, ds
	}
	_, err := io.Copy(io.MultiWriter(writers...), r)
	var fields []byte
	for i, ds := range signers { // all of them: Close ends the signer's goroutine
		if cerr := ds.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("sign with selector %s: %w", s.keys[i].Selector, cerr))
		} else if err == nil {
			fields = append(fields, ds.Signature()...)
		}
	}
	if err != nil {
		return nil, err
	}
	return fields, nil
}

package signing

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/emersion/go-msgauth/dkim"
)

// signedFields are the h= of our signatures (RFC 6376 section 5.4.1).
var signedFields = oversigned(
	"From", "To", "Cc", "Subject", "Date", "Reply-To", "Sender",
	"Message-ID", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", // RFC 8058 section 4 wants the last two
	"Auto-Submitted", "Feedback-ID",
)

// oversigned names each field once more than a message has it, so that whoever
// adds another breaks the signature (RFC 6376 section 8.15). That some are
// named although a message has none of them says that there is none (section
// 5.4.2).
func oversigned(fields ...string) []string {
	return append(fields, fields...)
}

// Key is a private key and the selector that its public half is published
// under.
type Key struct {
	Selector string
	Private  crypto.Signer // RSA or Ed25519
}

// Signer puts DKIM signatures on messages, one for each of its keys. It is
// safe for concurrent use; the keys may change meanwhile.
type Signer struct {
	domain string
	keys   atomic.Pointer[[]Key]
}

// NewSigner returns a signer for mail From domain. Without a key it signs
// nothing.
func NewSigner(domain string, keys ...Key) (*Signer, error) {
	s := &Signer{domain: domain}
	if err := s.use(keys); err != nil {
		return nil, err
	}
	return s, nil
}

// use makes these the keys of what is signed from now on.
func (s *Signer) use(keys []Key) error {
	for _, k := range keys {
		if k.Selector == "" || strings.Trim(k.Selector, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
			return errors.New("the DKIM selector must be a name of a-z, 0-9, hyphen and dot")
		}
		ds, err := dkim.NewSigner(s.options(k))
		if err != nil {
			return fmt.Errorf("DKIM key of selector %s: %w", k.Selector, err)
		}
		_ = ds.Close() // only its opinion on the options was wanted
	}
	s.keys.Store(&keys)
	return nil
}

func (s *Signer) options(k Key) *dkim.SignOptions {
	return &dkim.SignOptions{
		Domain: s.domain, Selector: k.Selector, Signer: k.Private,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: signedFields,
	}
}

// blocks are what messages are read by.
var blocks = sync.Pool{New: func() any {
	b := make([]byte, 32<<10)
	return &b
}}

// Sign reads a whole message, whose lines end in CRLF, and returns the
// DKIM-Signature fields to put before it. It holds the header in memory and
// streams the body.
func (s *Signer) Sign(r io.Reader) ([]byte, error) {
	keys := *s.keys.Load()
	if len(keys) == 0 {
		return nil, nil
	}
	signers := make([]*dkim.Signer, len(keys))
	writers := make([]io.Writer, len(keys))
	for i, k := range keys {
		ds, err := dkim.NewSigner(s.options(k))
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		signers[i], writers[i] = ds, ds
	}
	block := blocks.Get().(*[]byte)
	_, err := io.CopyBuffer(io.MultiWriter(writers...), r, *block)
	blocks.Put(block)
	var fields []byte
	for i, ds := range signers { // all of them: Close ends the signer's goroutine
		if cerr := ds.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("sign with selector %s: %w", keys[i].Selector, cerr))
		} else if err == nil {
			fields = append(fields, ds.Signature()...)
		}
	}
	if err != nil {
		return nil, err
	}
	return fields, nil
}

package outbound

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	relaydns "github.com/stagedoor/stagedoor/relay/dns"
	"github.com/stagedoor/stagedoor/relay/outbound/signing"
)

// newRing is a new pair of keys.
func newRing(t testing.TB) *signing.Ring {
	t.Helper()
	r, err := signing.Open(signing.Options{Domain: domain, Selector: "stagedoor", KeyFile: filepath.Join(t.TempDir(), "dkim.pem")})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// verify checks that every key has made a signature that holds.
func verify(t testing.TB, raw []byte, r *signing.Ring) {
	t.Helper()
	results, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		for _, k := range r.Records() {
			if name == k.Selector+"._domainkey."+domain {
				value, err := relaydns.DKIMValue(k.Private.Public())
				return []string{value}, err
			}
		}
		return nil, context.Canceled
	}})
	if err != nil || len(results) != 2 {
		t.Fatalf("%d signatures, want 2: %v", len(results), err)
	}
	for _, r := range results {
		if r.Err != nil || r.Domain != domain {
			t.Errorf("the signature of %s does not hold: %v", r.Domain, r.Err)
		}
	}
}

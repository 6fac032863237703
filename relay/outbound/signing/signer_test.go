package signing

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	relaydns "github.com/stagedoor/stagedoor/relay/dns"
)

const signedMessage = "From: \"Sam Casting via Backstage\" <t-abc@msg.example.com>\r\n" +
	"To: \"Tess\" <tess@msg.example.com>\r\n" +
	"Subject: Ophelia\r\n" +
	"Date: Mon, 02 Jan 2006 15:04:05 +0000\r\n" +
	"Message-ID: <x@msg.example.com>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n" +
	"\r\n" +
	"Hello  Tess,\r\n\r\n.a line with a dot\r\n\r\n\r\n"

func twoKeys(t testing.TB) []Key {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		t.Fatal(err)
	}
	return []Key{{"stagedoor", rsaKey}, {"ed", ed25519.NewKeyFromSeed(make([]byte, 32))}}
}

// lookup answers a verifier as DNS would once the printed records are there.
func lookup(t testing.TB, domain string, keys []Key) func(string) ([]string, error) {
	t.Helper()
	o := relaydns.Options{Domain: domain, Hostname: "mx." + domain}
	for _, k := range keys {
		o.DKIM = append(o.DKIM, relaydns.DKIMKey{Selector: k.Selector, Public: k.Private.Public()})
	}
	records, err := relaydns.Records(o)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) ([]string, error) {
		for _, r := range records {
			if r.Name == name && r.Type == "TXT" {
				return []string{r.Value}, nil
			}
		}
		return nil, os.ErrNotExist
	}
}

// verify checks that every key has made a signature that holds.
func verify(t testing.TB, raw []byte, domain string, keys []Key) {
	t.Helper()
	results, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: lookup(t, domain, keys)})
	if err != nil || len(results) != len(keys) {
		t.Fatalf("%d signatures, want %d: %v", len(results), len(keys), err)
	}
	for _, r := range results {
		if r.Err != nil || r.Domain != domain {
			t.Errorf("the signature of %s does not hold: %v", r.Domain, r.Err)
		}
	}
}

func TestSign(t *testing.T) {
	keys := twoKeys(t)
	s, err := NewSigner("msg.example.com", keys...)
	if err != nil {
		t.Fatal(err)
	}
	fields, err := s.Sign(strings.NewReader(signedMessage))
	if err != nil {
		t.Fatal(err)
	}
	verify(t, append(fields, signedMessage...), "msg.example.com", keys)

	for _, added := range signedFields {
		changed := append(bytes.Clone(fields), (added + ": x@example.net\r\n" + signedMessage)...)
		results, err := dkim.VerifyWithOptions(bytes.NewReader(changed), &dkim.VerifyOptions{LookupTXT: lookup(t, "msg.example.com", keys)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Err == nil {
				t.Errorf("a second %s field does not break the signature", added)
			}
		}
	}
}

func TestSignNothing(t *testing.T) {
	s, err := NewSigner("msg.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if fields, err := s.Sign(strings.NewReader(signedMessage)); err != nil || fields != nil {
		t.Errorf("%q, %v", fields, err)
	}
	if _, err := NewSigner("msg.example.com", Key{Selector: "a b", Private: ed25519.NewKeyFromSeed(make([]byte, 32))}); err == nil {
		t.Error("a bad selector, no error")
	}
	if s, err = NewSigner("msg.example.com", twoKeys(t)...); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(strings.NewReader("no header at all")); err == nil {
		t.Error("a message without a header is signed")
	}
}

func BenchmarkSign(b *testing.B) {
	all := twoKeys(b)
	message := signedMessage + strings.Repeat("a line of text that is about as long as lines are\r\n", 80)
	for name, keys := range map[string][]Key{"rsa": all[:1], "ed25519": all[1:], "both": all} {
		b.Run(name, func(b *testing.B) {
			s, err := NewSigner("msg.example.com", keys...)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sign(strings.NewReader(message)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

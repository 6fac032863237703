package sanitize

import (
	"strings"
	"testing"
)

// TestKeyFiles: keys and signatures are left out, encrypted content is
// refused, and nothing else that is named like them is lost.
func TestKeyFiles(t *testing.T) {
	for name, c := range map[string]struct {
		kind, file, data string
		refused          bool
	}{
		"armoured key":           {"application/octet-stream", "jane.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", false},
		"declared key":           {"application/pgp-keys", "OpenPGP_0x1.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", false},
		"binary key":             {"application/octet-stream", "jane.gpg", "\x99\x01\x0d\x04", false},
		"binary key, new form":   {"application/octet-stream", "jane.pgp", "\xc6\x33\x04", false},
		"signature":              {"application/pgp-signature", "signature.asc", "-----BEGIN PGP SIGNATURE-----\n", false},
		"binary signature":       {"application/octet-stream", "cv.pdf.sig", "\x89\x01\x33", false},
		"certificate":            {"application/x-pkcs12", "jane.p12", "0\x82", false},
		"encrypted text":         {"application/octet-stream", "cv.txt.asc", "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n", true},
		"encrypted file":         {"application/octet-stream", "cv.pdf.gpg", "\x85\x01\x0c\x03", true},
		"encrypted file, new":    {"application/pgp-encrypted", "cv.pdf.pgp", "\xc1\xc0\x4c", true},
		"encrypted, by S/MIME":   {"application/pkcs7-mime; smime-type=enveloped-data", "smime.p7m", "0\x80", true},
		"encrypted, by its name": {"application/octet-stream", "smime.p7m", "0\x80", true},
	} {
		t.Run(name, func(t *testing.T) {
			got := rewritten(t, attached(c.kind, c.file, []byte(c.data)), Options{Identity: jane})
			if c.refused != strings.HasPrefix(got, "refused: Your message is encrypted.") {
				t.Errorf("is %s", got)
			}
			if !c.refused && (!strings.Contains(got, "Here.") || strings.Contains(got, "Disposition") || !strings.HasPrefix(got, "repaired: key or signature\n")) {
				t.Errorf("is %s", got)
			}
		})
	}
}

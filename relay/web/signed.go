package web

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/smallstep/pkcs7"
)

// signed puts content into a CMS SignedData with the certificate and its chain
// (RFC 5652 section 5): a device shows who made the profile, and that nobody
// changed it.
func signed(content []byte, c *tls.Certificate) ([]byte, error) {
	chain := make([]*x509.Certificate, len(c.Certificate))
	for i, der := range c.Certificate {
		var err error
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("parse the certificate that signs: %w", err)
		}
	}
	data, err := pkcs7.NewSignedData(content)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := data.AddSignerChain(chain[0], c.PrivateKey, chain[1:], pkcs7.SignerInfoConfig{}); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	out, err := data.Finish()
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return out, nil
}

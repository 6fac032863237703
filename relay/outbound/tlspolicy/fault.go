package tlspolicy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Fault is why a connection is not as a policy wants it.
type Fault struct {
	Result string // as reports call it (RFC 8460 section 4.3)
	Text   string // a person's words; no name or address
}

func (f *Fault) Error() string { return f.Text }

// What can be wrong with a connection.
var (
	NoSTARTTLS = &Fault{"starttls-not-supported", "the server does not offer STARTTLS"}
	Handshake  = &Fault{"validation-failure", "the TLS handshake failed"}

	faultNotInPolicy = &Fault{"validation-failure", "the server is not among those that the domain's policy names"}
	faultExpired     = &Fault{"certificate-expired", "the server's certificate is not valid at this time"}
	faultName        = &Fault{"certificate-host-mismatch", "the server's certificate is for another name"}
	faultTrust       = &Fault{"certificate-not-trusted", "the server's certificate is not issued by an authority that is trusted"}
	faultCertificate = &Fault{"validation-failure", "the server's certificate is not valid"}
	faultTLSA        = &Fault{"validation-failure", "the server's certificate is not one that its TLSA records name"}
	faultDNSSEC      = &Fault{"dnssec-invalid", "the TLSA records can't be had, or are not authentic"}

	faultRecord  = &Fault{"sts-policy-fetch-error", "whether the domain has an MTA-STS policy can't be found out"}
	faultFetch   = &Fault{"sts-policy-fetch-error", "the policy can't be fetched"}
	faultWebPKI  = &Fault{"sts-webpki-invalid", "the policy's web server has no valid certificate"}
	faultInvalid = &Fault{"sts-policy-invalid", "the policy can't be read"}
)

// verifyPKIX says whether the certificate is valid for a name (RFC 8461
// section 4.1).
func verifyPKIX(cs tls.ConnectionState, roots *x509.CertPool, name string, now time.Time) *Fault {
	if len(cs.PeerCertificates) == 0 {
		return faultCertificate
	}
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName: name, Roots: roots, Intermediates: pool(cs.PeerCertificates[1:]), CurrentTime: now,
	})
	return certificateFault(err)
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// certificateFault is what an error of a verification stands for.
func certificateFault(err error) *Fault {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return faultExpired
	case errors.As(err, &name):
		return faultName
	case errors.As(err, &authority):
		return faultTrust
	}
	return faultCertificate
}

package tlspolicy

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"

	mdns "github.com/miekg/dns"
)

// The fields of a TLSA record (RFC 6698 section 2.1, RFC 7218).
const (
	usageTA, usageEE              = 2, 3
	selectCertificate, selectKey  = 0, 1
	matchFull, match256, match512 = 0, 1, 2
	maxCertificates               = 20 // of a chain, that are looked at
)

// tlsa is a TLSA record that can be used.
type tlsa struct {
	usage, selector, matching uint8
	data                      []byte
}

// usable are the records that a mail server may be verified by (RFC 7672
// section 3.1): usages 0 and 1 are not for mail. Of the digests of one usage
// and selector the strongest counts (RFC 7671 section 9).
func usable(records []*mdns.TLSA) []tlsa {
	var list []tlsa
	for _, r := range records {
		data, err := hex.DecodeString(r.Certificate)
		t := tlsa{r.Usage, r.Selector, r.MatchingType, data}
		if err == nil && t.valid() {
			list = append(list, t)
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(t tlsa) bool {
		return t.matching == match256 && slices.ContainsFunc(list, func(o tlsa) bool {
			return o.usage == t.usage && o.selector == t.selector && o.matching == match512
		})
	})
}

func (t tlsa) valid() bool {
	if t.usage != usageTA && t.usage != usageEE || t.selector > selectKey {
		return false
	}
	var err error
	switch {
	case t.matching == match256:
		return len(t.data) == sha256.Size
	case t.matching == match512:
		return len(t.data) == sha512.Size
	case t.matching != matchFull:
		return false
	case t.selector == selectCertificate:
		_, err = x509.ParseCertificate(t.data)
	default:
		_, err = x509.ParsePKIXPublicKey(t.data)
	}
	return err == nil
}

// names reports whether the record is for a certificate.
func (t tlsa) names(c *x509.Certificate) bool {
	data := c.Raw
	if t.selector == selectKey {
		data = c.RawSubjectPublicKeyInfo
	}
	switch t.matching {
	case match256:
		sum := sha256.Sum256(data)
		data = sum[:]
	case match512:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return bytes.Equal(data, t.data)
}

// verifyTLSA says whether a server is one that its TLSA records name.
func verifyTLSA(cs tls.ConnectionState, records []tlsa, names []string, now time.Time) *Fault {
	chain := cs.PeerCertificates
	if len(chain) == 0 {
		return faultCertificate
	}
	fault := faultTLSA
	for _, r := range records {
		if r.usage == usageEE {
			// RFC 7672 section 3.1.1: neither name nor dates matter.
			if r.names(chain[0]) {
				return nil
			}
			continue
		}
		for _, anchor := range r.anchors(chain) {
			f := verifyAnchor(chain, anchor, names, now)
			if f == nil {
				return nil
			}
			fault = f
		}
	}
	return fault
}

// anchors are the certificates that a DANE-TA record names: of those that the
// server sent, or the record itself (RFC 7672 section 3.1.2).
func (t tlsa) anchors(chain []*x509.Certificate) []*x509.Certificate {
	var list []*x509.Certificate
	for _, c := range chain[1:min(len(chain), maxCertificates)] {
		if t.names(c) {
			list = append(list, c)
		}
	}
	if len(list) == 0 && t.selector == selectCertificate && t.matching == matchFull {
		if c, err := x509.ParseCertificate(t.data); err == nil {
			list = append(list, c)
		}
	}
	return list
}

// verifyAnchor says whether the server's certificate is issued under an anchor,
// for one of the names.
func verifyAnchor(chain []*x509.Certificate, anchor *x509.Certificate, names []string, now time.Time) *Fault {
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: pool([]*x509.Certificate{anchor}), Intermediates: pool(chain[1:min(len(chain), maxCertificates)]), CurrentTime: now,
	})
	if err != nil {
		return certificateFault(err)
	}
	for _, name := range names {
		if chain[0].VerifyHostname(name) == nil {
			return nil
		}
	}
	return faultName
}

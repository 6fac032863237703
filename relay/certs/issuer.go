package certs

import (
	"net/url"
	"strings"
)

// issuers are authorities by the end of their directory's host name, and the
// name by which CAA records know them (RFC 8659 section 4.2).
var issuers = map[string]string{
	"letsencrypt.org": "letsencrypt.org",
	"pki.goog":        "pki.goog",
	"zerossl.com":     "sectigo.com",
	"ssl.com":         "ssl.com",
}

// Issuer is the name of a directory's authority in CAA records; empty: not
// known here.
func Issuer(directory string) string {
	if directory == "" {
		directory = LetsEncrypt
	}
	u, err := url.Parse(directory)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	for end, name := range issuers {
		if host == end || strings.HasSuffix(host, "."+end) {
			return name
		}
	}
	return ""
}

package tlspolicy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/stagedoor/stagedoor/relay/publicnet"
)

// fetchTime bounds a fetch (RFC 8461 section 3.3 suggests a minute: a delivery
// waits for it).
const fetchTime = 30 * time.Second

// fetch gets a domain's policy from its host (RFC 8461 section 3.3): by HTTPS
// with a certificate for mta-sts.DOMAIN, without redirects, proxies or caches.
func (f *Finder) fetch(ctx context.Context, domain string) (Policy, *Fault, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	host := "mta-sts." + domain
	address := host
	if f.o.PolicyPort != 443 {
		address = net.JoinHostPort(host, portText(f.o.PolicyPort))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return Policy{}, faultFetch, errors.New("the domain's name makes no URL")
	}
	res, err := f.client(host).Do(req)
	if err != nil {
		var certificate *tls.CertificateVerificationError
		switch {
		case errors.As(err, &certificate):
			return Policy{}, faultWebPKI, errors.New("the web server's certificate is not valid")
		case errors.Is(err, publicnet.ErrNotPublic):
			return Policy{}, faultFetch, errors.New("the web server is at an address that is not public: outbound.allow_networks can allow it")
		}
		return Policy{}, faultFetch, errors.New("the web server does not answer")
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return Policy{}, faultFetch, fmt.Errorf("the web server answers %d", res.StatusCode)
	}
	if typ, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || typ != "text/plain" {
		return Policy{}, faultInvalid, errors.New("what the web server sends is not text/plain")
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxPolicySize+1))
	if err != nil {
		return Policy{}, faultFetch, errors.New("the web server does not send the whole policy")
	}
	p, err := ParsePolicy(string(text))
	if err != nil {
		return Policy{}, faultInvalid, err
	}
	return p, nil, nil
}

// client fetches from one host, by one connection.
func (f *Finder) client(host string) *http.Client {
	dialer := publicnet.Dialer(f.o.Net, fetchTime, func(ip netip.Addr) bool { return publicnet.Reachable(ip, f.o.AllowNetworks) })
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.o.Roots, ServerName: host, Time: f.o.Now},
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
}

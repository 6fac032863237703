package tlsrpt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/stagedoor/stagedoor/relay/publicnet"
)

const postTime = time.Minute

// Poster brings reports to URLs (RFC 8460 section 5.4).
type Poster struct{ client *http.Client }

// ErrRefused means that the report will never be taken.
var ErrRefused = errors.New("the report is refused by the receiving web server")

// NewPoster returns a Poster. A domain's owner chooses the URL: it leads to
// public addresses, or into the networks that are allowed.
func NewPoster(resolver *net.Resolver, roots *x509.CertPool, allow []netip.Prefix) *Poster {
	dialer := publicnet.Dialer(resolver, postTime, func(ip netip.Addr) bool { return publicnet.Reachable(ip, allow) })
	return &Poster{&http.Client{
		Timeout:       postTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10,
		},
	}}
}

// Post brings a compressed report to a URL. The errors name neither.
func (p *Poster) Post(ctx context.Context, place string, report []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, place, bytes.NewReader(report))
	if err != nil {
		return ErrRefused
	}
	req.Header.Set("Content-Type", "application/tlsrpt+gzip")
	res, err := p.client.Do(req)
	if err != nil {
		var certificate *tls.CertificateVerificationError
		var wrapped *url.Error
		switch {
		case errors.As(err, &certificate):
			return errors.New("the receiving web server has no valid certificate")
		case errors.Is(err, publicnet.ErrNotPublic):
			return errors.New("the receiving web server is at an address that is not public: outbound.allow_networks can allow it")
		case errors.As(err, &wrapped) && wrapped.Timeout():
			return errors.New("the receiving web server does not answer in time")
		}
		return errors.New("the receiving web server can't be reached")
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case res.StatusCode/100 == 5, res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusRequestTimeout:
		return fmt.Errorf("the receiving web server answers %d", res.StatusCode)
	}
	return fmt.Errorf("%w: %d", ErrRefused, res.StatusCode)
}

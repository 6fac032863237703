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
	"syscall"
	"time"
)

const postTime = time.Minute

// Poster brings reports to URLs (RFC 8460 section 5.4).
type Poster struct{ client *http.Client }

// ErrRefused means that the report will never be taken.
var ErrRefused = errors.New("the report is refused by the receiving web server")

// NewPoster returns a Poster. allowed says which IP addresses may be connected
// to; nil: public ones. A domain's owner chooses the URL, which must not lead
// into our own network.
func NewPoster(resolver *net.Resolver, roots *x509.CertPool, allowed func(netip.Addr) bool) *Poster {
	if allowed == nil {
		allowed = public
	}
	dialer := &net.Dialer{Resolver: resolver, Timeout: postTime, Control: func(_, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err != nil || !allowed(at.Addr().Unmap()) {
			return errors.New("not a public address")
		}
		return nil
	}}
	return &Poster{&http.Client{
		Timeout:       postTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10,
		},
	}}
}

// public: an address that anybody may be asked to connect to.
func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !sharedSpace.Contains(ip)
}

// sharedSpace is behind providers' address translation (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

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

package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/stagedoor/stagedoor/relay/publicnet"
)

// maxURL bounds a webhook's URL, in octets.
const maxURL = 2000

// CheckURL says why a webhook can't lead to a URL, or returns nil. A name is
// looked up when it is used.
func CheckURL(text string, allow []netip.Prefix) error {
	if len(text) > maxURL {
		return fmt.Errorf("is longer than %d octets", maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("is not a URL such as https://www.example.com/hook")
	case u.User != nil:
		return errors.New("holds a user name or password: the signature proves who sends")
	case u.Fragment != "":
		return errors.New("has a fragment (#)")
	case u.Scheme == "http" && len(allow) == 0:
		return errors.New("must begin with https://: http:// is for the networks of webhooks.allow_networks")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https://")
	}
	if ip, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]")); err == nil && !reachable(ip, u.Scheme == "https", allow) {
		return errNotPublic
	}
	return nil
}

var errNotPublic = errors.New("leads to an address that is not public: webhooks.allow_networks can allow it")

// reachable reports whether a webhook may be at an address: a public one, by
// HTTPS, or one that is allowed.
func reachable(ip netip.Addr, secure bool, allow []netip.Prefix) bool {
	if !secure {
		return publicnet.Within(ip, allow)
	}
	return publicnet.Reachable(ip, allow)
}

// client is what sends: by no proxy, to no other place than it is told.
func (o Options) client(secure bool) *http.Client {
	dialer := publicnet.Dialer(o.Resolver, requestTime, func(ip netip.Addr) bool { return reachable(ip, secure, o.Allow) })
	return &http.Client{
		Timeout:       requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: requestTime,
			ResponseHeaderTimeout: requestTime, MaxResponseHeaderBytes: maxAnswer, MaxConnsPerHost: parallel, MaxIdleConnsPerHost: parallel, IdleConnTimeout: 30 * time.Second,
			DisableCompression: true,
		},
	}
}

// cause is what went wrong with a request, in words of our own.
func cause(err error) string {
	var dns *net.DNSError
	var unknown *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, publicnet.ErrNotPublic):
		return errNotPublic.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "its host name is not known"
	case errors.As(err, &dns):
		return "its host name could not be looked up"
	case errors.As(err, &unknown):
		return "its certificate is not trusted"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("did not answer within %s", requestTime)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused the connection"
	}
	return "the connection failed"
}

package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// http asks a door whether the daemon is ready: the database answers.
func (v *visit) http(c net.Conn) error {
	transport := &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return c, nil },
		DisableKeepAlives: true,
	}
	client := http.Client{Transport: transport, Timeout: doorTime}
	res, err := client.Get("http://" + v.hostname + "/readyz")
	if err != nil {
		return fmt.Errorf("no answer to GET /readyz: %s", reason(err))
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 100))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /readyz: %d %s", res.StatusCode, strings.TrimSpace(string(text)))
	}
	v.heard = "ready: the database answers"
	return nil
}

// webAddress asks http.base_url, by the way that members take, whether it leads
// to the daemon.
func (d *doctor) webAddress(ctx context.Context) []Finding {
	const check = "http.base_url"
	if d.BaseURL == "" {
		return one(check, Warning, "is not set: mail has no links, and what members could confirm on a page is refused",
			"set it to where members reach the HTTP door, such as https://"+d.Domain)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.BaseURL+"/healthz", nil)
	if err != nil {
		return one(check, Failed, "is not a web address: "+err.Error(), "write one such as https://"+d.Domain)
	}
	client := d.webClient()
	res, err := client.Do(request)
	const todo = "let the web server in front pass it on to http.listen, and its name lead to this machine"
	if err != nil {
		return one(check, Failed, d.BaseURL+"/healthz: "+reason(err), todo)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 100))
	if res.StatusCode != http.StatusOK || string(text) != "alive\n" {
		return one(check, Failed, fmt.Sprintf("%s/healthz answers %d and is not this daemon", d.BaseURL, res.StatusCode), todo)
	}
	return one(check, OK, d.BaseURL+" leads to the daemon", "")
}

// webClient goes the way that others take, by Options.Resolver.
func (d *doctor) webClient() *http.Client {
	return &http.Client{Timeout: doorTime, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: d.Roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Resolver: d.resolver()}).DialContext,
	}}
}

// stsPolicy fetches the policy as other mail servers do (RFC 8461 section 3.3):
// by HTTPS with a certificate that is trusted, and without redirects.
func (d *doctor) stsPolicy(ctx context.Context) []Finding {
	const check = "mta-sts"
	if d.STSPolicy == "" {
		return nil
	}
	if d.local() && d.Resolver == "" {
		return one(check, Skipped, d.Domain+" is a name for tests: nobody asks for its policy", "")
	}
	host := "mta-sts." + d.Domain
	if d.HTTPSPort != "443" {
		host = net.JoinHostPort(host, d.HTTPSPort)
	}
	url := "https://" + host + "/.well-known/mta-sts.txt"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return one(check, Failed, err.Error(), "")
	}
	client := d.webClient()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(request)
	if err != nil {
		return one(check, Warning, "no policy at "+url+": "+reason(err), "let mta-sts."+d.Domain+" lead to the HTTP door with a certificate that is trusted, or set smtp.mta_sts to \"off\"")
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	switch {
	case res.StatusCode != http.StatusOK:
		return one(check, Failed, fmt.Sprintf("%s answers %d", url, res.StatusCode), "let the web server in front pass it on to http.listen, with the Host field as it is")
	case string(text) != d.STSPolicy:
		return one(check, Failed, url+" has another policy", "restart the daemon after a change of smtp.mta_sts, or look at what the web server in front answers")
	}
	return one(check, OK, "the policy is where other servers look for it", "")
}

// resolver asks Options.Resolver; nil: the system's.
func (d *doctor) resolver() *net.Resolver {
	if d.Resolver == "" {
		return nil
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, d.Resolver)
	}}
}

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/imapd/wire"
	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/api"
	"github.com/stagedoor/stagedoor/relay/certs"
	"github.com/stagedoor/stagedoor/relay/ingress"
	"github.com/stagedoor/stagedoor/relay/metrics"
	"github.com/stagedoor/stagedoor/relay/notify"
	"github.com/stagedoor/stagedoor/relay/outbound"
	"github.com/stagedoor/stagedoor/relay/outbound/signing"
	"github.com/stagedoor/stagedoor/relay/outbound/tlsrpt"
	"github.com/stagedoor/stagedoor/relay/senderauth"
	"github.com/stagedoor/stagedoor/relay/submission"
	"github.com/stagedoor/stagedoor/relay/web"
	"github.com/stagedoor/stagedoor/relay/webhook"
	"github.com/stagedoor/stagedoor/threading/login"
)

// Within stopTime, the doors and the queue's workers get drainTime to finish;
// the rest is for closing the store.
const drainTime = 8 * time.Second

// daemon is everything that serve runs, wired together. It is made by
// newDaemon and used from one goroutine. It owns one goroutine for each
// listener, one for the queue, one for the digests, one for the certificates and
// one for the DKIM keys; all end in stop.
type daemon struct {
	cfg      *config.Config
	log      *slog.Logger
	open     *open
	pipeline *relay.Pipeline

	certs      *certs.Source
	smtp, lmtp *ingress.Server
	submission *submission.Server
	imap       *wire.Server
	web        *web.Server
	metrics    *metrics.Metrics
	metricsWeb *metrics.Server
	queue      *outbound.Queue
	digester   *notify.Digester
	dkim       *signing.Ring
	reporter   *tlsrpt.Reporter // nil: no reports about TLS

	hooks *webhook.Sender

	// bound are the addresses that the listeners got, by service; start sets
	// them.
	bound struct {
		smtp, lmtp, submission, submissionTLS, imap, imapTLS, http, httpTLS, metrics []string
	}
	// failed tells, once, that a listener gave up.
	failed chan error

	services  []service
	listeners []net.Listener
	serving   sync.WaitGroup
	stopQueue context.CancelFunc
}

// service is a door's listen addresses and what serves them.
type service struct {
	key       string // of the configuration
	addresses []string
	bound     *[]string
	serve     func(net.Listener) error
}

// newDaemon opens the store and makes every part; nothing listens yet. On an
// error nothing is left open.
func newDaemon(ctx context.Context, cfg *config.Config, log *slog.Logger) (*daemon, error) {
	counts := metrics.New(release())
	o, err := openStore(ctx, cfg, log, counts.Event)
	if err != nil {
		return nil, err
	}
	d := &daemon{cfg: cfg, log: log, open: o, metrics: counts, failed: make(chan error, 1)}
	for _, wire := range []func() error{d.wireRelay, d.wireQueue, d.wireWebhooks, d.wireDoors} {
		if err := wire(); err != nil {
			return nil, errors.Join(err, o.Close())
		}
	}
	d.services = d.listServices()
	return d, nil
}

// wireRelay makes what the doors share.
func (d *daemon) wireRelay() (err error) {
	if d.pipeline, err = d.open.pipeline(); err != nil {
		return err
	}
	d.certs, err = newCerts(d.cfg, d.log)
	return err
}

// wireQueue makes what delivers the queue.
func (d *daemon) wireQueue() error {
	var err error
	if d.dkim, err = dkimRing(d.cfg, d.log); err != nil {
		return err
	}
	smarthost, routes, err := nextHops(d.cfg)
	if err != nil {
		return err
	}
	look, err := d.open.templates()
	if err != nil {
		return err
	}
	renderer := notify.New(notify.Options{
		Store: d.open.Store, Domain: d.cfg.Domain, Brand: d.cfg.Brand, BaseURL: d.cfg.HTTP.BaseURL, SupportURL: d.cfg.SupportURL,
		BrandColor: d.cfg.BrandColor, Templates: look, MaxAttachment: int64(d.cfg.Notify.MaxAttachment),
	})
	d.digester = notify.NewDigester(renderer, d.pipeline, nil, d.log)
	d.queue, err = outbound.New(outbound.Options{
		Store: d.open.Store, Renderer: renderer,
		Domain: d.cfg.Domain, Hostname: d.cfg.Hostname, Operator: d.cfg.Operator, Signer: d.dkim.Signer(),
		Smarthost: smarthost, Routes: routes, SourceAddresses: addresses(d.cfg.Outbound.SourceAddresses), Resolver: d.cfg.DNS.Resolver, AllowNetworks: d.cfg.Outbound.Networks(),
		Workers:   d.cfg.Outbound.Connections,
		PerDomain: outbound.Bounds{Connections: d.cfg.Outbound.ConnectionsPerDomain, Rate: d.cfg.Outbound.RatePerDomain},
		PerServer: outbound.Bounds{Connections: d.cfg.Outbound.SmarthostConnections, Rate: d.cfg.Outbound.SmarthostRate},
		MaxAge:    time.Duration(d.cfg.Outbound.MaxAge), SkipRead: d.cfg.Notify.Grace > 0, Paused: d.cfg.Outbound.Pause,
		TempDir: d.cfg.Storage.TempDir, Grace: drainTime, Observe: d.metrics.Delivery, ObserveTLS: d.metrics.OutboundTLS, CountTLS: d.cfg.Outbound.TLSReports, AddressFailed: d.pipeline.AddressFailed, Withheld: d.pipeline.Withheld, Logger: d.log,
	})
	if err != nil {
		return d.cfg.Problem("outbound", "%s", err)
	}
	return d.wireReporter()
}

// wireReporter makes what reports about TLS to receiving servers.
func (d *daemon) wireReporter() error {
	if !d.cfg.Outbound.TLSReports {
		return nil
	}
	resolver, err := outbound.Resolver(d.cfg.DNS.Resolver)
	if err != nil {
		return d.cfg.Problem("dns.resolver", "%s", err)
	}
	d.reporter = tlsrpt.NewReporter(tlsrpt.ReporterOptions{
		Store: d.open.Store, Domain: d.cfg.Domain, Contact: d.cfg.Outbound.TLSReportContact, LookupTXT: resolver.LookupTXT, Logger: d.log,
	})
	return nil
}

// nextHops reads the servers that mail is handed to, with their passwords.
func nextHops(c *config.Config) (smarthost outbound.Route, routes map[string]outbound.Route, err error) {
	smarthost.URL = c.Outbound.Smarthost
	if smarthost.Password, err = c.SmarthostPassword(); err != nil {
		return smarthost, nil, err
	}
	routes = map[string]outbound.Route{}
	for domain, url := range c.Outbound.Routes {
		password, err := c.RoutePassword(domain)
		if err != nil {
			return smarthost, nil, err
		}
		routes[domain] = outbound.Route{URL: url, Password: password}
	}
	return smarthost, routes, nil
}

// addresses reads IP addresses that package config has checked.
func addresses(texts []string) []netip.Addr {
	var list []netip.Addr
	for _, text := range texts {
		if ip, err := netip.ParseAddr(text); err == nil {
			list = append(list, ip)
		}
	}
	return list
}

// wireWebhooks makes what tells the platform of events.
func (d *daemon) wireWebhooks() error {
	resolver, err := outbound.Resolver(d.cfg.DNS.Resolver)
	if err != nil {
		return d.cfg.Problem("dns.resolver", "%s", err)
	}
	d.hooks = webhook.New(webhook.Options{
		Store: d.open.Store, Allow: d.cfg.Webhooks.Networks(), Resolver: resolver, Observe: d.metrics.Webhook, Logger: d.log,
	})
	d.metrics.WatchWebhooks(d.open.WebhookState)
	return nil
}

// wireDoors makes the servers.
func (d *daemon) wireDoors() error {
	c, limits := d.cfg, d.cfg.Limits
	signIn := login.New(login.Options{Store: d.open.Store, Domain: c.Domain})
	door := ingress.Options{
		Pipeline: d.pipeline, Hostname: c.Hostname, TempDir: c.Storage.TempDir, MaxMessageSize: int64(c.SMTP.MaxMessageSize),
		MaxRecipients: limits.MaxRecipients, MaxConnections: limits.Connections, MaxPerIP: limits.ConnectionsPerIP, RequireTLS: d.queue.RequireTLS(), Logger: d.log,
	}
	auth := senderauth.Options{Resolver: c.DNS.Resolver, Envelope: c.SenderAuth.Policy == config.PolicyEnvelope}

	smtp := door
	auth.ARCSealers = c.SenderAuth.ARCSealers
	smtp.Auth, smtp.TLSConfig, smtp.Observe = senderauth.New(auth), d.certs.TLSConfig(false), d.metrics.Door("smtp")
	d.smtp = ingress.New(smtp)

	// Only what comes by LMTP went through the server whose word is taken.
	lmtp := door
	auth.TrustedAuthservID = c.SenderAuth.TrustedAuthservID
	lmtp.LMTP, lmtp.Auth, lmtp.Observe = true, senderauth.New(auth), d.metrics.Door("lmtp")
	d.lmtp = ingress.New(lmtp)

	d.submission = submission.New(submission.Options{
		Pipeline: d.pipeline, Login: signIn, Hostname: c.Hostname, TLSConfig: d.certs.TLSConfig(true),
		InsecureAuth: c.Submission.AllowInsecureAuth, TempDir: c.Storage.TempDir, MaxMessageSize: int64(c.SMTP.MaxMessageSize),
		MaxRecipients: limits.MaxRecipients, MaxConnections: limits.Connections, MaxPerIP: limits.ConnectionsPerIP,
		RequireTLS: d.queue.RequireTLS(), Observe: d.metrics.Door("submission"), Logger: d.log,
	})
	sessions := imapd.New(imapd.Options{
		Store: d.open.Store, Login: signIn, MaxMessageSize: int64(c.SMTP.MaxMessageSize),
		SessionsPerMember: limits.SessionsPerMember, Logger: d.log,
	})
	d.imap = wire.New(wire.Options{
		IMAP: sessions, TLSConfig: d.certs.TLSConfig(false), InsecureAuth: c.IMAP.AllowInsecureAuth, Scram: c.IMAP.SCRAM, Disabled: c.IMAP.Disabled,
		MaxConnections: limits.Connections, MaxConnectionsPerIP: limits.ConnectionsPerIP, Logger: d.log,
	})
	look, err := d.open.templates()
	if err != nil {
		return err
	}
	tokens, err := c.APITokens()
	if err != nil {
		return err
	}
	var linkKey string
	var platform http.Handler
	if len(tokens) > 0 {
		linkKey, platform = tokens[0], api.New(api.Options{
			Pipeline: d.pipeline, Store: d.open.Store, Domain: c.Domain, Base: basePath(c.HTTP.BaseURL), Tokens: tokens, PerMinute: limits.APIPerMinute, Webhooks: c.Webhooks.Networks(), Languages: look.Languages, Logger: d.log,
		})
	}
	var policy string
	if p := stsPolicy(c); p != nil {
		policy = p.Text()
	}
	d.web = web.New(web.Options{
		Languages: look.Languages,
		API:       platform,
		STSPolicy: policy, Challenge: d.certs.Challenge, Signer: func() *tls.Certificate { return d.certs.Issued(c.Hostname) },
		Ready: d.open.Ping, Pipeline: d.pipeline, Store: d.open.Store, Login: signIn, Domain: c.Domain, Hostname: c.Hostname, TempDir: c.Storage.TempDir, MaxMessage: int64(c.SMTP.MaxMessageSize), LinkKey: linkKey, EmbedOrigins: c.HTTP.EmbedOrigins,
		MaxConnections: limits.Connections, MaxPerIP: limits.ConnectionsPerIP, BrandColor: c.BrandColor, FormsPerMember: limits.FormsPerHour, FormsPerNetwork: limits.FormsPerIP, Ports: web.MailPorts{
			IMAPTLS: portOf(c.IMAP.ListenTLS), IMAP: portOf(c.IMAP.Listen), SubmissionTLS: portOf(c.Submission.ListenTLS), Submission: portOf(c.Submission.Listen),
		}, Brand: c.Brand, BaseURL: c.HTTP.BaseURL, SupportURL: c.SupportURL, SafetyURL: c.SafetyURL, Logger: d.log,
	})
	d.metrics.WatchQueue(d.open.QueueState)
	d.metrics.WatchHeld(d.open.HeldState)
	d.metrics.WatchPause(d.queue.Paused)
	d.metrics.WatchCertificates(d.certs.Expiry)
	d.metrics.WatchIMAP(d.imap.Connections, sessions.SignedIn)
	d.metricsWeb = metrics.NewServer(d.metrics, d.log)
	return nil
}

// basePath is the path of http.base_url, without a final slash.
func basePath(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// portOf is the port of the first address that is not on loopback only, else
// of the first; zero if there is none.
func portOf(addresses []string) int {
	port := 0
	for _, a := range addresses {
		_, text, err := net.SplitHostPort(a)
		n, nerr := strconv.Atoi(text)
		if err != nil || nerr != nil {
			continue
		}
		if !config.Loopback(a) {
			return n
		}
		if port == 0 {
			port = n
		}
	}
	return port
}

// listServices says which listen addresses lead to which server.
func (d *daemon) listServices() []service {
	c, b := d.cfg, &d.bound
	withTLS := func(serve func(net.Listener, bool) error, implicit bool) func(net.Listener) error {
		return func(l net.Listener) error { return serve(l, implicit) }
	}
	return []service{
		{"smtp.listen", c.SMTP.Listen, &b.smtp, d.smtp.Serve},
		{"lmtp.listen", c.LMTP.Listen, &b.lmtp, d.lmtp.Serve},
		{"submission.listen", c.Submission.Listen, &b.submission, withTLS(d.submission.Serve, false)},
		{"submission.listen_tls", c.Submission.ListenTLS, &b.submissionTLS, withTLS(d.submission.Serve, true)},
		{"imap.listen", c.IMAP.Listen, &b.imap, withTLS(d.imap.Serve, false)},
		{"imap.listen_tls", c.IMAP.ListenTLS, &b.imapTLS, withTLS(d.imap.Serve, true)},
		{"http.listen", c.HTTP.Listen, &b.http, d.web.Serve},
		{"http.listen_tls", c.HTTP.ListenTLS, &b.httpTLS, func(l net.Listener) error {
			return d.web.Serve(tls.NewListener(l, d.certs.WebTLSConfig()))
		}},
		{"metrics.listen", c.Metrics.Listen, &b.metrics, d.metricsWeb.Serve},
	}
}

// start binds all listeners, then serves on them. If one can't be bound, none
// is served and the error says which key it is. Either way stop follows.
func (d *daemon) start() error {
	var doors []func()
	for _, s := range d.services {
		for _, address := range s.addresses {
			l, err := listen(d.cfg, s.key, address)
			if err != nil {
				d.closeListeners()
				return err
			}
			d.listeners = append(d.listeners, l)
			*s.bound = append(*s.bound, l.Addr().String())
			doors = append(doors, func() {
				d.log.Info("listening", "service", s.key, "address", l.Addr().String())
				d.serving.Go(func() { d.serveOn(s, l) })
			})
		}
	}
	for _, open := range doors {
		open()
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.stopQueue = cancel
	d.serving.Go(func() { d.certs.Run(ctx) })
	d.serving.Go(func() { d.digester.Run(ctx) })
	d.serving.Go(func() { d.hooks.Run(ctx) })
	d.serving.Go(func() { d.dkim.Run(ctx) })
	if d.reporter != nil {
		d.serving.Go(func() { d.reporter.Run(ctx) })
	}
	d.serving.Go(func() {
		if err := d.queue.Run(ctx); err != nil {
			d.log.Error("what became of some deliveries could not be written down; they are tried again", "error", err)
		}
	})
	return nil
}

// serveOn serves until the listener closes.
func (d *daemon) serveOn(s service, l net.Listener) {
	if err := s.serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
		select {
		case d.failed <- fmt.Errorf("%s: %w", s.key, err):
		default: // one is enough
		}
	}
}

func (d *daemon) closeListeners() {
	for _, l := range d.listeners {
		_ = l.Close()
	}
	d.listeners = nil
}

// stop stops accepting, lets the transactions and deliveries under way finish
// within drainTime, and closes the store. New work hears 421 or BYE. What
// ctx cuts off is on disk or its sender got no 250. The queue stops beside the
// doors: what they still file waits in it for the next start.
func (d *daemon) stop(ctx context.Context) error {
	drain, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	d.web.Stopping()
	if d.stopQueue != nil {
		d.stopQueue()
	}
	var doors sync.WaitGroup
	for _, shutdown := range []func(context.Context) error{d.smtp.Shutdown, d.lmtp.Shutdown, d.submission.Shutdown, d.imap.Shutdown} {
		doors.Go(func() {
			if err := shutdown(drain); err != nil {
				d.log.Warn("a door was not done in time", "error", err)
			}
		})
	}
	doors.Wait()
	err := errors.Join(d.web.Shutdown(drain), d.metricsWeb.Shutdown(drain))
	d.closeListeners()
	d.await(ctx)
	return errors.Join(err, d.open.Close())
}

// await waits for the listeners' and the queue's goroutines until ctx ends.
func (d *daemon) await(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.serving.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		d.log.Warn("stopping without waiting for deliveries under way; they are tried again at the next start")
	}
}

// reload reads the certificate files again, asks again for what ACME did not
// give, and looks whether new DKIM keys are in DNS. On an error the old
// certificate stays. The queue is paused, or goes on, in any case.
func (d *daemon) reload(after *config.Config) error {
	d.queue.Pause(after.Outbound.Pause)
	d.dkim.Wake()
	return d.certs.Reload()
}

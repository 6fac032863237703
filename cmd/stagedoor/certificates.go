package main

import (
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay/certs"
	"github.com/stagedoor/stagedoor/relay/dns"
)

// newCerts makes the source of the listeners' certificates.
func newCerts(cfg *config.Config, log *slog.Logger) (*certs.Source, error) {
	o := certs.Options{
		CertFile: cfg.TLS.CertFile, KeyFile: cfg.TLS.KeyFile, Logger: log,
		SelfSignedDir: filepath.Dir(cfg.Storage.KeyFile),
		Names:         []string{cfg.Hostname, cfg.Domain},
	}
	key := "tls.cert_file"
	if cfg.TLS.ACMEEmail != "" {
		key = "tls.acme_ca_file"
		o.ACME = &certs.ACMEOptions{
			Email: cfg.TLS.ACMEEmail, Directory: cfg.TLS.ACMEDirectory, CAFile: cfg.TLS.ACMECAFile,
			Dir: filepath.Join(filepath.Dir(cfg.Storage.KeyFile), "acme"), Names: certificateNames(cfg),
			HTTP: len(cfg.HTTP.Listen) > 0, TLSALPN: len(cfg.HTTP.ListenTLS) > 0, UserAgent: "stagedoor/" + release(),
		}
	}
	source, err := certs.New(o)
	if err != nil {
		return nil, cfg.Problem(key, "%s", err)
	}
	return source, nil
}

// certificateNames are the names that need a certificate of ours: the host's,
// which mail comes to, and those of the pages, unless a web server in front
// has them.
func certificateNames(cfg *config.Config) []string {
	names := []string{cfg.Hostname}
	if len(cfg.HTTP.ListenTLS) == 0 {
		return names
	}
	if host, _ := baseHost(cfg); host != "" {
		names = append(names, host)
	}
	for _, name := range dns.HostNames(cfg.Domain) {
		if name != "mta-sts."+cfg.Domain || cfg.SMTP.MTASTS != config.STSOff {
			names = append(names, name)
		}
	}
	slices.Sort(names[1:])
	unique := names[:1]
	for _, name := range names[1:] {
		if !slices.Contains(unique, name) {
			unique = append(unique, name)
		}
	}
	return unique
}

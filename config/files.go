package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// maxSecret bounds a file that holds a token or password, in octets.
const maxSecret = 4096

// CheckFiles looks at the files that the configuration names and does not
// make itself: that they are there and that others can't read the secret
// ones. The error is Problems.
func (c *Config) CheckFiles() error {
	var problems Problems
	for _, f := range []struct {
		key, path string
		forbidden fs.FileMode
	}{
		{"http.api_token_file", c.HTTP.APITokenFile, 0o077},
		{"tls.cert_file", c.TLS.CertFile, 0},
		{"tls.acme_ca_file", c.TLS.ACMECAFile, 0},
		{"safety.caution_file", c.Safety.CautionFile, 0},
		// Certificate tools give the key to a group of servers.
		{"tls.key_file", c.TLS.KeyFile, 0o027},
		{"outbound.smarthost_password_file", c.Outbound.SmarthostPasswordFile, 0o077},
	} {
		if f.path == "" {
			continue
		}
		if err := checkFile(f.path, f.forbidden); err != nil {
			problems = append(problems, c.origin.problem(f.key, "%s", err))
		}
	}
	for domain, path := range c.Outbound.RoutePasswordFiles {
		if err := checkFile(path, 0o077); err != nil {
			problems = append(problems, c.origin.problem("outbound.route_password_files."+domain, "%s", err))
		}
	}
	for _, f := range []struct{ key, path string }{
		{"storage.key_file", c.Storage.KeyFile}, {"dkim.key_file", c.DKIM.KeyFile},
	} { // made on first start
		if err := checkFile(f.path, 0o077); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, c.origin.problem(f.key, "%s", err))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	problems.sort()
	return problems
}

// checkFile checks that a file can be read, and not by others.
func checkFile(path string, forbidden fs.FileMode) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("can't be read: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("can't be read: %w", err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if mode := st.Mode().Perm(); mode&forbidden != 0 {
		return fmt.Errorf("%s can be read or written by others (mode %04o): run chmod %04o %s", path, mode, mode&^forbidden, path)
	}
	return nil
}

// readSecret returns the one line of a file that only its owner may read.
func readSecret(path string) (string, error) {
	if err := checkFile(path, 0o077); err != nil {
		return "", err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("can't be read: %w", err)
	}
	secret := strings.TrimRight(string(b), "\r\n")
	switch {
	case secret == "":
		return "", fmt.Errorf("%s is empty: write the secret into it, on one line", path)
	case len(secret) > maxSecret || strings.ContainsAny(secret, "\r\n\x00"):
		return "", fmt.Errorf("%s must hold one line of at most %d octets", path, maxSecret)
	}
	return secret, nil
}

// SmarthostPassword reads outbound.smarthost_password_file; empty where no
// file is named.
func (c *Config) SmarthostPassword() (string, error) {
	if c.Outbound.SmarthostPasswordFile == "" {
		return "", nil
	}
	secret, err := readSecret(c.Outbound.SmarthostPasswordFile)
	if err != nil {
		return "", c.Problem("outbound.smarthost_password_file", "%s", err)
	}
	return secret, nil
}

// RoutePassword reads the file of outbound.route_password_files for a domain;
// empty where no file is named.
func (c *Config) RoutePassword(domain string) (string, error) {
	path := c.Outbound.RoutePasswordFiles[domain]
	if path == "" {
		return "", nil
	}
	secret, err := readSecret(path)
	if err != nil {
		return "", c.Problem("outbound.route_password_files."+domain, "%s", err)
	}
	return secret, nil
}

// maxTokens is how many tokens are good at a time.
const maxTokens = 10

// APITokens reads http.api_token_file: a token a line. None where no file is
// named.
func (c *Config) APITokens() ([]string, error) {
	if c.HTTP.APITokenFile == "" {
		return nil, nil
	}
	tokens, err := readTokens(c.HTTP.APITokenFile)
	if err != nil {
		return nil, c.Problem("http.api_token_file", "%s", err)
	}
	return tokens, nil
}

func readTokens(path string) ([]string, error) {
	if err := checkFile(path, 0o077); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("can't be read: %w", err)
	}
	tokens := strings.Fields(string(b))
	if len(tokens) == 0 || len(tokens) > maxTokens {
		return nil, fmt.Errorf("%s must hold 1 to %d tokens, each on a line", path, maxTokens)
	}
	for _, t := range tokens {
		if len(t) < 16 || len(t) > maxSecret {
			return nil, errors.New("holds a token that is too short or too long: use 16 random characters or more")
		}
	}
	return tokens, nil
}

// Problem makes an error about a key that shows only while the daemon starts
// (a port that is taken, say). It names the key's file and line.
func (c *Config) Problem(key, format string, args ...any) Problem {
	return c.origin.problem(key, format, args...)
}

// Warnings are what may be meant but rarely is, one sentence each.
func (c *Config) Warnings() []string {
	var list []string
	warn := func(key, text string) {
		list = append(list, c.origin.problem(key, "%s", text).Error())
	}
	if c.Operator == "" {
		warn("operator", "is empty: mail to postmaster@, abuse@ and support@ (which RFC 2142 asks for) reaches nobody")
	}
	selfSigned := c.TLS.CertFile == "" && c.TLS.ACMEEmail == ""
	if selfSigned {
		warn("tls", "has no certificate: a self-signed one is used, which mail clients and other servers don't trust; set tls.cert_file and tls.key_file, or tls.acme_email")
	}
	if c.SMTP.MTASTS == STSEnforce && selfSigned {
		warn("smtp.mta_sts", "is enforce and the certificate is self-signed: servers that follow it keep their mail back; set tls.cert_file and tls.key_file, or tls.acme_email")
	}
	for _, address := range c.Metrics.Listen {
		if _, addr := Listener(address); strings.HasPrefix(addr, ":") || strings.HasPrefix(addr, "0.0.0.0:") || strings.HasPrefix(addr, "[::]:") {
			warn("metrics.listen", "is open to whoever reaches this machine: they learn how much mail there is; name a loopback or private address")
			break
		}
	}
	if c.SenderAuth.TrustedAuthservID != "" && len(c.LMTP.Listen) == 0 {
		warn("sender_auth.trusted_authserv_id", "is of no use without lmtp.listen: it is not believed in what comes by smtp.listen")
	}
	if c.SenderAuth.Policy == PolicyEnvelope {
		for _, address := range c.SMTP.Listen {
			if !Loopback(address) {
				warn("sender_auth.policy", "is envelope and smtp.listen is open to other machines: anybody who reaches the port can write as any member, unless a filter in front checks")
				break
			}
		}
	}
	return list
}

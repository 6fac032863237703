package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay/dns"
	"github.com/stagedoor/stagedoor/relay/doctor"
)

func newDoctorCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{
		Use: "doctor", Short: "Say whether this installation is able to do its job; status 1 if not",
		Long: "Look at the configuration, the key files, the database, the daemon's doors (as their clients would, up to the\n" +
			"password and to a message that is refused), the certificates, the MTA-STS policy, the clock, the disk, the\n" +
			"queue, DNS, the way out and blocklists. One line a finding: ok, warn, FAIL, or skip where it can't be known\n" +
			"from here. It sends no message and changes nothing. Whether other machines reach the ports, only another machine can tell.",
		Args: takes(),
	})
	ips := ipFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		findings, err := s.examine(cmd.Context(), cfg, *ips)
		if err != nil {
			return err
		}
		if err := show(cmd, findings, func(w io.Writer) {
			for _, f := range findings {
				text := f.Text
				if f.Todo != "" {
					text += " -> " + f.Todo
				}
				row(w, f.State, f.Check, text)
			}
		}); err != nil {
			return err
		}
		failed := 0
		for _, f := range findings {
			if f.State == doctor.Failed {
				failed++
			}
		}
		if failed > 0 {
			return fmt.Errorf("%d of %s must be put right", failed, many(len(findings), "finding"))
		}
		return nil
	}
	return cmd
}

// examine looks at everything: what is only known here first, then what the
// doctor sees.
func (s *site) examine(ctx context.Context, cfg *config.Config, ips []string) ([]doctor.Finding, error) {
	findings := examineConfig(cfg)
	o := doctor.Options{
		Domain: cfg.Domain, Hostname: cfg.Hostname, Doors: doors(cfg), BaseURL: cfg.HTTP.BaseURL, SelfSigned: cfg.TLS.CertFile == "" && cfg.TLS.ACMEEmail == "",
		ACME:     cfg.TLS.ACMEEmail != "",
		Resolver: cfg.DNS.Resolver, Blocklists: dns.Blocklists, Smarthost: cfg.Outbound.Smarthost, Paused: cfg.Outbound.Pause, Operator: cfg.Operator,
		Dirs: []string{filepath.Dir(cfg.Storage.Path()), cfg.Storage.TempDir},
	}
	if cfg.TLS.ACMEEmail != "" {
		o.WebNames = certificateNames(cfg)[1:]
	}
	if p := stsPolicy(cfg); p != nil && webHost(cfg) != "" {
		o.STSPolicy = p.Text()
	}
	var err error
	if o.IPs, err = serverAddresses(cfg, ips); err != nil {
		return nil, err
	}
	if missing := absent(cfg.DKIM.KeyFile); missing != nil {
		findings = append(findings, doctor.Finding{Check: "dkim.key_file", State: doctor.Failed, Text: missing.Error(), Todo: "start the daemon, which makes it"})
	} else if o.Records, _, err = s.records(ips); err != nil {
		return nil, err
	}
	store, found := examineStore(ctx, cfg)
	findings = append(findings, found...)
	if store != nil {
		defer store.Close()
		o.Queue, o.Held = store.QueueState, store.HeldState
	}
	return append(findings, doctor.Run(ctx, o)...), nil
}

// examineConfig says what the configuration and its files are like.
func examineConfig(cfg *config.Config) []doctor.Finding {
	var findings []doctor.Finding
	for _, warning := range cfg.Warnings() {
		findings = append(findings, doctor.Finding{Check: "configuration", State: doctor.Warning, Text: warning})
	}
	if len(findings) == 0 {
		findings = []doctor.Finding{{Check: "configuration", State: doctor.OK, Text: "good"}}
	}
	err := cfg.CheckFiles()
	var problems config.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			findings = append(findings, doctor.Finding{Check: "files", State: doctor.Failed, Text: p.Error()})
		}
	case err != nil:
		findings = append(findings, doctor.Finding{Check: "files", State: doctor.Failed, Text: err.Error()})
	default:
		findings = append(findings, doctor.Finding{Check: "files", State: doctor.OK, Text: "keys and secrets can be read by nobody else"})
	}
	return findings
}

// examineStore opens the database, if it is there, and makes sure that the key
// file opens what is sealed in it. A nil store can't be used.
func examineStore(ctx context.Context, cfg *config.Config) (*open, []doctor.Finding) {
	const check = "database"
	failed := func(text, todo string) []doctor.Finding {
		return []doctor.Finding{{Check: check, State: doctor.Failed, Text: text, Todo: todo}}
	}
	for _, path := range []string{cfg.Storage.Path(), cfg.Storage.KeyFile} {
		if missing := absent(path); missing != nil {
			return nil, failed(missing.Error(), "start the daemon, which makes it, or restore it")
		}
	}
	if st, err := os.Stat(cfg.Storage.Path()); err == nil && st.Mode().Perm()&0o077 != 0 {
		return nil, failed(fmt.Sprintf("%s can be read by others (mode %04o)", cfg.Storage.Path(), st.Mode().Perm()), "chmod 600 "+cfg.Storage.Path())
	}
	o, err := openStore(ctx, cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, failed(err.Error(), "")
	}
	members, err := o.Members(ctx, "", 1)
	if err == nil && len(members) > 0 {
		_, err = o.Addresses(ctx, members[0].ID)
	}
	if err != nil {
		_ = o.Close()
		return nil, failed(err.Error(), "put the right key file back, or restore a backup")
	}
	return o, []doctor.Finding{{Check: check, State: doctor.OK, Text: "answers, and fits the key file"}}
}

// absent says that a file is not there; nil: it is.
func absent(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there", path)
	}
	return nil
}

// doors are the daemon's listeners.
func doors(cfg *config.Config) []doctor.Door {
	var list []doctor.Door
	for _, l := range []struct {
		key       string
		kind      doctor.Kind
		addresses []string
		tls       bool
	}{
		{"smtp.listen", doctor.SMTP, cfg.SMTP.Listen, false},
		{"lmtp.listen", doctor.LMTP, cfg.LMTP.Listen, false},
		{"submission.listen", doctor.Submission, cfg.Submission.Listen, false},
		{"submission.listen_tls", doctor.Submission, cfg.Submission.ListenTLS, true},
		{"imap.listen", doctor.IMAP, cfg.IMAP.Listen, false},
		{"imap.listen_tls", doctor.IMAP, cfg.IMAP.ListenTLS, true},
		{"http.listen", doctor.HTTP, cfg.HTTP.Listen, false},
		{"http.listen_tls", doctor.HTTP, cfg.HTTP.ListenTLS, true},
	} {
		for _, address := range l.addresses {
			network, addr := config.Listener(address)
			list = append(list, doctor.Door{Key: l.key, Kind: l.kind, Network: network, Address: addr, TLS: l.tls})
		}
	}
	return list
}

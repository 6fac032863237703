package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/imapd/wire"
	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/notify"
	"github.com/stagedoor/stagedoor/relay/outbound"
	"github.com/stagedoor/stagedoor/relay/outbound/signing"
	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Where the configuration is looked for.
const (
	localConfig  = "relay.toml"
	systemConfig = "/etc/stagedoor/relay.toml"
)

// site is the installation that a command works on, as its flags name it.
type site struct {
	configFile string
	dev        bool
	devDomain  string
}

// config reads the site's configuration.
func (s *site) config() (*config.Config, error) {
	cfg, err := s.read()
	if err != nil {
		return nil, err
	}
	for _, entry := range cfg.IMAP.Disabled { // which there are, imapd knows
		if wrong := wire.CheckDisabled(entry); wrong != "" {
			return nil, config.Problems{cfg.Problem("imap.disabled_capabilities", "%q: %s", entry, wrong)}
		}
	}
	return cfg, nil
}

// read reads it as far as package config checks it.
func (s *site) read() (*config.Config, error) {
	switch {
	case s.dev && s.configFile != "" && s.devDomain != "":
		return nil, usagef("--domain and --config exclude each other: the file names the domain")
	case s.dev:
		return config.LoadDev(s.configFile, s.devDomain)
	case s.devDomain != "":
		return nil, usagef("--domain goes with --dev: otherwise the configuration names the domain")
	}
	path, err := s.file()
	if err != nil {
		return nil, err
	}
	return config.Load(path)
}

// file finds the configuration file.
func (s *site) file() (string, error) {
	if s.configFile != "" {
		return s.configFile, nil
	}
	for _, path := range []string{localConfig, systemConfig} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s here and no %s: write one (stagedoor config example > relay.toml), name another with --config, or try things out with --dev", localConfig, systemConfig)
}

// open is a site with its store open.
type open struct {
	*config.Config
	*store.Store
	keys *seal.Keyring
	log  *slog.Logger
	look *notify.Templates // once they were read
}

// with opens the site's store for a command, and closes it after.
func (s *site) with(do func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
		o, err := openStore(cmd.Context(), cfg, log, nil)
		if err != nil {
			return err
		}
		err = do(cmd.Context(), o, cmd, args)
		if cerr := o.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close the database: %w", cerr)
		}
		return err
	}
}

// openStore opens the key file and the database; it makes both, and their
// directories, where there are none yet. observe is the daemon's: it follows
// what commands change.
func openStore(ctx context.Context, cfg *config.Config, log *slog.Logger, observe func(event string)) (*open, error) {
	database := cfg.Storage.Path()
	if err := makeStorageDir(cfg); err != nil {
		return nil, err
	}
	if _, err := os.Stat(database); err == nil {
		// A new key would make the old data unreadable and hide why.
		if _, err := os.Stat(cfg.Storage.KeyFile); errors.Is(err, fs.ErrNotExist) {
			return nil, cfg.Problem("storage.key_file", "%s is missing, but the database %s is there: real addresses in it can't be read without the key; restore the key file from your backup", cfg.Storage.KeyFile, database)
		}
	}
	keys, created, err := seal.LoadOrCreate(cfg.Storage.KeyFile)
	if err != nil {
		return nil, cfg.Problem("storage.key_file", "%s", err)
	}
	if created {
		log.Warn("made a new key; keep a copy of it elsewhere than the database: without it the database can't be read", "file", cfg.Storage.KeyFile)
	}
	st, err := store.Open(ctx, store.Options{
		DSN: cfg.Storage.DSN, Keyring: keys, All: cfg.IMAP.AllMailbox, LookAlikes: cfg.Safety.LookAlikeHandles == config.LookAlikesAllow, Quota: int64(cfg.Limits.MailboxMB) << 20, IDs: threading.NewIDSource(), Logger: log, Follow: observe != nil, Observe: observe,
	})
	if errors.Is(err, store.ErrInUse) {
		return nil, cfg.Problem("storage.dsn", "%s is being restored from a backup: try again when that is done", database)
	} else if err != nil {
		return nil, cfg.Problem("storage.dsn", "%s", err)
	}
	return &open{Config: cfg, Store: st, keys: keys, log: log}, nil
}

// makeStorageDir makes the directory of the database.
func makeStorageDir(cfg *config.Config) error {
	if err := checkOwner(cfg.Storage.Path()); err != nil {
		return cfg.Problem("storage.dsn", "%s", err)
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Storage.Path()), 0o700); err != nil {
		return cfg.Problem("storage.dsn", "make the directory: %s", err)
	}
	return nil
}

// loadKeys reads the key file of a database that is there, or that is about to
// be.
func loadKeys(cfg *config.Config) (*seal.Keyring, error) {
	keys, err := seal.Load(cfg.Storage.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cfg.Problem("storage.key_file", "%s is missing: put the key file there that belongs to the backup; without it real addresses can't be read", cfg.Storage.KeyFile)
	} else if err != nil {
		return nil, cfg.Problem("storage.key_file", "%s", err)
	}
	return keys, nil
}

// checkOwner refuses to let root make or change a file of the daemon's user:
// files that root leaves there (SQLite makes some beside the database) the
// daemon could not use any more. Where the file is not there yet, the owner of
// its directory counts, if that is private to one user.
func checkOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	st, err := os.Stat(path)
	if err != nil {
		path = filepath.Dir(path)
		if st, err = os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 {
			return nil
		}
	}
	if owner, ok := st.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
		return fmt.Errorf("%s belongs to another user (uid %d), who could not use what root leaves there: run the command as that user, such as with sudo -u stagedoor", path, owner.Uid)
	}
	return nil
}

// dkimRing reads the keys that sign, or makes them.
func dkimRing(cfg *config.Config, log *slog.Logger) (*signing.Ring, error) {
	resolver, err := outbound.Resolver(cfg.DNS.Resolver)
	if err != nil {
		return nil, cfg.Problem("dns.resolver", "%s", err)
	}
	if err := checkOwner(cfg.DKIM.KeyFile); err != nil {
		return nil, cfg.Problem("dkim.key_file", "%s", err)
	}
	ring, err := signing.Open(signing.Options{
		Domain: cfg.Domain, Selector: cfg.DKIM.Selector, KeyFile: cfg.DKIM.KeyFile, LookupTXT: resolver.LookupTXT, Logger: log,
	})
	if err != nil {
		return nil, cfg.Problem("dkim.key_file", "%s", err)
	}
	return ring, nil
}

// pipeline is the way of a message on this site.
func (o *open) pipeline() (*relay.Pipeline, error) {
	if err := os.MkdirAll(o.Storage.TempDir, 0o700); err != nil {
		return nil, o.Problem("storage.temp_dir", "make the directory: %s", err)
	}
	look, err := o.templates()
	if err != nil {
		return nil, err
	}
	warnings, err := cautions(o.Config)
	if err != nil {
		return nil, err
	}
	return relay.New(relay.Options{
		Languages:       look.Languages,
		NotifyAfter:     time.Duration(o.Notify.Grace),
		Store:           o.Store,
		Domain:          o.Domain,
		Brand:           o.Brand,
		BaseURL:         o.HTTP.BaseURL,
		Operator:        o.Operator,
		HoldFor:         time.Duration(o.SenderAuth.HoldDays) * 24 * time.Hour,
		TypedAddress:    sanitize.Typed(o.Privacy.TypedAddress),
		RemoteImages:    sanitize.RemoteImages(o.Privacy.RemoteImages),
		Unwanted:        unwanted(o.Safety),
		Caution:         warnings,
		SafetyURL:       o.SafetyURL,
		SameText:        sameText(o.Safety),
		Scanning:        scanning(o.Config.Scan),
		Groups:          o.Config.Threads.Groups,
		Pace:            threading.Pace{ThreadsPerHour: o.Limits.NewThreadsPerHour, ThreadsPerDay: o.Limits.NewThreadsPerDay, MessagesPerHour: o.Limits.MessagesPerHour},
		NewPace:         threading.Pace{ThreadsPerHour: o.Limits.NewMemberPerHour, ThreadsPerDay: o.Limits.NewMemberPerDay, MessagesPerHour: o.Limits.MessagesPerHour},
		NewFor:          time.Duration(o.Limits.NewMemberDays) * 24 * time.Hour,
		ExpireAfter:     time.Duration(o.Config.Threads.ExpireDays) * 24 * time.Hour,
		FileOutOfOffice: o.Config.Threads.OutOfOffice == config.OutOfOfficeFile,
		TempDir:         o.Storage.TempDir,
		Logger:          o.log,
	}), nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/config"
)

// stopTime is how long a graceful stop may take.
const stopTime = 10 * time.Second

func newServeCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the relay",
		Long: "Run the relay in the foreground; it logs to standard error.\n" +
			"SIGTERM and SIGINT finish what is under way and stop, within 10 seconds; a second one stops at once.\n" +
			"SIGHUP reads the certificate files again, and of the configuration what the reference marks as live.",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), s, cfg, cmd.ErrOrStderr())
		},
	}
}

// newLogger returns the logger of [log]; level changes it later.
func newLogger(cfg *config.Config, w io.Writer) (log *slog.Logger, level *slog.LevelVar) {
	level = new(slog.LevelVar)
	level.Set(logLevel(cfg))
	options := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), level
	}
	return slog.New(slog.NewTextHandler(w, options)), level
}

func logLevel(cfg *config.Config) slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // checked by package config
	return level
}

// serve runs a daemon until a signal or a failure ends it.
func serve(ctx context.Context, s *site, cfg *config.Config, stderr io.Writer) error {
	log, level := newLogger(cfg, stderr)
	if err := cfg.CheckFiles(); err != nil {
		return err
	}
	for _, warning := range cfg.Warnings() {
		log.Warn(warning)
	}
	// Signals from here on are answered, also those that come during the start.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)

	d, err := newDaemon(ctx, cfg, log)
	if err != nil {
		return err
	}
	if err := d.start(); err != nil {
		stopContext, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		_ = d.stop(stopContext)
		return err
	}
	tellSystemd(log, systemd.SdNotifyReady)
	log.Info("ready", "domain", cfg.Domain, "version", version())

	for {
		select {
		case sig := <-signals:
			if sig == syscall.SIGHUP {
				tellSystemd(log, systemd.SdNotifyReloading)
				reload(s, d, level, log)
				tellSystemd(log, systemd.SdNotifyReady)
				continue
			}
			log.Info("stopping", "signal", sig.String())
			return stopDaemon(d, log, signals)
		case err := <-d.failed:
			log.Error("a listener failed; stopping", "error", err)
			_ = stopDaemon(d, log, signals)
			return err
		}
	}
}

// stopDaemon stops gracefully, or at once on a second signal.
func stopDaemon(d *daemon, log *slog.Logger, signals <-chan os.Signal) error {
	tellSystemd(log, systemd.SdNotifyStopping)
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	go func() {
		for {
			select {
			case sig := <-signals:
				if sig != syscall.SIGHUP {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	began := time.Now()
	if err := d.stop(ctx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	log.Info("stopped", "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// reload reads the configuration again and applies what can change live. A
// configuration with errors changes nothing; certificates that can't be read leave
// the old ones in place, and keep nothing else from being applied.
func reload(s *site, d *daemon, level *slog.LevelVar, log *slog.Logger) {
	after, err := s.config()
	if err == nil {
		err = after.CheckFiles()
	}
	if err != nil {
		log.Error("reload failed; going on as before", "error", err)
		return
	}
	var applied []string
	if err := d.reload(after); err != nil {
		log.Error("the certificate files can't be used: the certificate stays as it was", "error", err)
	} else {
		applied = append(applied, "certificates")
	}
	live, restart := config.Changed(d.cfg, after)
	level.Set(logLevel(after))
	log.Info("reloaded", "applied", strings.Join(append(applied, live...), " "))
	if len(restart) > 0 {
		log.Warn("these changes need a restart", "keys", strings.Join(restart, " "))
	}
}

// tellSystemd sends a state to systemd, where it runs the daemon (sd_notify).
func tellSystemd(log *slog.Logger, state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		log.Warn("can't tell systemd", "state", state, "error", err)
	}
}

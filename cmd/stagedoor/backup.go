package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newBackupCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Copy the database to a new file, also while the daemon runs",
		Long: "Copy the database, as it stands at one moment, to a new file that only its owner may read.\n" +
			"The daemon goes on meanwhile. Until the copy is whole, checked and on disk, it is called FILE.partial.\n\n" +
			"The key file (storage.key_file) is not part of it: without the key nobody reads the real addresses in a\n" +
			"backup, and so nobody restores one. Keep a copy of the key as well, elsewhere than the backups.",
		Args: takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			if err := checkOwner(cfg.Storage.Path()); err != nil {
				return cfg.Problem("storage.dsn", "%s", err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			size, err := store.Backup(ctx, cfg.Storage.DSN, args[0])
			switch {
			case errors.Is(err, store.ErrExists):
				return fmt.Errorf("%s is there already: name a new file", args[0])
			case errors.Is(err, store.ErrInUse):
				return fmt.Errorf("another backup to %s, or a restore, is under way", args[0])
			case errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("%w: is storage.dsn right, and the folder of %s there?", err, args[0])
			case err != nil:
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Backed up %s to %s (%s).\nIt is of no use without the key file %s: keep a copy of that too, elsewhere than this one.\n",
				cfg.Storage.Path(), args[0], octets(size), cfg.Storage.KeyFile)
			return nil
		},
	}
}

func newRestoreCommand(s *site) *cobra.Command {
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the database's place; the daemon must not run",
		Long: "Put a backup in the database's place, after making sure that it is whole, of a schema that this program\n" +
			"knows, and sealed with the key file that is configured (put that in place first).\n\n" +
			"The daemon must be stopped. With --force a database that is there is replaced, and kept beside the new one.\n" +
			"Mail clients read their mailboxes anew afterwards; notifications that waited when the backup was made are\n" +
			"sent, also those that were sent since.",
		Args: takes("FILE"),
	}
	force := cmd.Flags().Bool("force", false, "replace the database that is there; it is kept under another name")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		return restore(cmd, cfg, args[0], *force)
	}
	return cmd
}

func restore(cmd *cobra.Command, cfg *config.Config, file string, force bool) error {
	database := cfg.Storage.Path()
	if err := makeStorageDir(cfg); err != nil {
		return err
	}
	keys, err := loadKeys(cfg)
	if err != nil {
		return err
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no backup %s", file)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := store.Restore(ctx, store.RestoreOptions{DSN: cfg.Storage.DSN, File: file, Keyring: keys, Replace: force})
	switch {
	case errors.Is(err, store.ErrInUse):
		return fmt.Errorf("%s is in use: stop the daemon (systemctl stop stagedoor) and other stagedoor commands first", database)
	case errors.Is(err, store.ErrExists) && !force:
		return fmt.Errorf("there is a database at %s: --force replaces it, and keeps it beside the restored one", database)
	case err != nil:
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Restored %s from %s: %s.\n", database, file, many(r.Members, "member"))
	if r.Kept != "" {
		fmt.Fprintf(out, "The database that was there is kept as %s; remove it when you no longer need it.\n", r.Kept)
	}
	if r.Queue > 0 {
		fmt.Fprintf(out, "%s waited for delivery when the backup was made. The daemon delivers when it starts, also what was\ndelivered since: stagedoor queue list shows it, queue drop ID drops one.\n", many(r.Queue, "message"))
	}
	fmt.Fprintln(out, "Start the daemon: mail clients will read their mailboxes anew.")
	return nil
}

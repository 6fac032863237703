package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/threading/export"
)

func newExportCommand(s *site) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export HANDLE --format mbox|maildir DIR", Short: "Write a member's mailboxes to files that mail programs read",
		Long: "Write all of a member's mailboxes, with flags and dates, to a directory that is new or empty.\n\n" +
			"mbox: one file for each mailbox, such as INBOX.mbox (mboxrd quoting; flags in Status and X-Status).\n" +
			"maildir: Maildir++: INBOX is DIR itself, other mailboxes are folders in it, such as .Sent.\n\n" +
			"The files hold what the member sees in a mail client. They are not sealed: give them to nobody else.\n" +
			"That you looked is noted in the audit log (stagedoor audit).",
		Args: takes("HANDLE", "DIR"),
	}
	format := cmd.Flags().String("format", "", "mbox or maildir")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := required(cmd, "format"); err != nil {
			return err
		}
		if f := export.Format(*format); f != export.Mbox && f != export.Maildir {
			return usagef("--format %q: write mbox or maildir", *format)
		}
		return s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			m, err := o.member(ctx, args[0])
			if err != nil {
				return err
			}
			if err := o.audit(ctx, "export", m.Handle); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			dir := args[1]
			w, err := export.Write(ctx, o.Store, m.ID, export.Format(*format), dir)
			if errors.Is(err, export.ErrNotEmpty) {
				return fmt.Errorf("%s is not empty: name a new directory", dir)
			} else if err != nil {
				return fmt.Errorf("what is in %s is not complete: %w", dir, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Wrote %s in %d mailboxes of %s to %s.\n", many(w.Messages, "message"), w.Mailboxes, m.Handle, dir)
			return nil
		})(cmd, args)
	}
	return cmd
}

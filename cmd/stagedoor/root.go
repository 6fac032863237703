package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// usageError is a command line that can't be meant. It ends with exitUsage.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// newRootCommand returns the tree of all commands.
func newRootCommand() *cobra.Command {
	s := &site{}
	root := group("stagedoor", "A mail relay that lets members write to each other without learning each other's address",
		newDemoCommand(),
		newServeCommand(s),
		newMemberCommand(s),
		newProductionCommand(s),
		newRoleCommand(s),
		newContactCommand(s),
		newThreadCommand(s),
		newQueueCommand(s),
		newHeldCommand(s),
		newReportCommand(s),
		newWebhookCommand(s),
		newAuditCommand(s),
		newDNSCommand(s),
		newDKIMCommand(s),
		newConfigCommand(s),
		newDoctorCommand(s),
		newBackupCommand(s),
		newRestoreCommand(s),
		newExportCommand(s),
		newVersionCommand(),
	)
	root.PersistentFlags().StringVar(&s.configFile, "config", "", "configuration file (default: relay.toml here, then "+systemConfig+")")
	root.PersistentFlags().BoolVar(&s.dev, "dev", false, "try things out: loopback ports, data in ./stagedoor-data; no file needed")
	root.PersistentFlags().StringVar(&s.devDomain, "domain", "", "with --dev: the domain of the addresses (default msg.localhost)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%s", err) })
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// group returns a command that is only the parent of others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				var names []string
				for _, c := range cmd.Commands() {
					if c.IsAvailableCommand() {
						names = append(names, c.Name())
					}
				}
				return usagef("say what to do: %s", strings.Join(names, ", "))
			}
			text := fmt.Sprintf("there is no command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += ": did you mean " + strings.Join(near, " or ") + "?"
			}
			return usagef("%s", text)
		},
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(commands...)
	return cmd
}

// takes checks that a command got exactly the arguments that are named.
func takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s is missing", names[len(args)])
		case len(args) > len(names):
			return usagef("%q is one argument too many", args[len(names)])
		}
		return nil
	}
}

// required checks that the flags are given.
func required(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if !cmd.Flags().Changed(name) {
			return usagef("--%s is missing", name)
		}
	}
	return nil
}

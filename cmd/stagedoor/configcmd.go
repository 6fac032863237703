package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay/caution"
)

func newConfigCommand(s *site) *cobra.Command {
	return group("config", "Check and explain the configuration",
		newConfigCheckCommand(s),
		printing("example", "Print a configuration with every key and its default", config.Example),
		printing("reference", "Print the documentation of all keys, in Markdown", config.Reference),
		newConfigTemplateCommand(s),
		printing("caution", "Print what first messages are looked through for, to begin a safety.caution_file with", func() []byte { return []byte(caution.File()) }),
	)
}

func printing(use, short string, text func() []byte) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(text())
			return err
		},
	}
}

func newConfigCheckCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Say what is wrong with the configuration and the files it names", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			if err := cfg.CheckFiles(); err != nil {
				return err
			}
			if _, err := loadTemplates(cfg); err != nil {
				return err
			}
			if _, err := cautions(cfg); err != nil {
				return err
			}
			for _, warning := range cfg.Warnings() {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", warning)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The configuration of %s is good.\n", cfg.Domain)
			return nil
		},
	}
}

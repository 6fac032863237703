package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/relay/notify"
)

// loadTemplates reads the templates and languages of a configuration.
func loadTemplates(cfg *config.Config) (*notify.Templates, error) {
	t, err := notify.LoadTemplates(cfg.Notify.Templates)
	if err != nil {
		return nil, cfg.Problem("notify.templates", "%s", err)
	}
	if t.Languages, err = t.Languages.WithStandard(cfg.Language); err != nil {
		return nil, cfg.Problem("language", "%s", err)
	}
	return t, nil
}

// templates are the site's. They are read once.
func (o *open) templates() (*notify.Templates, error) {
	if o.look == nil {
		t, err := loadTemplates(o.Config)
		if err != nil {
			return nil, err
		}
		o.look = t
	}
	return o.look, nil
}

func newConfigTemplateCommand(s *site) *cobra.Command {
	cmd := &cobra.Command{
		Use: "template NAME", Short: "Print a template of the mail to members, or what yours makes of a sample",
		Long: "Print a built-in template: footer.txt, footer.html, digest.txt or digest.html. With --preview, print what the\n" +
			"configured template (yours, if notify.templates has one) makes of a sample.",
		Args: takes("NAME"),
	}
	preview := cmd.Flags().Bool("preview", false, "print what the configured template makes of a sample")
	tag := cmd.Flags().String("language", language.Default, "of the preview")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := notify.BuiltInTemplate(args[0])
		if err != nil {
			return usagef("%s", err)
		}
		if *preview {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			t, err := loadTemplates(cfg)
			if err != nil {
				return err
			}
			r := notify.New(notify.Options{Domain: cfg.Domain, Brand: cfg.Brand, BrandColor: cfg.BrandColor, BaseURL: cfg.HTTP.BaseURL, SupportURL: cfg.SupportURL, Templates: t})
			out, err := r.Preview(args[0], *tag)
			if err != nil {
				return err
			}
			text = []byte(out)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s", text)
		return err
	}
	return cmd
}

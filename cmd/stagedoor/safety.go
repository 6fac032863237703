package main

import (
	"os"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay/caution"
	"github.com/stagedoor/stagedoor/relay/sanitize"
)

// cautions are what first messages are looked through for; nil: nothing.
func cautions(cfg *config.Config) (*caution.Set, error) {
	switch {
	case !cfg.Safety.Caution:
		return nil, nil
	case cfg.Safety.CautionFile == "":
		return caution.Shipped(), nil
	}
	text, err := os.ReadFile(cfg.Safety.CautionFile)
	if err != nil {
		return nil, cfg.Problem("safety.caution_file", "%s", err)
	}
	set, err := caution.Parse(string(text))
	if err != nil {
		return nil, cfg.Problem("safety.caution_file", "%s: %s", cfg.Safety.CautionFile, err)
	}
	return set, nil
}

// unwanted are the attached files that are refused.
func unwanted(c config.Safety) sanitize.Unwanted {
	u := sanitize.Unwanted{Extensions: c.RefusedExtensions}
	for _, kind := range c.RefusedContents {
		u.Contents = append(u.Contents, sanitize.FileContent(kind))
	}
	return u
}

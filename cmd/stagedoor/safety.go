package main

import (
	"os"
	"time"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/caution"
	"github.com/stagedoor/stagedoor/relay/sanitize"
	scanners "github.com/stagedoor/stagedoor/relay/scan"
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

// scanning says whom to ask about messages.
func scanning(c config.Scan) relay.Scanning {
	return relay.Scanning{
		Scanner: scanners.New(scanners.Options{Rspamd: c.Rspamd, ClamAV: c.ClamAV, Timeout: time.Duration(c.TimeoutSeconds) * time.Second}),
		Closed:  c.OnFailure == config.FailClosed, Suspect: relay.Action(c.Suspect), Spam: relay.Action(c.Spam), Virus: relay.Action(c.Virus),
	}
}

// sameText says how often one text may be sent.
func sameText(c config.Safety) relay.SameText {
	if c.SameText == config.SameTextOff {
		return relay.SameText{}
	}
	return relay.SameText{Recipients: c.SameTextRecipients, Writers: c.SameTextWriters, Hold: c.SameText == config.SameTextHold, Refuse: c.SameText == config.SameTextRefuse}
}

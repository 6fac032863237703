package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/relay/dns"
	"github.com/stagedoor/stagedoor/relay/outbound/signing"
)

func newDKIMCommand(s *site) *cobra.Command {
	return group("dkim", "List and change the keys that sign outgoing mail", newDKIMListCommand(s), newDKIMRotateCommand(s))
}

// dkimKeyJSON is a DKIM key as listings show it. The names are stable.
type dkimKeyJSON struct {
	Selector  string     `json:"selector"`
	Algorithm string     `json:"algorithm"` // rsa or ed25519
	State     string     `json:"state"`     // next, signing, retired or withdrawable
	Since     *time.Time `json:"since"`
	Todo      string     `json:"todo"`
}

func newDKIMListCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "list", Short: "List the DKIM keys and what is to be done about each", Args: takes()})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		ring, err := dkimRing(cfg, nil)
		if err != nil {
			return err
		}
		list := []dkimKeyJSON{}
		for _, p := range ring.Pairs() {
			list = append(list, dkimKeys(p, time.Now())...)
		}
		return show(cmd, list, func(w io.Writer) {
			row(w, "SELECTOR", "ALGORITHM", "STATE", "SINCE", "TO DO")
			for _, k := range list {
				since := ""
				if k.Since != nil {
					since = when(*k.Since)
				}
				row(w, k.Selector, k.Algorithm, k.State, since, k.Todo)
			}
		})
	}
	return cmd
}

// dkimKeys are a pair's keys as listings show them.
func dkimKeys(p signing.Pair, now time.Time) []dkimKeyJSON {
	state, todo := string(p.State), ""
	switch {
	case p.State == signing.Next:
		todo = "publish its record (stagedoor dns records)"
	case p.Withdrawable(now):
		state, todo = "withdrawable", "withdraw its record from DNS"
	case p.State == signing.Retired:
		todo = "leave its record in DNS until " + p.Since.Add(signing.KeepRetired).UTC().Format(time.DateOnly)
	}
	var list []dkimKeyJSON
	for _, k := range p.Keys {
		algorithm := "rsa"
		if _, ok := k.Private.Public().(ed25519.PublicKey); ok {
			algorithm = "ed25519"
		}
		list = append(list, dkimKeyJSON{Selector: k.Selector, Algorithm: algorithm, State: state, Since: orNull(p.Since), Todo: todo})
	}
	return list
}

func newDKIMRotateCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "rotate", Short: "Make the next pair of DKIM keys",
		Long: "Make the next pair of DKIM keys, with selectors of their own, and print the records to publish.\n" +
			"The daemon signs with them once it sees both in DNS: it looks every hour, when it starts, and on SIGHUP.\n" +
			"The records of the old pair must stay for 7 days after that: stagedoor dkim list says when they may go.",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			ring, err := dkimRing(cfg, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
			if err != nil {
				return err
			}
			pair, err := ring.Rotate()
			if errors.Is(err, signing.ErrWaiting) {
				return fmt.Errorf("make new DKIM keys: %w: publish their records (stagedoor dns records), the daemon does the rest", err)
			} else if err != nil {
				return fmt.Errorf("make new DKIM keys: %w", err)
			}
			return writeDKIMRecords(cmd.OutOrStdout(), cfg.Domain, pair)
		},
	}
}

// writeDKIMRecords prints a pair's records and what happens next.
func writeDKIMRecords(w io.Writer, domain string, pair signing.Pair) error {
	var records []dns.Record
	for _, k := range pair.Keys {
		value, err := dns.DKIMValue(k.Private.Public())
		if err != nil {
			return err
		}
		records = append(records, dns.Record{Name: k.Selector + "._domainkey." + domain, Type: "TXT", Value: value})
	}
	if err := dns.WriteTable(w, records); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\nPublish these beside the old ones. The daemon signs with the new keys within an hour after both are in DNS,\n"+
		"or at once when it gets a SIGHUP (systemctl reload stagedoor).")
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// memberChange is what `member set` was asked to change.
type memberChange struct {
	name, alerts, digestAt, timezone, firstContact, language string
	add, remove                                              []string
	primary                                                  string
	password                                                 bool
}

func newMemberSetCommand(s *site) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set HANDLE [flags]",
		Short: "Change a member's name, addresses, password or alerts",
		Args:  takes("HANDLE"),
	}
	var c memberChange
	f := cmd.Flags()
	f.StringVar(&c.name, "name", "", "display name, shown to other members")
	f.StringArrayVar(&c.add, "add-address", nil, "one more real address")
	f.StringArrayVar(&c.remove, "remove-address", nil, "a real address that is no longer the member's")
	f.StringVar(&c.primary, "primary", "", "the real address that is notified; one that the member has")
	f.StringVar(&c.alerts, "alerts", "", "immediate (each message as it comes), daily (one digest a day) or never")
	f.StringVar(&c.digestAt, "digest-at", "", "HH:MM, when the daily digest goes")
	f.StringVar(&c.timezone, "timezone", "", "IANA name, such as Europe/Berlin")
	f.StringVar(&c.firstContact, "first-contact", "", "which first messages the member takes: from anyone, or only about their own productions and roles (own)")
	f.StringVar(&c.language, "language", "", "that the member is written to in, such as en or de; default: the installation's")
	f.BoolVar(&c.password, "password-stdin", false, "read the new password from standard input, one line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		changed := 0
		for _, name := range []string{"name", "add-address", "remove-address", "primary", "alerts", "digest-at", "timezone", "first-contact", "language", "password-stdin"} {
			if f.Changed(name) {
				changed++
			}
		}
		if changed == 0 {
			return usagef("say what to change, such as --name or --alerts")
		}
		if err := c.check(cmd); err != nil {
			return err
		}
		return s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			return o.changeMember(ctx, args[0], c, cmd.InOrStdin(), cmd.OutOrStdout())
		})(cmd, args)
	}
	return cmd
}

// check looks at the flags that can be judged without the store.
func (c *memberChange) check(cmd *cobra.Command) error {
	for _, v := range []struct {
		flag, value string
		check       func(string) error
	}{
		{"name", c.name, func(s string) error { return nameUsage("--name", s) }},
		{"alerts", c.alerts, checkAlerts},
		{"digest-at", c.digestAt, checkDigestAt},
		{"timezone", c.timezone, checkTimezone},
		{"first-contact", c.firstContact, checkFirstContact},
	} {
		if cmd.Flags().Changed(v.flag) {
			if err := v.check(v.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// changeMember does what was asked, in an order in which an address can be
// added, made the primary one and replace another in one go.
func (o *open) changeMember(ctx context.Context, handle string, c memberChange, in io.Reader, out io.Writer) error {
	for _, address := range c.add {
		if err := o.checkReal("--add-address", address); err != nil {
			return err
		}
	}
	if err := o.checkLanguage(c.language); err != nil {
		return err
	}
	password, err := readPassword(in, c.password)
	if err != nil {
		return err
	}
	m, err := o.member(ctx, handle)
	if err != nil {
		return err
	}
	if c.apply(&m) {
		if _, err := o.ChangeMember(ctx, m.Handle, func(now *threading.Member) error { c.apply(now); return nil }); err != nil {
			return fmt.Errorf("change %s: %w", m.Handle, err)
		}
	}
	if err := o.changeAddresses(ctx, m, c); err != nil {
		return err
	}
	if c.password {
		if err := o.setPassword(ctx, m, password); err != nil {
			return fmt.Errorf("set the password of %s: %w", m.Handle, err)
		}
	}
	fmt.Fprintf(out, "Changed %s.\n", m.Handle)
	return nil
}

// apply changes the member's own fields and reports whether any was named.
func (c *memberChange) apply(m *threading.Member) (changed bool) {
	for _, v := range []struct {
		value string
		set   func(string)
	}{
		{strings.TrimSpace(c.name), func(s string) { m.Name = s }},
		{c.alerts, func(s string) { m.Alerts = threading.Alerts(s) }},
		{c.digestAt, func(s string) { m.DigestAt = s }},
		{c.timezone, func(s string) { m.Timezone = s }},
		{c.firstContact, func(s string) { m.FirstContact = threading.FirstContact(s) }},
		{c.language, func(s string) { m.Language = s }},
	} {
		if v.value != "" {
			v.set(v.value)
			changed = true
		}
	}
	if c.language == byDefault {
		m.Language = ""
	}
	return changed
}

// changeAddresses adds, then names the primary one, then removes.
func (o *open) changeAddresses(ctx context.Context, m threading.Member, c memberChange) error {
	for _, address := range c.add {
		if err := o.AddAddress(ctx, m.ID, address); err != nil {
			return fmt.Errorf("--add-address: %w", err)
		}
	}
	unknown := func(flag string, err error) error {
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%s: %s has no such address (stagedoor member show %s --reveal lists them)", flag, m.Handle, m.Handle)
		}
		return fmt.Errorf("%s: %w", flag, err)
	}
	if c.primary != "" {
		if err := o.SetPrimary(ctx, m.ID, c.primary); err != nil {
			return unknown("--primary", err)
		}
	}
	for _, address := range c.remove {
		if err := o.RemoveAddress(ctx, m.ID, address); err != nil {
			return unknown("--remove-address", err)
		}
	}
	return nil
}

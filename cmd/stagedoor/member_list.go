package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/threading"
)

// memberJSON is a member as listings show it. The names are stable.
type memberJSON struct {
	Handle      string           `json:"handle"`
	Name        string           `json:"name"`
	Contact     string           `json:"contact_address"`
	Status      string           `json:"status"`
	Alerts      string           `json:"alerts"`
	DigestAt    string           `json:"digest_at"`
	Timezone    string           `json:"timezone"`
	First       string           `json:"first_contact"`
	Language    string           `json:"language"` // empty: the installation's
	CreatedAt   *time.Time       `json:"created_at"`
	Addresses   []addressJSON    `json:"addresses"`
	Credentials []credentialJSON `json:"credentials,omitempty"`
}

type addressJSON struct {
	Address    string     `json:"address"` // masked unless --reveal
	Primary    bool       `json:"primary"`
	VerifiedAt *time.Time `json:"verified_at"`
}

type credentialJSON struct {
	Kind       string     `json:"kind"`
	Label      string     `json:"label"`
	CreatedAt  *time.Time `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

// memberPage is how many members are read at a time.
const memberPage = 500

// revealFlag adds --reveal.
func revealFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("reveal", false, "show real addresses in full; that you looked is noted (stagedoor audit)")
}

func newMemberListCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "list", Short: "List members, real addresses masked", Args: takes()})
	reveal := revealFlag(cmd)
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		list := []memberJSON{}
		for after := ""; ; {
			page, err := o.Members(ctx, after, memberPage)
			if err != nil {
				return fmt.Errorf("list the members: %w", err)
			}
			for _, m := range page {
				after = m.Handle
				if m.Status == threading.MemberRemoved {
					continue
				}
				entry, err := o.memberJSON(ctx, m, *reveal)
				if err != nil {
					return err
				}
				list = append(list, entry)
			}
			if len(page) < memberPage {
				break
			}
		}
		return show(cmd, list, func(w io.Writer) {
			row(w, "HANDLE", "NAME", "STATUS", "ALERTS", "ADDRESSES")
			for _, m := range list {
				row(w, m.Handle, m.Name, m.Status, m.Alerts, strings.Join(addressList(m), ", "))
			}
		})
	})
	return cmd
}

func newMemberShowCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "show HANDLE", Short: "Show one member, real addresses masked", Args: takes("HANDLE")})
	reveal := revealFlag(cmd)
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
		m, err := o.member(ctx, args[0])
		if err != nil {
			return err
		}
		entry, err := o.memberJSON(ctx, m, *reveal)
		if err != nil {
			return err
		}
		credentials, err := o.Credentials(ctx, m.ID)
		if err != nil {
			return fmt.Errorf("list the credentials of %s: %w", m.Handle, err)
		}
		for _, c := range credentials {
			entry.Credentials = append(entry.Credentials, credentialJSON{string(c.Kind), c.Label, orNull(c.CreatedAt), orNull(c.LastUsedAt)})
		}
		return show(cmd, entry, func(w io.Writer) {
			row(w, "Handle:", m.Handle)
			row(w, "Name:", m.Name)
			row(w, "Contact address:", entry.Contact)
			row(w, "Status:", m.Status)
			row(w, "Member since:", when(m.CreatedAt))
			for _, a := range addressList(entry) {
				row(w, "Real address:", a)
			}
			row(w, "Alerts:", m.Alerts)
			row(w, "First messages from:", map[threading.FirstContact]string{threading.FirstContactAnyone: "anyone", threading.FirstContactOwn: "anyone, about their own productions and roles"}[m.FirstContact])
			row(w, "Digest at:", m.DigestAt+" "+m.Timezone)
			row(w, "Language:", cmp.Or(m.Language, o.Config.Language+" (default)"))
			for _, c := range credentials {
				used := "never used"
				if !c.LastUsedAt.IsZero() {
					used = "last used " + when(c.LastUsedAt)
				}
				row(w, "Signs in with:", fmt.Sprintf("%s, set %s, %s", c.Label, when(c.CreatedAt), used))
			}
			if len(credentials) == 0 {
				row(w, "Signs in with:", "nothing: no password is set")
			}
		})
	})
	return cmd
}

// memberJSON reads what listings show of a member.
func (o *open) memberJSON(ctx context.Context, m threading.Member, reveal bool) (memberJSON, error) {
	if reveal {
		if err := o.audit(ctx, "reveal addresses", m.Handle); err != nil {
			return memberJSON{}, err
		}
	}
	entry := memberJSON{
		Handle: m.Handle, Name: m.Name, Contact: m.Handle + "@" + o.Domain, Status: string(m.Status), Alerts: string(m.Alerts),
		DigestAt: m.DigestAt, Timezone: m.Timezone, First: string(m.FirstContact), Language: m.Language, CreatedAt: orNull(m.CreatedAt), Addresses: []addressJSON{},
	}
	addresses, err := o.Addresses(ctx, m.ID)
	if err != nil {
		return entry, fmt.Errorf("list the addresses of %s: %w", m.Handle, err)
	}
	for _, a := range addresses {
		if !reveal {
			a.Real = threading.Mask(a.Real)
		}
		entry.Addresses = append(entry.Addresses, addressJSON{a.Real, a.Primary, orNull(a.VerifiedAt)})
	}
	return entry, nil
}

// addressList is a member's addresses as text shows them.
func addressList(m memberJSON) []string {
	var list []string
	for _, a := range m.Addresses {
		text := a.Address
		if a.Primary && len(m.Addresses) > 1 {
			text += " (primary)"
		}
		list = append(list, text)
	}
	return list
}

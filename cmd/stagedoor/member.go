package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newMemberCommand(s *site) *cobra.Command {
	return group("member", "Add, list and change members",
		newMemberAddCommand(s),
		newMemberListCommand(s),
		newMemberShowCommand(s),
		newMemberSetCommand(s),
		newMemberStatusCommand(s, "suspend", "Take a member's part in all threads and sign-in away, until resumed", threading.MemberSuspended),
		newMemberStatusCommand(s, "resume", "Undo suspend", threading.MemberActive),
		newMemberRemoveCommand(s),
		newMemberImportCommand(s),
	)
}

func newMemberAddCommand(s *site) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add HANDLE --name NAME --address REAL",
		Short: "Add a member",
		Long: "Add a member. HANDLE becomes the contact address HANDLE@DOMAIN and the login name in mail clients.\n" +
			"Without a password the member takes part by regular e-mail only.",
		Args: takes("HANDLE"),
	}
	name := cmd.Flags().String("name", "", "display name, shown to other members")
	addresses := cmd.Flags().StringArray("address", nil, "real address; may be repeated, the first is the primary one")
	withPassword := cmd.Flags().Bool("password-stdin", false, "read the password from standard input, one line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := required(cmd, "name", "address"); err != nil {
			return err
		}
		m := threading.Member{Handle: args[0], Name: strings.TrimSpace(*name)}
		if err := errors.Join(slugUsage("HANDLE", m.Handle), nameUsage("--name", m.Name)); err != nil {
			return err
		}
		return s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
			for _, address := range *addresses {
				if err := o.checkReal("--address", address); err != nil {
					return err
				}
			}
			password, err := readPassword(cmd.InOrStdin(), *withPassword)
			if err != nil {
				return err
			}
			m, err := o.AddMember(ctx, m, *addresses)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if password == "" {
				fmt.Fprintf(out, "Added %s (%s@%s), without a password: mail clients can't sign in until one is set (stagedoor member set %s --password-stdin).\n", m.Handle, m.Handle, o.Domain, m.Handle)
				return nil
			}
			if err := o.setPassword(ctx, m, password); err != nil {
				return fmt.Errorf("%s is added, but has no password: %w", m.Handle, err)
			}
			fmt.Fprintf(out, "Added %s (%s@%s).\n", m.Handle, m.Handle, o.Domain)
			return nil
		})(cmd, args)
	}
	return cmd
}

// slugUsage checks a handle or slug of the command line.
func slugUsage(what, slug string) error {
	if err := threading.CheckSlug(slug); err != nil {
		return usagef("%s %s", what, err)
	}
	return nil
}

// nameUsage checks a display name or title of the command line.
func nameUsage(what, name string) error {
	if err := threading.CheckName(name); err != nil {
		return usagef("%s %s", what, err)
	}
	return nil
}

// checkReal checks a real address: mail to one in the relay's own domain
// would go round in circles. The error does not repeat it.
func (o *open) checkReal(what, address string) error {
	if err := threading.CheckReal(address, o.Domain); err != nil {
		return usagef("%s: %s", what, err)
	}
	return nil
}

// readPassword reads one line if it is asked for.
func readPassword(r io.Reader, wanted bool) (string, error) {
	if !wanted {
		return "", nil
	}
	line, err := bufio.NewReader(io.LimitReader(r, seal.MaxPassword+3)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if err := seal.CheckPassword(password); err != nil {
		return "", err
	}
	return password, nil
}

func (o *open) setPassword(ctx context.Context, m threading.Member, password string) error {
	return o.SetCredential(ctx, threading.Credential{
		MemberID: m.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier(password),
	})
}

// member finds a member by handle, for a command's argument.
func (o *open) member(ctx context.Context, handle string) (threading.Member, error) {
	m, err := o.MemberByHandle(ctx, strings.ToLower(handle))
	if errors.Is(err, store.ErrNotFound) {
		return m, fmt.Errorf("there is no member %q (stagedoor member list shows all)", handle)
	}
	return m, err
}

func newMemberStatusCommand(s *site, use, short string, status threading.MemberStatus) *cobra.Command {
	return &cobra.Command{
		Use: use + " HANDLE", Short: short, Args: takes("HANDLE"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			m, err := o.member(ctx, args[0])
			if err != nil {
				return err
			}
			if _, err := o.ChangeMember(ctx, m.Handle, func(now *threading.Member) error { now.Status = status; return nil }); err != nil {
				return fmt.Errorf("%s %s: %w", use, m.Handle, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s.\n", m.Handle, status)
			return nil
		}),
	}
}

func newMemberRemoveCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "remove HANDLE", Short: "Erase a member: addresses, passwords, mailboxes, name. There is no way back",
		Args: takes("HANDLE"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			m, err := o.member(ctx, args[0])
			if err != nil {
				return err
			}
			if err := o.RemoveMember(ctx, m.ID); err != nil {
				return fmt.Errorf("remove %s: %w", m.Handle, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Removed %s. Others see %q in the threads they shared.\n", m.Handle, threading.FormerMember)
			return nil
		}),
	}
}

// checkDigestAt checks HH:MM.
func checkDigestAt(s string) error {
	if err := threading.CheckDigestAt(s); err != nil {
		return usagef("--digest-at %q %s", s, err)
	}
	return nil
}

// checkTimezone checks an IANA zone name.
func checkTimezone(s string) error {
	if err := threading.CheckTimezone(s); err != nil {
		return usagef("--timezone %q %s", s, err)
	}
	return nil
}

// checkLanguage checks --language.
func (o *open) checkLanguage(tag string) error {
	if tag == "" || tag == byDefault {
		return nil
	}
	if err := o.knownLanguage(tag); err != nil {
		return usagef("--language %q: write default, or %s", tag, err)
	}
	return nil
}

// knownLanguage says why members can't be written to in a language.
func (o *open) knownLanguage(tag string) error {
	look, err := o.templates()
	if err != nil {
		return err
	}
	if !look.Languages.Known(tag) {
		return fmt.Errorf("one of %s", strings.Join(look.Languages.Tags(), ", "))
	}
	return nil
}

// checkAlerts checks --alerts.
func checkAlerts(s string) error {
	if err := threading.CheckAlerts(s); err != nil {
		return usagef("--alerts %q %s", s, err)
	}
	return nil
}

// checkFirstContact checks --first-contact.
func checkFirstContact(s string) error {
	if err := threading.CheckFirstContact(s); err != nil {
		return usagef("--first-contact %q %s", s, err)
	}
	return nil
}

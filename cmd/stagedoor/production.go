package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newProductionCommand(s *site) *cobra.Command {
	return group("production", "Add, list and close productions",
		newProductionAddCommand(s),
		newProductionListCommand(s),
		newProductionCloseCommand(s, "close", "End the conversations about a production: what is written into them is refused with a reason", true),
		newProductionCloseCommand(s, "reopen", "Undo close", false),
	)
}

func newRoleCommand(s *site) *cobra.Command {
	return group("role", "Add and list the roles of productions", newRoleAddCommand(s), newRoleListCommand(s))
}

func newProductionAddCommand(s *site) *cobra.Command {
	cmd := &cobra.Command{Use: "add SLUG --title TITLE --owner HANDLE", Short: "Add a production", Args: takes("SLUG")}
	title := cmd.Flags().String("title", "", "title, shown to people: Hamlet")
	owner := cmd.Flags().String("owner", "", "handle of the member who gets mail to its role addresses")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := required(cmd, "title", "owner"); err != nil {
			return err
		}
		p := threading.Production{Slug: args[0], Title: strings.TrimSpace(*title)}
		if err := errors.Join(slugUsage("SLUG", p.Slug), nameUsage("--title", p.Title)); err != nil {
			return err
		}
		return s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
			m, err := o.member(ctx, *owner)
			if err != nil {
				return err
			}
			p.OwnerID = m.ID
			if _, err := o.AddProduction(ctx, p); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Added %s. Its roles get addresses with: stagedoor role add %s/SLUG --title TITLE\n", p.Slug, p.Slug)
			return nil
		})(cmd, args)
	}
	return cmd
}

// productionJSON is a production as listings show it. The names are stable.
type productionJSON struct {
	Slug      string     `json:"slug"`
	Title     string     `json:"title"`
	Owner     string     `json:"owner"`
	CreatedAt *time.Time `json:"created_at"`
	ClosedAt  *time.Time `json:"closed_at"` // null: it is open
}

// productionPage is how many productions are read at a time.
const productionPage = 500

func newProductionListCommand(s *site) *cobra.Command {
	return jsonFlag(&cobra.Command{
		Use: "list", Short: "List productions", Args: takes(),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
			list := []productionJSON{}
			err := o.eachProduction(ctx, func(p threading.Production) error {
				owner, err := o.Member(ctx, p.OwnerID)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("find the owner of %s: %w", p.Slug, err)
				}
				list = append(list, productionJSON{p.Slug, p.Title, owner.Handle, orNull(p.CreatedAt), orNull(p.ClosedAt)})
				return nil
			})
			if err != nil {
				return err
			}
			return show(cmd, list, func(w io.Writer) {
				row(w, "SLUG", "TITLE", "OWNER", "ADDED", "CLOSED")
				for _, p := range list {
					closed := "-"
					if p.ClosedAt != nil {
						closed = when(*p.ClosedAt)
					}
					row(w, p.Slug, p.Title, p.Owner, when(*p.CreatedAt), closed)
				}
			})
		}),
	})
}

func newProductionCloseCommand(s *site, use, short string, closed bool) *cobra.Command {
	return &cobra.Command{
		Use: use + " SLUG", Short: short, Args: takes("SLUG"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			p, err := o.production(ctx, args[0])
			if err != nil {
				return err
			}
			if err := o.CloseProduction(ctx, p.ID, closed); err != nil {
				return fmt.Errorf("%s %s: %w", use, p.Slug, err)
			}
			said := "open: its conversations take messages again"
			if closed {
				said = "closed: its conversations take no more messages, and mail clients still show them"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s.\n", p.Slug, said)
			return nil
		}),
	}
}

// eachProduction calls f for every production, by slug.
func (o *open) eachProduction(ctx context.Context, f func(threading.Production) error) error {
	for after := ""; ; {
		page, err := o.Productions(ctx, after, productionPage)
		if err != nil {
			return fmt.Errorf("list the productions: %w", err)
		}
		for _, p := range page {
			after = p.Slug
			if err := f(p); err != nil {
				return err
			}
		}
		if len(page) < productionPage {
			return nil
		}
	}
}

// production finds a production by slug, for a command's argument.
func (o *open) production(ctx context.Context, slug string) (threading.Production, error) {
	p, err := o.ProductionBySlug(ctx, slug)
	if errors.Is(err, store.ErrNotFound) {
		return p, fmt.Errorf("there is no production %q (stagedoor production list shows all)", slug)
	}
	return p, err
}

func newRoleAddCommand(s *site) *cobra.Command {
	cmd := &cobra.Command{Use: "add PRODUCTION/SLUG --title TITLE", Short: "Add a role to a production", Args: takes("PRODUCTION/SLUG")}
	title := cmd.Flags().String("title", "", "title, shown to people: Ophelia")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := required(cmd, "title"); err != nil {
			return err
		}
		production, slug, ok := strings.Cut(args[0], "/")
		if !ok {
			return usagef("%q: write the production's slug, a slash and the role's slug, such as hamlet/ophelia", args[0])
		}
		r := threading.Role{Slug: slug, Title: strings.TrimSpace(*title)}
		if err := errors.Join(slugUsage("SLUG", slug), nameUsage("--title", r.Title)); err != nil {
			return err
		}
		return s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
			p, err := o.production(ctx, production)
			if err != nil {
				return err
			}
			r.ProductionID = p.ID
			if _, err := o.AddRole(ctx, r); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Added %s/%s. Its address is %s.%s@%s.\n", p.Slug, slug, slug, p.Slug, o.Domain)
			return nil
		})(cmd, args)
	}
	return cmd
}

// roleJSON is a role as listings show it. The names are stable.
type roleJSON struct {
	Production string     `json:"production"`
	Slug       string     `json:"slug"`
	Title      string     `json:"title"`
	Address    string     `json:"address"`
	CreatedAt  *time.Time `json:"created_at"`
}

func newRoleListCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "list", Short: "List roles and their addresses", Args: takes()})
	only := cmd.Flags().String("production", "", "only the roles of the production with this slug")
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		var of threading.ID
		slugs := map[threading.ID]string{}
		if *only != "" {
			p, err := o.production(ctx, *only)
			if err != nil {
				return err
			}
			of, slugs[p.ID] = p.ID, p.Slug
		} else if err := o.eachProduction(ctx, func(p threading.Production) error {
			slugs[p.ID] = p.Slug
			return nil
		}); err != nil {
			return err
		}
		roles, err := o.Roles(ctx, of)
		if err != nil {
			return fmt.Errorf("list the roles: %w", err)
		}
		list := []roleJSON{}
		for _, r := range roles {
			production := slugs[r.ProductionID]
			list = append(list, roleJSON{production, r.Slug, r.Title, r.Slug + "." + production + "@" + o.Domain, orNull(r.CreatedAt)})
		}
		return show(cmd, list, func(w io.Writer) {
			row(w, "ROLE", "TITLE", "ADDRESS")
			for _, r := range list {
				row(w, r.Production+"/"+r.Slug, r.Title, r.Address)
			}
		})
	})
	return cmd
}

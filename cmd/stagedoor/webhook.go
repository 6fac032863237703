package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/relay/webhook"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newWebhookCommand(s *site) *cobra.Command {
	return group("webhook", "Where the platform is told of events, and what it was not told yet",
		newWebhookAddCommand(s), newWebhookListCommand(s), newWebhookRemoveCommand(s), newWebhookEventsCommand(s), newWebhookRetryCommand(s))
}

// webhookJSON is a webhook as listings show it. The names are stable.
type webhookJSON struct {
	ID        string     `json:"id"`
	URL       string     `json:"url"`
	Events    []string   `json:"events"`
	Secret    string     `json:"secret,omitempty"` // when it is made
	CreatedAt *time.Time `json:"created_at"`
}

func (o *open) webhookJSON(w threading.Webhook) webhookJSON {
	return webhookJSON{ID: o.keys.Token(seal.TokenWebhook, w.ID), URL: w.URL, Events: w.Events.Names(), CreatedAt: orNull(w.CreatedAt)}
}

func newWebhookAddCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{
		Use: "add URL", Short: "Tell the platform of events at a URL; prints the secret that signs them, once",
		Args: takes("URL"),
	})
	names := cmd.Flags().StringArray("event", threading.EventAll.Names(), "an event that it is told; may be repeated")
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
		if err := webhook.CheckURL(args[0], o.Config.Webhooks.Networks()); err != nil {
			return usagef("URL %s", err)
		}
		w := threading.Webhook{URL: args[0], Secret: webhook.NewSecret()}
		for _, name := range *names {
			e, ok := threading.ParseEvent(name)
			if !ok {
				return usagef("--event %q: write one of %s", name, strings.Join(threading.EventAll.Names(), ", "))
			}
			w.Events |= e
		}
		w, err := o.AddWebhook(ctx, w)
		if errors.Is(err, store.ErrLimit) {
			return fmt.Errorf("there are %d webhooks already: remove one first", store.MaxWebhooks)
		} else if err != nil {
			return fmt.Errorf("add the webhook: %w", err)
		}
		x := o.webhookJSON(w)
		x.Secret = webhook.ShowSecret(w.Secret)
		return show(cmd, x, func(out io.Writer) {
			fmt.Fprintf(out, "Added webhook %s. Its secret, which is not shown again: %s\n", x.ID, x.Secret)
		})
	})
	return cmd
}

func newWebhookListCommand(s *site) *cobra.Command {
	return jsonFlag(&cobra.Command{
		Use: "list", Short: "List webhooks", Args: takes(),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
			hooks, err := o.Store.Webhooks(ctx)
			if err != nil {
				return err
			}
			list := []webhookJSON{}
			for _, w := range hooks {
				list = append(list, o.webhookJSON(w))
			}
			return show(cmd, list, func(out io.Writer) {
				row(out, "ID", "ADDED", "EVENTS", "URL")
				for _, w := range list {
					row(out, w.ID, when(*w.CreatedAt), strings.Join(w.Events, ", "), w.URL)
				}
			})
		}),
	})
}

// webhook finds a webhook by its ID.
func (o *open) webhook(ctx context.Context, name string) (threading.Webhook, error) {
	unknown := fmt.Errorf("there is no webhook %q (stagedoor webhook list shows the IDs)", name)
	id, ok := o.keys.ParseToken(seal.TokenWebhook, name)
	if !ok {
		return threading.Webhook{}, unknown
	}
	w, err := o.Webhook(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return w, unknown
	}
	return w, err
}

func newWebhookRemoveCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Remove a webhook, with what it was still to be told", Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			w, err := o.webhook(ctx, args[0])
			if err != nil {
				return err
			}
			if err := o.RemoveWebhook(ctx, w.ID); err != nil {
				return fmt.Errorf("remove the webhook: %w", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Removed.")
			return nil
		}),
	}
}

// eventJSON is an event as listings show it. The names are stable.
type eventJSON struct {
	ID        string     `json:"id"`
	Type      string     `json:"type"`
	CreatedAt *time.Time `json:"created_at"`
	Attempts  int        `json:"attempts"`
	DueAt     *time.Time `json:"due_at"`  // null: it waits for an earlier one, or is dead
	DeadAt    *time.Time `json:"dead_at"` // when it was given up
	LastError string     `json:"last_error"`
}

func newWebhookEventsCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "events ID", Short: "List what a webhook was not told yet, the oldest first", Args: takes("ID")})
	n := limitFlag(cmd)
	dead := cmd.Flags().Bool("dead", false, "those that were given up within the last month")
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
		w, err := o.webhook(ctx, args[0])
		if err != nil {
			return err
		}
		events, err := o.WebhookEvents(ctx, w.ID, *dead, 0, int(*n))
		if err != nil {
			return err
		}
		list := []eventJSON{}
		for _, e := range events {
			list = append(list, eventJSON{o.keys.Token(seal.TokenEvent, e.ID), strings.Join(e.Kind.Names(), ", "), orNull(e.CreatedAt), e.Attempts, orNull(e.DueAt), orNull(e.DeadAt), e.LastError})
		}
		return show(cmd, list, func(out io.Writer) {
			row(out, "ID", "HAPPENED", "EVENT", "TRIES", "NEXT", "WHY NOT YET")
			for _, e := range list {
				next := ""
				if e.DueAt != nil {
					next = when(*e.DueAt)
				}
				row(out, e.ID, when(*e.CreatedAt), e.Type, e.Attempts, next, e.LastError)
			}
		})
	})
	return cmd
}

func newWebhookRetryCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "retry ID", Short: "Send what was given up of a webhook's events once more", Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			w, err := o.webhook(ctx, args[0])
			if err != nil {
				return err
			}
			n, err := o.ReviveWebhookEvents(ctx, w.ID, 0)
			if err != nil {
				return fmt.Errorf("send the events again: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s due now.\n", many(n, "event"))
			return nil
		}),
	}
}

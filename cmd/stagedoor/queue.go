package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newQueueCommand(s *site) *cobra.Command {
	return group("queue", "List, retry and drop mail that waits for delivery", newQueueListCommand(s), newQueueRetryCommand(s), newQueueDropCommand(s))
}

// deliveryJSON is a queue row as listings show it. The names are stable.
type deliveryJSON struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Member    string     `json:"member"` // handle
	Thread    string     `json:"thread"`
	Attempts  int        `json:"attempts"`
	CreatedAt *time.Time `json:"created_at"`
	DueAt     *time.Time `json:"due_at"`
	UnderWay  bool       `json:"under_way"`
	LastError string     `json:"last_error"`
	// State is "under way", "paused" (by outbound.pause), "due" (it waits for a
	// worker) or "waiting" (until DueAt, because of LastError).
	State string `json:"state"`
}

// state says why a row is still in the queue.
func state(d store.Delivery, paused bool, now time.Time) string {
	switch {
	case d.LeasedTill.After(now):
		return "under way"
	case paused:
		return "paused"
	case d.DueAt.After(now):
		return "waiting"
	}
	return "due"
}

func newQueueListCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "list", Short: "List what waits for delivery, oldest first", Args: takes()})
	n := limitFlag(cmd)
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		rows, err := o.Queue(ctx, int(*n))
		if err != nil {
			return fmt.Errorf("list the queue: %w", err)
		}
		now, paused := time.Now(), o.Outbound.Pause
		handles := handles{o: o}
		list := []deliveryJSON{}
		for _, d := range rows {
			handle, err := handles.of(ctx, d.MemberID)
			if err != nil {
				return err
			}
			entry := deliveryJSON{
				ID: o.keys.Token(seal.TokenBounce, d.ID), Kind: string(d.Kind), Member: handle, Attempts: d.Attempts,
				CreatedAt: orNull(d.CreatedAt), DueAt: orNull(d.DueAt), UnderWay: d.LeasedTill.After(now), LastError: d.LastError,
				State: state(d, paused, now),
			}
			if d.ThreadID != 0 {
				entry.Thread = o.keys.Token(seal.TokenThread, d.ThreadID)
			}
			list = append(list, entry)
		}
		return show(cmd, list, func(w io.Writer) {
			if paused && len(list) > 0 {
				fmt.Fprintln(w, "Nothing is sent: outbound.pause is set.")
			}
			row(w, "ID", "KIND", "MEMBER", "QUEUED", "TRIES", "NEXT TRY", "WHY IT WAITS")
			for i, d := range list {
				next := d.State
				if next == "waiting" {
					next = when(rows[i].DueAt)
				}
				why := d.LastError
				if why == "" && d.State == "due" {
					why = "nobody has taken it yet"
				}
				row(w, d.ID, d.Kind, d.Member, when(rows[i].CreatedAt), d.Attempts, next, why)
			}
		})
	})
	return cmd
}

// handles finds handles by member, each once.
type handles struct {
	o     *open
	known map[threading.ID]string
}

func (h *handles) of(ctx context.Context, id threading.ID) (string, error) {
	if id == 0 {
		return "", nil
	}
	if handle, ok := h.known[id]; ok {
		return handle, nil
	}
	m, err := h.o.Member(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("find a member: %w", err)
	}
	if h.known == nil {
		h.known = map[threading.ID]string{}
	}
	h.known[id] = m.Handle
	return m.Handle, nil
}

// delivery returns the queue row that an ID names.
func (o *open) delivery(name string) (threading.ID, error) {
	if id, ok := o.keys.ParseToken(seal.TokenBounce, name); ok {
		return id, nil
	}
	return 0, notQueued(name)
}

func notQueued(name string) error {
	return fmt.Errorf("nothing with the ID %q is in the queue (stagedoor queue list shows the IDs): it may be delivered by now, or be under way", name)
}

func newQueueRetryCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "retry ID|all", Short: "Try a delivery, or all, at once", Args: takes("ID|all"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			var id threading.ID
			if args[0] != "all" {
				var err error
				if id, err = o.delivery(args[0]); err != nil {
					return err
				}
			}
			n, err := o.RetryNow(ctx, id)
			switch {
			case errors.Is(err, store.ErrNotFound) && id != 0:
				return notQueued(args[0])
			case err != nil && !errors.Is(err, store.ErrNotFound):
				return fmt.Errorf("retry: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Made due: %d.\n", n)
			return nil
		}),
	}
}

func newQueueDropCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "drop ID", Short: "Give a delivery up; the message stays in the mailbox", Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			id, err := o.delivery(args[0])
			if err != nil {
				return err
			}
			if err := o.Drop(ctx, id); errors.Is(err, store.ErrNotFound) {
				return notQueued(args[0])
			} else if err != nil {
				return fmt.Errorf("drop: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Dropped %s.\n", args[0])
			return nil
		}),
	}
}

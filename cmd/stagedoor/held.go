package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func newHeldCommand(s *site) *cobra.Command {
	return group("held", "List messages whose writer is not proven yet", newHeldListCommand(s))
}

// heldJSON is a held message as listings show it. The names are stable.
type heldJSON struct {
	HeldAt    *time.Time `json:"held_at"`
	Member    string     `json:"member"`    // handle of who may have written it
	Recipient string     `json:"recipient"` // local part
	Reason    string     `json:"reason"`
	ExpiresAt *time.Time `json:"expires_at"` // null: never
}

func newHeldListCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "list", Short: "List held messages", Args: takes()})
	n := limitFlag(cmd)
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		held, err := o.HeldMessages(ctx, int(*n))
		if err != nil {
			return fmt.Errorf("list the held messages: %w", err)
		}
		handles := handles{o: o}
		list := []heldJSON{}
		for _, h := range held {
			handle, err := handles.of(ctx, h.MemberID)
			if err != nil {
				return err
			}
			list = append(list, heldJSON{orNull(h.HeldAt), handle, h.Recipient, h.Reason, orNull(h.ExpiresAt)})
		}
		return show(cmd, list, func(w io.Writer) {
			row(w, "HELD", "UNTIL", "MEMBER", "TO", "REASON")
			for i, h := range list {
				row(w, when(held[i].HeldAt), when(held[i].ExpiresAt), h.Member, h.Recipient, h.Reason)
			}
		})
	})
	return cmd
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newHeldCommand(s *site) *cobra.Command {
	cmd := group("held", "List held messages; show, release or drop those that wait for you", newHeldListCommand(s), newHeldShowCommand(s),
		newHeldEndCommand(s, "release", "Give a message to its readers, as if it had just come", "Released.", (*relay.Pipeline).ReleaseLetter),
		newHeldEndCommand(s, "drop", "Throw a message away; its writer, who is not told, keeps it in Sent", "Dropped.", (*relay.Pipeline).DropLetter))
	cmd.Long = "A message waits for the operator where scan.* or safety.same_text say hold: it has an ID, and its writer was told that it is sent.\n" +
		"One without an ID waits until its member says who wrote it."
	return cmd
}

// heldJSON is a held message as listings show it. The names are stable.
type heldJSON struct {
	ID        string     `json:"id"`        // empty: it waits for its member's word
	WaitsFor  string     `json:"waits_for"` // operator or member
	HeldAt    *time.Time `json:"held_at"`
	Member    string     `json:"member"`    // handle of who wrote it, or may have
	Recipient string     `json:"recipient"` // local part, or the handles of its readers
	Reason    string     `json:"reason"`
	ExpiresAt *time.Time `json:"expires_at"` // null: never
}

func newHeldListCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "list", Short: "List held messages, those that wait for you first", Args: takes()})
	n := limitFlag(cmd)
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		letters, err := o.HeldLetters(ctx, int(*n))
		if err != nil {
			return err
		}
		handles, list := handles{o: o}, []heldJSON{}
		for _, l := range letters {
			x, err := o.heldJSON(ctx, l, &handles)
			if err != nil {
				return err
			}
			list = append(list, x)
		}
		held, err := o.HeldMessages(ctx, int(*n))
		if err != nil {
			return fmt.Errorf("list the held messages: %w", err)
		}
		for _, h := range held {
			handle, err := handles.of(ctx, h.MemberID)
			if err != nil {
				return err
			}
			list = append(list, heldJSON{"", "member", orNull(h.HeldAt), handle, h.Recipient, h.Reason, orNull(h.ExpiresAt)})
		}
		return show(cmd, list, func(w io.Writer) {
			row(w, "ID", "HELD", "UNTIL", "WAITS FOR", "MEMBER", "TO", "REASON")
			for _, h := range list {
				until := "-"
				if h.ExpiresAt != nil {
					until = when(*h.ExpiresAt)
				}
				row(w, orDash(h.ID), when(*h.HeldAt), until, h.WaitsFor, orDash(h.Member), h.Recipient, h.Reason)
			}
		})
	})
	return cmd
}

// heldJSON is what listings show of a message that waits for the operator.
func (o *open) heldJSON(ctx context.Context, l store.HeldLetter, h *handles) (heldJSON, error) {
	x := heldJSON{ID: o.keys.Token(seal.TokenMessage, l.MessageID), WaitsFor: "operator", HeldAt: orNull(l.HeldAt), Reason: l.Reason}
	var err error
	if x.Member, err = h.of(ctx, l.WriterID); err != nil {
		return x, err
	}
	var readers []string
	for _, c := range l.Copies {
		handle, err := h.of(ctx, c.MemberID)
		if err != nil {
			return x, err
		}
		readers = append(readers, handle)
	}
	x.Recipient = strings.Join(readers, ", ")
	return x, nil
}

func newHeldShowCommand(s *site) *cobra.Command {
	return jsonFlag(&cobra.Command{
		Use: "show ID", Short: "Show a message that waits for you, as its reader would see it",
		Long: "Show a message that waits for you, as its reader would see it.\nThat you looked is noted in the audit log (stagedoor audit).",
		Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			p, id, err := o.heldLetter(ctx, "held show", args[0])
			if err != nil {
				return err
			}
			l, err := p.HeldLetter(ctx, id)
			if err != nil {
				return heldError(args[0], err)
			}
			h := handles{o: o}
			x, err := o.heldJSON(ctx, l.HeldLetter, &h)
			if err != nil {
				return err
			}
			m := l.Message
			return show(cmd, struct {
				heldJSON
				Thread  string `json:"thread"`
				From    string `json:"from"`
				Subject string `json:"subject"`
				Text    string `json:"text"`
			}{x, o.keys.Token(seal.TokenThread, l.ThreadID), m.From, m.Subject, m.Text}, func(w io.Writer) {
				row(w, "ID:", x.ID)
				row(w, "Held:", when(*x.HeldAt)+": "+x.Reason)
				row(w, "Written by:", orDash(x.Member))
				row(w, "To:", x.Recipient)
				row(w, "Thread:", o.keys.Token(seal.TokenThread, l.ThreadID))
				fmt.Fprintf(w, "\n--- from %s: %s\n%s\n", m.From, m.Subject, strings.TrimRight(m.Text, "\n"))
			})
		}),
	})
}

// newHeldEndCommand is a command that ends the waiting.
func newHeldEndCommand(s *site, name, short, said string, end func(*relay.Pipeline, context.Context, threading.ID) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " ID", Short: short, Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			p, id, err := o.heldLetter(ctx, "held "+name, args[0])
			if err != nil {
				return err
			}
			if err := end(p, ctx, id); err != nil {
				return heldError(args[0], err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), said)
			return nil
		}),
	}
}

// heldLetter finds a message that waits for the operator, and notes in the audit
// log what is about to be done with it.
func (o *open) heldLetter(ctx context.Context, action, name string) (*relay.Pipeline, threading.ID, error) {
	id, ok := o.keys.ParseToken(seal.TokenMessage, name)
	if !ok {
		return nil, 0, heldError(name, store.ErrNotFound)
	}
	if _, err := o.HeldLetter(ctx, id); err != nil {
		return nil, 0, heldError(name, err)
	}
	if err := o.audit(ctx, action, name); err != nil {
		return nil, 0, err
	}
	p, err := o.pipeline()
	return p, id, err
}

func heldError(name string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no message with the ID %q waits for you (stagedoor held list shows the IDs)", name)
	}
	return fmt.Errorf("the held message: %w", err)
}

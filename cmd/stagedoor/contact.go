package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// contactJSON is what contact prints with --json. The names are stable.
type contactJSON struct {
	Thread  string `json:"thread"`
	Message string `json:"message"` // Message-ID without angle brackets
}

// contactTime bounds how long one contact may take.
const contactTime = time.Minute

func newContactCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{
		Use:   "contact --from HANDLE --to HANDLE --subject SUBJECT < body.txt",
		Short: "Start a thread, with the text on standard input",
		Args:  takes(),
	})
	f := cmd.Flags()
	from := f.String("from", "", "handle of the member who writes")
	to := f.String("to", "", "handle of the member who is written to")
	subject := f.String("subject", "", "subject")
	production := f.String("production", "", "slug of the production that the thread is about")
	role := f.String("role", "", "slug of the role in that production")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := required(cmd, "from", "to", "subject"); err != nil {
			return err
		}
		if *role != "" && *production == "" {
			return usagef("--role needs --production: a role belongs to one")
		}
		return s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
			text, err := readText(cmd.InOrStdin())
			if err != nil {
				return err
			}
			form := relay.ContactForm{Subject: *subject, Production: *production, Role: *role, Text: text}
			if form.Writer, err = o.member(ctx, *from); err != nil {
				return err
			}
			if form.To, err = o.member(ctx, *to); err != nil {
				return err
			}
			return o.contact(ctx, cmd, form)
		})(cmd, args)
	}
	return cmd
}

// readText reads the body, a little more than may be sent at most, so that
// the pipeline sees what is too long and says so.
func readText(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, relay.MaxContactText+1))
	if err != nil {
		return "", fmt.Errorf("read the text from standard input: %w", err)
	}
	return string(b), nil
}

// contact files the form and prints the thread's ID.
func (o *open) contact(ctx context.Context, cmd *cobra.Command, form relay.ContactForm) error {
	p, err := o.pipeline()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, contactTime)
	defer cancel()
	filed, err := p.Contact(ctx, form)
	var refusal *relay.Refusal
	switch {
	case errors.As(err, &refusal):
		return errors.New(refusal.Text)
	case err != nil:
		return fmt.Errorf("start the thread: %w", err)
	}
	started := contactJSON{o.keys.Token(seal.TokenThread, filed.ThreadID), o.keys.Token(seal.TokenMessage, filed.MessageID) + "@" + o.Domain}
	return show(cmd, started, func(w io.Writer) {
		fmt.Fprintf(w, "Started thread %s.\n", started.Thread)
	})
}

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
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newThreadCommand(s *site) *cobra.Command {
	return group("thread", "List, show and close threads", newThreadListCommand(s), newThreadShowCommand(s), newThreadCloseCommand(s))
}

// threadJSON is a thread as listings show it. The names are stable.
type threadJSON struct {
	ID           string        `json:"id"`
	Subject      string        `json:"subject"`
	Status       string        `json:"status"`
	About        string        `json:"about"`
	Production   string        `json:"production"` // slug
	Role         string        `json:"role"`       // slug
	Participants []string      `json:"participants"`
	CreatedAt    *time.Time    `json:"created_at"`
	LastAt       *time.Time    `json:"last_at"`
	Aliases      []aliasJSON   `json:"aliases,omitempty"`
	Messages     []messageJSON `json:"messages,omitempty"`
}

// aliasJSON is a reply alias: Viewer writes to Address to reach Other.
type aliasJSON struct {
	Viewer  string `json:"viewer"`
	Other   string `json:"other"`
	Address string `json:"address"`
}

type messageJSON struct {
	ID      string     `json:"id"` // Message-ID without angle brackets
	Writer  string     `json:"writer"`
	FiledAt *time.Time `json:"filed_at"`
}

func newThreadListCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "list", Short: "List threads, the most recent message first", Args: takes()})
	n := limitFlag(cmd)
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		views, err := o.Store.Threads(ctx, threading.Thread{}, int(*n))
		if err != nil {
			return fmt.Errorf("list the threads: %w", err)
		}
		list := []threadJSON{}
		for _, v := range views {
			list = append(list, o.threadJSON(v))
		}
		return show(cmd, list, func(w io.Writer) {
			row(w, "ID", "LAST MESSAGE", "STATUS", "WHO", "ABOUT", "SUBJECT")
			for i, t := range list {
				row(w, t.ID, when(views[i].Thread.LastAt), t.Status, strings.Join(t.Participants, ", "), t.About, t.Subject)
			}
		})
	})
	return cmd
}

func newThreadShowCommand(s *site) *cobra.Command {
	return jsonFlag(&cobra.Command{
		Use: "show ID", Short: "Show a thread",
		Long: "Show who takes part in a thread, their aliases and when messages were filed; not what they say.\n" +
			"ID is a thread's, a reply alias of it, or the Message-ID of one of its messages.",
		Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			v, err := o.thread(ctx, args[0])
			if err != nil {
				return err
			}
			t := o.threadJSON(v)
			for _, a := range v.Aliases {
				t.Aliases = append(t.Aliases, aliasJSON{o.handleIn(v, a.ViewerID), o.handleIn(v, a.OtherID), threading.AliasPrefix + o.keys.Token(seal.TokenAlias, a.ID) + "@" + o.Domain})
			}
			for _, m := range v.Chain {
				t.Messages = append(t.Messages, messageJSON{o.keys.Token(seal.TokenMessage, m.MessageID) + "@" + o.Domain, o.handleIn(v, m.WriterID), orNull(m.MessageID.Time())})
			}
			return show(cmd, t, func(w io.Writer) { printThread(w, v, t) })
		}),
	})
}

// printThread prints a thread as text.
func printThread(w io.Writer, v threading.ThreadView, t threadJSON) {
	row(w, "ID:", t.ID)
	row(w, "Subject:", t.Subject)
	row(w, "About:", t.About)
	row(w, "Status:", t.Status)
	row(w, "Started:", when(v.Thread.CreatedAt))
	row(w, "Last message:", when(v.Thread.LastAt))
	for _, m := range v.Participants {
		row(w, "Participant:", m.DisplayName()+" ("+orDash(m.Handle)+")")
	}
	for _, a := range t.Aliases {
		row(w, "Alias:", fmt.Sprintf("%s reaches %s by %s", orDash(a.Viewer), orDash(a.Other), a.Address))
	}
	for _, m := range t.Messages {
		row(w, "Message:", fmt.Sprintf("%s by %s <%s>", when(*m.FiledAt), orDash(m.Writer), m.ID))
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func newThreadCloseCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "close ID", Short: "Close a thread: replies are refused with a sentence that says so", Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			v, err := o.thread(ctx, args[0])
			if err != nil {
				return err
			}
			if err := o.CloseThread(ctx, v.Thread.ID); err != nil {
				return fmt.Errorf("close the thread: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Closed %s.\n", o.keys.Token(seal.TokenThread, v.Thread.ID))
			return nil
		}),
	}
}

// threadJSON is what listings show of a thread.
func (o *open) threadJSON(v threading.ThreadView) threadJSON {
	t := threadJSON{
		ID: o.keys.Token(seal.TokenThread, v.Thread.ID), Subject: v.Thread.Subject, Status: string(v.Thread.Status), About: v.About(),
		Production: v.Production.Slug, Role: v.Role.Slug, Participants: []string{},
		CreatedAt: orNull(v.Thread.CreatedAt), LastAt: orNull(v.Thread.LastAt),
	}
	for _, m := range v.Participants {
		t.Participants = append(t.Participants, orDash(m.Handle))
	}
	return t
}

// handleIn is a participant's handle; empty for a former member.
func (o *open) handleIn(v threading.ThreadView, id threading.ID) string {
	m, _ := v.Participant(id)
	return m.Handle
}

// thread finds a thread by its ID, one of its aliases or a Message-ID.
func (o *open) thread(ctx context.Context, name string) (threading.ThreadView, error) {
	unknown := fmt.Errorf("there is no thread %q (stagedoor thread list shows the IDs)", name)
	token, _, _ := strings.Cut(strings.Trim(name, "<>"), "@")
	id, ok := o.keys.ParseToken(seal.TokenThread, token)
	if aliasID, isAlias := o.keys.ParseToken(seal.TokenAlias, strings.TrimPrefix(strings.ToLower(token), threading.AliasPrefix)); isAlias {
		a, err := o.Alias(ctx, aliasID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return threading.ThreadView{}, err
		}
		id, ok = a.ThreadID, err == nil
	}
	if messageID, isMessage := o.keys.ParseToken(seal.TokenMessage, token); isMessage {
		threadID, err := o.ThreadOf(ctx, messageID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return threading.ThreadView{}, err
		}
		id, ok = threadID, err == nil
	}
	if !ok {
		return threading.ThreadView{}, unknown
	}
	v, err := o.Thread(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return v, unknown
	}
	return v, err
}

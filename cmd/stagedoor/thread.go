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
	return group("thread", "List, show and close threads; how members are told of them", newThreadListCommand(s), newThreadShowCommand(s), newThreadCloseCommand(s), newThreadAlertsCommand(s))
}

// threadJSON is a thread as listings show it. The names are stable.
type threadJSON struct {
	ID           string      `json:"id"`
	Subject      string      `json:"subject"`
	Status       string      `json:"status"`
	About        string      `json:"about"`
	Production   string      `json:"production"` // slug
	Role         string      `json:"role"`       // slug
	Participants []string    `json:"participants"`
	CreatedAt    *time.Time  `json:"created_at"`
	LastAt       *time.Time  `json:"last_at"`
	Aliases      []aliasJSON `json:"aliases,omitempty"`
	// Alerts are the settings that participants, by handle, have for this thread.
	Alerts   map[string]string `json:"alerts,omitempty"`
	Messages []messageJSON     `json:"messages,omitempty"`
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
	cmd := jsonFlag(&cobra.Command{
		Use: "list", Short: "List threads, the most recent message first",
		Long: "List threads, the most recent message first.\nTheir subjects are members' own words: that you looked is noted in the audit log (stagedoor audit).", Args: takes(),
	})
	n := limitFlag(cmd)
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		if err := o.audit(ctx, "thread list", fmt.Sprintf("the newest %d", *n)); err != nil {
			return err
		}
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
			"ID is a thread's, a reply alias of it, or the Message-ID of one of its messages.\n" +
			"That you looked is noted in the audit log (stagedoor audit).",
		Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			v, err := o.thread(ctx, args[0])
			if err != nil {
				return err
			}
			t := o.threadJSON(v)
			if err := o.audit(ctx, "thread show", t.ID); err != nil {
				return err
			}
			for _, a := range v.Aliases {
				t.Aliases = append(t.Aliases, aliasJSON{o.handleIn(v, a.ViewerID), o.handleIn(v, a.OtherID), threading.AliasPrefix + o.keys.Token(seal.TokenAlias, a.ID) + "@" + o.Domain})
			}
			for _, m := range v.Chain {
				t.Messages = append(t.Messages, messageJSON{o.keys.Token(seal.TokenMessage, m.MessageID) + "@" + o.Domain, o.handleIn(v, m.WriterID), orNull(m.MessageID.Time())})
			}
			if t.Alerts, err = o.threadAlerts(ctx, v); err != nil {
				return err
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
		told := ""
		if a := t.Alerts[m.Handle]; a != "" {
			told = ", told of it: " + a
		}
		row(w, "Participant:", m.DisplayName()+" ("+orDash(m.Handle)+")"+told)
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

// byDefault is what commands call a setting that is not the member's own.
const byDefault = "default"

func newThreadAlertsCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "alerts ID HANDLE immediate|daily|never|default", Short: "Set how a participant is told of one thread; default: as of all",
		Args: takes("ID", "HANDLE", "SETTING"),
		RunE: func(cmd *cobra.Command, args []string) error {
			alerts := threading.AlertsUsual
			if args[2] != byDefault {
				if alerts = threading.Alerts(args[2]); !alerts.Known() {
					return usagef("%q: write immediate, daily, never or default", args[2])
				}
			}
			return s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
				v, err := o.thread(ctx, args[0])
				if err != nil {
					return err
				}
				m, err := o.member(ctx, args[1])
				if err != nil {
					return err
				}
				err = o.SetThreadAlerts(ctx, m.ID, v.Thread.ID, alerts)
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("%s takes no part in this thread (stagedoor thread show %s says who does)", m.Handle, args[0])
				} else if err != nil {
					return fmt.Errorf("set the alerts: %w", err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Changed how %s is told of %s.\n", m.Handle, o.keys.Token(seal.TokenThread, v.Thread.ID))
				return nil
			})(cmd, args)
		},
	}
}

// threadAlerts are the settings that participants have for a thread.
func (o *open) threadAlerts(ctx context.Context, v threading.ThreadView) (map[string]string, error) {
	var own map[string]string
	for _, m := range v.Participants {
		alerts, err := o.ThreadAlerts(ctx, m.ID, v.Thread.ID)
		if err != nil {
			return nil, err
		}
		if alerts != threading.AlertsUsual && m.Handle != "" {
			if own == nil {
				own = map[string]string{}
			}
			own[m.Handle] = string(alerts)
		}
	}
	return own, nil
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

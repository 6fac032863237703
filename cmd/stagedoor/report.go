package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newReportCommand(s *site) *cobra.Command {
	return group("report", "List, show and resolve what members reported", newReportListCommand(s), newReportShowCommand(s), newReportResolveCommand(s))
}

// reportJSON is a report as listings show it. The names are stable.
type reportJSON struct {
	ID         string            `json:"id"`
	Reporter   string            `json:"reporter"` // handles
	Other      string            `json:"other"`
	Thread     string            `json:"thread"`
	Via        string            `json:"via"`
	Reason     string            `json:"reason"`
	Status     string            `json:"status"`
	Resolution string            `json:"resolution"`
	CreatedAt  *time.Time        `json:"created_at"`
	ResolvedAt *time.Time        `json:"resolved_at"`
	Messages   []evidenceMessage `json:"messages,omitempty"`
}

// evidenceMessage is a message of a reported thread.
type evidenceMessage struct {
	Reported bool       `json:"reported"`
	From     string     `json:"from"`
	Subject  string     `json:"subject"`
	FiledAt  *time.Time `json:"filed_at"`
	Text     string     `json:"text"`
}

func (o *open) reportJSON(ctx context.Context, r threading.Report, h *handles) (reportJSON, error) {
	x := reportJSON{
		ID: o.keys.Token(seal.TokenItem, r.ID), Thread: o.keys.Token(seal.TokenThread, r.ThreadID), Via: string(r.Via), Reason: r.Reason,
		Status: string(r.Status), Resolution: r.Resolution, CreatedAt: orNull(r.CreatedAt), ResolvedAt: orNull(r.ResolvedAt),
	}
	var err error
	if x.Reporter, err = h.of(ctx, r.By()); err == nil {
		x.Other, err = h.of(ctx, r.OtherID)
	}
	return x, err
}

func newReportListCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "list", Short: "List open reports, the newest first", Args: takes()})
	n := limitFlag(cmd)
	all := cmd.Flags().Bool("all", false, "also those that are resolved or were withdrawn")
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		status := threading.ReportOpen
		if *all {
			status = ""
		}
		reports, err := o.Reports(ctx, status, int(*n))
		if err != nil {
			return err
		}
		h, list := handles{o: o}, []reportJSON{}
		for _, r := range reports {
			x, err := o.reportJSON(ctx, r, &h)
			if err != nil {
				return err
			}
			list = append(list, x)
		}
		return show(cmd, list, func(w io.Writer) {
			row(w, "ID", "REPORTED", "STATUS", "BY", "WROTE IT", "HOW", "REASON")
			for _, x := range list {
				row(w, x.ID, when(*x.CreatedAt), x.Status, orDash(x.Reporter), orDash(x.Other), x.Via, firstLine(x.Reason))
			}
		})
	})
	return cmd
}

// firstLine is the first line of a text, cut to what fits into a listing.
func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(s); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}

func newReportShowCommand(s *site) *cobra.Command {
	return jsonFlag(&cobra.Command{
		Use: "show ID", Short: "Show a report with the conversation as its reporter has it",
		Long: "Show a report with the conversation as its reporter has it.\nThat you looked is noted in the audit log (stagedoor audit).",
		Args: takes("ID"),
		RunE: s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			r, err := o.report(ctx, args[0])
			if err != nil {
				return err
			}
			if err := o.audit(ctx, "report show", args[0]); err != nil {
				return err
			}
			h := handles{o: o}
			x, err := o.reportJSON(ctx, r, &h)
			if err != nil {
				return err
			}
			p, err := o.pipeline()
			if err != nil {
				return err
			}
			messages, err := p.Evidence(ctx, r)
			if err != nil {
				return err
			}
			for _, m := range messages {
				x.Messages = append(x.Messages, evidenceMessage{m.Reported, m.From, m.Subject, orNull(m.FiledAt), m.Text})
			}
			return show(cmd, x, func(w io.Writer) { printReport(w, x) })
		}),
	})
}

func printReport(w io.Writer, x reportJSON) {
	row(w, "ID:", x.ID)
	row(w, "Status:", x.Status)
	row(w, "Reported by:", orDash(x.Reporter)+", "+when(*x.CreatedAt)+", by "+x.Via)
	row(w, "Written by:", orDash(x.Other))
	row(w, "Thread:", x.Thread)
	row(w, "Reason:", orDash(x.Reason))
	if x.ResolvedAt != nil {
		row(w, "Resolved:", when(*x.ResolvedAt)+": "+x.Resolution)
	}
	for _, m := range x.Messages {
		mark := ""
		if m.Reported {
			mark = "   <- reported"
		}
		fmt.Fprintf(w, "\n--- %s, from %s: %s%s\n%s\n", when(*m.FiledAt), m.From, m.Subject, mark, strings.TrimRight(m.Text, "\n"))
	}
}

func newReportResolveCommand(s *site) *cobra.Command {
	cmd := &cobra.Command{Use: "resolve ID", Short: "Close a report, with a note of what was done", Args: takes("ID")}
	note := cmd.Flags().String("note", "", "what was done, such as \"suspended\"")
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
		r, err := o.report(ctx, args[0])
		if err != nil {
			return err
		}
		if err := o.audit(ctx, "report resolve", args[0]); err != nil {
			return err
		}
		if err := o.ResolveReport(ctx, r.ID, *note); err != nil {
			return fmt.Errorf("resolve the report: %w", err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Resolved. To keep the member from writing: stagedoor member suspend HANDLE\n")
		return nil
	})
	return cmd
}

// report finds a report by its ID.
func (o *open) report(ctx context.Context, name string) (threading.Report, error) {
	unknown := fmt.Errorf("there is no report %q (stagedoor report list shows the IDs)", name)
	id, ok := o.keys.ParseToken(seal.TokenItem, name)
	if !ok {
		return threading.Report{}, unknown
	}
	r, err := o.Report(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return r, unknown
	}
	return r, err
}

// audit notes who looks at what members keep private, before they see it.
func (o *open) audit(ctx context.Context, action, subject string) error {
	actor := "unknown"
	if u, err := user.Current(); err == nil {
		actor = u.Username
	}
	return o.Audit(ctx, actor, action, subject)
}

func newAuditCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "audit", Short: "List who looked at real addresses and messages", Args: takes()})
	n := limitFlag(cmd)
	cmd.RunE = s.with(func(ctx context.Context, o *open, cmd *cobra.Command, _ []string) error {
		looks, err := o.AuditLog(ctx, int(*n))
		if err != nil {
			return err
		}
		type auditJSON struct {
			At      *time.Time `json:"at"`
			Actor   string     `json:"actor"`
			Action  string     `json:"action"`
			Subject string     `json:"subject"`
		}
		list := []auditJSON{}
		for _, e := range looks {
			list = append(list, auditJSON{orNull(e.At), e.Actor, e.Action, e.Subject})
		}
		return show(cmd, list, func(w io.Writer) {
			row(w, "AT", "WHO", "DID", "WITH")
			for _, e := range list {
				row(w, when(*e.At), e.Actor, e.Action, e.Subject)
			}
		})
	})
	return cmd
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/threading/roster"
)

// plainEvery is how often progress is told where there is no terminal.
const plainEvery = 10 * time.Second

func newMemberImportCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{
		Use:   "import FILE.csv|FILE.jsonl",
		Short: "Add members from a file",
		Long: "Add members from a file; - is standard input.\n\n" +
			"CSV begins with a line of column names: handle, name and address, and if you like alerts, digest_at, timezone, first_contact, language and\n" +
			"password_hash (argon2id, $argon2id$v=19$...). Several addresses stand in one field with spaces between, the primary one\n" +
			"first. JSONL has an object of these names on each line; addresses may be a list.\n\n" +
			"A member who is there already, by handle and address, stays as they are: if an import is cut off, run it again.\n" +
			"Each line that is not imported is told with its number and the reason, on standard error.",
		Args: takes("FILE"),
	})
	f := cmd.Flags()
	update := f.Bool("update", false, "change members who are there to what the file says; addresses are added, never removed")
	dryRun := f.Bool("dry-run", false, "check everything and write nothing")
	format := f.String("format", "", "csv or jsonl; without it the file's name says so")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		jsonl, err := isJSONL(*format, args[0])
		if err != nil {
			return err
		}
		return s.with(func(ctx context.Context, o *open, cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			return o.importMembers(ctx, cmd, args[0], jsonl, roster.Options{Store: o.Store, Domain: o.Domain, Language: func(tag string) error {
				if err := o.knownLanguage(tag); err != nil {
					return fmt.Errorf("is none of ours: write %w", err)
				}
				return nil
			}, Update: *update, Trial: *dryRun})
		})(cmd, args)
	}
	return cmd
}

func isJSONL(format, name string) (bool, error) {
	if format == "" {
		format = strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")
	}
	switch format {
	case "csv":
		return false, nil
	case "jsonl", "ndjson":
		return true, nil
	}
	return false, usagef("say whether the file is CSV or JSONL: --format csv or --format jsonl")
}

// importJSON is what import prints with --json. The names are stable.
type importJSON struct {
	roster.Result
	DryRun     bool               `json:"dry_run"`
	Rejections []roster.Rejection `json:"rejections"`
}

func (o *open) importMembers(ctx context.Context, cmd *cobra.Command, name string, jsonl bool, opts roster.Options) error {
	in, size := cmd.InOrStdin(), int64(0)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if st, err := file.Stat(); err == nil && st.Mode().IsRegular() {
			size = st.Size()
		}
		in = file
	}
	asJSON, _ := cmd.Flags().GetBool("json")
	report := importJSON{DryRun: opts.Trial, Rejections: []roster.Rejection{}}
	bar := newProgress(cmd.ErrOrStderr(), size)
	opts.Progress = bar.show
	opts.Rejected = func(r roster.Rejection) {
		if asJSON {
			report.Rejections = append(report.Rejections, r)
			return
		}
		bar.clear()
		fmt.Fprintf(cmd.ErrOrStderr(), "%s:%d: %s\n", name, r.Line, clean(r.Reason))
	}
	var err error
	report.Result, err = roster.Import(ctx, in, jsonl, opts)
	bar.clear()
	if serr := show(cmd, report, func(w io.Writer) { fmt.Fprintln(w, importSummary(report)) }); err == nil {
		err = serr
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("stopped after %s: run it again to go on", many(report.Members, "member"))
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case report.Rejected > 0:
		return fmt.Errorf("%s not imported", many(report.Rejected, "line"))
	}
	return nil
}

func importSummary(r importJSON) string {
	text := fmt.Sprintf("%s: %d added, %d updated, %d there already, %d rejected.", many(r.Members, "member"), r.Added, r.Updated, r.Present, r.Rejected)
	if r.DryRun {
		text += " Nothing was written (--dry-run)."
	}
	return text
}

// progress tells how far an import is: a bar on a terminal, a line now and
// then elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	size     int64 // of the file; 0: not known
	began    time.Time
	told     time.Time
	shown    bool // the bar is on the screen
}

func newProgress(w io.Writer, size int64) *progress {
	p := &progress{w: w, size: size, began: time.Now(), told: time.Now()}
	if f, ok := w.(*os.File); ok {
		st, err := f.Stat()
		p.terminal = err == nil && st.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// show tells of the result so far.
func (p *progress) show(r roster.Result) {
	now := time.Now()
	switch {
	case p.terminal:
		fmt.Fprint(p.w, "\r\x1b[K"+p.line(r, now.Sub(p.began)))
		p.shown = true
	case now.Sub(p.told) >= plainEvery:
		p.told = now
		fmt.Fprintln(p.w, p.line(r, now.Sub(p.began)))
	}
}

// barWidth is the width of the bar, in characters.
const barWidth = 30

// line is a bar with figures, as far as they are known.
func (p *progress) line(r roster.Result, took time.Duration) string {
	rate := float64(r.Members) / max(took.Seconds(), 1e-3)
	text := fmt.Sprintf("%s, %.0f/s", many(r.Members, "member"), rate)
	if p.size <= 0 || r.Octets <= 0 {
		return text
	}
	done := min(float64(r.Octets)/float64(p.size), 1)
	full := int(done * barWidth)
	left := time.Duration(float64(took) * (1 - done) / done).Round(time.Second)
	return fmt.Sprintf("[%s%s] %3.0f%%  %s, %s left", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*done, text, left)
}

// clear takes the bar off the screen.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

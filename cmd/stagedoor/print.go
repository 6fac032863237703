package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// jsonFlag adds --json to a listing command.
func jsonFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Bool("json", false, "print one JSON document")
	return cmd
}

// count is a flag's number, 1 or more.
type count int

func (c *count) String() string { return strconv.Itoa(int(*c)) }
func (c *count) Type() string   { return "number" }

func (c *count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("must be 1 or more")
	}
	*c = count(n)
	return nil
}

// limitFlag adds --limit to a command whose list may be long.
func limitFlag(cmd *cobra.Command) *count {
	n := count(100)
	cmd.Flags().Var(&n, "limit", "how many to print at most")
	return &n
}

// show prints v as JSON if --json is given, and as text otherwise.
func show(cmd *cobra.Command, v any, text func(w io.Writer)) error {
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// row prints one line of a table.
func row(w io.Writer, cells ...any) {
	for i, c := range cells {
		cell := clean(fmt.Sprint(c))
		if cell == "" {
			cell = "-"
		}
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, cell)
	}
	fmt.Fprintln(w)
}

// clean takes out what a terminal would obey: titles and subjects are other
// people's words.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
}

// when prints a time as tables show it.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// orNull is a time as JSON shows it: null for none.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// octets prints a size as people read it.
func octets(n int64) string {
	units := []string{"octets", "KB", "MB", "GB", "TB"}
	size := float64(n)
	for len(units) > 1 && size >= 1024 {
		size /= 1024
		units = units[1:]
	}
	digits := 0
	if size < 10 && units[0] != "octets" {
		digits = 1
	}
	return strconv.FormatFloat(size, 'f', digits, 64) + " " + units[0]
}

// many is a number of things: 1 message, 2 messages.
func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

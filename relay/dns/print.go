package dns

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// maxString is the longest character-string that a TXT record holds, in
// octets (RFC 1035 section 3.3); longer text is several of them, which
// readers join without a space.
const maxString = 255

// TTL is what a zone file gives the records, in seconds: an hour, so that a
// mistake is soon mended.
const TTL = 3600

// WriteZone prints the records as lines of a zone file (RFC 1035 section 5).
// Hints are comments.
func WriteZone(w io.Writer, records []Record) error {
	for _, r := range records {
		comment := ""
		if r.Hint {
			comment = "; "
		}
		value := r.Value
		if r.Type == "TXT" {
			value = quoted(value)
		}
		if _, err := fmt.Fprintf(w, "; %s\n%s%s. %d IN %s %s\n", r.Why, comment, r.Name, TTL, r.Type, value); err != nil {
			return err
		}
	}
	return nil
}

// quoted is a TXT record's text as a zone file has it.
func quoted(text string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var parts []string
	for _, piece := range pieces(text) {
		parts = append(parts, `"`+escape.Replace(piece)+`"`)
	}
	return strings.Join(parts, " ")
}

// pieces cuts a text into character-strings of at most maxString.
func pieces(text string) []string {
	var parts []string
	for {
		n := min(len(text), maxString)
		parts = append(parts, text[:n])
		if text = text[n:]; text == "" {
			return parts
		}
	}
}

// WriteTable prints the records for a person: name, type and value to copy,
// below them the reasons, and what is special at some providers' forms.
func WriteTable(w io.Writer, records []Record) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "NAME\tTYPE\tVALUE")
	for _, r := range records {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", r.Name, r.Type, r.Value)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	for _, r := range records {
		why := r.Why
		if r.Optional {
			why += " Optional."
		}
		_, _ = fmt.Fprintf(w, "%s %s\n    %s\n", r.Type, r.Name, why)
	}
	_, _ = fmt.Fprintln(w, "\nAt providers' forms:")
	for _, p := range providers {
		_, _ = fmt.Fprintf(w, "  %s: %s\n", p.name, p.note)
	}
	return nil
}

// WriteJSON prints the records as a JSON array.
func WriteJSON(w io.Writer, records []Record) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(records)
}

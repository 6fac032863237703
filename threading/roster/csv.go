package roster

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// columns are what a CSV file may hold.
var columns = map[string]func(*record, string){
	"handle":        func(r *record, s string) { r.handle = s },
	"name":          func(r *record, s string) { r.name = s },
	"address":       func(r *record, s string) { r.addresses = append(r.addresses, splitAddresses(s)...) },
	"alerts":        func(r *record, s string) { r.alerts = s },
	"digest_at":     func(r *record, s string) { r.digestAt = s },
	"timezone":      func(r *record, s string) { r.timezone = s },
	"first_contact": func(r *record, s string) { r.firstContact = s },
	"language":      func(r *record, s string) { r.language = s },
	"password_hash": func(r *record, s string) { r.passwordHash = s },
}

// splitAddresses splits a field of addresses.
func splitAddresses(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ';' || r == '\n' || r == '\t' })
}

type csvReader struct {
	csv     *csv.Reader
	bound   *bound
	columns []func(*record, string)
	names   []string
	line    int // where the last record was
}

// newCSVReader reads the line of column names.
func newCSVReader(r io.Reader) (*csvReader, error) {
	b := bufio.NewReaderSize(r, maxRecord)
	if start, _ := b.Peek(3); bytes.Equal(start, []byte("\ufeff")) {
		_, _ = b.Discard(3) // programs for tables write a byte order mark
	}
	c := &csvReader{bound: &bound{r: b, left: 2 * maxRecord}}
	c.csv = csv.NewReader(c.bound)
	c.csv.FieldsPerRecord = -1
	first, _ := b.Peek(maxRecord)
	if line, _, _ := bytes.Cut(first, []byte("\n")); bytes.ContainsRune(line, ';') && !bytes.ContainsRune(line, ',') {
		c.csv.Comma = ';'
	}
	names, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("line 1: the file is empty: the first line names the columns, such as handle,name,address")
	} else if err != nil {
		return nil, fmt.Errorf("line 1: the column names can't be read: %w", bare(err))
	}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		set := columns[name]
		if set == nil {
			return nil, fmt.Errorf("line 1: column %d is none that is known: write %s", i+1, strings.Join(slices.Sorted(maps.Keys(columns)), ", "))
		}
		if name != "address" && slices.Contains(c.names, name) {
			return nil, fmt.Errorf("line 1: the column %s is there twice", name)
		}
		c.columns, c.names = append(c.columns, set), append(c.names, name)
	}
	for _, name := range []string{"handle", "name", "address"} {
		if !slices.Contains(c.names, name) {
			return nil, fmt.Errorf("line 1: the column %s is missing", name)
		}
	}
	return c, nil
}

// errUnbounded ends an import whose next record does not end.
var errUnbounded = fmt.Errorf("the record is longer than %d octets: perhaps a quote is not closed", maxRecord)

func (c *csvReader) next() (record, error) {
	c.bound.left = 2 * maxRecord // it reads ahead
	fields, err := c.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errUnbounded):
		return record{}, fmt.Errorf("after line %d: %w", c.line, errUnbounded)
	case errors.As(err, &parse):
		c.line = parse.Line
		problem := "it can't be read as CSV: " + parse.Err.Error()
		if parse.Line > parse.StartLine {
			problem += fmt.Sprintf(" (all up to line %d is lost with it)", parse.Line)
		}
		return record{line: parse.StartLine, problem: problem}, nil
	case err != nil:
		return record{}, err
	}
	r := record{}
	r.line, _ = c.csv.FieldPos(0)
	c.line = r.line
	if len(fields) != len(c.columns) {
		r.problem = fmt.Sprintf("it has %d fields, and the first line names %d columns", len(fields), len(c.columns))
		return r, nil
	}
	for i, set := range c.columns {
		set(&r, strings.TrimSpace(fields[i]))
	}
	return r, nil
}

// bare is what is wrong, without the place.
func bare(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return parse.Err
	}
	return err
}

// bound ends with errUnbounded when a record has used up what is left.
type bound struct {
	r    io.Reader
	left int
}

// Read implements io.Reader.
func (b *bound) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errUnbounded
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

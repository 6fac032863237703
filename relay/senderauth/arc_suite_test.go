package senderauth

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// arcSuite is the public test suite of ARC implementations, in a folder of
// messages beside the repository.
const arcSuite = "../../../shared/corpora/arc_test_suite/arc-draft-validation-tests.yml"

// suiteCase is one case: what a chain in a message comes to.
type suiteCase struct{ name, message, want string }

// readSuite reads as much YAML as the suite uses: documents with tests and
// their DNS records.
func readSuite(t *testing.T, text string, run func([]suiteCase, map[string]string)) {
	t.Helper()
	for _, doc := range strings.Split("\n"+text, "\n---") {
		var cases []suiteCase
		records := map[string]string{}
		section, block := "", func(string) {}
		for line := range strings.Lines(doc) {
			line = strings.TrimRight(line, "\r\n")
			indent := len(line) - len(strings.TrimLeft(line, " "))
			key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
			value = strings.TrimSpace(value)
			switch {
			case indent == 0 && ok:
				section = key
			case section == "tests" && indent == 2 && ok && value == "":
				cases = append(cases, suiteCase{name: key})
				block = func(string) {}
			case section == "tests" && indent == 4 && ok:
				c := &cases[len(cases)-1]
				block = func(string) {}
				switch key {
				case "cv":
					c.want = strings.ToLower(strings.Trim(value, `"`))
				case "message":
					block = func(l string) { c.message += strings.TrimPrefix(l, "      ") + "\r\n" }
				}
			case section == "txt-records" && indent == 2 && ok:
				block = func(l string) { records[key] = strings.TrimSpace(records[key] + " " + strings.TrimSpace(l)) }
				if value != ">-" && value != "" {
					records[key] = strings.Trim(value, `"`)
				}
			default:
				block(line)
			}
		}
		run(cases, records)
	}
}

func TestARCSuite(t *testing.T) {
	text, err := os.ReadFile(arcSuite)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no corpora beside this repository")
	} else if err != nil {
		t.Fatal(err)
	}
	n := 0
	readSuite(t, string(text), func(cases []suiteCase, records map[string]string) {
		c := New(Options{Resolver: zoneServer(t, records)})
		for _, x := range cases {
			if x.want == "" || x.want == "|" || strings.HasSuffix(x.name, "_h_empty") { // a signature that does not cover From proves nothing here
				continue
			}
			// The block's last line end is YAML's.
			message := strings.TrimRight(x.message, "\r\n") + "\r\n"
			open := func() io.Reader { return strings.NewReader(message) }
			header, err := readHeader(open())
			if err != nil {
				t.Fatal(err)
			}
			n++
			if _, got, _ := c.chain(context.Background(), header, open); string(got) != x.want {
				t.Errorf("%s: %s, want %s", x.name, got, x.want)
			}
		}
	})
	if n < 150 {
		t.Errorf("only %d cases were read", n)
	}
	t.Logf("%d cases", n)
}

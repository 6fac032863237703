package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds relay.toml, in octets.
const maxFile = 1 << 20

// origin remembers where a Config was read, so that what is found later
// (a port that can't be bound, a file that is missing) names the line.
type origin struct {
	file  string
	lines map[string]int
}

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	File string // as it was given; empty: no file
	Line int    // 0: the key is not in the file
	Key  string // "smtp.listen"; empty for what is no key
	Text string // what is wrong and what to do
}

func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:", p.Line)
		}
		b.WriteString(" ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	return b.String() + p.Text
}

// Problems are all that were found, in the order of the file.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Load reads and checks a relay.toml. The error is Problems, or says why the
// file can't be read.
func Load(path string) (*Config, error) { return load(path, Default()) }

// LoadDev is Load over the defaults for trying things out: every listener on
// loopback above port 1024, data in ./stagedoor-data, passwords without TLS,
// reverse-path taken as proof, mail to a catcher on port 1025. An empty path
// reads no file, and mail links to the pages on loopback. An empty domain is the file's, or DevDomain; one that is
// given may not stand beside a file.
func LoadDev(path, domain string) (*Config, error) {
	switch {
	case path != "" && domain != "":
		return nil, fmt.Errorf("--domain and the configuration file %s are both given: the file says which domain it is", path)
	case path != "":
		return load(path, dev(DevDomain))
	case domain == "":
		domain = DevDomain
	}
	c := dev(domain)
	c.HTTP.BaseURL = "http://" + c.HTTP.Listen[0]
	if err := c.finish("."); err != nil {
		return nil, err
	}
	return c, nil
}

// load reads the file over the defaults in c.
func load(path string, c *Config) (*Config, error) {
	document, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, document, c)
}

// readFile reads relay.toml itself.
func readFile(path string) (string, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no configuration file %s: write one (stagedoor config example shows how), or name another with --config", path)
	case err != nil:
		return "", fmt.Errorf("read the configuration: %w", err)
	case st.IsDir():
		return "", fmt.Errorf("the configuration %s is a directory: name a file", path)
	case st.Size() > maxFile:
		return "", fmt.Errorf("the configuration %s is larger than %d octets: is it the right file?", path, maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the configuration: %w", err)
	}
	return string(b), nil
}

// parse reads a document over the defaults in c.
func parse(file, document string, c *Config) (*Config, error) {
	c.origin = origin{file: file, lines: keyLines(document)}
	tree := map[string]any{}
	if _, err := toml.Decode(document, &tree); err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return nil, Problems{{File: file, Line: syntax.Position.Line, Key: syntax.LastKey, Text: syntax.Message}}
		}
		return nil, Problems{{File: file, Text: err.Error()}}
	}
	a := assignment{origin: c.origin}
	a.table(tree, reflect.ValueOf(c).Elem(), "")
	var problems Problems
	err := c.finish(filepath.Dir(file))
	errors.As(err, &problems)
	if problems = a.problems.with(problems); len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// finish checks the values and derives what was left empty.
func (c *Config) finish(base string) error {
	if problems := c.check(); len(problems) > 0 {
		return problems
	}
	c.complete(base)
	return nil
}

// with returns both lists by line, without what more says about a key that
// has a problem already (its value is the default then).
func (p Problems) with(more Problems) Problems {
	known := map[string]bool{}
	for _, problem := range p {
		known[problem.Key] = true
	}
	for _, problem := range more {
		if !known[problem.Key] {
			p = append(p, problem)
		}
	}
	p.sort()
	return p
}

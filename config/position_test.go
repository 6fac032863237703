package config

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestKeyLines(t *testing.T) {
	for _, c := range []struct {
		name, document string
		want           map[string]int
	}{
		{"top level and section", "a = 1\n\n[s]\nb = 2\n", map[string]int{"a": 1, "s": 3, "s.b": 4}},
		{"comments and blank lines", "# a = 1\n\n  a = 1 # b = 2\n#\nb = 2", map[string]int{"a": 3, "b": 5}},
		{"CRLF", "a = 1\r\n\r\n[s]\r\nb = 2\r\n", map[string]int{"a": 1, "s": 3, "s.b": 4}},
		{"dotted keys", "[s]\nt.u = 1\nt . v = 2", map[string]int{"s": 1, "s.t": 2, "s.t.u": 2, "s.t.v": 3}},
		{"dotted header", "[ s . t ] # x\nu = 1", map[string]int{"s": 1, "s.t": 1, "s.t.u": 2}},
		{"header after its child", "[s.t]\nu = 1\n[s]\nv = 1", map[string]int{"s": 1, "s.t": 1, "s.t.u": 2, "s.v": 4}},
		{"quoted keys", "\"a\" = 1\n'b' = 2\n[\"s\"]\n\"c d\" = 3", map[string]int{"a": 1, "b": 2, "s": 3, "s.c d": 4}},
		{"array over lines", "a = [\n  \"x = 1\", # b = 2\n  'y',\n]\nc = 1", map[string]int{"a": 1, "c": 5}},
		{"multi-line strings", "a = \"\"\"\nb = 1\n\\\"\"\"\"\"\"\nc = '''\nd = 1\n''''\ne = 1", map[string]int{"a": 1, "c": 4, "e": 7}},
		{"strings with brackets and hashes", "a = \"[s]#\\\"\"\nb = '[#\\'\nc = 1", map[string]int{"a": 1, "b": 2, "c": 3}},
		{"inline table", "a = { b = 1, c = [ { d = 2 } ] }\ne = 1", map[string]int{"a": 1, "a.b": 1, "a.c": 1, "a.c.d": 1, "e": 2}},
		{"array of tables", "[[s]]\na = 1\n[[s]]\na = 2\nb = 3", map[string]int{"s": 1, "s.a": 2, "s.b": 5}},
		{"the first of two", "a = 1\na = 2", map[string]int{"a": 1}},
		{"not TOML", "a = 1\n= 2\nb = 3", map[string]int{"a": 1}},
		{"ends in a string", "a = \"x", map[string]int{"a": 1}},
		{"empty", "", map[string]int{}},
	} {
		got := keyLines(c.document)
		for key, line := range c.want {
			if got[key] != line {
				t.Errorf("%s: %s is said to be on line %d, want %d", c.name, key, got[key], line)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: keys %v, want %v", c.name, got, c.want)
		}
	}
}

// Every key that the parser sees must have a line.
func FuzzKeyLines(f *testing.F) {
	f.Add(string(Example()))
	f.Add("a = { b = 1, c = [ { d = 2 } ] }\n[[s]]\nx.y = '''\n'''\n")
	f.Add("a = \"\"\"\nb = 1\n\\\"\"\"\"\"\"\nc = ''''''\n[q.\"r\"]\n1.2 = 1979-05-27T07:32:00Z")
	f.Fuzz(func(t *testing.T, document string) {
		lines := keyLines(document)
		tree := map[string]any{}
		meta, err := toml.Decode(document, &tree)
		if err != nil || strings.ContainsRune(document, '\\') {
			return
		}
		for _, key := range meta.Keys() {
			if line := lines[strings.Join(key, ".")]; line < 1 || line > strings.Count(document, "\n")+1 {
				t.Fatalf("key %q is said to be on line %d", key, line)
			}
		}
	})
}

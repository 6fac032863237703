package language

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSay(t *testing.T) {
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		tag, key string
		fields   []any
		want     string
	}{
		{"en", "hello", []any{"name", "Tess"}, "Hello Tess,"},
		{"de", "hello", []any{"name", "Tess"}, "Guten Tag Tess,"},
		{"nobody's", "hello", []any{"name", "Tess"}, "Hello Tess,"},
		{"en", "digest.title", []any{"n", 1}, "One conversation has new messages"},
		{"en", "digest.title", []any{"n", 0}, "0 conversations have new messages"},
		{"de", "digest.title", []any{"n", 1}, "Eine Unterhaltung hat neue Nachrichten"},
		{"de", "digest.title", []any{"n", 21}, "21 Unterhaltungen haben neue Nachrichten"},
		{"en", "hello", []any{"name", "{name} {n}"}, "Hello {name} {n},"},
		{"en", "no such phrase", nil, "no such phrase"},
		{"en", "hello", nil, "hello"},
	} {
		if got := c.Of(x.tag).Say(x.key, x.fields...); got != x.want {
			t.Errorf("%s %s %v: %q, want %q", x.tag, x.key, x.fields, got, x.want)
		}
	}
	at := time.Date(2026, 3, 1, 7, 5, 0, 0, time.UTC)
	for tag, want := range map[string]string{"en": "1 March 2026, 07:05 UTC", "de": "1. März 2026, 07:05 Uhr UTC"} {
		if got := c.Of(tag).Time(at); got != want {
			t.Errorf("%s: %s", tag, got)
		}
	}
}

// Each built-in language has every phrase, every plural form, every word list
// and every field that English has.
func TestBuiltInLanguagesAreComplete(t *testing.T) {
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Tags(), []string{"de", "en"}) {
		t.Errorf("languages: %v", c.Tags())
	}
	english := c.languages[Default]
	for tag, l := range c.languages {
		for key, want := range english.phrases {
			p := l.phrases[key]
			if p == nil {
				t.Errorf("%s lacks %s", tag, key)
				continue
			}
			if len(want) > 1 != (len(p) > 1) {
				t.Errorf("%s: %s counts in one language only", tag, key)
			}
			for form, text := range p {
				full := want[form]
				if full == nil {
					full = want[0]
				}
				if got := fieldsOf(text); got != fieldsOf(full) {
					t.Errorf("%s: %s has the fields %s, want %s", tag, key, got, fieldsOf(full))
				}
			}
		}
		for _, list := range lists {
			if len(l.words[list]) == 0 {
				t.Errorf("%s has no words %s", tag, list)
			}
		}
		if c.Of(tag).Name() == "" {
			t.Errorf("%s has no name", tag)
		}
	}
}

func fieldsOf(p pieces) string {
	set := map[string]bool{}
	for _, piece := range p {
		if piece.field && piece.text != "n" { // "one" may be written as a word
			set[piece.text] = true
		}
	}
	return fmt.Sprint(slices.Sorted(maps.Keys(set)))
}

// What the program says is in the catalogue, and nothing else is.
func TestPhrasesAreThoseThatAreSaid(t *testing.T) {
	said := map[string]bool{"date": true, "time": true}
	pattern := regexp.MustCompile(`\.Say[( ]"([a-z_.]+)"`)
	for _, root := range []string{"../notify", "../web", ".."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains([]string{".go", ".txt", ".html"}, filepath.Ext(path)) || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				said[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for key := range said {
		if BuiltIn().languages[Default].phrases[key] == nil {
			t.Errorf("%q is said, and no phrase", key)
		}
	}
	for key := range BuiltIn().languages[Default].phrases {
		if !said[key] {
			t.Errorf("nobody says %q", key)
		}
	}
}

func TestWords(t *testing.T) {
	for word, want := range map[string]string{"stop": "stop", "STOPP": "stop", "Täglich": "daily", "sofort": "start", "start": "start", "hourly": "", "": ""} {
		if got := BuiltIn().Means(word, "stop", "daily", "start"); got != want {
			t.Errorf("%q means %q, want %q", word, got, want)
		}
	}
	if got := BuiltIn().Means("stop", "daily"); got != "" {
		t.Errorf("a word of another list means %q", got)
	}
	// No word may mean two things.
	seen := map[string]string{}
	for tag, l := range BuiltIn().languages {
		for _, list := range []string{"stop", "daily", "start", "usual"} {
			for _, w := range l.words[list] {
				if other := seen[w]; other != "" && other != list {
					t.Errorf("%s: %q means %s and %s", tag, w, list, other)
				}
				seen[w] = list
			}
		}
	}
}

// A directory adds languages and changes phrases; what is wrong with it is
// said with file and line.
func TestLoad(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       string // what a phrase becomes, or the error
	}{
		"another word":         {"en.toml", "[phrases]\nhelp = \"Support\"\n", "en Support"},
		"a new language":       {"pl.toml", "name = \"Polski\"\n[phrases]\nhelp = \"Pomoc\"\n\"digest.new\" = { one = \"nowa\", few = \"{n} nowe\", many = \"{n} nowych\", other = \"{n} nowej\" }\n", "pl Pomoc"},
		"no name":              {"fr.toml", "[phrases]\nhelp = \"Aide\"\n", "fr.toml:1: name is missing"},
		"not TOML":             {"fr.toml", "name = \"Français\"\nhelp =\n", "fr.toml:2: "},
		"unknown phrase":       {"en.toml", "[phrases]\n\"footer.heelp\" = \"x\"\n", "en.toml:2: there is no phrase \"footer.heelp\""},
		"unknown field":        {"en.toml", "[phrases]\n\nhello = \"Hi {handle}\"\n", "en.toml:3: the phrase \"hello\" has a field {handle}"},
		"a plural form lacks":  {"pl.toml", "name = \"Polski\"\n[phrases]\n\"digest.new\" = { one = \"nowa\", other = \"{n} nowych\" }\n", "pl.toml:3: the phrase \"digest.new\" lacks the plural form"},
		"unknown plural form":  {"en.toml", "[phrases]\n\"digest.new\" = { once = \"x\", other = \"y\" }\n", "en.toml:2: the phrase \"digest.new\" has a plural form \"once\""},
		"no text":              {"en.toml", "[phrases]\nhelp = 5\n", "en.toml:2: the phrase \"help\" must be a string"},
		"unknown words":        {"en.toml", "[words]\nhalt = [\"x\"]\n", "en.toml:2: there are no words \"halt\""},
		"eleven months":        {"en.toml", "[words]\nmonths = [\"x\"]\n", "en.toml:2: a year has twelve months"},
		"unknown key":          {"en.toml", "nmae = \"x\"\n", "en.toml:1: nmae is not known"},
		"not a language's tag": {"notes.txt", "x", "notes.txt: is no language"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		catalogue, err := Load(dir)
		if err != nil {
			if !strings.HasPrefix(err.Error(), filepath.Join(dir, c.want)) {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
			continue
		}
		tag, want, _ := strings.Cut(c.want, " ")
		if got := catalogue.Of(tag).Say("help"); got != want || catalogue.Of(tag).Say("hello", "name", "T") == "hello" {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	c, err := Load(filepath.Join(t.TempDir(), "absent"))
	if err != nil || !c.Known("de") {
		t.Errorf("without a directory: %v", err)
	}
	german, err := c.WithStandard("de")
	if err != nil || german.Of("").Say("help") != "Hilfe" || c.Of("").Say("help") != "Help" {
		t.Errorf("another standard: %v", err)
	}
	if _, err := c.WithStandard("xx"); err == nil || !strings.Contains(err.Error(), "de, en") {
		t.Errorf("an unknown standard: %v", err)
	}
}

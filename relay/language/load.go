package language

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed phrases/*.toml
var builtIn embed.FS

// maxFile bounds a language's file, in octets.
const maxFile = 1 << 20

// lists are the words that a language can have: the months, and what a member
// may write to a settings address.
var lists = []string{"months", "stop", "daily", "start", "usual", "this"}

// BuiltIn is the catalogue of the built-in languages.
var BuiltIn = sync.OnceValue(func() *Catalogue {
	c, err := Load("")
	if err != nil { // a test reads the embedded files: this can't be
		c = &Catalogue{standard: &Language{tag: Default}}
	}
	return c
})

// Load reads the built-in languages and those of a directory, which may have
// none (empty: there is none). A file TAG.toml there adds a language, or changes
// phrases of one. Errors name the file and, where there is one, the line.
func Load(dir string) (*Catalogue, error) {
	c := &Catalogue{languages: map[string]*Language{}}
	if err := c.readAll(builtIn, "phrases", ""); err != nil {
		return nil, err
	}
	c.standard = c.languages[Default]
	if dir != "" {
		if err := c.readAll(os.DirFS(dir), ".", dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for tag, l := range c.languages {
		if tag != Default {
			l.fallback = c.standard
		}
	}
	return c, nil
}

// readAll reads the files of a directory; where is how errors call it.
func (c *Catalogue) readAll(fsys fs.FS, dir, where string) error {
	files, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return fmt.Errorf("read the languages: %w", err)
	}
	if i := slices.IndexFunc(files, func(f fs.DirEntry) bool { return f.Name() == Default+".toml" }); i > 0 {
		files[0], files[i] = files[i], files[0] // the others are measured by it
	}
	for _, f := range files {
		name := filepath.Join(where, f.Name())
		tag, isTOML := strings.CutSuffix(f.Name(), ".toml")
		cldr, err := language.Parse(tag)
		if !isTOML || err != nil || f.IsDir() {
			return fmt.Errorf("%s: is no language: name it after its tag, such as fr.toml", name)
		}
		if info, err := f.Info(); err == nil && info.Size() > maxFile {
			return fmt.Errorf("%s: is larger than %d octets", name, maxFile)
		}
		text, err := fs.ReadFile(fsys, path.Join(dir, f.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := c.read(tag, cldr, string(text)); err != nil {
			return fmt.Errorf("%s:%w", name, err)
		}
	}
	return nil
}

// read puts a file's text over what there is of its language. Errors begin
// with the line.
func (c *Catalogue) read(tag string, cldr language.Tag, text string) error {
	var file struct {
		Name    string              `toml:"name"`
		Phrases map[string]any      `toml:"phrases"`
		Words   map[string][]string `toml:"words"`
	}
	meta, err := toml.Decode(text, &file)
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%d: %s", syntax.Position.Line, syntax.Message)
	} else if err != nil {
		return fmt.Errorf("1: %w", err)
	}
	for _, key := range meta.Undecoded() {
		if len(key) == 1 || key[0] != "phrases" {
			return fmt.Errorf("%d: %s is not known: there are name, [phrases] and [words]", lineOf(text, key[len(key)-1]), key)
		}
	}
	l := c.languages[tag]
	if l == nil {
		l = &Language{tag: tag, cldr: cldr, name: file.Name, phrases: map[string]phrase{}, words: map[string][]string{}}
	}
	if file.Name != "" {
		l.name = file.Name
	}
	if l.name == "" {
		return errors.New("1: name is missing: say what the language calls itself")
	}
	for key, v := range file.Phrases {
		english := c.languages[Default]
		if english != nil && english.phrases[key] == nil {
			return fmt.Errorf("%d: there is no phrase %q in English", lineOf(text, key), key)
		}
		p, err := newPhrase(cldr, v)
		if err == nil && english != nil {
			err = p.fits(english.phrases[key])
		}
		if err != nil {
			return fmt.Errorf("%d: the phrase %q %w", lineOf(text, key), key, err)
		}
		l.phrases[key] = p
	}
	for list, words := range file.Words {
		if !slices.Contains(lists, list) {
			return fmt.Errorf("%d: there are no words %q: known are %s", lineOf(text, list), list, strings.Join(lists, ", "))
		}
		if list == "months" && len(words) != 12 {
			return fmt.Errorf("%d: a year has twelve months, not %d", lineOf(text, list), len(words))
		}
		l.words[list] = words
	}
	c.languages[tag] = l
	return nil
}

// lineOf is the line of a file that a key stands on.
func lineOf(text, key string) int {
	n := 1
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimLeft(strings.TrimSpace(line), `"'`), key); ok && strings.HasPrefix(strings.TrimLeft(rest, `"' `), "=") {
			return n
		}
		n++
	}
	return 1
}

// forms are the names of plural forms in a file.
var forms = map[string]plural.Form{"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, "other": plural.Other}

// newPhrase reads a phrase: a string, or a table of strings by plural form.
func newPhrase(tag language.Tag, v any) (phrase, error) {
	p := phrase{}
	switch v := v.(type) {
	case string:
		p[plural.Other] = split(v)
		return p, nil
	case map[string]any:
		for name, text := range v {
			form, known := forms[name]
			s, isString := text.(string)
			if !known || !isString {
				return nil, fmt.Errorf("has a plural form %q: write zero, one, two, few, many or other and a text", name)
			}
			p[form] = split(s)
		}
		for name, form := range needed(tag) {
			if p[form] == nil {
				return nil, fmt.Errorf("lacks the plural form %q, which the language has", name)
			}
		}
		return p, nil
	}
	return nil, errors.New("must be a string, or a table of strings by plural form")
}

// needed are the plural forms that a language has.
func needed(tag language.Tag) map[string]plural.Form {
	used := map[plural.Form]bool{plural.Other: true}
	for n := range 201 {
		used[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)] = true
	}
	list := map[string]plural.Form{}
	for name, form := range forms {
		if used[form] {
			list[name] = form
		}
	}
	return list
}

var fieldPattern = regexp.MustCompile(`\{([a-z]+)\}`)

// split cuts a text at its fields.
func split(s string) pieces {
	list := pieces{}
	at := 0
	for _, m := range fieldPattern.FindAllStringSubmatchIndex(s, -1) {
		if m[0] > at {
			list = append(list, piece{text: s[at:m[0]]})
		}
		list = append(list, piece{text: s[m[2]:m[3]], field: true})
		at = m[1]
	}
	if at < len(s) {
		list = append(list, piece{text: s[at:]})
	}
	return list
}

// fits checks that a phrase uses no field that the English one has not: nobody
// would fill it.
func (p phrase) fits(english phrase) error {
	has := map[string]bool{"n": true}
	for _, form := range english {
		for _, piece := range form {
			has[piece.text] = has[piece.text] || piece.field
		}
	}
	for _, form := range p {
		for _, piece := range form {
			if piece.field && !has[piece.text] {
				return fmt.Errorf("has a field {%s} that the English one has not", piece.text)
			}
		}
	}
	return nil
}

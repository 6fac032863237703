// Package caution finds out what a message asks its reader for that the reader
// should be warned of: to pay, or to go on elsewhere.
//
// What is looked for stands in a file, by language: patterns, and the sentence
// that warns in that language. Text is read sentence by sentence, as a reader
// sees it: case, invisible characters and the width of letters don't matter. A
// Set never changes; Find takes time linear in the text and keeps nothing.
package caution

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/unicode/norm"
)

//go:embed caution.toml
var shipped string

// Kind is what a message asks for.
type Kind string

// What a message may ask for.
const (
	Pay   Kind = "pay"
	Leave Kind = "leave" // go on where the relay is not between the two
)

// Finding is something that a message asks for.
type Finding struct {
	Kind Kind
	Says string // the sentence that warns, in the message's language
}

// maxText is how much of a text is looked at, in octets.
const maxText = 64 << 10

// warning is one section of the file.
type warning struct {
	Language string   `toml:"language"`
	Kind     Kind     `toml:"kind"`
	Says     string   `toml:"says"`
	Asks     []string `toml:"asks"`
	Unless   []string `toml:"unless"`

	asks, unless *regexp.Regexp
}

// Set is what is looked for.
type Set struct{ warnings []warning }

// Shipped is the set that comes with the program.
func Shipped() *Set {
	s, err := Parse(shipped)
	if err != nil {
		panic("the shipped caution.toml: " + err.Error()) // a test parses it
	}
	return s
}

// File is the text of the shipped set, to begin one's own with.
func File() string { return shipped }

// Parse reads a set. Its error says what is wrong, and where.
func Parse(text string) (*Set, error) {
	var f struct {
		Warning []warning `toml:"warning"`
	}
	meta, err := toml.Decode(text, &f)
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("there is no key %q: write [[warning]] with language, kind, says, asks and unless", unknown[0])
	}
	if len(f.Warning) == 0 {
		return nil, errors.New("it has no [[warning]]")
	}
	for i := range f.Warning {
		if err := f.Warning[i].compile(); err != nil {
			return nil, fmt.Errorf("warning %d (%s, %s): %w", i+1, f.Warning[i].Language, f.Warning[i].Kind, err)
		}
	}
	return &Set{f.Warning}, nil
}

func (w *warning) compile() (err error) {
	switch {
	case w.Language == "":
		return errors.New("language is missing, such as \"en\"")
	case w.Kind != Pay && w.Kind != Leave:
		return fmt.Errorf("kind is %q: write pay or leave", w.Kind)
	case strings.TrimSpace(w.Says) == "" || strings.ContainsAny(w.Says, "\r\n"):
		return errors.New("says must be one line, which the reader will see")
	case len(w.Asks) == 0:
		return errors.New("asks has no pattern")
	}
	if w.asks, err = union(w.Asks); err == nil {
		w.unless, err = union(w.Unless)
	}
	return err
}

// union is one expression for several; nil for none.
func union(patterns []string) (*regexp.Regexp, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	folded := make([]string, len(patterns))
	for i, p := range patterns {
		folded[i] = fold(p) // \b knows the letters of ASCII only
		if r, err := regexp.Compile(folded[i]); err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", p, err)
		} else if r.MatchString("") {
			return nil, fmt.Errorf("the pattern %q matches everything", p)
		}
	}
	return regexp.Compile("(?:" + strings.Join(folded, ")|(?:") + ")")
}

// Find returns what a text asks for, each kind at most once: in the language
// that finds it in most sentences.
func (s *Set) Find(text string) []Finding {
	sentences := sentencesOf(text)
	var found []Finding
	for _, kind := range []Kind{Pay, Leave} {
		best, most := "", 0
		for i := range s.warnings {
			w := &s.warnings[i]
			if w.Kind != kind {
				continue
			}
			n := 0
			for _, sentence := range sentences {
				if w.asks.MatchString(sentence) && (w.unless == nil || !w.unless.MatchString(sentence)) {
					n++
				}
			}
			if n > most {
				best, most = w.Says, n
			}
		}
		if most > 0 {
			found = append(found, Finding{kind, best})
		}
	}
	return found
}

// fold takes accents and what can't be seen away, and makes letters of one width.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Cf):
			return -1
		case r == '’' || r == '‘':
			return '\''
		}
		return r
	}, strings.ReplaceAll(norm.NFKD.String(s), "ß", "ss"))
}

// sentenceEnd parts sentences: a mark before white space, or an empty line.
var sentenceEnd = regexp.MustCompile(`[.!?…]+(?:[\s"'”»)]|$)|[。！？]|\n[ \t>]*\n`)

// sentencesOf cuts a text into its sentences, as Set's patterns see them.
func sentencesOf(text string) []string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	text = strings.ToLower(fold(strings.ReplaceAll(text, "\r\n", "\n")))
	var list []string
	for _, sentence := range sentenceEnd.Split(text, -1) {
		if words := strings.Fields(sentence); len(words) > 0 {
			list = append(list, strings.Join(words, " "))
		}
	}
	return list
}

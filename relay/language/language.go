// Package language is what the relay says to its members, in their languages.
//
// A language is a file: its name, phrases and words. A phrase is a text with
// fields in braces, such as "Hello {name},"; one that counts has a form for each
// plural form of its language (CLDR's, by the field n). English is always there
// and stands in for what another language lacks.
//
// Load reads the built-in files and, over them, those of a directory. A
// Catalogue does not change after that and may be used by any goroutine.
package language

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Default is the language that is always there.
const Default = "en"

// Catalogue holds languages.
type Catalogue struct {
	languages map[string]*Language
	standard  *Language // of members who have chosen none
}

// Language is one of a Catalogue.
type Language struct {
	tag      string
	cldr     language.Tag
	name     string
	phrases  map[string]phrase
	words    map[string][]string
	fallback *Language // nil: it is English
}

// phrase is a text by plural form; one that counts nothing has plural.Other
// only.
type phrase map[plural.Form]pieces

// pieces are the parts of a text: literal ones, and names of fields.
type pieces []piece

type piece struct {
	text  string
	field bool
}

// Tags lists the languages, by tag.
func (c *Catalogue) Tags() []string { return slices.Sorted(maps.Keys(c.languages)) }

// Known reports whether there is a language of that tag.
func (c *Catalogue) Known(tag string) bool { return c.languages[tag] != nil }

// WithStandard is the catalogue with another language for members who have
// chosen none.
func (c *Catalogue) WithStandard(tag string) (*Catalogue, error) {
	l := c.languages[tag]
	if l == nil {
		return nil, fmt.Errorf("there is no language %q: known are %s", tag, strings.Join(c.Tags(), ", "))
	}
	return &Catalogue{languages: c.languages, standard: l}, nil
}

// Of is the language of that tag; where there is none, the standard one.
func (c *Catalogue) Of(tag string) *Language {
	if l := c.languages[tag]; l != nil {
		return l
	}
	return c.standard
}

// Tag is the language's BCP 47 tag.
func (l *Language) Tag() string { return l.tag }

// Name is what the language calls itself.
func (l *Language) Name() string { return l.name }

// Say returns a phrase. fields are names and values in turn. A phrase that
// nobody has is its own key: tests make sure that there is none.
func (l *Language) Say(key string, fields ...any) string {
	s, err := l.TrySay(key, fields...)
	if err != nil {
		return key
	}
	return s
}

// TrySay is Say with an error for a key that is not known and a field that is
// missing.
func (l *Language) TrySay(key string, fields ...any) (string, error) {
	p, of := l.phrases[key], l
	if p == nil && l.fallback != nil {
		p, of = l.fallback.phrases[key], l.fallback
	}
	if p == nil {
		return "", fmt.Errorf("there is no phrase %q", key)
	}
	form := p[plural.Other]
	if n, ok := value(fields, "n"); ok {
		if count, ok := n.(int); ok {
			if f, ok := p[plural.Cardinal.MatchPlural(of.cldr, count, 0, 0, 0, 0)]; ok {
				form = f
			}
		}
	}
	var b strings.Builder
	for _, piece := range form {
		if !piece.field {
			b.WriteString(piece.text)
			continue
		}
		v, ok := value(fields, piece.text)
		if !ok {
			return "", fmt.Errorf("the phrase %q needs the field %s", key, piece.text)
		}
		if s, ok := v.(string); ok {
			b.WriteString(s)
		} else {
			fmt.Fprint(&b, v)
		}
	}
	return b.String(), nil
}

// value is that of the named field.
func value(fields []any, name string) (any, bool) {
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == name {
			return fields[i+1], true
		}
	}
	return nil, false
}

// Date is a day, in words.
func (l *Language) Date(t time.Time) string {
	month := l.word("months", int(t.Month())-1)
	return l.Say("date", "day", t.Day(), "month", month, "year", t.Year())
}

// Time is a point in time, in words, to the minute.
func (l *Language) Time(t time.Time) string {
	return l.Say("time", "date", l.Date(t), "time", t.Format("15:04"), "zone", t.Format("MST"))
}

func (l *Language) word(list string, i int) string {
	if w := l.words[list]; i < len(w) {
		return w[i]
	}
	if l.fallback != nil {
		return l.fallback.word(list, i)
	}
	return ""
}

// Means returns which of the lists a word stands in, in whatever language and
// case; empty: in none.
func (c *Catalogue) Means(word string, lists ...string) string {
	for _, tag := range c.Tags() {
		for _, list := range lists {
			for _, w := range c.languages[tag].words[list] {
				if strings.EqualFold(w, word) {
					return list
				}
			}
		}
	}
	return ""
}

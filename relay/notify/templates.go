package notify

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/net/html"

	"github.com/stagedoor/stagedoor/relay/language"
)

//go:embed templates
var files embed.FS

// TemplateNames are the templates that can be replaced.
var TemplateNames = []string{"footer.txt", "footer.html", "digest.txt", "digest.html"}

const (
	languagesDir   = "languages" // below a directory of templates
	maxTemplate    = 256 << 10   // octets of a file
	maxFooterLines = 12          // relay/sanitize finds footers of some more, for programs break lines
)

// Templates are what notifications and digests look like, and the languages
// that they speak. They may be used by any goroutine.
type Templates struct {
	Languages *language.Catalogue

	text map[string]*template.Template
	html map[string]*htmltemplate.Template
}

// BuiltInTemplate is the text of a built-in template.
func BuiltInTemplate(name string) ([]byte, error) {
	if !slices.Contains(TemplateNames, name) {
		return nil, fmt.Errorf("there is no template %q: there are %s", name, strings.Join(TemplateNames, ", "))
	}
	return files.ReadFile("templates/" + name)
}

// LoadTemplates reads the built-in templates and languages, and instead of them
// those that a directory holds; empty: none. Each template is tried on a
// notification and a digest in every language, so that one that can't work is
// found now: the error names its file and line.
func LoadTemplates(dir string) (*Templates, error) {
	own, err := ownTemplates(dir)
	if err != nil {
		return nil, err
	}
	t := &Templates{text: map[string]*template.Template{}, html: map[string]*htmltemplate.Template{}}
	languages := ""
	if dir != "" {
		languages = filepath.Join(dir, languagesDir)
	}
	if t.Languages, err = language.Load(languages); err != nil {
		return nil, err
	}
	for _, name := range TemplateNames {
		text, err := BuiltInTemplate(name)
		if own[name] {
			text, err = readTemplate(filepath.Join(dir, name))
		}
		if err != nil {
			return nil, err
		}
		if err := t.add(name, string(text)); err != nil {
			return nil, placed(dir, err)
		}
	}
	for _, tag := range t.Languages.Tags() {
		if err := t.try(tag); err != nil {
			return nil, placed(dir, err)
		}
	}
	return t, nil
}

// ownTemplates says which templates a directory has.
func ownTemplates(dir string) (map[string]bool, error) {
	own := map[string]bool{}
	if dir == "" {
		return own, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the templates: %w", err)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case e.IsDir() && name == languagesDir, strings.HasPrefix(name, "."), strings.HasSuffix(name, "~"):
		case !slices.Contains(TemplateNames, name) || e.IsDir():
			return nil, fmt.Errorf("%s: is no template: there are %s, and the directory %s", filepath.Join(dir, name), strings.Join(TemplateNames, ", "), languagesDir)
		default:
			own[name] = true
		}
	}
	return own, nil
}

func readTemplate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read a template: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err != nil {
		return nil, fmt.Errorf("read a template: %w", err)
	}
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("%s: is larger than %d octets", path, maxTemplate)
	}
	return text, nil
}

// add parses a template.
func (t *Templates) add(name, text string) error {
	var err error
	if strings.HasSuffix(name, ".html") {
		t.html[name], err = htmltemplate.New(name).Option("missingkey=error").Funcs(htmltemplate.FuncMap{"wrap": wrap, "outlook": outlook}).Parse(text)
	} else {
		t.text[name], err = template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"wrap": wrap}).Parse(text)
	}
	return err
}

// execute makes a text of a template.
func (t *Templates) execute(name string, view any) (string, error) {
	var b strings.Builder
	var err error
	if h := t.html[name]; h != nil {
		err = h.Execute(&b, view)
	} else if x := t.text[name]; x != nil {
		err = x.Execute(&b, view)
	} else {
		_, err = BuiltInTemplate(name) // says which there are
	}
	return b.String(), err
}

// position is where a template's error says that it is.
var position = regexp.MustCompile(`^(?:html/)?template: ?([a-z]+\.[a-z]+):(?:(\d+):(?:\d+:)?)? (?s:(.*))$`)

// placed puts file and line of a template's error first.
func placed(dir string, err error) error {
	m := position.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	line := m[2]
	if line == "" {
		line = "1"
	}
	return errors.New(filepath.Join(dir, m[1]) + ":" + line + ": " + m[3])
}

// try executes all templates on samples, in a language.
func (t *Templates) try(tag string) error {
	for _, name := range TemplateNames {
		for _, full := range []bool{true, false} {
			out, err := t.execute(name, sample(name, newLook(Options{}).in(t.Languages.Of(tag)), full))
			if err != nil {
				return err
			}
			switch name {
			case "footer.html":
				err = balanced(out)
			case "footer.txt":
				if n := strings.Count(lines(out), "\r\n"); n > maxFooterLines {
					err = fmt.Errorf("has %d lines: more than %d would not be recognised in replies, which quote it", n, maxFooterLines)
				}
			}
			if err != nil {
				return fmt.Errorf("template: %s:1: %w", name, err)
			}
		}
	}
	return nil
}

// balanced checks that the frame around a footer will hold it whole.
func balanced(s string) error {
	depth := 0
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if depth != 0 {
				return errors.New("has a <div> without its </div>")
			}
			return nil
		case html.StartTagToken:
			if name, _ := z.TagName(); string(name) == "div" {
				depth++
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if string(name) == "body" || string(name) == "html" {
				return errors.New("must be a part of a page: without <body> and <html>")
			}
			if string(name) == "div" {
				if depth--; depth < 0 {
					return errors.New("has a </div> without its <div>")
				}
			}
		}
	}
}

// outlook is HTML that only Outlook for Windows sees: html/template drops
// comments, so that a template can't write it.
func outlook(s string) htmltemplate.HTML {
	return htmltemplate.HTML("<!--[if mso]>" + s + "<![endif]-->")
}

// wrapAt is the line length of plain text, in octets.
const wrapAt = 72

// wrap breaks a text of one line between its words. A line never begins with
// what would mean something to a mail program.
func wrap(s string) string {
	var b strings.Builder
	col := 0
	for _, word := range strings.Fields(s) {
		switch {
		case col == 0:
		case col+1+len(word) > wrapAt && !strings.ContainsAny(word[:1], ">-"):
			b.WriteByte('\n')
			col = 0
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += len(word)
	}
	return b.String()
}

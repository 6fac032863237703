package notify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What every template makes of everything, in every built-in language, stands in
// testdata.
func TestTemplatesSay(t *testing.T) {
	r := New(Options{Domain: "msg.example.com", Brand: "Backstage"})
	for _, name := range TemplateNames {
		for _, tag := range []string{"en", "de"} {
			got, err := r.Preview(name, tag)
			if err != nil {
				t.Fatal(err)
			}
			base, ext, _ := strings.Cut(name, ".")
			golden(t, "testdata/sample-"+base+"-"+tag+"."+ext, []byte(got))
		}
	}
	for _, c := range [][2]string{{"header.txt", "en"}, {"footer.txt", "xx"}} {
		if _, err := r.Preview(c[0], c[1]); err == nil {
			t.Errorf("%v: no error", c)
		}
	}
}

// A directory's templates replace the built-in ones; one that can't work is
// told with file and line, before anything is sent.
func TestLoadTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       string // begins the error, after the directory; empty: none
	}{
		"replaced":               {"footer.txt", "{{.Writer}} wrote to you.\n", ""},
		"hidden files":           {".footer.txt.swp", "{{", ""},
		"a backup":               {"footer.txt~", "{{", ""},
		"not a template's name":  {"header.txt", "x", "/header.txt: is no template: there are footer.txt, "},
		"does not parse":         {"digest.txt", "one\n{{if .Name}}\nthree\n", "/digest.txt:4: unexpected EOF"},
		"HTML does not parse":    {"digest.html", "<p>\n{{.Name}\n", "/digest.html:2: "},
		"no such field":          {"digest.html", "<p>\n\n{{.Nmae}}</p>\n", "/digest.html:3: executing \"digest.html\" at <.Nmae>: can't evaluate field Nmae"},
		"no such phrase":         {"footer.txt", "x\n{{.Say \"footer.hlep\"}}\n", "/footer.txt:2: executing \"footer.txt\" at <.Say>: error calling Say: there is no phrase"},
		"a phrase's field lacks": {"footer.txt", "{{.Say \"footer.block\"}}\n", "/footer.txt:1: executing \"footer.txt\" at <.Say>: error calling Say: the phrase \"footer.block\" needs the field name"},
		"only some have it":      {"digest.txt", "{{range .Threads}}{{slice .Alias 0 5}}{{end}}\n", "/digest.txt:1: "},
		"HTML that can't be":     {"digest.html", "<a href='{{.Name}}\n", "/digest.html:"},
		"a frame left open":      {"footer.html", "<div><b>{{.Brand}}</b>\n", "/footer.html:1: has a <div> without its </div>"},
		"a frame left twice":     {"footer.html", "</div><b>{{.Brand}}</b>\n", "/footer.html:1: has a </div> without its <div>"},
		"a whole page":           {"footer.html", "<html><body>{{.Brand}}</body></html>\n", "/footer.html:1: must be a part of a page"},
		"too long to be known":   {"footer.txt", strings.Repeat("word\n", 20), "/footer.txt:1: has 20 lines"},
		"too large":              {"digest.txt", strings.Repeat("x", 300<<10), "/digest.txt: is larger than"},
		"a language":             {"languages/de.toml", "[phrases]\nhelp = 1\n", "/languages/de.toml:2: the phrase \"help\""},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, c.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadTemplates(dir)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), dir+c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := LoadTemplates("testdata/absent"); err == nil {
		t.Error("a directory that is not there: no error")
	}
	own, err := LoadTemplates("testdata/templates")
	if err != nil {
		t.Fatal(err)
	}
	r := New(Options{Brand: "Backstage", Templates: own})
	french, err := r.Preview("footer.txt", "fr")
	if err != nil || !strings.Contains(french, "House rules of Backstage") || !strings.Contains(french, "Combien de fois") || !strings.Contains(french, "Aide: ") {
		t.Errorf("%s, %v", french, err)
	}
	if digest, err := r.Preview("digest.txt", "fr"); err != nil || !strings.Contains(digest, "Hello Tess,") { // what French lacks is said in English
		t.Errorf("%s, %v", digest, err)
	}
}

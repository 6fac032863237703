package web

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The examples in docs/contact.md sign links that open the form, in every
// language that is installed here.
func TestTheDocumentedSignatures(t *testing.T) {
	doc, err := os.ReadFile("../../docs/contact.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```(sh|python|js|php|ruby)\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		examples[m[1]] = m[2]
	}
	if len(examples) != 5 {
		t.Fatalf("%d examples", len(examples))
	}
	const call = `("BASE", "` + linkKey + `", "sam", "tess")`
	for lang, c := range map[string]struct {
		run           []string
		before, after string
	}{
		"sh":     {[]string{"sh"}, "expires=%d\n", ""},
		"python": {[]string{"python3"}, "", "print(contact_link" + call + ")\n"},
		"js":     {[]string{"node"}, "", "console.log(contactLink" + call + ");\n"},
		"php":    {[]string{"php"}, "<?php\n", "echo contact_link" + call + ";\n"},
		"ruby":   {[]string{"ruby"}, "", "puts contact_link" + call + "\n"},
	} {
		t.Run(lang, func(t *testing.T) {
			if _, err := exec.LookPath(c.run[0]); err != nil {
				t.Skipf("%s is not installed", c.run[0])
			}
			b := newBrowser(t)
			b.s.o.LinkKey = linkKey
			expires := time.Now().Add(time.Minute).Unix()
			code := c.before + examples[lang] + c.after
			if lang == "sh" {
				// The example signs for tess and sam; the stage's form is Tess's to Sam.
				code = fmt.Sprintf(c.before, expires) + strings.Replace(examples[lang], "tess sam", "sam tess", 1)
			}
			dir := t.TempDir()
			for name, text := range map[string]string{"example": code, "token": linkKey + "\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(c.run[0], "example")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			link := strings.TrimSpace(string(out))
			if lang == "sh" {
				link = fmt.Sprintf("BASE/contact/sam?from=tess&expires=%d&sig=%s", expires, link)
			}
			wants(t, b.open(strings.TrimPrefix(link, "BASE"), nil, 200), "<h1>Write to Sam</h1>")
		})
	}
}

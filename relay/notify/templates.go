package notify

import (
	"embed"
	htmltemplate "html/template"
	"strings"
	"text/template"
)

//go:embed templates
var files embed.FS

var (
	digestText = template.Must(template.New("digest.txt").Funcs(template.FuncMap{"wrap": wrap}).ParseFS(files, "templates/digest.txt"))
	digestHTML = htmltemplate.Must(htmltemplate.ParseFS(files, "templates/digest.html"))
)

// digestView is what the templates see of a digest.
type digestView struct {
	*digest
	Title  string
	Count  int
	Single bool // a reply answers the one thread
}

func (d *digest) view() digestView {
	n := len(d.Threads) + d.More
	return digestView{digest: d, Title: d.Title(), Count: n, Single: n == 1}
}

func (d *digest) text() (string, error) {
	var b strings.Builder
	err := digestText.Execute(&b, d.view())
	return strings.TrimRight(b.String(), "\n") + "\n", err
}

func (d *digest) html() (string, error) {
	var b strings.Builder
	err := digestHTML.Execute(&b, d.view())
	return b.String(), err
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

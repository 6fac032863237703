package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/stagedoor/stagedoor/relay/language"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"first":   first,
	"date":    func(t time.Time) string { return t.Format("2 January 2006") },
	"invalid": invalid,
}).ParseFS(files, "pages/*.html"))

// page is what the frame around each page shows.
type page struct {
	Title, Brand, SupportURL string
	Base                     string        // path before all links; may be empty
	Style                    string        // version of the stylesheet
	Content                  template.HTML // made by another template
	Problem                  bool          // the page says that something is wrong
	Handle                   string        // of who is signed in; empty: it doesn't matter
	Sections                 []section     // of the account; nil: the page is none of them
	Framed                   bool          // Origins may show the page within theirs
	Embed                    bool          // and it is shown so
	Origins                  string        // parted by spaces
	spoken                                 // English, if nothing else is said
}

// spoken is the language of a page.
type spoken struct{ says *language.Language }

// Say is a phrase; fields are names and values in turn.
func (s spoken) Say(key string, fields ...any) (string, error) { return s.says.TrySay(key, fields...) }

// Lang is the language's tag.
func (s spoken) Lang() string { return s.says.Tag() }

// problem is what is wrong with a form: a sentence for who wrote it, and the
// field that it is about, if it is about one.
type problem struct {
	Field, Text string
	Framed      bool // within another site's page, where only a script gives it the focus
}

// invalid marks the field that a problem is about, for those who hear the page.
func invalid(p problem, field string) template.HTMLAttr {
	if p.Text == "" || p.Field != field {
		return ""
	}
	return `aria-invalid="true" aria-describedby="problem"`
}

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, status int, title, name string, data any) {
	s.frame(w, status, page{Title: title}, name, data)
}

// showIn answers with a page in a language.
func (s *Server) showIn(l *language.Language, w http.ResponseWriter, status int, title, name string, data any) {
	s.frame(w, status, page{Title: title, spoken: spoken{l}}, name, data)
}

// frame answers with a page of that template. Its address may hold a token: it
// is neither cached nor passed on in a Referer to another site. (Under
// no-referrer a form of ours would come with "Origin: null", as if from
// anywhere, from a browser that sends no Sec-Fetch-Site.)
func (s *Server) frame(w http.ResponseWriter, status int, p page, name string, data any) {
	if p.says == nil {
		p.says = s.o.Languages.Of(language.Default)
	}
	var content, out bytes.Buffer
	err := templates.ExecuteTemplate(&content, name, data)
	if err == nil {
		p.Base, p.Style, p.Brand, p.SupportURL, p.Content = s.base, s.cssVersion, s.o.Brand, s.o.SupportURL, template.HTML(content.String())
		err = templates.ExecuteTemplate(&out, "frame", p)
	}
	if err != nil {
		s.log.Error("a page can't be made", "page", name, "error", err)
		answer(w, http.StatusInternalServerError, "Something went wrong here. Please try again later.\n")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if !p.Framed || p.Origins == "" {
		h.Set("X-Frame-Options", "DENY")
	}
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// tell answers with a page of a few sentences.
func (s *Server) tell(w http.ResponseWriter, status int, title string, sentences ...string) {
	s.show(w, status, title, "text", sentences)
}

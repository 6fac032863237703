package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"first": first,
	"date":  func(t time.Time) string { return t.Format("2 January 2006") },
}).ParseFS(files, "pages/*.html"))

// page is what the frame around each page shows.
type page struct {
	Title, Brand, SupportURL string
	Base                     string        // path before all links; may be empty
	Content                  template.HTML // made by another template
}

// policy is the Content-Security-Policy of every page: one stylesheet and
// forms of our own, nothing from elsewhere, and no frame around it.
const policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// show answers with a page. Its address may hold a token: it is neither
// cached nor passed on in a Referer.
func (s *Server) show(w http.ResponseWriter, status int, title, name string, data any) {
	var content, out bytes.Buffer
	err := templates.ExecuteTemplate(&content, name, data)
	if err == nil {
		err = templates.ExecuteTemplate(&out, "frame", page{
			Title: title, Base: s.base, Brand: s.o.Brand, SupportURL: s.o.SupportURL, Content: template.HTML(content.String()),
		})
	}
	if err != nil {
		s.log.Error("a page can't be made", "page", name, "error", err)
		answer(w, http.StatusInternalServerError, "Something went wrong here. Please try again later.\n")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// tell answers with a page of a few sentences.
func (s *Server) tell(w http.ResponseWriter, status int, title string, sentences ...string) {
	s.show(w, status, title, "text", sentences)
}

func (s *Server) style(w http.ResponseWriter, _ *http.Request) {
	css, err := files.ReadFile("pages/style.css")
	if err != nil {
		answer(w, http.StatusInternalServerError, "")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(css)
}

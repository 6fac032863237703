package web

import (
	"net/http"
	"strings"
)

// embedded reports whether a page is asked for within another site's page: the
// script says so, and browsers do (Fetch Metadata).
func (s *Server) embedded(r *http.Request) bool {
	return r.URL.Query().Has("embed") || r.Header.Get("Sec-Fetch-Dest") == "iframe"
}

// contactFrame is the frame around the pages of the contact form, the only ones
// that the platform's origins may show within theirs.
func (s *Server) contactFrame(r *http.Request, title string) page {
	return page{Title: title, Framed: true, Embed: s.embedded(r), Origins: strings.Join(s.o.EmbedOrigins, " ")}
}

// policy is the Content-Security-Policy of a page: one stylesheet and forms of
// our own, nothing from elsewhere, and no frame around it but of the origins
// that may. Only within such a frame there is a script: it tells the height.
func (p page) policy() string {
	ancestors, script := "'none'", ""
	if p.Framed && p.Origins != "" {
		ancestors = p.Origins
	}
	if p.Embed {
		script = "script-src 'self'; "
	}
	return "default-src 'none'; style-src 'self'; " + script + "form-action 'self'; base-uri 'none'; frame-ancestors " + ancestors
}

// script serves one of the two scripts: contact.js is for the platform's page,
// frame.js for ours within it.
func (s *Server) script(name string) http.HandlerFunc {
	b, _ := files.ReadFile("pages/" + name) // it is embedded
	return func(w http.ResponseWriter, _ *http.Request) { serveAsset(w, b, "text/javascript; charset=utf-8") }
}

func serveAsset(w http.ResponseWriter, b []byte, kind string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(b)
}

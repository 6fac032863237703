package web

import "net/http"

// challenge proves to a certificate authority that a name leads here (RFC 8555
// section 8.3). It follows a name of ours to whatever port 80 passes on, so
// that any Host is right.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) {
	if s.o.Challenge != nil {
		if text, ok := s.o.Challenge(r.PathValue("token")); ok {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write([]byte(text))
			return
		}
	}
	answer(w, http.StatusNotFound, "There is no such page.\n")
}

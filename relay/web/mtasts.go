package web

import (
	"net"
	"net/http"
	"strings"
)

// stsPolicy tells other mail servers that mail to the domain comes by verified
// TLS (RFC 8461 section 3.3). Only the one host has it: on any other it would
// speak for a domain that is not ours to speak for.
func (s *Server) stsPolicy(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if s.o.STSPolicy == "" || !strings.EqualFold(strings.TrimSuffix(host, "."), "mta-sts."+s.o.Domain) {
		answer(w, http.StatusNotFound, "There is no such page.\n")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(s.o.STSPolicy))
}

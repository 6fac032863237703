package imapd

// SignedIn is how many sessions are signed in.
func (srv *Server) SignedIn() int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	n := 0
	for _, of := range srv.sessions {
		n += of
	}
	return n
}

package wire

// Connections is how many connections are open.
func (srv *Server) Connections() int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.total
}

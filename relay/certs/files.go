package certs

import (
	"os"
	"time"
)

// fileTime is how often the files are looked at.
const fileTime = 30 * time.Second

// fileState tells whether the files changed: a tool that renews writes them
// anew, or points a link elsewhere.
type fileState [2]struct {
	size     int64
	modified time.Time
}

// look is the state of the files now. One that can't be read has none.
func (s *Source) look() fileState {
	var state fileState
	for i, path := range []string{s.o.CertFile, s.o.KeyFile} {
		if st, err := os.Stat(path); err == nil { // the link's target
			state[i].size, state[i].modified = st.Size(), st.ModTime()
		}
	}
	return state
}

// follow reads the files again if they changed. Between the two being written
// they don't fit: the old certificate stays, and the next change is looked at
// again.
func (s *Source) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.look() == s.files {
		return
	}
	before := s.active.Load().fallback
	if err := s.load(); err != nil {
		s.log.Warn("the certificate's files changed and can't be used; going on with the old one", "error", err)
		return
	}
	if after := s.active.Load().fallback; !after.Leaf.Equal(before.Leaf) {
		s.log.Info("took a new certificate from its files", "valid_until", after.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
}

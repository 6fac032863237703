package imapd

import (
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
)

// plain are criteria that go-imap has words for.
func plain(c imap.SearchCriteria) *Criteria { return &Criteria{SearchCriteria: c} }

// appendOne appends a message.
func appendOne(s *Session, name string, r io.Reader, size int64, at time.Time) error {
	a, err := s.BeginAppend(name)
	if err != nil {
		return err
	}
	defer a.Discard()
	if err := a.Add(r, size, false, nil, at); err != nil {
		return err
	}
	_, err = a.Commit()
	return err
}

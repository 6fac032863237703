package store

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// ErrLinkUsed means that another form has taken the link.
var ErrLinkUsed = errors.New("the link has been used by another form")

// UseLink notes, until a time, that a form was sent by a link. The same form may
// use it again. ErrLinkUsed.
func (s *Store) UseLink(ctx context.Context, link, form []byte, until time.Time) error {
	return s.c.commit(ctx, func(t *tx) error {
		if _, err := t.exec("INSERT INTO contact_links (hash, form, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", link, form, millis(until)); err != nil {
			return err
		}
		var by []byte
		if err := t.row("SELECT form FROM contact_links WHERE hash = ?", []any{link}, &by); err != nil {
			return err
		}
		if !bytes.Equal(by, form) {
			return ErrLinkUsed
		}
		return nil
	})
}

// LinkUsed reports whether some form was sent by the link.
func (s *Store) LinkUsed(ctx context.Context, link []byte) (used bool, err error) {
	err = s.row(ctx, "SELECT EXISTS (SELECT 1 FROM contact_links WHERE hash = ?)", []any{link}, &used)
	return used, err
}

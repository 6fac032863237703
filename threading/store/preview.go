package store

import (
	"context"
	"fmt"
	"io"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// previewOf makes the preview of a body that is in memory; nil if it is not: it
// is made when it is first asked for.
func previewOf(b *threading.Body) *string {
	var preview string
	if b.Size != int64(len(b.Data)) {
		return nil
	}
	if root, err := mimetree.Decode(b.Structure); err == nil {
		if p, from, to := mimetree.PreviewRange(root); p != nil && from <= to && to <= b.Size {
			preview = mimetree.Preview(p, b.Data[from:to])
		}
	}
	return &preview
}

// Preview returns a body's first words, at most mimetree.MaxPreview characters.
// They were made when the body was filed, or are made now, and kept. ErrNotFound.
func (s *Store) Preview(ctx context.Context, bodyID threading.ID) (string, error) {
	var kept *string
	var structure []byte
	if err := s.row(ctx, "SELECT preview, CASE WHEN preview IS NULL THEN structure END FROM bodies WHERE id = ?", []any{bodyID}, &kept, &structure); err != nil {
		return "", err
	}
	if kept != nil {
		return *kept, nil
	}
	preview := ""
	if root, err := mimetree.Decode(structure); err == nil {
		if preview, err = s.makePreview(ctx, bodyID, root); err != nil {
			return "", fmt.Errorf("make a preview: %w", err)
		}
	}
	return preview, s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE bodies SET preview = ? WHERE id = ?", preview, bodyID)
		return err
	})
}

func (s *Store) makePreview(ctx context.Context, bodyID threading.ID, root *mimetree.Part) (string, error) {
	p, from, to := mimetree.PreviewRange(root)
	if p == nil {
		return "", nil
	}
	r, err := s.OpenBody(ctx, bodyID, from, to-from)
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(r)
	return mimetree.Preview(p, raw), err
}

package store

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/stagedoor/stagedoor/threading"
)

// BodyWriter takes a body of unknown size. What goes beyond
// threading.InlineBody is stored in chunks at once, in transactions of their
// own; a body that is never filed is swept.
type BodyWriter struct {
	s      *Store
	ctx    context.Context
	id     threading.ID
	buf    bytes.Buffer
	chunks int
	size   int64
	ended  bool
}

// NewBody returns a writer for a new body.
func (s *Store) NewBody(ctx context.Context) *BodyWriter {
	return &BodyWriter{s: s, ctx: ctx, id: s.o.IDs.Next()}
}

// Write implements io.Writer. It holds at most threading.InlineBody octets.
func (w *BodyWriter) Write(p []byte) (int, error) {
	n := 0
	for len(p) > 0 {
		if w.buf.Len() == threading.InlineBody {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
		k := min(len(p), threading.InlineBody-w.buf.Len())
		w.buf.Write(p[:k])
		w.size += int64(k)
		n += k
		p = p[k:]
	}
	return n, nil
}

// flush writes one chunk.
func (w *BodyWriter) flush() error {
	c := newChunk(w.id, w.chunks, w.buf.Bytes())
	if err := w.s.c.commit(w.ctx, func(t *tx) error { return t.addChunk(c) }); err != nil {
		return fmt.Errorf("write a chunk of the body: %w", err)
	}
	w.chunks++
	w.buf.Reset()
	return nil
}

// Finish ends the body. The caller sets Content on the result before it is
// filed or appended.
func (w *BodyWriter) Finish() (threading.Body, error) {
	b := threading.Body{ID: w.id, Size: w.size}
	if w.chunks == 0 {
		b.Data = w.buf.Bytes()
	} else if w.buf.Len() > 0 {
		if err := w.flush(); err != nil {
			return b, err
		}
	}
	w.ended = true
	return b, nil
}

// Discard drops what was written. It does nothing after Finish.
func (w *BodyWriter) Discard() {
	if w.ended || w.chunks == 0 {
		return
	}
	w.ended = true
	_ = w.s.c.commit(context.WithoutCancel(w.ctx), func(t *tx) error { // else the sweeper finds it
		_, err := t.exec("DELETE FROM body_chunks WHERE body_id = ?", w.id)
		return err
	})
}

type chunk struct {
	body      threading.ID
	seq, size int
	data      []byte
}

func newChunk(body threading.ID, seq int, raw []byte) chunk {
	return chunk{body: body, seq: seq, size: len(raw), data: compress(raw)}
}

func (t *tx) addChunk(c chunk) error {
	_, err := t.exec("INSERT INTO body_chunks (body_id, seq, size, data) VALUES (?, ?, ?, ?)", c.body, c.seq, c.size, c.data)
	return err
}

// bodyRow is a body as it is stored, compressed before the committer gets it.
type bodyRow struct {
	id        threading.ID
	size      int64
	structure []byte
	signature []byte
	text      []byte
	preview   *string
	chunks    []chunk // of a body that is held in memory: none or one
}

func newBodyRow(b threading.Body) bodyRow {
	r := bodyRow{id: b.ID, size: b.Size, structure: b.Structure, signature: threading.NewSignature(b.Text), text: compress([]byte(b.Text)), preview: previewOf(&b)}
	if r.structure == nil {
		r.structure = []byte{}
	}
	if len(b.Data) > 0 {
		r.chunks = []chunk{newChunk(b.ID, 0, b.Data)}
	}
	return r
}

// addBody writes a body; one that is there already (several threads share it)
// is left.
func (t *tx) addBody(b bodyRow) error {
	n, err := t.exec("INSERT INTO bodies (id, size, structure, signature, text, preview) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", b.id, b.size, b.structure, b.signature, b.text, b.preview)
	if err != nil || n == 0 {
		return err
	}
	for _, c := range b.chunks {
		if err := t.addChunk(c); err != nil {
			return err
		}
	}
	return nil
}

// Content returns what is known of a body's bytes: Structure, and Text if
// withText. ErrNotFound.
func (s *Store) Content(ctx context.Context, bodyID threading.ID, withText bool) (threading.Content, error) {
	var c threading.Content
	if !withText {
		err := s.row(ctx, "SELECT structure FROM bodies WHERE id = ?", []any{bodyID}, &c.Structure)
		return c, err
	}
	var text []byte
	if err := s.row(ctx, "SELECT structure, text FROM bodies WHERE id = ?", []any{bodyID}, &c.Structure, &text); err != nil {
		return c, err
	}
	b, err := decompress(text)
	c.Text = string(b)
	return c, err
}

// OpenBody reads n octets of a body from offset (n < 0: to the end). It holds
// one chunk in memory, and no transaction between reads. ErrNotFound.
func (s *Store) OpenBody(ctx context.Context, bodyID threading.ID, offset, n int64) (io.ReadCloser, error) {
	var size int64
	if err := s.row(ctx, "SELECT size FROM bodies WHERE id = ?", []any{bodyID}, &size); err != nil {
		return nil, fmt.Errorf("open the body: %w", err)
	}
	offset = min(max(offset, 0), size)
	if n < 0 || n > size-offset {
		n = size - offset
	}
	r := &bodyReader{s: s, ctx: ctx, id: bodyID, left: n, seq: int(offset / threading.InlineBody)}
	r.skip = int(offset % threading.InlineBody)
	return r, nil
}

// bodyReader reads chunk by chunk. All chunks but the last are of
// threading.InlineBody octets.
type bodyReader struct {
	s    *Store
	ctx  context.Context
	id   threading.ID
	left int64
	seq  int
	skip int
	data []byte
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(r.data) == 0 {
		var packed []byte
		if err := r.s.row(r.ctx, "SELECT data FROM body_chunks WHERE body_id = ? AND seq = ?", []any{r.id, r.seq}, &packed); err != nil {
			return 0, fmt.Errorf("read chunk %d of a body: %w", r.seq, err)
		}
		data, err := decompress(packed)
		if err != nil {
			return 0, fmt.Errorf("chunk %d of a body: %w", r.seq, err)
		}
		if r.skip > len(data) {
			return 0, io.ErrUnexpectedEOF
		}
		r.data = data[r.skip:]
		r.skip = 0
		r.seq++
		if len(r.data) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.data)
	r.data = r.data[n:]
	r.left -= int64(n)
	return n, nil
}

// Close implements io.Closer.
func (r *bodyReader) Close() error {
	r.left, r.data = 0, nil
	return nil
}

// Item returns an item with its header block. ErrNotFound.
func (s *Store) Item(ctx context.Context, memberID, itemID threading.ID) (threading.Item, error) {
	it := threading.Item{ID: itemID, MemberID: memberID}
	err := s.row(ctx, "SELECT thread_id, message_id, body_id, body_size, header FROM items WHERE member_id = ? AND id = ?", []any{memberID, itemID},
		&it.ThreadID, &it.MessageID, &it.BodyID, &it.BodySize, &it.Header)
	return it, err
}

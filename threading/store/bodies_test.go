package store

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stagedoor/stagedoor/threading"
)

const inline = threading.InlineBody

// noise returns bytes that don't compress.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// write writes a body in uneven pieces and files it with an APPEND.
func (x *fixture) write(mb threading.Mailbox, data []byte) threading.Body {
	x.t.Helper()
	w := x.NewBody(x.ctx)
	defer w.Discard()
	if _, err := io.CopyBuffer(w, struct{ io.Reader }{bytes.NewReader(data)}, make([]byte, 70001)); err != nil {
		x.t.Fatal(err)
	}
	b, err := w.Finish()
	if err != nil {
		x.t.Fatal(err)
	}
	b.Content = threading.Content{Structure: []byte("s"), Text: "what a search sees"}
	if _, _, err := x.Append(x.ctx, mb.MemberID, mb.ID, NewItem{Header: []byte("\r\n"), Body: b}); err != nil {
		x.t.Fatal(err)
	}
	return b
}

func (x *fixture) readBody(id threading.ID, offset, n int64) []byte {
	x.t.Helper()
	r, err := x.OpenBody(x.ctx, id, offset, n)
	if err != nil {
		x.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		x.t.Fatal(err)
	}
	return b
}

func TestBodies(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	for _, c := range []struct {
		name         string
		size, chunks int
		inline       bool
	}{
		{"empty", 0, 0, true}, {"one octet", 1, 1, true}, {"small", 3000, 1, true}, {"largest in one piece", inline, 1, true},
		{"one octet more", inline + 1, 2, false}, {"two full chunks", 2 * inline, 2, false}, {"three chunks", 2*inline + 12345, 3, false},
	} {
		data := noise(c.size)
		b := x.write(mb, data)
		if b.Size != int64(c.size) || (b.Data != nil || c.size == 0) != c.inline {
			t.Errorf("%s: body of %d octets, %d of them inline", c.name, b.Size, len(b.Data))
		}
		if n := x.count("body_chunks WHERE body_id = ?", b.ID); n != c.chunks {
			t.Errorf("%s: %d chunks, want %d", c.name, n, c.chunks)
		}
		if got := x.readBody(b.ID, 0, -1); !bytes.Equal(got, data) {
			t.Errorf("%s: read %d octets, or others", c.name, len(got))
		}
		if got, err := x.Content(x.ctx, b.ID, true); err != nil || got.Text != "what a search sees" || string(got.Structure) != "s" {
			t.Errorf("%s: content %+v, %v", c.name, got, err)
		}
	}
}

func TestOpenBodyRanges(t *testing.T) {
	x := newFixture(t)
	data := noise(2*inline + 12345)
	id := x.write(x.mailbox(x.member("tess"), threading.Inbox), data).ID
	size := int64(len(data))
	for _, c := range []struct{ offset, n int64 }{
		{0, 10}, {inline - 5, 10}, {inline, 1}, {inline - 1, 1}, {inline - 1, inline + 2}, {2*inline - 1, 12346}, {2 * inline, -1},
		{1, -1}, {size - 1, 5}, {size, 5}, {size + 99, 5}, {-7, 3}, {5, 0}, {0, size + 1},
	} {
		from := min(max(c.offset, 0), size)
		to := size
		if c.n >= 0 {
			to = min(from+c.n, size)
		}
		if got := x.readBody(id, c.offset, c.n); !bytes.Equal(got, data[from:to]) {
			t.Errorf("OpenBody(%d, %d): %d octets, or others; want %d", c.offset, c.n, len(got), to-from)
		}
	}
	r, err := x.OpenBody(x.ctx, id, inline-100, 200)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, data[inline-100:inline+100]); err != nil {
		t.Error(err)
	}
	if _, err := x.OpenBody(x.ctx, 5, 0, -1); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown body: %v", err)
	}
}

func TestDiscard(t *testing.T) {
	x := newFixture(t)
	w := x.NewBody(x.ctx)
	if _, err := w.Write(noise(3 * inline)); err != nil {
		t.Fatal(err)
	}
	if n := x.count("body_chunks"); n != 2 {
		t.Fatalf("%d chunks while it is written", n)
	}
	w.Discard()
	if n := x.count("body_chunks"); n != 0 {
		t.Errorf("%d chunks after Discard", n)
	}
	w = x.NewBody(x.ctx)
	if _, err := w.Write(noise(2 * inline)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	w.Discard()
	if n := x.count("body_chunks"); n != 2 {
		t.Errorf("%d chunks after Finish and Discard", n)
	}
}

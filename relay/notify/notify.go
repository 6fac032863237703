// Package notify makes the mail that tells a member, at the real address, of a
// new message: the message itself, with a footer that says what can be done
// with it.
//
// Its input is an item: the header block and body that stand in the member's
// mailbox. From is a reply alias and To the member's own contact address
// there, so that nothing needs hiding any more; both stay as they are. What
// changes is the first text and the first HTML part, which get the footer, and
// the transfer encoding of these parts; attachments that are too large for mail
// are named in their place. Every other octet is copied. Nothing is stored: who reads the mailbox by IMAP sees no footer.
//
// A message is streamed from the store; of a part no more than its header is
// held. The package keeps no state and no goroutine, and touches no disk.
package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Options configure a Renderer.
type Options struct {
	Store      *store.Store
	Domain     string     // of the relay's addresses
	Brand      string     // "Backstage"
	BaseURL    string     // where a member can read the conversation in a browser; may be empty
	SupportURL string     // a page that helps; may be empty
	BrandColor string     // "#7a1f2b"; empty: palette.Default
	Templates  *Templates // nil: the built-in ones
	// MaxAttachment is how many octets an attachment has that is mailed; a larger
	// one is named instead. 0: no bound.
	MaxAttachment int64
}

// Renderer writes notifications. It is safe for concurrent use.
type Renderer struct {
	o    Options
	look Look
}

// New returns a Renderer.
func New(o Options) *Renderer {
	if o.Templates == nil {
		o.Templates = builtIn()
	}
	return &Renderer{o, newLook(o)}
}

// smallBody is read in one piece, since most are: the rest of the work is then
// done in memory.
const smallBody = 256 << 10

// Render writes a member's item as mail, header and body, to w. Lines end as
// they do in the store. An error is the store's or w's; a part that can't be
// decoded is copied without a footer.
func (r *Renderer) Render(ctx context.Context, w io.Writer, m threading.Member, item threading.Item) error {
	content, err := r.o.Store.Content(ctx, item.BodyID, false)
	if err != nil {
		return fmt.Errorf("read the message's structure: %w", err)
	}
	open, err := r.open(ctx, item)
	if err != nil {
		return err
	}
	root, err := mimetree.Decode(content.Structure)
	if err != nil {
		return fmt.Errorf("read the message's structure: %w", err)
	}
	c := r.controlOf(item)
	f := r.footerOf(item.Header, r.lookFor(m, c))
	return render(w, r.withControls(item, c), item.BodySize, root, open, f, r.o.MaxAttachment)
}

// opener opens n octets of a body from off; n < 0: to the end.
type opener func(off, n int64) (io.ReadCloser, error)

func (r *Renderer) open(ctx context.Context, item threading.Item) (opener, error) {
	fromStore := func(off, n int64) (io.ReadCloser, error) {
		b, err := r.o.Store.OpenBody(ctx, item.BodyID, off, n)
		if err != nil {
			return nil, fmt.Errorf("read the message's body: %w", err)
		}
		return b, nil
	}
	if item.BodySize > smallBody {
		return fromStore, nil
	}
	b, err := fromStore(0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close() }()
	data, err := io.ReadAll(io.LimitReader(b, smallBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the message's body: %w", err)
	}
	return inMemory(data), nil
}

func inMemory(data []byte) opener {
	return func(off, n int64) (io.ReadCloser, error) {
		if n < 0 {
			n = int64(len(data)) - off
		}
		if off < 0 || n < 0 || off+n > int64(len(data)) {
			return nil, errors.New("the message's structure does not fit its body")
		}
		return io.NopCloser(bytes.NewReader(data[off : off+n])), nil
	}
}

// render copies the message and changes the parts that get a footer, or are
// larger than an attachment may be.
func render(w io.Writer, header []byte, size int64, root *mimetree.Part, open opener, f footer, maxAttachment int64) error {
	left := tooLarge(root, maxAttachment)
	for _, s := range left {
		f.view.LeftOut = append(f.view.LeftOut, s.file)
	}
	edits, err := plan(root, open, f, left)
	if err != nil {
		return err
	}
	if len(edits) == 1 && edits[0].part == root {
		if s := edits[0].stub; s != nil {
			header = withContent(header, s.fields())
		} else {
			header = reencoded(header)
		}
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	at := int64(0)
	for _, e := range edits {
		if err := copyRange(w, open, at, e.part.HeaderStart-at); err != nil {
			return err
		}
		if e.stub != nil {
			err = e.stub.replace(w, f.view.Look, e.part == root)
		} else {
			err = e.replace(w, open, e.part == root)
		}
		if err != nil {
			return err
		}
		at = e.part.BodyEnd
	}
	return copyRange(w, open, at, size-at)
}

func copyRange(w io.Writer, open opener, off, n int64) error {
	if n <= 0 {
		return nil
	}
	b, err := open(off, n)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	if _, err := io.Copy(w, b); err != nil {
		return fmt.Errorf("copy the message: %w", err)
	}
	return nil
}

// Package export writes a member's mailboxes to files that mail programs read:
// one mbox file for each mailbox, or a tree of Maildirs; or, as one zip archive,
// the mbox files and what else is the member's own.
//
// What is written is what the member sees over IMAP, octet for octet but for
// what the format asks for (line ends, and in an mbox a quoted "From " and the
// fields that hold the flags): all mailboxes of one moment, with flags,
// keywords and dates. It holds what the mailboxes hold, and so no other
// member's real address.
//
// Files are private to their owner, are never written over, and are on disk
// when Write returns without an error; after an error what is there is not
// complete. Messages are streamed: one chunk of a body is in memory at a time.
package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Format is how mailboxes are written.
type Format string

// The formats.
const (
	Mbox    Format = "mbox"    // RFC 4155, with mboxrd quoting
	Maildir Format = "maildir" // Maildir++: INBOX is the directory itself, other mailboxes are below it
)

// ErrNotEmpty means that there is something in the directory.
var ErrNotEmpty = errors.New("the directory is not empty")

// Written counts what was written.
type Written struct{ Mailboxes, Messages int }

// layout writes one format.
type layout interface {
	// begin starts a mailbox that holds the entries; add writes its messages.
	begin(h store.Holding) error
	add(e threading.Entry, header []byte, body io.Reader) error
	// end makes the mailbox durable.
	end() error
	// abort lets go of what begin opened.
	abort()
}

// Write writes all mailboxes of a member to a directory, which it makes if
// there is none. ErrNotEmpty.
func Write(ctx context.Context, s *store.Store, memberID threading.ID, format Format, dir string) (Written, error) {
	if err := makeEmpty(dir); err != nil {
		return Written{}, err
	}
	var out layout
	switch format {
	case Mbox:
		out = &mbox{create: func(name string) (*file, error) { return newFile(filepath.Join(dir, name)) }}
	case Maildir:
		out = &maildir{root: dir}
	default:
		return Written{}, fmt.Errorf("there is no format %q: use %s or %s", format, Mbox, Maildir)
	}
	done, err := writeMailboxes(ctx, s, memberID, out)
	if err != nil {
		return done, err
	}
	return done, syncDir(dir)
}

func writeMailboxes(ctx context.Context, s *store.Store, memberID threading.ID, out layout) (done Written, err error) {
	holdings, err := s.Holdings(ctx, memberID)
	if err != nil {
		return done, err
	}
	for _, h := range holdings {
		n, err := writeMailbox(ctx, s, memberID, out, h)
		if err != nil {
			return done, fmt.Errorf("mailbox %q: %w", h.Name, err)
		}
		done.Mailboxes++
		done.Messages += n
	}
	return done, nil
}

func writeMailbox(ctx context.Context, s *store.Store, memberID threading.ID, out layout, h store.Holding) (n int, err error) {
	defer out.abort()
	if err := out.begin(h); err != nil {
		return 0, err
	}
	for _, e := range h.Entries {
		item, err := s.Item(ctx, memberID, e.ItemID)
		if errors.Is(err, store.ErrNotFound) {
			continue // expunged meanwhile, and swept
		} else if err != nil {
			return n, fmt.Errorf("read a message: %w", err)
		}
		body, err := s.OpenBody(ctx, e.BodyID, 0, -1)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return n, fmt.Errorf("read a message: %w", err)
		}
		err = out.add(e, item.Header, body)
		_ = body.Close()
		if err != nil {
			return n, err
		}
		n++
	}
	return n, out.end()
}

// makeEmpty makes a directory, or makes sure that one is empty.
func makeEmpty(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	switch _, err = d.Readdirnames(1); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	return fmt.Errorf("look into %s: %w", dir, err)
}

// file is a new file of the export.
type file struct {
	f *os.File // nil: in an archive
	w *bufio.Writer
}

func newFile(path string) (*file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &file{f: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

// close makes the file durable.
func (f *file) close() error {
	err := f.w.Flush()
	if f.f == nil {
		return err
	}
	if err == nil {
		err = f.f.Sync()
	}
	if cerr := f.f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write to disk: %w", err)
	}
	return nil
}

// abort lets go of the file.
func (f *file) abort() {
	if f.f != nil {
		_ = f.f.Close()
	}
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write the directory to disk: %w", err)
	}
	return nil
}

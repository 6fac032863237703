package imapd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// maxHeader bounds the header block of a message that is appended, in octets.
const maxHeader = 256 << 10

// Append is messages on their way into a mailbox. It is used by one goroutine
// and must be ended by Commit or Discard.
type Append struct {
	s     *Session
	mb    threading.Mailbox
	items []store.NewItem
	body  []*store.BodyWriter
}

// Appended is where the messages are.
type Appended struct {
	UIDValidity uint32
	UIDs        []uint32
}

// maxAppend bounds the messages of one MULTIAPPEND.
const maxAppend = 1000

// BeginAppend begins to append to a mailbox.
func (s *Session) BeginAppend(name string) (*Append, error) {
	mb, err := s.store().Mailbox(s.ctx, s.member.ID, name)
	if err != nil {
		return nil, answer(err, imap.ResponseCodeTryCreate)
	}
	if mb.Use == threading.UseAll {
		return nil, answer(store.ErrAllMailbox, imap.ResponseCodeTryCreate)
	}
	return &Append{s: s, mb: mb}, nil
}

// Check says whether one more message of size octets, with these flags, may be
// added: before it is read.
func (a *Append) Check(size int64, flags []imap.Flag) error {
	if size > a.s.srv.o.MaxMessageSize {
		return no(imap.ResponseCodeTooBig, "The message is larger than this server takes.")
	}
	if len(a.items) == maxAppend {
		return no(imap.ResponseCodeLimit, "There are too many messages in one APPEND.")
	}
	_, _, err := parseFlags(flags)
	return err
}

// errBinary refuses a message with NULs, which only a binary literal carries: a
// mailbox that kept them could not be read by others (RFC 3516 section 4.3).
var errBinary = no(imap.ResponseCodeUnknownCTE, "A message with NULs can't be stored here: encode its parts as base64.")

// noNUL fails at a NUL.
type noNUL struct{ r io.Reader }

// Read implements io.Reader.
func (n *noNUL) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if bytes.IndexByte(p[:k], 0) >= 0 {
		return 0, errBinary
	}
	return k, err
}

// Add reads a message of size octets; binary: from a literal that may hold NULs.
// It is streamed into the store; line ends
// become CRLF and NULs 0x80 (see wellFormed).
func (a *Append) Add(r io.Reader, size int64, binary bool, flags []imap.Flag, at time.Time) error {
	if err := a.Check(size, flags); err != nil {
		return err
	}
	bits, keywords, err := parseFlags(flags)
	if err != nil {
		return err
	}
	if binary {
		r = &noNUL{r}
	}
	src := bufio.NewReaderSize(&wellFormed{r: bufio.NewReader(&exactly{r: r, left: size})}, 8<<10)
	header, err := readHeader(src)
	if err != nil {
		return err
	}
	body := a.s.store().NewBody(a.s.ctx)
	a.body = append(a.body, body)
	content, err := mimetree.Read(header, io.TeeReader(src, body))
	if err != nil {
		return err
	}
	b, err := body.Finish()
	if err != nil {
		return err
	}
	b.Content = content
	it := store.NewItem{Header: header, Body: b, Flags: bits, Keywords: keywords, SavedAt: at}
	if a.mb.Use == threading.UseSent {
		value, _ := mimetree.Field(header, "Message-ID")
		if ids := messageIDs(value); len(ids) > 0 {
			it.ClientID = seal.ClientID(a.s.store().Keyring(), a.s.member.ID, ids[0])
		}
	}
	a.items = append(a.items, it)
	return nil
}

// Commit stores the messages, all or none.
func (a *Append) Commit() (*Appended, error) {
	defer a.Discard()
	validity, uids, err := a.s.store().AppendAll(a.s.ctx, a.s.member.ID, a.mb.ID, a.items)
	if err != nil {
		return nil, answer(err, imap.ResponseCodeTryCreate)
	}
	return &Appended{UIDValidity: validity, UIDs: uids}, nil
}

// Replace stores the message in place of one of the selected mailbox, in one
// step (RFC 8508), and returns what the client is to be told of that.
func (a *Append) Replace(set imap.NumSet) (*Appended, []Update, error) {
	defer a.Discard()
	s := a.s
	if err := s.writable(); err != nil {
		return nil, nil, err
	}
	old := s.Nums(s.uids(set))
	if len(old) != 1 {
		return nil, nil, no(imap.ResponseCodeNonExistent, "The message that is to be replaced is not there.")
	}
	validity, uids, _, err := s.store().Replace(s.ctx, s.member.ID, s.box.ID, old[0], a.mb.ID, a.items)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, no(imap.ResponseCodeNonExistent, "The message that is to be replaced is gone.")
	} else if err != nil {
		return nil, nil, answer(err, imap.ResponseCodeTryCreate)
	}
	return &Appended{UIDValidity: validity, UIDs: uids}, s.forget(old), nil
}

// Discard gives up what was not committed.
func (a *Append) Discard() {
	for _, b := range a.body {
		b.Discard()
	}
	a.body, a.items = nil, nil
}

// readHeader reads up to and including the empty line. A message without one
// is all header and gets it.
func readHeader(r *bufio.Reader) ([]byte, error) {
	var header []byte
	for {
		line, err := r.ReadSlice('\n')
		header = append(header, line...)
		switch {
		case len(header) > maxHeader:
			return nil, no(imap.ResponseCodeTooBig, "The message's header is too long.")
		case errors.Is(err, io.EOF):
			if !bytes.HasSuffix(header, []byte("\r\n")) && len(header) > 0 {
				header = append(header, '\r', '\n')
			}
			return append(header, '\r', '\n'), nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case string(line) == "\r\n" && (len(header) == 2 || bytes.HasSuffix(header, []byte("\r\n\r\n"))):
			return header, nil
		}
	}
}

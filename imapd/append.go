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

// Append puts a client's message of size octets into a mailbox. It is streamed
// into the store; line ends become CRLF and NULs go (see wellFormed). A message
// that breaks off before its end is not stored.
func (s *Session) Append(name string, r io.Reader, size int64, flags []imap.Flag, at time.Time) (*imap.AppendData, error) {
	if size > s.srv.o.MaxMessageSize {
		return nil, no(imap.ResponseCodeTooBig, "The message is larger than this server takes.")
	}
	bits, keywords, err := parseFlags(flags)
	if err != nil {
		return nil, err
	}
	mb, err := s.store().Mailbox(s.ctx, s.member.ID, name)
	if err != nil {
		return nil, answer(err, imap.ResponseCodeTryCreate)
	}
	src := bufio.NewReaderSize(&wellFormed{r: bufio.NewReader(&exactly{r: r, left: size})}, 8<<10)
	header, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	body := s.store().NewBody(s.ctx)
	defer body.Discard()
	content, err := mimetree.Read(header, io.TeeReader(src, body))
	if err != nil {
		return nil, err
	}
	b, err := body.Finish()
	if err != nil {
		return nil, err
	}
	b.Content = content
	it := store.NewItem{Header: header, Body: b, Flags: bits, Keywords: keywords, SavedAt: at}
	if mb.Use == threading.UseSent {
		value, _ := mimetree.Field(header, "Message-ID")
		if ids := messageIDs(value); len(ids) > 0 {
			it.ClientID = seal.ClientID(s.store().Keyring(), s.member.ID, ids[0])
		}
	}
	validity, uid, err := s.store().Append(s.ctx, s.member.ID, mb.ID, it)
	if err != nil {
		return nil, answer(err, imap.ResponseCodeTryCreate)
	}
	return &imap.AppendData{UIDValidity: validity, UID: imap.UID(uid)}, nil
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

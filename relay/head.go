package relay

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"net/mail"
	"strings"

	"github.com/emersion/go-message/charset"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// maxHead bounds the header of an incoming message, in octets.
const maxHead = 256 << 10

// head is the header of an incoming message: what identifying needs of it.
type head struct {
	raw  []byte // fields, lines end as they came
	size int64  // octets up to and including the empty line
}

var errHeadTooLong = refuse(552, 5, 3, 4, "The message's header is too long.")

// readHead reads up to the empty line that ends the header. A line that is no
// field ends it too: what follows is body.
func readHead(r io.Reader) (*head, error) {
	br := bufio.NewReaderSize(io.LimitReader(r, maxHead+1), 4096)
	h := &head{raw: make([]byte, 0, 2048)}
	for {
		line, err := br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return nil, err
		}
		h.size += int64(len(line))
		if h.size > maxHead {
			return nil, errHeadTooLong
		}
		atStart := len(h.raw) == 0 || h.raw[len(h.raw)-1] == '\n'
		if text := string(line); atStart && strings.Trim(text, "\r\n") == "" {
			// Only a line that is really empty ends it: senderauth reads as far.
			if text == "\r\n" || text == "\n" || errors.Is(err, io.EOF) {
				return h, nil
			}
			continue
		}
		h.raw = append(h.raw, line...)
		if errors.Is(err, io.EOF) {
			return h, nil
		}
	}
}

// get returns the first field of that name, unfolded, or nothing.
func (h *head) get(name string) string {
	v, _ := mimetree.Field(h.raw, name)
	return strings.TrimSpace(v)
}

// decoded is get with encoded words decoded (RFC 2047).
func (h *head) decoded(name string) string { return mimetree.DecodeHeader(h.get(name)) }

// count is how many fields of that name there are.
func (h *head) count(name string) int {
	n := 0
	for field := range mimetree.Fields(h.raw) {
		if strings.EqualFold(field, name) {
			n++
		}
	}
	return n
}

// addresses returns the addr-specs of a field, as far as it can be parsed.
func (h *head) addresses(name string) []string {
	var out []string
	for _, a := range h.mailboxes(name) {
		out = append(out, a.Address)
	}
	return out
}

// mailboxes returns the addresses of a field with their names, whatever
// charset those are in.
func (h *head) mailboxes(name string) []*mail.Address {
	list, err := addressParser.ParseList(h.get(name))
	if err != nil {
		return nil
	}
	return list
}

// addressParser keeps the octets of a name whose charset nobody knows: the
// address counts.
var addressParser = mail.AddressParser{WordDecoder: &mime.WordDecoder{
	CharsetReader: func(name string, r io.Reader) (io.Reader, error) {
		if known, err := charset.Reader(name, r); err == nil {
			return known, nil
		}
		return r, nil
	},
}}

// messageIDs returns the msg-ids of a field without their angle brackets
// (RFC 5322 section 3.6.4), at most 100.
func (h *head) messageIDs(name string) []string {
	var ids []string
	v := h.get(name)
	for len(ids) < 100 {
		_, rest, ok := strings.Cut(v, "<")
		if !ok {
			break
		}
		var id string
		if id, v, ok = strings.Cut(rest, ">"); !ok {
			break
		}
		if validMessageID(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// messageID returns the message's own msg-id without angle brackets, or
// nothing if it has none that can be used.
func (h *head) messageID() string {
	if ids := h.messageIDs("Message-ID"); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// validMessageID reports whether an id can be written into References again:
// printable ASCII without white space or brackets, within a line.
func validMessageID(id string) bool {
	if id == "" || len(id) > 250 {
		return false
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '<' || c == '>' {
			return false
		}
	}
	return true
}

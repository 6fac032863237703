package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strconv"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

const (
	// maxLinkFor bounds how far ahead a platform's link may expire.
	maxLinkFor = 24 * time.Hour
	// ticketFor is how long a form may stay open before it is sent.
	ticketFor = 12 * time.Hour
)

// linkID stands for a platform's signed link, where it is noted that it was
// used; it doesn't open anything.
type linkID [16]byte

// signedLink checks a link that the platform made: sig is the HMAC-SHA256, in
// hexadecimal, of "contact", to, from and expires, each ended by a line feed,
// under the API token; expires is in seconds since 1970.
func (s *Server) signedLink(to, from, expires, sig string, now time.Time) (id linkID, ok bool) {
	until, err := strconv.ParseInt(expires, 10, 64)
	mac, merr := hex.DecodeString(sig)
	if err != nil || merr != nil || s.o.LinkKey == "" || now.Unix() > until || until > now.Add(maxLinkFor).Unix() {
		return id, false
	}
	h := hmac.New(sha256.New, []byte(s.o.LinkKey))
	_, _ = io.WriteString(h, "contact\n"+to+"\n"+from+"\n"+expires+"\n")
	if !hmac.Equal(h.Sum(nil), mac) {
		return id, false
	}
	sum := sha256.Sum256(mac)
	return linkID(sum[:16]), true
}

// ticket is what a form carries that a signed link opened: the link is only
// needed to open it, and whose cookies the browser keeps doesn't matter, which
// are none within another site's page. It is the form's own: sent twice it is
// one message.
type ticket struct {
	Writer, To threading.ID
	Until      int64 // seconds since 1970
	Link       linkID
	Once       [16]byte
}

var ticketEncoding = base64.RawURLEncoding

func (s *Server) newTicket(writer, to threading.ID, link linkID) string {
	t := ticket{Writer: writer, To: to, Until: s.now().Add(ticketFor).Unix(), Link: link}
	_, _ = rand.Read(t.Once[:]) // never fails (crypto/rand, since Go 1.24)
	b, _ := binary.Append(nil, binary.BigEndian, t)
	return ticketEncoding.EncodeToString(append(b, s.ticketMAC(b)...))
}

func (s *Server) ticketMAC(b []byte) []byte {
	return s.o.Store.Keyring().Hash("contact-form", string(b))
}

// parseTicket opens a ticket; over says that it was one of ours, but its time
// is over.
func (s *Server) parseTicket(text string) (t ticket, ok, over bool) {
	b, err := ticketEncoding.DecodeString(text)
	size := binary.Size(t)
	if err != nil || len(b) != size+seal.HashSize || !hmac.Equal(b[size:], s.ticketMAC(b[:size])) {
		return t, false, false
	}
	if _, err := binary.Decode(b[:size], binary.BigEndian, &t); err != nil {
		return t, false, false
	}
	over = s.now().Unix() > t.Until
	return t, !over, over
}

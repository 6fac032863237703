package wire

import (
	"bufio"
	"compress/flate"
	"io"
	"net"
	"strings"
	"testing"
)

// squeezed is a client's side of a compressed connection.
type squeezed struct {
	net.Conn
	r io.Reader
	w *flate.Writer
}

func (s *squeezed) Read(p []byte) (int, error) { return s.r.Read(p) }

func (s *squeezed) Write(p []byte) (int, error) {
	if _, err := s.w.Write(p); err != nil {
		return 0, err
	}
	return len(p), s.w.Flush()
}

// A whole session compressed (RFC 4978 section 3), while another is: what the server
// writes with may change hands.
func TestCompress(t *testing.T) {
	h := newHouse(t)
	h.deliver("INBOX", "Subject: long\n\n"+strings.Repeat("Shall I compare thee to a summer's day?\n", 20000))
	var peers []*peer
	for range 3 {
		p := h.signIn("INBOX")
		h.say(p, "a COMPRESS LZW", "a BAD")
		h.say(p, "a COMPRESS DEFLATE", "a OK")
		w, err := flate.NewWriter(p.Conn, flate.DefaultCompression)
		if err != nil {
			t.Fatal(err)
		}
		c := &squeezed{p.Conn, flate.NewReader(p.Reader), w}
		peers = append(peers, &peer{Conn: c, Reader: bufio.NewReader(c)})
	}
	for range 3 {
		for _, p := range peers {
			h.say(p, "a CAPABILITY", "a OK")
			h.say(p, "a FETCH 1 BODY.PEEK[]", "* 1 FETCH")
			h.hear(p, "a OK")
			h.say(p, "a COMPRESS DEFLATE", "a BAD")
		}
	}
	h.say(peers[0], "a IDLE", "+ idling")
	h.deliver("INBOX", "Subject: more\n\nthere\n")
	h.hear(peers[0], "* 2 EXISTS")
	h.say(peers[0], "DONE", "a OK")
	h.say(peers[1], "a LOGOUT", "a OK")
}

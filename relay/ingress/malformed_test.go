package ingress

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
)

// TestMalformedMessages promises a correct answer in bounded time, whatever
// comes: 250 and filed, or a refusal.
func TestMalformedMessages(t *testing.T) {
	s := dialog.New(t, nil)
	l := s.Listen()
	o := options(s)
	o.MaxMessageSize = 4 << 20
	_, stop := serve(s, o, l)
	defer stop()
	var deep strings.Builder
	for i := range 200 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for _, c := range []struct{ name, rest, want string }{
		{"200 deep", deep.String() + "\r\nx\r\n", "554 221"},
		{"endless header", strings.Repeat("X-Y: zzzzzzzzzzzzzzzzzzzzzzzzzz\r\n", 20000) + "\r\nx\r\n", "552 221"},
		{"endless continuation", "X-Y:" + strings.Repeat(" zzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n", 20000) + "\r\nx\r\n", "552 221"},
		{"200 messages deep", strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 200) + "\r\nx\r\n", "554 221"},
		{"20,000 parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 20000) + "--b--\r\n", "554 221"},
		{"an empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n", "250 221"},
		{"no type", "Content-Type: ;;;=\"\r\n\r\nx\r\n", "250 221"},
		{"unknown encoding", "Content-Transfer-Encoding: x-nope\r\n\r\nx\r\n", "250 221"},
		{"encoded words without end", "Subject: " + strings.Repeat("=?utf-8?q?", 5000) + "\r\n\r\nx\r\n", "250 221"},
		{"a second From", "from: x@stranger.example\r\n\r\nx\r\n", "550 221"},
		{"bare CR in the header", "Subject: a\rFrom: x@stranger.example\r\n\r\nx\r\n", "250 221"},
		{"no empty line", "Subject: x\r\nThis is text\r\n", "250 221"},
		{"8-bit header", "Subject: caf\xe9\r\n\r\nx\r\n", "250 221"},
		{"unknown charset", "Content-Type: text/plain; charset=x-nope\r\n\r\nabc\xff\r\n", "250 221"},
		{"NULs", "Subject: a\x00b\r\n\r\nx\x00y\r\n", "250 221"},
		{"bare LF", "Subject: x\n\nline\nline\r\n", "250 221"},
		{"boundary that never comes", "Content-Type: multipart/mixed; boundary=never\r\n\r\nx\r\n", "250 221"},
		{"broken base64", "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!====\r\n", "250 221"},
		{"nothing at all", "", "250 221"},
		{"a line of 70 KiB", "\r\n" + strings.Repeat("x", 70<<10) + "\r\n", "554 500"}, // and the connection ends,
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			r := bufio.NewReader(conn)
			go func() {
				_, _ = fmt.Fprintf(conn, "HELO x\r\nMAIL FROM:<tess.real@mail.example>\r\nRCPT TO:<%s>\r\nDATA\r\nFrom: Tess <tess.real@mail.example>\r\n%s\r\n.\r\nQUIT\r\n", s.Alias, c.rest)
			}()
			for _, want := range append(strings.Fields("220 250 250 250 354"), strings.Fields(c.want)...) {
				line, err := r.ReadString('\n')
				if err != nil || !strings.HasPrefix(line, want) {
					t.Fatalf("got %q, %v; want %s", line, err, want)
				}
			}
		})
	}
}

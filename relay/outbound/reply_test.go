package outbound

import (
	"bufio"
	"strings"
	"testing"
)

func TestReadReply(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"250 ok\r\n", "250"},
		{"250\r\n", "250"},
		{"250 2.1.0 sender ok\r\n", "250 2.1.0"},
		{"550-5.1.1 no such user\r\n550 5.1.1 <sam@example.com>\r\n", "550 5.1.1"},
		{"550 4.1.1 class differs\r\n", "550"},
		{"550 5.1.1111 too long\r\n", "550"},
		{"550 5.1.x not a number\r\n", "550"},
		{"250-a\n250 bare LF\n", "250"},
		{"", "error"},
		{"25\r\n", "error"},
		{"abc def\r\n", "error"},
		{"650 no such class\r\n", "error"},
		{"250-one\r\n251 other code\r\n", "error"},
		{"250?what\r\n", "error"},
		{"250-never ends\r\n", "error"},
		{"250 " + strings.Repeat("x", maxReplyLine) + "\r\n", "error"},
		{strings.Repeat("250-more\r\n", maxReplyLines) + "250 end\r\n", "error"},
	} {
		rep, err := readReply(bufio.NewReaderSize(strings.NewReader(c.in), maxReplyLine))
		got := rep.String()
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%.40q: %q (%v), want %q", c.in, got, err, c.want)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("250-a\r\n250 2.0.0 b\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		rep, err := readReply(bufio.NewReaderSize(strings.NewReader(in), maxReplyLine))
		if err == nil && (rep.code < 200 || rep.code > 599 || len(rep.lines) > maxReplyLines) {
			t.Errorf("%q: %+v", in, rep)
		}
		if strings.Trim(rep.String(), "0123456789. ") != "" {
			t.Errorf("%q: the words %q are not codes", in, rep)
		}
	})
}

package imapd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-imap/v2"
)

func TestWellFormed(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"a\r\nb\r\n":         "a\r\nb\r\n",
		"a\nb\n":             "a\r\nb\r\n",
		"a\rb\r":             "a\r\nb\r\n",
		"a\n\rb":             "a\r\n\r\nb",
		"a\r\r\nb":           "a\r\n\r\nb",
		"\n.\n":              "\r\n.\r\n",
		"nul\x00 \x80 stays": "nul\x80 \x80 stays",
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "octet by octet": iotest.OneByteReader(strings.NewReader(in))} {
			got, err := io.ReadAll(iotest.OneByteReader(&wellFormed{r: bufio.NewReader(r)}))
			if err != nil || string(got) != want {
				t.Errorf("%s: %q is %q, %v; want %q", name, in, got, err, want)
			}
		}
	}
}

func TestExactly(t *testing.T) {
	if got, err := io.ReadAll(&exactly{r: strings.NewReader("abcdef"), left: 3}); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := io.ReadAll(&exactly{r: strings.NewReader("ab"), left: 3}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("too short: %v", err)
	}
}

func TestReadHeader(t *testing.T) {
	long := "X: " + strings.Repeat("x", 20000) + "\r\n"
	for _, c := range []struct{ in, header, rest string }{
		{"A: b\r\n\r\nbody\r\n", "A: b\r\n\r\n", "body\r\n"},
		{"\r\nbody", "\r\n", "body"},
		{"A: b\r\n", "A: b\r\n\r\n", ""},
		{"A: b", "A: b\r\n\r\n", ""},
		{"", "\r\n", ""},
		{long + "\r\n\r\n", long + "\r\n", "\r\n"},
	} {
		r := bufio.NewReaderSize(strings.NewReader(c.in), 16)
		h, err := readHeader(r)
		rest, _ := io.ReadAll(r)
		if err != nil || string(h) != c.header || string(rest) != c.rest {
			t.Errorf("%.20q: header %.20q, rest %q, %v", c.in, h, rest, err)
		}
	}
	var told *imap.Error
	if _, err := readHeader(bufio.NewReader(io.LimitReader(endless{}, 1<<30))); !errors.As(err, &told) || told.Code != imap.ResponseCodeTooBig {
		t.Errorf("an endless header: %v", err)
	}
}

// endless is a header that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("A: b\r\n"), len(p)/6+1)), nil
}

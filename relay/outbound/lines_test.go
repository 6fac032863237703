package outbound

import (
	"bytes"
	"strings"
	"testing"
)

func TestLineWriter(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"a", "a\r\n"},
		{"a\r\nb\r\n", "a\r\nb\r\n"},
		{"a\nb", "a\r\nb\r\n"},
		{"a\rb\r", "a\r\nb\r\n"},
		{"a\r\r\nb\n\r", "a\r\n\r\nb\r\n\r\n"},
		{"a\n.\r\nMAIL", "a\r\n.\r\nMAIL\r\n"},
		{"\r\n", "\r\n"},
	} {
		for size := 1; size <= len(c.in)+1; size++ { // however it is cut
			var out bytes.Buffer
			l := lineWriter{w: &out}
			for rest := c.in; rest != ""; {
				n := min(size, len(rest))
				if _, err := l.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := l.close(); err != nil || out.String() != c.want {
				t.Errorf("%q in pieces of %d: %q, want %q (%v)", c.in, size, out.String(), c.want, err)
			}
		}
	}
	l := lineWriter{w: &bytes.Buffer{}}
	_, _ = l.Write([]byte("plain\r\n"))
	if l.eightBit {
		t.Error("ASCII is called 8-bit")
	}
	_, _ = l.Write([]byte("gr\xc3\xbcn\r\n"))
	if !l.eightBit {
		t.Error("8-bit is not seen")
	}
}

func FuzzLineWriter(f *testing.F) {
	f.Add("a\r\n.\n.\r\r\nb", 3)
	f.Fuzz(func(t *testing.T, in string, cut int) {
		var out bytes.Buffer
		l := lineWriter{w: &out}
		cut = max(0, min(cut, len(in)))
		_, _ = l.Write([]byte(in[:cut]))
		_, _ = l.Write([]byte(in[cut:]))
		_ = l.close()
		rest := strings.ReplaceAll(out.String(), "\r\n", "")
		if strings.ContainsAny(rest, "\r\n") {
			t.Errorf("%q: a bare line end is left in %q", in, out.String())
		}
		if strip := strings.NewReplacer("\r", "", "\n", ""); strip.Replace(in) != rest {
			t.Errorf("%q: the text changed: %q", in, out.String())
		}
	})
}

package export

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
)

// checkCopyLines compares with the rules as they are said, on the whole text.
func checkCopyLines(t *testing.T, text string, quote bool) {
	want := strings.ReplaceAll(text, "\r\n", "\n")
	if quote {
		lines := strings.SplitAfter(want, "\n")
		for i, l := range lines {
			if strings.HasPrefix(strings.TrimLeft(l, ">"), "From ") {
				lines[i] = ">" + l
			}
		}
		want = strings.Join(lines, "")
	}
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	n, ended, err := copyLines(w, iotest.HalfReader(strings.NewReader(text)), quote)
	if err != nil || w.Flush() != nil {
		t.Fatal(err)
	}
	if out.String() != want || n != int64(len(want)) || ended != (want == "" || strings.HasSuffix(want, "\n")) {
		t.Errorf("%.100q becomes %.100q (%d, %v), want %.100q", text, out.String(), n, ended, want)
	}
}

// Lines that are longer than the buffer, and line ends at its end.
func TestCopyLongLines(t *testing.T) {
	for _, n := range []int{65534, 65535, 65536, 131071} {
		for _, end := range []string{"\r\nFrom y", "\ry", "\r", "\n>From y\r\n", "From y"} {
			checkCopyLines(t, strings.Repeat("x", n)+end, true)
			checkCopyLines(t, "\r\n"+strings.Repeat("\r", n)+end, false)
		}
	}
}

func FuzzCopyLines(f *testing.F) {
	f.Add("a\r\nFrom b\r\n>From c\n\rFrom d\r", true)
	f.Add(">>From a\n\n\r\r\n", false)
	f.Fuzz(checkCopyLines)
}

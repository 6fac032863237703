package export

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// copyLines copies text with lines that end in LF, as files on disk have them;
// a CR that ends no line stays. With quote, a line that begins with "From ",
// after any number of ">", gets one more (mboxrd), so that it does not begin a
// message. It returns how many octets it wrote and whether the last line was
// ended.
func copyLines(w *bufio.Writer, r io.Reader, quote bool) (n int64, ended bool, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	start, heldCR := true, false
	ended = true
	put := func(b []byte) {
		k, _ := w.Write(b) // a bufio.Writer keeps its error for Flush
		n += int64(k)
	}
	for {
		piece, err := in.ReadSlice('\n')
		if len(piece) > 0 {
			if heldCR && piece[0] != '\n' {
				put([]byte{'\r'})
			}
			if start && quote && bytes.HasPrefix(bytes.TrimLeft(piece, ">"), []byte("From ")) {
				put([]byte{'>'})
			}
			var line []byte
			line, ended = bytes.CutSuffix(piece, []byte{'\n'})
			line, heldCR = bytes.CutSuffix(line, []byte{'\r'})
			put(line)
			if ended {
				put([]byte{'\n'})
				heldCR = false
			}
			start = ended
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if heldCR {
				put([]byte{'\r'})
			}
			return n, ended, nil
		case err != nil:
			return n, ended, err
		}
	}
}

package wire

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// What compress/flate wrote is read as it was, at each level and however it
// comes in.
func TestInflate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100<<10)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for name, text := range map[string]string{"nothing": "", "a word": "NOOP\r\n", "text": strings.Repeat("a UID FETCH 1:* (FLAGS)\r\n", 9000), "noise": string(noise), "zeros": strings.Repeat("\x00", 200<<10)} {
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly} {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, level)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(text); i += 7001 {
				_, _ = io.WriteString(w, text[i:min(i+7001, len(text))])
				_ = w.Flush()
			}
			_ = w.Close()
			got, err := io.ReadAll(iotest.OneByteReader(newInflater(iotest.HalfReader(bytes.NewReader(b.Bytes())))))
			if err != nil || string(got) != text {
				t.Errorf("%s at level %d: %d octets, %v; want %d", name, level, len(got), err, len(text))
			}
		}
	}
}

// zlib's partial flush ends with an empty block of fixed codes, in the middle
// of an octet: "NOOP" by zlib 1.3 with Z_PARTIAL_FLUSH.
func TestInflateDoesNotWaitForMore(t *testing.T) {
	in, out := io.Pipe()
	f := newInflater(in)
	go func() { _, _ = out.Write([]byte{0xf2, 0xf3, 0xf7, 0x0f, 0xe0, 0xe5, 0x02, 0x08}) }()
	got := make([]byte, 6)
	if _, err := io.ReadFull(f, got); err != nil || string(got) != "NOOP\r\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzInflate(f *testing.F) {
	f.Add([]byte{0xf2, 0xf3, 0xf7, 0x0f, 0xe0, 0xe5, 0x02, 0x08})
	f.Add([]byte{1, 0, 0, 0xff, 0xff})
	f.Add([]byte{5, 0xe0, 0x81, 0x08})
	f.Fuzz(func(t *testing.T, data []byte) {
		const enough = 1 << 20
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), enough))
		got, err := io.ReadAll(io.LimitReader(newInflater(bytes.NewReader(data)), enough))
		if wantErr == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%d octets, %v; want %d", len(got), err, len(want))
		}
	})
}

package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestReadKeepsEveryOctet(t *testing.T) {
	for _, size := range []int{0, 1, 4096, MemoryLimit - 1, MemoryLimit, MemoryLimit + 1, 3 * MemoryLimit} {
		dir := t.TempDir()
		want := bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
		m, err := Read(bytes.NewReader(want), dir, 1<<20)
		if err != nil {
			t.Fatalf("%d octets: %v", size, err)
		}
		for range 2 {
			got, err := io.ReadAll(m.Open())
			if err != nil || !bytes.Equal(got, want) || m.Size() != int64(size) {
				t.Errorf("%d octets: %d came back, Size %d, %v", size, len(got), m.Size(), err)
			}
		}
		for _, offset := range []int{0, size / 2, size} {
			var b bytes.Buffer
			if err := m.CopyTo(&b, int64(offset)); err != nil || !bytes.Equal(b.Bytes(), want[offset:]) {
				t.Errorf("%d octets from %d: %d came, %v", size, offset, b.Len(), err)
			}
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%d octets: a file is left in the folder while it passes", size)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	for _, max := range []int64{10, 2 * MemoryLimit} {
		if _, err := Read(strings.NewReader(strings.Repeat("x", int(max))), t.TempDir(), max); err != nil {
			t.Errorf("exactly %d octets: %v", max, err)
		}
		r := strings.NewReader(strings.Repeat("x", int(max)+1000))
		if _, err := Read(r, t.TempDir(), max); !errors.Is(err, ErrTooLarge) {
			t.Errorf("more than %d octets: %v", max, err)
		}
	}
}

func TestASmallMessageTakesLittleMemory(t *testing.T) {
	raw := bytes.Repeat([]byte("x"), 4096)
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m, err := Read(bytes.NewReader(raw), "", 1<<20)
			if err != nil {
				b.Fatal(err)
			}
			_ = m.Close()
		}
	}).AllocedBytesPerOp()
	if got > 64<<10 {
		t.Errorf("spooling 4 KB allocates %d octets", got)
	}
}

func TestAFolderThatIsNotThere(t *testing.T) {
	if _, err := Read(strings.NewReader(strings.Repeat("x", 2*MemoryLimit)), "/nonexistent", 1<<20); err == nil {
		t.Error("no error")
	}
}

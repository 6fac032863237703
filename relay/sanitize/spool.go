package sanitize

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// spool makes a stream a slice of octets, which may be overwritten: in
// memory, or beyond officeMemory in a file of its own, unlinked at once.
func (rw *rewriter) spool(r io.Reader) (b []byte, done func(), err error) {
	head, err := io.ReadAll(io.LimitReader(r, officeMemory))
	if err != nil {
		return nil, nil, err
	}
	if len(head) < officeMemory {
		return head, func() {}, nil
	}
	f, err := os.CreateTemp(rw.o.TempDir, "attached-*")
	if err != nil {
		return nil, nil, fmt.Errorf("spool an attached file: %w", err)
	}
	defer f.Close()
	os.Remove(f.Name())
	size, err := io.Copy(f, io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return nil, nil, fmt.Errorf("spool an attached file: %w", err)
	}
	b, done, err = mapped(f, size)
	if err != nil {
		return nil, nil, fmt.Errorf("spool an attached file: %w", err)
	}
	return b, done, nil
}

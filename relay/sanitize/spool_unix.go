//go:build unix

package sanitize

import (
	"os"
	"syscall"
)

// mapped is a file's content. What is overwritten in it never reaches the
// file: the pages that change are memory, all others are the system's cache.
func mapped(f *os.File, size int64) (b []byte, done func(), err error) {
	b, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE)
	return b, func() { syscall.Munmap(b) }, err
}

package store

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// The coders are shared and safe for concurrent EncodeAll and DecodeAll; their
// windows are no larger than a chunk, so that memory stays small.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(8<<20))
)

func compress(b []byte) []byte { return encoder.EncodeAll(b, make([]byte, 0, len(b)/2+64)) }

func decompress(b []byte) ([]byte, error) {
	out, err := decoder.DecodeAll(b, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return out, nil
}

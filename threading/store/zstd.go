package store

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// maxDecompressed bounds what one piece takes up: a held message is one piece,
// and as large as any that a door takes.
const maxDecompressed = 256 << 20

// The coders are shared and safe for concurrent EncodeAll and DecodeAll; their
// windows are no larger than a chunk, so that memory stays small beside what is
// decoded.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxDecompressed))
)

func compress(b []byte) []byte { return encoder.EncodeAll(b, make([]byte, 0, len(b)/2+64)) }

func decompress(b []byte) ([]byte, error) {
	out, err := decoder.DecodeAll(b, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return out, nil
}

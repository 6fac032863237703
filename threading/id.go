package threading

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"sync"
	"time"
)

// ID identifies a row. It has 63 bits: 41 bits of milliseconds since
// 2024-01-01, 10 bits of node, 12 bits of sequence. IDs made by one node sort
// by age; no coordination is needed between nodes. People and clients never
// see an ID, only its opaque form (see package seal). Zero means none.
type ID int64

const (
	nodeBits = 10
	seqBits  = 12
)

var idEpoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// Time returns when the ID was made, to the millisecond.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(id)>>(nodeBits+seqBits) + idEpoch).UTC()
}

// String returns the decimal form, for logs.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// IDSource makes IDs. It is safe for concurrent use. It never returns the
// same ID twice, also when the clock steps back: it then goes on from the
// last millisecond it saw.
type IDSource struct {
	mu   sync.Mutex
	node int64
	last int64 // milliseconds since idEpoch
	seq  int64
	now  func() time.Time
}

// NewIDSource returns a source for a node chosen at random (0 to 1023). Two
// processes that draw the same node clash only within one millisecond and the
// same sequence number, and then the primary key refuses the second.
func NewIDSource() *IDSource { return NewIDSourceAt(time.Now) }

// NewIDSourceAt is NewIDSource with another clock.
func NewIDSourceAt(now func() time.Time) *IDSource {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	v := binary.BigEndian.Uint32(b[:])
	return &IDSource{
		node: int64(v % (1 << nodeBits)),
		// Starting anywhere in the lower half keeps two fresh processes apart.
		seq: int64(v >> nodeBits % (1 << (seqBits - 1))),
		now: now,
	}
}

// Next returns a new ID, greater than all that this source returned before.
func (s *IDSource) Next() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms := s.now().UnixMilli() - idEpoch
	switch {
	case ms > s.last:
		s.last = ms
		s.seq &= 1<<(seqBits-1) - 1
	default:
		s.seq++
		if s.seq == 1<<seqBits {
			s.seq = 0
			s.last++ // borrow from the next millisecond
		}
	}
	return ID(s.last<<(nodeBits+seqBits) | s.node<<seqBits | s.seq)
}

// IDAt returns an ID that is smaller than all made at that time or later, and
// greater than those made before.
func IDAt(t time.Time) ID {
	return ID(max(t.UnixMilli()-idEpoch, 0) << (nodeBits + seqBits))
}

package wire

import (
	"bufio"
	"errors"
	"io"
)

// inflater decompresses DEFLATE (RFC 1951) and hands out what it has as soon as
// there is no more to read. compress/flate waits for the empty stored block that
// ends a full or a sync flush; clients that use zlib's partial flush (mbsync,
// and K-9 Mail) never send one, and would wait for an answer for ever.
type inflater struct {
	b    *bufio.Reader
	bits uint32 // read and not used, the next in the lowest
	n    uint   // how many
	err  error

	window [32 << 10]byte
	at     int // where the next octet goes
	out    int // how many octets before at were not handed out

	final         bool
	block         blockKind
	stored        int // octets of a stored block that are left
	lengths, dist *huffman
}

type blockKind int

const (
	blockNone blockKind = iota // a block's header comes next
	blockStored
	blockCoded
)

var errDeflate = errors.New("the compressed data is damaged")

// newInflater reads from r.
func newInflater(r io.Reader) *inflater { return &inflater{b: bufio.NewReaderSize(r, readBuffer)} }

// Read implements io.Reader.
func (f *inflater) Read(p []byte) (int, error) {
	// A match may be 258 octets: there must be room for one.
	for f.err == nil && f.out < min(len(p), len(f.window)-300) && (f.out == 0 || f.b.Buffered() > 0) {
		f.step()
	}
	if f.out == 0 {
		return 0, f.err
	}
	start := (f.at - f.out) & (len(f.window) - 1)
	n := copy(p[:min(len(p), f.out)], f.window[start:])
	f.out -= n
	return n, nil
}

// step decodes a block's header, an octet or a match.
func (f *inflater) step() {
	switch f.block {
	case blockNone:
		f.header()
	case blockStored:
		f.put(byte(f.take(8)))
		if f.stored--; f.stored == 0 {
			f.endBlock()
		}
	case blockCoded:
		f.symbol()
	}
}

func (f *inflater) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// take reads bits.
func (f *inflater) take(n uint) int {
	for f.n < n {
		c, err := f.b.ReadByte()
		if err != nil {
			f.fail(err)
			return 0
		}
		f.bits |= uint32(c) << f.n
		f.n += 8
	}
	v := f.bits & (1<<n - 1)
	f.bits >>= n
	f.n -= n
	return int(v)
}

func (f *inflater) put(c byte) {
	f.window[f.at] = c
	f.at = (f.at + 1) & (len(f.window) - 1)
	f.out++
}

func (f *inflater) endBlock() {
	f.block = blockNone
	if f.final {
		f.fail(io.EOF)
	}
}

// header reads a block's header (RFC 1951 section 3.2.3).
func (f *inflater) header() {
	f.final = f.take(1) == 1
	switch kind := f.take(2); {
	case f.err != nil:
	case kind == 0:
		f.take(f.n % 8)
		size := f.take(16)
		if size != f.take(16)^0xffff && f.err == nil {
			f.fail(errDeflate)
		}
		if f.block, f.stored = blockStored, size; size == 0 {
			f.endBlock()
		}
	case kind == 1:
		f.block, f.lengths, f.dist = blockCoded, fixedLengths, fixedDist
	case kind == 2:
		f.block = blockCoded
		f.codes()
	default:
		f.fail(errDeflate)
	}
}

// symbol decodes an octet, a match, or the end of the block (RFC 1951 section
// 3.2.5).
func (f *inflater) symbol() {
	s := f.lengths.decode(f)
	switch {
	case f.err != nil:
		return
	case s < 256:
		f.put(byte(s))
		return
	case s == 256:
		f.endBlock()
		return
	case s > 285:
		f.fail(errDeflate)
		return
	}
	length := int(lengthBase[s-257]) + f.take(uint(lengthExtra[s-257]))
	d := f.dist.decode(f)
	if f.err != nil || d > 29 {
		f.fail(errDeflate)
		return
	}
	from := int(distBase[d]) + f.take(uint(distExtra[d]))
	if f.err != nil || from > len(f.window) {
		f.fail(errDeflate)
		return
	}
	for range length {
		f.put(f.window[(f.at-from)&(len(f.window)-1)])
	}
}

// codes reads the codes of a block that brings its own (RFC 1951 section 3.2.7).
func (f *inflater) codes() {
	nLength, nDist, nCode := f.take(5)+257, f.take(5)+1, f.take(4)+4
	var sizes [320]byte
	for _, place := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nCode] {
		sizes[place] = byte(f.take(3))
	}
	of := newHuffman(sizes[:19])
	if nLength > 286 || nDist > 30 || of == nil {
		f.fail(errDeflate)
		return
	}
	sizes = [320]byte{}
	for i := 0; i < nLength+nDist && f.err == nil; {
		s := of.decode(f)
		value, times := byte(0), 0
		switch {
		case s < 16:
			sizes[i] = byte(s)
			i++
			continue
		case s == 16 && i > 0:
			value, times = sizes[i-1], 3+f.take(2)
		case s == 17:
			times = 3 + f.take(3)
		case s == 18:
			times = 11 + f.take(7)
		default:
			f.fail(errDeflate)
			return
		}
		if i+times > nLength+nDist {
			f.fail(errDeflate)
			return
		}
		for range times {
			sizes[i] = value
			i++
		}
	}
	if f.lengths, f.dist = newHuffman(sizes[:nLength]), newHuffman(sizes[nLength:nLength+nDist]); f.lengths == nil || f.dist == nil || sizes[256] == 0 {
		f.fail(errDeflate)
	}
}

// huffman is a canonical code: how many symbols there are of each length, and
// the symbols in the order of their codes.
type huffman struct {
	count  [16]uint16
	symbol []uint16
}

// newHuffman makes a code of the lengths; nil if there are more codes than fit.
func newHuffman(sizes []byte) *huffman {
	h := &huffman{symbol: make([]uint16, 0, len(sizes))}
	for _, s := range sizes {
		h.count[s]++
	}
	left := 1
	for _, n := range h.count[1:] {
		if left = left<<1 - int(n); left < 0 {
			return nil
		}
	}
	for size := 1; size < len(h.count); size++ {
		for s, of := range sizes {
			if int(of) == size {
				h.symbol = append(h.symbol, uint16(s))
			}
		}
	}
	return h
}

// decode reads a symbol, bit by bit: no further than it goes.
func (h *huffman) decode(f *inflater) int {
	code, first, index := 0, 0, 0
	for size := 1; size < len(h.count); size++ {
		code |= f.take(1)
		n := int(h.count[size])
		if code-n < first {
			return int(h.symbol[index+code-first])
		}
		index += n
		first = (first + n) << 1
		code <<= 1
	}
	f.fail(errDeflate)
	return 0
}

// What symbols stand for (RFC 1951 section 3.2.5).
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}

	fixedLengths, fixedDist = fixedCodes()
)

// fixedCodes are those of RFC 1951 section 3.2.6.
func fixedCodes() (lengths, dist *huffman) {
	var sizes [288]byte
	for i := range sizes {
		switch {
		case i < 144:
			sizes[i] = 8
		case i < 256:
			sizes[i] = 9
		case i < 280:
			sizes[i] = 7
		default:
			sizes[i] = 8
		}
	}
	var five [30]byte
	for i := range five {
		five[i] = 5
	}
	return newHuffman(sizes[:]), newHuffman(five[:])
}

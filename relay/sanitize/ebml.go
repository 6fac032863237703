package sanitize

import "math/bits"

// Matroska and WebM (RFC 9559) are EBML elements (RFC 8794) within each
// other. Like boxes of an MP4 they stay where they are: an element that goes
// becomes a Void of the same size.

// IDs of elements.
const (
	ebmlVoid        = 0xec
	ebmlCRC         = 0xbf
	matroskaSegment = 0x18538067
	matroskaInfo    = 0x1549a966
	matroskaTags    = 0x1254c367
	matroskaFiles   = 0x1941a469 // attachments
)

// matroskaNames are the elements of Info that name the film, files and
// programs.
var matroskaNames = map[uint64]bool{0x7ba9: true, 0x7384: true, 0x3c83ab: true, 0x3e83bb: true}

// stripMatroska empties tags, attached files and names.
func (a *attachment) stripMatroska(b []byte) []byte {
	stripElements(b, 0)
	return b
}

func stripElements(b []byte, depth int) {
	for at := 0; at < len(b); {
		id, idSize := vint(b[at:], 4, true)
		size, sizeSize := vint(b[min(at+idSize, len(b)):], 8, false)
		body := at + idSize + sizeSize
		if idSize == 0 || sizeSize == 0 || body > len(b) {
			return
		}
		end := len(b)
		unknown := size == 1<<(7*sizeSize)-1 // a live recording's
		if !unknown && size < uint64(end-body) {
			end = body + int(size)
		}
		switch {
		case (id == matroskaSegment || id == matroskaInfo) && depth < 2:
			stripElements(b[body:end], depth+1)
		case id == matroskaTags, id == matroskaFiles, id == ebmlVoid, depth == 2 && (matroskaNames[id] || id == ebmlCRC):
			if end-at < 2 || unknown {
				return
			}
			voidElement(b[at:end])
		}
		at = end
	}
}

// voidElement makes a Void of an element, of the same size.
func voidElement(e []byte) {
	clear(e)
	e[0] = ebmlVoid
	if n := len(e) - 2; n < 127 {
		e[1] = 0x80 | byte(n)
		return
	}
	n := uint64(len(e) - 9)
	e[1] = 0x01
	for i := range 7 {
		e[8-i] = byte(n)
		n >>= 8
	}
}

// vint reads a variable-size integer of up to limit octets, with its length
// marker or without; size 0 if there is none.
func vint(b []byte, limit int, marker bool) (v uint64, size int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	size = bits.LeadingZeros8(b[0]) + 1
	if size > limit || size > len(b) {
		return 0, 0
	}
	v = uint64(b[0])
	if !marker {
		v &= 1<<(8-size) - 1
	}
	for _, c := range b[1:size] {
		v = v<<8 | uint64(c)
	}
	return v, size
}

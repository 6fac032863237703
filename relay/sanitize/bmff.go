package sanitize

import (
	"encoding/binary"
	"iter"
)

// ISO base media files (ISO/IEC 14496-12) are boxes within boxes: MP4, MOV,
// M4A, 3GP, HEIC, AVIF. Positions in them are counted from the beginning of
// the file: so a box that goes becomes a free one, of the same size and empty.

// box is one box: its kind is at start+4, its content from body to end.
type box struct {
	kind             string
	start, body, end int
}

// boxesIn iterates over the boxes in b[from:to], up to one that is broken.
func boxesIn(b []byte, from, to int) iter.Seq[box] {
	return func(yield func(box) bool) {
		for at := from; at+8 <= to; {
			x := box{kind: string(b[at+4 : at+8]), start: at, body: at + 8}
			size := uint64(binary.BigEndian.Uint32(b[at:]))
			switch size {
			case 0: // up to the end
				size = uint64(to - at)
			case 1:
				if at+16 > to {
					return
				}
				size = binary.BigEndian.Uint64(b[at+8:])
				x.body += 8
			}
			if size < uint64(x.body-at) || size > uint64(to-at) {
				return
			}
			x.end = at + int(size)
			if !yield(x) {
				return
			}
			at = x.end
		}
	}
}

// child is the first box of a kind in b[from:to].
func child(b []byte, from, to int, kind string) (box, bool) {
	for x := range boxesIn(b, from, to) {
		if x.kind == kind {
			return x, true
		}
	}
	return box{}, false
}

// free empties a box.
func (x box) free(b []byte) {
	copy(b[x.start+4:], "free")
	clear(b[x.body:x.end])
}

// isBMFF tells by the first box; old MOV files have no ftyp.
func isBMFF(head []byte) bool {
	if len(head) < 12 {
		return false
	}
	switch string(head[4:8]) {
	case "ftyp", "moov", "mdat", "wide", "free", "skip", "pnot", "styp":
		return true
	}
	return false
}

// bmffTop are the boxes that a film or picture is made of.
var bmffTop = map[string]bool{
	"ftyp": true, "styp": true, "mdat": true, "wide": true, "mfra": true, "sidx": true, "ssix": true, "prft": true, "pdin": true, "idat": true,
}

// stripBMFF empties what says who made a film, a recording or a picture, and
// where. Samples and images stay where and as they are.
func (a *attachment) stripBMFF(b []byte) []byte {
	f := newFilm(b)
	for x := range boxesIn(b, 0, len(b)) {
		switch {
		case x.kind == "moov" || x.kind == "moof":
			f.walk(x, 0)
		case x.kind == "meta" && pictured(b, x):
			stripItems(b, x)
		case !bmffTop[x.kind]:
			x.free(b)
		}
	}
	return b
}

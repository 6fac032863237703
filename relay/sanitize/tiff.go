package sanitize

import (
	"encoding/binary"
)

// tiffKeep are the tags that a picture is made of (TIFF 6.0; its supplements
// on JPEG, tiles and sub-images; the ICC profile 34675). Names, programs, dates,
// EXIF, GPS, XMP, IPTC and makers' own tags are none.
var tiffKeep = func() map[uint16]bool {
	keep := map[uint16]bool{254: true, 255: true, 34675: true, 330: true, 347: true, 34022: true}
	for _, r := range [][2]uint16{{256, 268}, {273, 284}, {286, 297}, {301, 301}, {317, 325}, {332, 332}, {334, 334}, {336, 346}, {512, 532}, {32995, 32998}} {
		for t := r[0]; t <= r[1]; t++ {
			keep[t] = true
		}
	}
	return keep
}()

// Bounds of a TIFF's directories.
const (
	maxTIFFDirs    = 1000
	maxTIFFEntries = 4096
	maxTIFFDepth   = 4
	maxTIFFLinks   = 10000
)

// tiffSizes are of the types of values, in octets (TIFF 6.0 section 2, BigTIFF).
var tiffSizes = [...]uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8}

// tiffFile is a file while its directories are cleaned.
type tiffFile struct {
	b       []byte
	order   binary.ByteOrder
	big     bool // BigTIFF: counts and positions have eight octets
	dirs    int
	seen    map[uint64]bool
	links   int // to directories below, that were looked at
	cleared int // octets, in all
}

// stripTIFF takes the entries that are no part of the picture out of a TIFF's
// directories, and overwrites their values. All else stays where it is.
func (a *attachment) stripTIFF(b []byte) []byte {
	t := &tiffFile{b: b, order: binary.LittleEndian, seen: map[uint64]bool{}}
	if b[0] == 'M' {
		t.order = binary.BigEndian
	}
	at := uint64(4)
	if t.big = t.order.Uint16(b[2:]) == 43; t.big {
		at = 8
	}
	for next := t.offset(at); next != 0 && t.dirs < maxTIFFDirs && !t.seen[next]; {
		next = t.directory(next, 0, false)
	}
	return b
}

func isTIFF(head []byte) bool {
	return len(head) >= 16 && begins("II\x2a\x00", "MM\x00\x2a", "II\x2b\x00\x08\x00\x00\x00", "MM\x00\x2b\x00\x08\x00\x00")(head)
}

func (t *tiffFile) uint(at uint64, n int) uint64 {
	if at > uint64(len(t.b)) || uint64(len(t.b))-at < uint64(n) {
		return 0
	}
	switch n {
	case 2:
		return uint64(t.order.Uint16(t.b[at:]))
	case 4:
		return uint64(t.order.Uint32(t.b[at:]))
	}
	return t.order.Uint64(t.b[at:])
}

func (t *tiffFile) offset(at uint64) uint64 {
	if t.big {
		return t.uint(at, 8)
	}
	return t.uint(at, 4)
}

// directory cleans one directory, or empties it all, and returns where the
// next one is.
func (t *tiffFile) directory(at uint64, depth int, whole bool) uint64 {
	t.dirs++
	t.seen[at] = true
	countSize, entrySize, word := uint64(2), uint64(12), uint64(4)
	if t.big {
		countSize, entrySize, word = 8, 20, 8
	}
	count := t.uint(at, int(countSize))
	first := at + countSize
	if count > maxTIFFEntries || first > uint64(len(t.b)) || uint64(len(t.b))-first < count*entrySize+word {
		return 0
	}
	kept := uint64(0)
	for i := range count {
		e := first + i*entrySize
		tag := uint16(t.uint(e, 2))
		if keep := tiffKeep[tag] && !whole; keep {
			if tag == 330 && depth < maxTIFFDepth { // SubIFDs: pictures of their own
				t.children(e, depth, false)
			}
			copy(t.b[first+kept*entrySize:], t.b[e:e+entrySize])
			kept++
			continue
		}
		if (tag == 34665 || tag == 34853 || tag == 40965) && depth < maxTIFFDepth { // EXIF, GPS, interoperability
			t.children(e, depth, true)
		}
		t.clearValue(e)
	}
	// The entries that stay move together, and the link to the next directory
	// with them.
	end := first + count*entrySize
	next := t.offset(end)
	tail := first + kept*entrySize
	copy(t.b[tail:], t.b[end:end+word])
	clear(t.b[tail+word : end+word])
	if t.big {
		t.order.PutUint64(t.b[at:], kept)
	} else {
		t.order.PutUint16(t.b[at:], uint16(kept))
	}
	return next
}

// children cleans the directories that an entry points to.
func (t *tiffFile) children(e uint64, depth int, whole bool) {
	at, n := t.value(e)
	word := uint64(4)
	if kind := t.uint(e+2, 2); kind == 16 || kind == 18 {
		word = 8
	}
	for ; n >= word && t.dirs < maxTIFFDirs && t.links < maxTIFFLinks; at, n = at+word, n-word {
		t.links++
		if dir := t.uint(at, int(word)); dir != 0 && !t.seen[dir] {
			t.directory(dir, depth+1, whole)
		}
	}
}

// value is where the value of an entry stands, and its size in octets.
func (t *tiffFile) value(e uint64) (at, size uint64) {
	kind, count, inline, at := t.uint(e+2, 2), t.uint(e+4, 4), uint64(4), e+8
	if t.big {
		count, inline, at = t.uint(e+4, 8), 8, e+12
	}
	if kind >= uint64(len(tiffSizes)) || count > uint64(len(t.b)) {
		return 0, 0
	}
	if size = count * tiffSizes[kind]; size > inline {
		at = t.offset(at)
	}
	if at > uint64(len(t.b)) || size > uint64(len(t.b))-at {
		return 0, 0
	}
	return at, size
}

func (t *tiffFile) clearValue(e uint64) {
	at, size := t.value(e)
	if t.cleared += int(size); t.cleared > len(t.b) { // values on top of each other
		return
	}
	clear(t.b[at : at+size])
}

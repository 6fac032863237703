package sanitize

import (
	"encoding/binary"
	"sort"
)

// film is a file whose movie boxes are being emptied.
type film struct {
	b     []byte
	media []box // where samples are
	left  int   // octets of samples that may still be overwritten: no more than there are
}

func newFilm(b []byte) *film {
	f := &film{b: b, left: len(b)}
	for x := range boxesIn(b, 0, len(b)) {
		if x.kind == "mdat" {
			f.media = append(f.media, x)
		}
	}
	return f
}

// filmBoxes are, for boxes that hold others, what may be in them; where the
// list is empty, all but what is in filmFree.
var filmBoxes = map[string]map[string]bool{
	"moov": {"mvhd": true, "trak": true, "mvex": true, "iods": true, "ctab": true, "pssh": true, "rmra": true, "cmov": true},
	"trak": {"tkhd": true, "edts": true, "tref": true, "trgr": true, "mdia": true, "load": true, "clip": true, "matt": true, "tapt": true, "imap": true, "txas": true, "uuid": true},
	"mdia": nil, "minf": nil, "stbl": nil, "edts": nil, "mvex": nil, "moof": nil, "traf": nil, "dinf": nil,
}

// filmFree are boxes that hold metadata wherever they stand: user data
// (names, ©xyz positions, iTunes lists, QuickTime keys), positions, XMP.
var filmFree = map[string]bool{"udta": true, "meta": true, "loci": true, "free": true, "skip": true, "Xtra": true, "gps ": true, "XMP_": true}

// maxFilmDepth bounds boxes within each other; moov/trak/mdia/minf/stbl are five.
const maxFilmDepth = 8

// walk empties what is metadata in a box.
func (f *film) walk(parent box, depth int) {
	if depth > maxFilmDepth {
		parent.free(f.b)
		return
	}
	keep := filmBoxes[parent.kind]
	for x := range boxesIn(f.b, parent.body, parent.end) {
		_, holds := filmBoxes[x.kind]
		switch {
		case filmFree[x.kind] || keep != nil && !keep[x.kind]:
			x.free(f.b)
		case x.kind == "uuid" && parent.kind == "trak" && !f.spherical(x):
			x.free(f.b)
		case x.kind == "trak" && f.handler(x) == "meta":
			f.clearSamples(x)
			x.free(f.b)
		case x.kind == "hdlr" && x.end-x.body >= 24: // its name; as a Pascal or C string it is empty
			clear(f.b[x.body+24 : x.end])
		case x.kind == "dref":
			f.clearReferences(x)
		case holds:
			f.walk(x, depth+1)
		}
	}
}

// spherical reports whether a uuid box says how a 360° film is projected
// (Spherical Video V1).
func (f *film) spherical(x box) bool {
	return x.end-x.body >= 16 && string(f.b[x.body:x.body+16]) == "\xff\xcc\x82\x63\xf8\x55\x4a\x93\x88\x14\x58\x7a\x02\x52\x1f\xdd"
}

// handler is what sort of track a trak is. "meta" are timed metadata: where
// the camera was, frame by frame (QuickTime mebx, GoPro, camm).
func (f *film) handler(trak box) string {
	x, ok := f.path(trak, "mdia", "hdlr")
	if !ok || x.end-x.body < 12 {
		return ""
	}
	return string(f.b[x.body+8 : x.body+12])
}

func (f *film) path(x box, kinds ...string) (box, bool) {
	ok := true
	for _, kind := range kinds {
		if x, ok = child(f.b, x.body, x.end, kind); !ok {
			return x, false
		}
	}
	return x, true
}

// clearReferences empties what a data reference box says of where a file's
// data lie: paths on the disk of who made it. The data are in the file itself.
func (f *film) clearReferences(dref box) {
	for x := range boxesIn(f.b, min(dref.body+8, dref.end), dref.end) {
		clear(f.b[min(x.body+4, x.end):x.end])
	}
}

// clearSamples overwrites the samples of a track (ISO/IEC 14496-12 sections
// 8.7.3 to 8.7.5).
func (f *film) clearSamples(trak box) {
	stbl, ok := f.path(trak, "mdia", "minf", "stbl")
	if !ok {
		return
	}
	table := func(kind string, head int) []byte {
		x, _ := child(f.b, stbl.body, stbl.end, kind)
		return f.b[min(x.body+head, x.end):x.end]
	}
	sizes, offsets, runs := table("stsz", 4), table("stco", 8), table("stsc", 8)
	width := 4
	if len(offsets) == 0 {
		offsets, width = table("co64", 8), 8
	}
	if len(sizes) < 8 {
		return
	}
	same := binary.BigEndian.Uint32(sizes)
	sizes = sizes[8:]
	perChunk := 0
	for chunk := 1; len(offsets) >= width; chunk++ {
		if len(runs) >= 12 && int64(binary.BigEndian.Uint32(runs)) <= int64(chunk) {
			perChunk = int(binary.BigEndian.Uint32(runs[4:]))
			runs = runs[12:]
		}
		from := uint64(binary.BigEndian.Uint32(offsets))
		if width == 8 {
			from = binary.BigEndian.Uint64(offsets)
		}
		offsets = offsets[width:]
		length := uint64(same) * uint64(perChunk)
		if same == 0 {
			n := min(perChunk, len(sizes)/4)
			for i := range n {
				length += uint64(binary.BigEndian.Uint32(sizes[4*i:]))
			}
			sizes = sizes[4*n:]
		}
		f.clearMedia(from, length)
	}
}

// clearMedia overwrites a range of the file, where it lies in media data.
func (f *film) clearMedia(from, length uint64) {
	i := sort.Search(len(f.media), func(i int) bool { return uint64(f.media[i].end) > from })
	if i == len(f.media) || from < uint64(f.media[i].body) {
		return
	}
	n := int(min(length, uint64(f.media[i].end)-from, uint64(f.left)))
	clear(f.b[from : int(from)+n])
	f.left -= n
}

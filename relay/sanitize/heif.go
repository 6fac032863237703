package sanitize

import "encoding/binary"

// heifKeep are the items that a picture is made of: coded images and how they
// are put together (ISO/IEC 23008-12; AV1 Image File Format). EXIF, XMP and
// other metadata items are none. How a picture is turned and mirrored, and its
// colours, are properties, and stay.
var heifKeep = map[string]bool{
	"hvc1": true, "hev1": true, "lhv1": true, "avc1": true, "av01": true, "vvc1": true, "j2k1": true, "jpeg": true, "unci": true,
	"grid": true, "iden": true, "iovl": true, "tmap": true, "sato": true,
}

// maxItems bounds the items of a picture: one of 200 megapixels in tiles of
// 512 has 800.
const maxItems = 20000

// pictured reports whether a meta box describes pictures.
func pictured(b []byte, meta box) bool {
	hdlr, ok := child(b, min(meta.body+4, meta.end), meta.end, "hdlr")
	return ok && hdlr.end-hdlr.body >= 12 && string(b[hdlr.body+8:hdlr.body+12]) == "pict"
}

// stripItems overwrites the content of items that are metadata, where it lies.
func stripItems(b []byte, meta box) {
	drop := map[uint32]string{}
	var idat, iloc box
	for x := range boxesIn(b, meta.body+4, meta.end) {
		switch x.kind {
		case "hdlr":
			clear(b[min(x.body+24, x.end):x.end])
		case "iinf":
			itemKinds(b, x, drop)
		case "iloc":
			iloc = x
		case "idat":
			idat = x
		case "iprp":
			if ipco, ok := child(b, x.body, x.end, "ipco"); ok {
				for p := range boxesIn(b, ipco.body, ipco.end) {
					if p.kind == "udes" || p.kind == "uuid" || p.kind == "free" {
						p.free(b) // a description; properties are counted, so it stays one
					}
				}
			}
		case "pitm", "iref", "dinf", "ipro", "grpl":
		default:
			x.free(b)
		}
	}
	if len(drop) > 0 && iloc.end > 0 {
		clearItems(b, iloc, idat, drop)
	}
}

// itemKinds fills drop with the items that are metadata. Names of items are
// overwritten.
func itemKinds(b []byte, iinf box, drop map[uint32]string) {
	if iinf.end-iinf.body < 8 {
		return
	}
	first := iinf.body + 6
	if b[iinf.body] != 0 {
		first += 2
	}
	for x := range boxesIn(b, first, iinf.end) {
		c := b[x.body:x.end]
		if x.kind != "infe" || len(c) < 12 || len(drop) > maxItems {
			continue
		}
		var id uint32
		switch c[0] {
		case 2:
			id, c = uint32(binary.BigEndian.Uint16(c[4:])), c[8:]
		case 3:
			id, c = binary.BigEndian.Uint32(c[4:]), c[10:]
		default: // of before there were item types: all are files
			drop[uint32(binary.BigEndian.Uint16(c[4:]))] = "file"
			continue
		}
		if len(c) < 4 {
			continue
		}
		if kind := string(c[:4]); !heifKeep[kind] {
			drop[id] = kind
		}
		for i := 4; i < len(c) && c[i] != 0; i++ {
			c[i] = ' '
		}
	}
}

// locations reads an iloc box (ISO/IEC 14496-12 section 8.11.3).
type locations struct {
	b  []byte
	at int
	ok bool
}

// uint reads an integer of n octets; what lies behind the end is 0.
func (l *locations) uint(n int) uint64 {
	if n > 8 || l.at+n > len(l.b) {
		l.ok = false
		return 0
	}
	var v uint64
	for _, c := range l.b[l.at : l.at+n] {
		v = v<<8 | uint64(c)
	}
	l.at += n
	return v
}

func clearItems(b []byte, iloc, idat box, drop map[uint32]string) {
	l := &locations{b: b[iloc.body:iloc.end], ok: true}
	version := l.uint(1)
	l.uint(3)
	sizes := int(l.uint(2))
	offsetSize, lengthSize, baseSize, indexSize := sizes>>12, sizes>>8&15, sizes>>4&15, sizes&15
	idSize := 2
	if version == 2 {
		idSize = 4
	}
	if version == 0 {
		indexSize = 0
	}
	left := len(b) // octets that may still be overwritten: no more than there are
	for count := l.uint(idSize); count > 0 && l.ok; count-- {
		id := uint32(l.uint(idSize))
		method := uint64(0)
		if version > 0 {
			method = l.uint(2) & 15
		}
		l.uint(2)
		base := l.uint(baseSize)
		kind, gone := drop[id]
		extents := l.uint(2)
		if offsetSize+lengthSize+indexSize == 0 {
			extents = min(extents, 1) // all are the same
		}
		for ; extents > 0 && l.ok; extents-- {
			l.uint(indexSize)
			from, length := base+l.uint(offsetSize), l.uint(lengthSize)
			room := uint64(len(b))
			if method == 1 {
				from, room = from+uint64(idat.body), uint64(idat.end)
			}
			if gone && l.ok && method < 2 && from < room {
				n := min(length, room-from, uint64(left))
				emptyItem(b[from:from+n], kind)
				left -= int(n)
			}
		}
	}
}

// emptyItem overwrites an item with one of its kind that says nothing.
func emptyItem(b []byte, kind string) {
	clear(b)
	switch empty := "\x00\x00\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"; {
	case kind == "Exif" && len(b) >= len(empty):
		copy(b, empty)
	case kind == "mime":
		fill(b)
		if empty := `<x:xmpmeta xmlns:x="adobe:ns:meta/"/>`; len(b) >= len(empty) {
			copy(b, empty)
		}
	}
}

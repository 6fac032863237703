package sanitize

import (
	"encoding/binary"
	"unicode/utf16"
)

// cfb is a compound file (MS-CFB): a small file system of streams, in which
// Word, Excel and PowerPoint kept their documents up to 2003.
type cfb struct {
	b       []byte
	shift   uint // of a sector's size
	fat     []uint32
	miniFAT []uint32
	mini    []piece // where the mini stream is
	streams []cfbStream
}

// cfbStream is a stream, and where its octets are in the file.
type cfbStream struct {
	name   string
	pieces []piece
	size   int
}

// piece is a range of the file.
type piece struct{ start, end int }

// Bounds of a compound file.
const (
	maxCFBStreams = 20000
	miniShift     = 6
	miniCutoff    = 4096
	noSector      = 0xfffffffa // this and beyond are no sectors
)

// openCFB reads the tables of a compound file; false if it is damaged.
func openCFB(b []byte) (*cfb, bool) {
	if len(b) < 512 {
		return nil, false
	}
	c := &cfb{b: b, shift: uint(binary.LittleEndian.Uint16(b[30:]))}
	if c.shift != 9 && c.shift != 12 {
		return nil, false
	}
	// The sectors of the table of sectors: 109 in the header, others in a chain.
	var fat []uint32
	for i := range 109 {
		fat = append(fat, binary.LittleEndian.Uint32(b[76+4*i:]))
	}
	perSector := 1<<c.shift/4 - 1
	for next, n := binary.LittleEndian.Uint32(b[68:]), 0; next < noSector && n < len(b)>>c.shift; n++ {
		p, ok := c.sector(next)
		if !ok {
			return nil, false
		}
		for i := range perSector {
			fat = append(fat, binary.LittleEndian.Uint32(b[p.start+4*i:]))
		}
		next = binary.LittleEndian.Uint32(b[p.start+4*perSector:])
	}
	for _, s := range fat {
		if s >= noSector {
			continue
		}
		p, ok := c.sector(s)
		if !ok || len(c.fat) > len(b)>>c.shift {
			break
		}
		c.fat = appendWords(c.fat, b[p.start:p.end])
	}
	for _, p := range c.chain(binary.LittleEndian.Uint32(b[60:]), len(b)) {
		c.miniFAT = appendWords(c.miniFAT, b[p.start:p.end])
	}
	c.directory(c.chain(binary.LittleEndian.Uint32(b[48:]), len(b)))
	return c, len(c.streams) > 0
}

func appendWords(list []uint32, b []byte) []uint32 {
	for ; len(b) >= 4; b = b[4:] {
		list = append(list, binary.LittleEndian.Uint32(b))
	}
	return list
}

func (c *cfb) sector(n uint32) (piece, bool) {
	start := (int(n) + 1) << c.shift
	if start >= len(c.b) {
		return piece{}, false
	}
	end := start + 1<<c.shift
	return piece{start, min(end, len(c.b))}, end <= len(c.b)
}

// chain is where the sectors of a chain of so many octets are. One that is
// longer goes in a circle.
func (c *cfb) chain(next uint32, size int) (list []piece) {
	for next < noSector && len(list) <= size>>c.shift {
		p, ok := c.sector(next)
		if p.end > 0 {
			list = append(list, p)
		}
		if !ok || int(next) >= len(c.fat) {
			break
		}
		next = c.fat[next]
	}
	return list
}

// directory reads the directory's entries (MS-CFB section 2.6.1).
func (c *cfb) directory(sectors []piece) {
	left := len(c.b) // octets of streams: no more than the file has
	for _, p := range sectors {
		for e := c.b[p.start:p.end]; len(e) >= 128 && len(c.streams) < maxCFBStreams; e = e[128:] {
			kind, start, size := e[66], binary.LittleEndian.Uint32(e[116:]), int(binary.LittleEndian.Uint32(e[120:]))
			if kind != 2 && kind != 5 || size > left {
				continue
			}
			s := cfbStream{name: cfbName(e), size: size}
			switch {
			case kind == 5: // the root: its stream holds the small streams
				c.mini = c.chain(start, len(c.b))
				continue
			case size < miniCutoff:
				s.pieces = c.miniChain(start, size)
			default:
				s.pieces = c.chain(start, size)
			}
			left -= size
			c.streams = append(c.streams, s)
		}
	}
}

func cfbName(e []byte) string {
	n := min(int(binary.LittleEndian.Uint16(e[64:])), 64)/2 - 1
	var units []uint16
	for i := range max(0, n) {
		units = append(units, binary.LittleEndian.Uint16(e[2*i:]))
	}
	return string(utf16.Decode(units))
}

// miniChain is where the sectors of a small stream are, in the mini stream.
func (c *cfb) miniChain(next uint32, size int) (list []piece) {
	for next < noSector && len(list) <= size>>miniShift {
		at := int(next) << miniShift
		sector := at >> c.shift
		if sector >= len(c.mini) {
			break
		}
		start := c.mini[sector].start + at&(1<<c.shift-1)
		list = append(list, piece{start, min(start+1<<miniShift, c.mini[sector].end)})
		if int(next) >= len(c.miniFAT) {
			break
		}
		next = c.miniFAT[next]
	}
	return list
}

// read is a stream's content.
func (c *cfb) read(s *cfbStream) []byte {
	out := make([]byte, 0, s.size)
	for _, p := range s.pieces {
		n := min(p.end-p.start, s.size-len(out))
		out = append(out, c.b[p.start:p.start+n]...)
	}
	return out
}

// write puts a stream's content, changed, back to where it was.
func (c *cfb) write(s *cfbStream, content []byte) {
	for _, p := range s.pieces {
		content = content[copy(c.b[p.start:p.end], content):]
	}
}

// stream is the first stream of a name.
func (c *cfb) stream(name string) *cfbStream {
	for i := range c.streams {
		if c.streams[i].name == name {
			return &c.streams[i]
		}
	}
	return nil
}

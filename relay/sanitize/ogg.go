package sanitize

import (
	"bytes"
	"encoding/binary"
)

// maxStreams bounds the logical streams of an Ogg file, counted where a chain
// begins anew too.
const maxStreams = 64

// maxComments bounds the comments of one stream, in octets: larger ones are
// not emptied, and searched like any octets.
const maxComments = 16 << 20

// oggStream is one logical stream, while its header packets pass.
type oggStream struct {
	codec  string
	packet int      // which one, from 0
	pieces [][2]int // where the octets of the packet are
	size   int
	pages  []oggPage // that it touches
	done   bool
}

type oggPage struct{ start, end int }

// stripOgg empties the comments in an Ogg file (RFC 3533): Vorbis, Opus,
// Theora, Speex, FLAC. Packets keep their size, and so all else its place.
func (a *attachment) stripOgg(b []byte) []byte {
	streams := map[uint32]*oggStream{}
	began := 0
	for at := 0; at+27 <= len(b) && string(b[at:at+4]) == "OggS"; {
		lacing := at + 27
		data := lacing + int(b[at+26])
		if data > len(b) {
			break
		}
		end := data
		for _, n := range b[lacing:data] {
			end += int(n)
		}
		if end > len(b) {
			break
		}
		serial := binary.LittleEndian.Uint32(b[at+14:])
		if b[at+5]&2 != 0 && began < maxStreams { // beginning of a stream
			began++
			streams[serial] = &oggStream{}
		}
		if s := streams[serial]; s != nil && !s.done {
			s.page(b, oggPage{at, end}, b[lacing:data], data)
		}
		at = end
	}
	return b
}

// page takes a page's segments into the stream's packets.
func (s *oggStream) page(b []byte, p oggPage, lacing []byte, data int) {
	s.pages = append(s.pages, p)
	for _, n := range lacing {
		s.pieces = append(s.pieces, [2]int{data, data + int(n)})
		s.size += int(n)
		data += int(n)
		if n == 255 {
			continue
		}
		if s.done = s.finish(b) || s.done; s.done {
			return
		}
		s.packet++
		s.pieces, s.size, s.pages = s.pieces[:0], 0, append(s.pages[:0], p)
	}
	s.done = s.size > maxComments
}

// finish looks at a whole packet, and reports whether it was the last that
// matters.
func (s *oggStream) finish(b []byte) bool {
	packet := make([]byte, 0, s.size)
	for _, p := range s.pieces {
		packet = append(packet, b[p[0]:p[1]]...)
	}
	if s.packet == 0 {
		for codec, magic := range map[string]string{"vorbis": "\x01vorbis", "opus": "OpusHead", "theora": "\x80theora", "speex": "Speex   ", "flac": "\x7fFLAC"} {
			if bytes.HasPrefix(packet, []byte(magic)) {
				s.codec = codec
			}
		}
		return s.codec == ""
	}
	last := true
	switch s.codec {
	case "flac": // a metadata block in each packet
		if len(packet) < 4 || packet[0] == 0xff {
			return true
		}
		last = packet[0]&0x80 != 0
		if packet[0]&0x7f == 4 { // it must stay one (RFC 9639 section 10.1)
			emptyComments(packet[4:], 0)
		} else {
			emptyFLACBlock(packet)
		}
	case "vorbis", "theora":
		emptyComments(packet[min(7, len(packet)):], 1)
	case "opus":
		emptyComments(packet[min(8, len(packet)):], 0)
	case "speex":
		emptyComments(packet, 0)
	}
	s.put(b, packet)
	return last
}

// emptyComments makes a comment header (Vorbis I section 5.2.1) one without
// vendor and comments. What follows is padding. framing is what stands after
// the comments.
func emptyComments(c []byte, framing byte) {
	clear(c)
	if len(c) > 8 {
		c[8] = framing
	}
}

// put writes a packet back to where it was, and the pages' checksums.
func (s *oggStream) put(b, packet []byte) {
	for _, p := range s.pieces {
		packet = packet[copy(b[p[0]:p[1]], packet):]
	}
	for _, p := range s.pages {
		page := b[p.start:p.end]
		clear(page[22:26])
		binary.LittleEndian.PutUint32(page[22:], oggChecksum(page))
	}
}

// oggTable is of the CRC that Ogg counts: 0x04c11db7, not reflected.
var oggTable = func() (t [256]uint32) {
	for i := range t {
		r := uint32(i) << 24
		for range 8 {
			if r&0x80000000 != 0 {
				r = r<<1 ^ 0x04c11db7
			} else {
				r <<= 1
			}
		}
		t[i] = r
	}
	return t
}()

func oggChecksum(page []byte) uint32 {
	r := uint32(0)
	for _, c := range page {
		r = r<<8 ^ oggTable[byte(r>>24)^c]
	}
	return r
}

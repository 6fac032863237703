package sanitize

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// maxTags bounds the tags at either end of a recording.
const maxTags = 16

// isMPEGAudio tells an ID3 tag, or the first frame of MPEG layer III and of
// ADTS (ISO/IEC 11172-3 section 2.4.2.3, 13818-7 section 6.2).
func isMPEGAudio(head []byte) bool {
	if len(head) < 4 || begins("ID3")(head) {
		return len(head) >= 4
	}
	layer3 := head[1]&0xe6 == 0xe2 && head[1]&0x18 != 0x08 && head[2]&0xf0 != 0xf0 && head[2]&0x0c != 0x0c
	adts := head[1]&0xf6 == 0xf0 && head[2]>>2&15 < 13
	return head[0] == 0xff && (layer3 || adts)
}

// stripMPEGAudio cuts off the tags before and after the audio: ID3v2 and
// ID3v1, APE, Lyrics3. All that they hold is text, pictures and what programs
// remember; audio frames stay octet for octet.
func (a *attachment) stripMPEGAudio(b []byte) []byte {
	for range maxTags {
		if !bytes.HasPrefix(b, []byte("ID3")) || len(b) < 10 {
			break
		}
		b = b[min(id3Size(b), len(b)):]
	}
	for range maxTags {
		n := tagAtEnd(b)
		if n == 0 {
			break
		}
		b = b[:len(b)-n]
	}
	if bytes.HasPrefix(b, []byte("fLaC")) {
		return a.stripFLAC(b)
	}
	return b
}

// id3Size is the size of an ID3v2 tag with its header and footer (ID3v2.4
// section 3.1). Seven bits of an octet count.
func id3Size(b []byte) int {
	n := 10 + int(b[6]&127)<<21 + int(b[7]&127)<<14 + int(b[8]&127)<<7 + int(b[9]&127)
	if b[5]&0x10 != 0 {
		n += 10
	}
	return n
}

// tagAtEnd is the size of the tag that a recording ends with; 0 for none.
func tagAtEnd(b []byte) int {
	n := len(b)
	has := func(before int, magic string) bool {
		return n >= before && bytes.HasPrefix(b[n-before:], []byte(magic))
	}
	size := 0
	switch {
	case has(128, "TAG"):
		size = 128
		if has(128+227, "TAG+") {
			size += 227
		}
	case has(32, "APETAGEX"):
		size = int(binary.LittleEndian.Uint32(b[n-20:])) // without its header
		if b[n-32+23]&0x80 != 0 {
			size += 32
		}
	case has(9, "LYRICS200"):
		digits, err := strconv.Atoi(string(b[max(0, n-15) : n-9]))
		if err == nil && digits >= 0 {
			size = digits + 15
		}
	case has(10, "3DI"):
		size = id3Size(b[n-10:]) + 10
	}
	if size > n {
		return 0
	}
	return size
}

package sanitize

// Kinds of FLAC metadata blocks (RFC 9639 section 8.1).
const (
	flacPadding = 1
	flacSeek    = 3
)

// stripFLAC empties the metadata blocks of a FLAC file but the stream's
// parameters and the seek table: comments, pictures, cue sheets and what
// programs add become padding.
func (a *attachment) stripFLAC(b []byte) []byte {
	for at := 4; at+4 <= len(b); {
		end := at + 4 + int(b[at+1])<<16 + int(b[at+2])<<8 + int(b[at+3])
		if end > len(b) {
			break
		}
		last := b[at]&0x80 != 0
		emptyFLACBlock(b[at:end])
		if last {
			break
		}
		at = end
	}
	if n := tagAtEnd(b); n > 0 {
		b = b[:len(b)-n]
	}
	return b
}

// emptyFLACBlock makes padding of a block that is metadata in a person's
// sense.
func emptyFLACBlock(block []byte) {
	if kind := block[0] & 0x7f; kind != 0 && kind != flacSeek {
		block[0] = block[0]&0x80 | flacPadding
		clear(block[4:])
	}
}

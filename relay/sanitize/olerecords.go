package sanitize

import "encoding/binary"

// blankWide overwrites n characters of two octets each by spaces.
func blankWide(b []byte, n int) {
	for i := 0; i+1 < len(b) && i < 2*n; i += 2 {
		b[i], b[i+1] = ' ', 0
	}
}

// blankSlides overwrites who commented on slides: in containers of comments
// (MS-PPT section 2.13.6), the texts 0 and 2.
func blankSlides(b []byte, depth int) {
	const comment, text = 0x2ee0, 0x0fba
	for len(b) >= 8 && depth < 20 {
		head, kind := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
		size := min(int(binary.LittleEndian.Uint32(b[4:])), len(b)-8)
		body := b[8 : 8+size]
		if head&15 == 15 {
			if kind == comment {
				for in := body; len(in) >= 8; {
					n := min(int(binary.LittleEndian.Uint32(in[4:])), len(in)-8)
					instance := binary.LittleEndian.Uint16(in) >> 4
					if binary.LittleEndian.Uint16(in[2:]) == text && (instance == 0 || instance == 2) {
						blankWide(in[8:8+n], n/2)
					}
					in = in[8+n:]
				}
			} else {
				blankSlides(body, depth+1)
			}
		}
		b = b[8+size:]
	}
}

// blankCurrentUser overwrites who saved a presentation last (MS-PPT section
// 2.3.2): the name in one octet a character, the release, the name in two.
func blankCurrentUser(b []byte) {
	if len(b) < 28 {
		return
	}
	n := int(binary.LittleEndian.Uint16(b[20:]))
	if 28+n > len(b) {
		return
	}
	fill(b[28 : 28+n])
	blankWide(b[min(28+n+4, len(b)):], n)
}

// blankWorkbook overwrites in a BIFF8 workbook who wrote it, shares it and
// commented on it (MS-XLS sections 2.4.349, 2.4.118, 2.4.179).
func blankWorkbook(b []byte) {
	const filePass, fileSharing, writeAccess, note = 0x2f, 0x5b, 0x5c, 0x1c
	for len(b) >= 4 {
		kind, size := binary.LittleEndian.Uint16(b), min(int(binary.LittleEndian.Uint16(b[2:])), len(b)-4)
		body := b[4 : 4+size]
		switch {
		case kind == filePass: // what follows is encrypted
			return
		case kind == writeAccess && size > 3:
			fill(body)
			copy(body, "\x01\x00\x00")
		case kind == fileSharing && size > 4:
			blankXL(body[4:])
		case kind == note && size > 8:
			blankXL(body[8:])
		}
		b = b[4+size:]
	}
}

// blankXL overwrites a string: its length, a flag, and characters of one or
// two octets.
func blankXL(b []byte) {
	if len(b) < 3 {
		return
	}
	n := int(binary.LittleEndian.Uint16(b))
	if b[2]&1 != 0 {
		blankWide(b[3:], n)
		return
	}
	fill(b[3:min(3+n, len(b))])
}

// wordTable is the name of the stream with a document's tables.
func wordTable(fib []byte) string {
	if len(fib) > 12 && fib[11]&2 != 0 {
		return "1Table"
	}
	return "0Table"
}

// blankWord overwrites in a Word 97 document's tables who worked on it and
// where it was saved (MS-DOC section 2.5.6).
func blankWord(fib, table []byte) {
	const first = 0x9a                                                                   // of the pairs of position and size
	if len(fib) < 0x382 || binary.LittleEndian.Uint16(fib) != 0xa5ec || fib[11]&1 != 0 { // encrypted
		return
	}
	at := func(index int) []byte {
		from, size := uint64(binary.LittleEndian.Uint32(fib[first+8*index:])), uint64(binary.LittleEndian.Uint32(fib[first+8*index+4:]))
		if from+size > uint64(len(table)) {
			return nil
		}
		return table[from : from+size]
	}
	const comments, associated, commenters, revisers, savers = 4, 32, 36, 51, 71
	for _, index := range []int{associated, revisers, savers} {
		blankSTTB(at(index))
	}
	for b := at(commenters); len(b) >= 2; {
		n := int(binary.LittleEndian.Uint16(b))
		blankWide(b[2:], n)
		b = b[min(2+2*n, len(b)):]
	}
	// Positions, one more than there are comments, and thirty octets each, which
	// begin with the initials.
	if b := at(comments); len(b) >= 4 {
		n := (len(b) - 4) / 34
		for i := range n {
			initials := b[4*(n+1)+30*i:]
			blankWide(initials[2:20], int(binary.LittleEndian.Uint16(initials)))
		}
	}
}

// blankSTTB overwrites the texts of a string table (MS-DOC section 2.2.4).
func blankSTTB(b []byte) {
	if len(b) < 6 || binary.LittleEndian.Uint16(b) != 0xffff {
		return
	}
	extra := int(binary.LittleEndian.Uint16(b[4:]))
	for b = b[6:]; len(b) >= 2; {
		n := int(binary.LittleEndian.Uint16(b))
		blankWide(b[2:], n)
		b = b[min(2+2*n+extra, len(b)):]
	}
}

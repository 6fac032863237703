package sanitize

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"
)

// stripJPEG copies a JPEG (ITU-T T.81 annex B) without comments, EXIF, XMP
// and IPTC. Kept are JFIF, the colour profile, Adobe's colour transform and
// of EXIF the orientation. What follows the end of the image goes: phones put
// whole other pictures there.
func stripJPEG(w io.Writer, r *bufio.Reader) error {
	if err := copyN(w, r, 2); err != nil {
		return err
	}
	begun := false // the 0xff of the next marker is read
	for {
		marker, err := nextMarker(r, begun)
		if err != nil {
			return err
		}
		begun = false
		switch {
		case marker == 0xd9: // EOI
			_, err := w.Write([]byte{0xff, 0xd9})
			return err
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd7:
			if _, err := w.Write([]byte{0xff, marker}); err != nil {
				return err
			}
			continue
		}
		var head [4]byte
		if _, err := io.ReadFull(r, head[2:]); err != nil {
			return err
		}
		head[0], head[1] = 0xff, marker
		size := int(binary.BigEndian.Uint16(head[2:])) - 2
		if size < 0 {
			return io.ErrUnexpectedEOF
		}
		if marker == 0xfe || marker >= 0xe0 && marker <= 0xef {
			err = copySegment(w, r, head[:], size)
		} else if _, err = w.Write(head[:]); err == nil {
			err = copyN(w, r, int64(size))
		}
		if err == nil && marker == 0xda { // SOS: entropy-coded data follows
			err = copyScan(w, r)
			begun = true
		}
		if err != nil {
			return err
		}
	}
}

// nextMarker reads up to a marker. Fill octets go.
func nextMarker(r *bufio.Reader, begun bool) (byte, error) {
	for {
		c, err := byte(0xff), error(nil)
		if !begun {
			c, err = r.ReadByte()
		}
		if begun = false; err != nil {
			return 0, err
		}
		if c != 0xff {
			continue
		}
		for c == 0xff {
			if c, err = r.ReadByte(); err != nil {
				return 0, err
			}
		}
		if c != 0 {
			return c, nil
		}
	}
}

// copySegment copies an application segment that the picture needs, and
// passes over all others.
func copySegment(w io.Writer, r *bufio.Reader, head []byte, size int) error {
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	var keep []byte
	switch marker, s := head[1], string(body[:min(size, 12)]); {
	case marker == 0xe0 && strings.HasPrefix(s, "JFIF\x00") && size >= 14:
		// Without its thumbnail.
		keep = append([]byte{0xff, 0xe0, 0, 16}, body[:14]...)
		keep[16], keep[17] = 0, 0
	case marker == 0xe2 && strings.HasPrefix(s, "ICC_PROFILE\x00"), marker == 0xee && strings.HasPrefix(s, "Adobe"):
		keep = append(head, body...)
	case marker == 0xe1 && strings.HasPrefix(s, "Exif\x00\x00"):
		if o := exifOrientation(body[6:]); o > 1 {
			keep = orientationSegment(o)
		}
	}
	_, err := w.Write(keep)
	return err
}

// exifOrientation reads the orientation, 1 to 8, of a TIFF structure; 0 for none.
func exifOrientation(b []byte) byte {
	if len(b) < 14 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(b[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 0
	}
	n := int64(order.Uint16(b[at:]))
	for i := range n {
		e := at + 2 + 12*i
		if e+12 > int64(len(b)) {
			return 0
		}
		if order.Uint16(b[e:]) == 0x0112 {
			if o := order.Uint16(b[e+8:]); o >= 1 && o <= 8 {
				return byte(o)
			}
			return 0
		}
	}
	return 0
}

// orientationSegment is an EXIF segment that says the orientation only.
func orientationSegment(o byte) []byte {
	return []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(o) + "\x00\x00\x00\x00\x00\x00")
}

// copyScan copies entropy-coded data, up to the next marker, whose 0xff it reads.
func copyScan(w io.Writer, r *bufio.Reader) error {
	for {
		data, err := r.ReadSlice(0xff)
		if err == bufio.ErrBufferFull {
			if _, err := w.Write(data); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			w.Write(data)
			return err
		}
		next, perr := r.Peek(1)
		if perr != nil {
			return perr
		}
		if next[0] == 0 || next[0] >= 0xd0 && next[0] <= 0xd7 {
			if _, err := w.Write(data); err != nil {
				return err
			}
			continue
		}
		_, err = w.Write(data[:len(data)-1])
		return err
	}
}

const pngMagic = "\x89PNG\r\n\x1a\n"

// stripPNG copies a PNG without its text, time and EXIF chunks (PNG 3rd
// edition, section 11.3).
func stripPNG(w io.Writer, r *bufio.Reader) error {
	if err := copyN(w, r, 8); err != nil {
		return err
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		size := int64(binary.BigEndian.Uint32(head[:])) + 4 // with the checksum
		switch kind := string(head[4:]); kind {
		case "tEXt", "zTXt", "iTXt", "eXIf", "tIME":
			if _, err := io.CopyN(io.Discard, r, size); err != nil {
				return err
			}
		default:
			if _, err := w.Write(head[:]); err != nil {
				return err
			}
			if err := copyN(w, r, size); err != nil || kind == "IEND" {
				return err
			}
		}
	}
}

// stripGIF copies a GIF89a without comments and application data other than
// the loop count and the colour profile.
func stripGIF(w io.Writer, r *bufio.Reader) error {
	screen := make([]byte, 13)
	if _, err := io.ReadFull(r, screen); err != nil {
		return err
	}
	if _, err := w.Write(screen); err != nil {
		return err
	}
	if err := copyN(w, r, colourTable(screen[10])); err != nil {
		return err
	}
	for {
		c, err := r.ReadByte()
		if err != nil {
			return err
		}
		switch c {
		case 0x3b: // trailer
			_, err := w.Write([]byte{c})
			return err
		case 0x2c: // image
			head := make([]byte, 10)
			head[0] = c
			if _, err := io.ReadFull(r, head[1:]); err != nil {
				return err
			}
			if _, err := w.Write(head); err != nil {
				return err
			}
			if err := copyN(w, r, colourTable(head[9])+1); err != nil {
				return err
			}
			if err := copyBlocks(w, r); err != nil {
				return err
			}
		case 0x21: // extension
			if err := copyExtension(w, r); err != nil {
				return err
			}
		default:
			return io.ErrUnexpectedEOF
		}
	}
}

// colourTable is the size of the colour table that packed fields announce.
func colourTable(packed byte) int64 {
	if packed&0x80 == 0 {
		return 0
	}
	return 3 << (packed&7 + 1)
}

func copyExtension(w io.Writer, r *bufio.Reader) error {
	label, err := r.ReadByte()
	if err != nil {
		return err
	}
	keep := label == 0xf9 || label == 0x01
	if label == 0xff {
		app, _ := r.Peek(12)
		switch string(app) {
		case "\x0bNETSCAPE2.0", "\x0bANIMEXTS1.0", "\x0bICCRGBG1012":
			keep = true
		}
	}
	if !keep {
		return copyBlocks(io.Discard, r)
	}
	if _, err := w.Write([]byte{0x21, label}); err != nil {
		return err
	}
	return copyBlocks(w, r)
}

// copyBlocks copies data sub-blocks up to the empty one.
func copyBlocks(w io.Writer, r *bufio.Reader) error {
	for {
		n, err := r.Peek(1)
		if err != nil {
			return err
		}
		size := int64(n[0])
		if err := copyN(w, r, size+1); err != nil || size == 0 {
			return err
		}
	}
}

// stripWebP overwrites EXIF and XMP of a WebP. Sizes stay, so that it can
// stream: the chunks become ones that readers pass over (RFC 9649 section
// 2.7.1.6).
func stripWebP(w io.Writer, r *bufio.Reader) error {
	if err := copyN(w, r, 12); err != nil {
		return err
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		size += size & 1
		var body io.Reader = r
		switch string(head[:4]) {
		case "EXIF", "XMP ":
			copy(head[:], "JUNK")
			if _, err := io.CopyN(io.Discard, r, size); err != nil {
				return err
			}
			body = zeros{}
		case "VP8X":
			flags, err := r.Peek(1)
			if err != nil {
				return err
			}
			flags[0] &^= 0x0c // there is neither EXIF nor XMP now
		}
		if _, err := w.Write(head[:]); err != nil {
			return err
		}
		if err := copyN(w, body, size); err != nil {
			return err
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func copyN(w io.Writer, r io.Reader, n int64) error {
	_, err := io.CopyN(w, r, n)
	return err
}

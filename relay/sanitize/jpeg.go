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
func (a *attachment) stripJPEG(w io.Writer, r *bufio.Reader) error {
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
			err = a.copySegment(w, r, head[:], size)
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
func (a *attachment) copySegment(w io.Writer, r *bufio.Reader, head []byte, size int) error {
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
		if !a.holds(body) {
			keep = append(head, body...)
		}
	case marker == 0xe1 && strings.HasPrefix(s, "Exif\x00\x00"):
		if o := exifOrientation(body[6:]); o > 1 {
			keep = orientationSegment(o)
		}
	}
	_, err := w.Write(keep)
	return err
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

package sanitize

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
)

const pngMagic = "\x89PNG\r\n\x1a\n"

// pngKeep are the chunks that a picture is made of (PNG 3rd edition, section
// 11), and Apple's CgBI. Texts, times, EXIF and what programs add of their
// own are none.
var pngKeep = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true, "cHRM": true, "gAMA": true, "sBIT": true, "sRGB": true, "cICP": true, "mDCV": true, "cLLI": true,
	"bKGD": true, "hIST": true, "pHYs": true, "acTL": true, "fcTL": true, "fdAT": true, "CgBI": true,
}

// stripPNG copies a PNG with what it is made of, its colour profile, and of
// EXIF the orientation. What follows the image goes.
func (a *attachment) stripPNG(w io.Writer, r *bufio.Reader) error {
	if err := copyN(w, r, int64(len(pngMagic))); err != nil {
		return err
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		size := int64(binary.BigEndian.Uint32(head[:])) + 4 // with the checksum
		kind := string(head[4:])
		if !pngKeep[kind] {
			if err := a.copyAncillary(w, r, kind, size); err != nil {
				return err
			}
			continue
		}
		if _, err := w.Write(head[:]); err != nil {
			return err
		}
		if err := copyN(w, r, size); err != nil || kind == "IEND" {
			return err
		}
	}
}

// maxProfile bounds a colour profile, in octets.
const maxProfile = 4 << 20

// copyAncillary copies of a chunk that is not copied as it is what the picture
// looks different without.
func (a *attachment) copyAncillary(w io.Writer, r io.Reader, kind string, size int64) error {
	if kind != "iCCP" && kind != "eXIf" || size > maxProfile {
		return copyN(io.Discard, r, size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	body = body[:size-4]
	switch kind {
	case "iCCP": // a name, a zero, the method, and the profile, compressed
		_, packed, ok := bytes.Cut(body, []byte{0})
		if !ok || len(packed) < 3 || a.inflatedHolds(packed[1:]) {
			return nil
		}
		body = append([]byte("ICC profile\x00"), packed...)
	case "eXIf":
		o := exifOrientation(body)
		if o <= 1 {
			return nil
		}
		body = orientationTIFF(o)
	}
	_, err := w.Write(pngChunk(kind, body))
	return err
}

// inflatedHolds reports whether zlib data holds an address, or can't be read
// to its end.
func (a *attachment) inflatedHolds(b []byte) bool {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return true
	}
	scan := &scanner{id: a.rw.id, w: io.Discard}
	_, err = io.CopyN(scan, z, maxProfile)
	return scan.found || err != io.EOF
}

func pngChunk(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, len(body)+12), uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

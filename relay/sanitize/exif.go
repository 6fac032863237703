package sanitize

import "encoding/binary"

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

// orientationTIFF is a TIFF structure that says the orientation only.
func orientationTIFF(o byte) []byte {
	return []byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(rune(o)) + "\x00\x00\x00\x00\x00\x00")
}

// orientationSegment is an EXIF segment of a JPEG that says the orientation only.
func orientationSegment(o byte) []byte {
	return append([]byte("\xff\xe1\x00\x22Exif\x00\x00"), orientationTIFF(o)...)
}

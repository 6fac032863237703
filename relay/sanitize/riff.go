package sanitize

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"
)

// riffKeep are, for each form of RIFF and IFF file that is known, the chunks
// it is made of. Others (INFO lists, bext, iXML, ID3, EXIF, XMP, padding) are
// emptied. Lists in an AVI are looked into.
var riffKeep = map[string]string{
	"RIFFWEBP": "VP8  VP8L VP8X ALPH ANIM ANMF ICCP", // RFC 9649 section 2.7
	"RIFFWAVE": "fmt  fact data cue  smpl inst plst wavl slnt PEAK ds64",
	"RIFFAVI ": "avih strh strf strd idx1 indx dmlh vprp",
	"FORMAIFF": "COMM SSND MARK INST FVER",
	"FORMAIFC": "COMM SSND MARK INST FVER",
}

// riff is a file of chunks while it is copied.
type riff struct {
	w     io.Writer
	r     *bufio.Reader
	form  string
	order binary.ByteOrder
	left  int64 // in the file, as it says itself
}

// stripRIFF copies a WebP, WAV, AVI or AIFF. Sizes stay, so that it can
// stream: the chunks that go become ones that readers pass over. What follows
// the last chunk goes. Another RIFF file is copied as it is.
func (a *attachment) stripRIFF(w io.Writer, r *bufio.Reader) error {
	head, err := r.Peek(12)
	if err != nil {
		return err
	}
	f := &riff{w: w, r: r, form: string(head[:4]) + string(head[8:]), order: binary.LittleEndian}
	if string(head[:4]) == "RF64" { // EBU Tech 3306: sizes in ds64, where they are beyond 4 GB
		f.form = "RIFF" + string(head[8:])
	} else if head[0] == 'F' {
		f.order = binary.BigEndian
	}
	if riffKeep[f.form] == "" {
		_, err := io.Copy(w, r)
		return err
	}
	f.left = int64(f.order.Uint32(head[4:])) - 4
	if err := copyN(w, r, 12); err != nil {
		return err
	}
	for f.left >= 8 {
		if err := f.chunk(); err != nil {
			return err
		}
	}
	return nil
}

// chunk copies one chunk, or its emptied shape.
func (f *riff) chunk() error {
	var head [8]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return err
	}
	kind, size := string(head[:4]), int64(f.order.Uint32(head[4:]))
	size += size & 1
	f.left -= 8
	if kind == "LIST" && f.form == "RIFFAVI " {
		if list, _ := f.r.Peek(4); string(list) != "INFO" {
			f.left -= 4
			return f.list(head[:], string(list))
		}
	}
	f.left -= size
	keep := f.keeps(kind)
	var body io.Reader = f.r
	switch {
	case keep && kind == "VP8X":
		flags, err := f.r.Peek(1)
		if err != nil {
			return err
		}
		flags[0] &^= 0x0c // there is neither EXIF nor XMP now
	case keep:
	case kind == "EXIF" && f.form == "RIFFWEBP":
		return f.exif(head[:], size)
	default:
		copy(head[:], "JUNK")
		if err := copyN(io.Discard, f.r, size); err != nil {
			return err
		}
		body = zeros{}
	}
	if _, err := f.w.Write(head[:]); err != nil {
		return err
	}
	return copyN(f.w, body, size)
}

func (f *riff) keeps(kind string) bool {
	for list := riffKeep[f.form]; len(list) >= 4; list = list[min(5, len(list)):] {
		if list[:4] == kind {
			return true
		}
	}
	return false
}

// list copies a list's head. Its chunks follow as if they were the file's
// own; those of the movie itself pass whole.
func (f *riff) list(head []byte, kind string) error {
	if _, err := f.w.Write(head); err != nil {
		return err
	}
	size := int64(f.order.Uint32(head[4:]))
	if kind == "movi" {
		f.left -= size + size&1 - 4
		return copyN(f.w, f.r, size+size&1)
	}
	return copyN(f.w, f.r, 4)
}

// exif copies an EXIF chunk of which the orientation is left.
func (f *riff) exif(head []byte, size int64) error {
	if size > maxProfile {
		return io.ErrUnexpectedEOF
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(f.r, body); err != nil {
		return err
	}
	tiff := body
	if strings.HasPrefix(string(tiff[:min(6, len(tiff))]), "Exif\x00") {
		tiff = tiff[6:]
	}
	o := exifOrientation(tiff)
	clear(body)
	if fresh := orientationTIFF(o); o > 1 && len(body) >= len(fresh) {
		copy(body, fresh)
	} else {
		copy(head, "JUNK")
	}
	if _, err := f.w.Write(head); err != nil {
		return err
	}
	_, err := f.w.Write(body)
	return err
}

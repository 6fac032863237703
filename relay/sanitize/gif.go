package sanitize

import (
	"bufio"
	"io"
)

// stripGIF copies a GIF89a without comments and application data other than
// the loop count and the colour profile.
func (a *attachment) stripGIF(w io.Writer, r *bufio.Reader) error {
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
	keep := label == 0xf9 // graphic control; the text of 0x01 is shown nowhere
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

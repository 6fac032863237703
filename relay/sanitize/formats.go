package sanitize

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Bounds of what a file's inside may cost.
const (
	maxInflated = 64 << 20 // octets unpacked of one attachment
	maxWithin   = 2        // files within files: a picture in a document in a document
)

// errBomb says that a file unpacks to more than maxInflated.
var errBomb = errors.New("an attached file unpacks to too much")

// attachment is a file on its way through, and what was found in it once its
// metadata was gone.
type attachment struct {
	rw    *rewriter
	text  bool // it is a text of some kind: all of it is there to be read
	loose bool // it may be one: its media type does not say
	left  int  // octets that may still be unpacked
	depth int

	shown  bool // an identifier stands where a reader sees it
	hidden bool // one stands where nobody sees it, and it can't be taken out
	sealed bool // it is encrypted: nobody can tell

	unwanted *unwantedFile // of errUnwanted
}

// format is a kind of file that is known from within. One of stream, whole
// and pack takes its metadata out.
type format struct {
	is func(head []byte) bool
	// stream copies what is read from its beginning to its end. An error of
	// io.EOF or io.ErrUnexpectedEOF says that the file is damaged: it ends
	// where it breaks.
	stream func(a *attachment, w io.Writer, r *bufio.Reader) error
	// whole overwrites metadata within b and returns what of b goes on. What
	// it does not understand it leaves alone: it is searched like any octets.
	whole func(a *attachment, b []byte) []byte
	// pack writes the file anew, and searches what is in it by itself.
	pack func(a *attachment, w io.Writer, b []byte) error
	// shows: what is left of it is there to be read, and counts as typed.
	shows bool
}

// sniffed is how much of a file formats are told by.
const sniffed = 1024

// formatOf is what a file is, by how it begins.
func formatOf(head []byte) format {
	for _, f := range []format{
		{is: begins("\xff\xd8\xff"), stream: (*attachment).stripJPEG},
		{is: begins(pngMagic), stream: (*attachment).stripPNG},
		{is: begins("GIF8"), stream: (*attachment).stripGIF},
		{is: begins("RIFF", "RF64", "FORM"), stream: (*attachment).stripRIFF},
		{is: isBMFF, whole: (*attachment).stripBMFF},
		{is: isMPEGAudio, whole: (*attachment).stripMPEGAudio},
		{is: begins("fLaC"), whole: (*attachment).stripFLAC},
		{is: begins("OggS"), whole: (*attachment).stripOgg},
		{is: isTIFF, whole: (*attachment).stripTIFF},
		{is: begins("\x1a\x45\xdf\xa3"), whole: (*attachment).stripMatroska},
		{is: isSVG, whole: (*attachment).stripSVG, shows: true},
		{is: begins(`{\rtf`), whole: (*attachment).stripRTF, shows: true},
		{is: isOLE, pack: (*attachment).copyOLE},
		{is: isPDF, whole: (*attachment).stripPDF, shows: true},
		{is: isOfficeText, whole: (*attachment).stripOfficeText, shows: true},
		{is: begins("PK\x03\x04"), pack: (*attachment).stripZip},
	} {
		if f.is(head) {
			return f
		}
	}
	return format{}
}

func begins(magic ...string) func([]byte) bool {
	return func(head []byte) bool {
		for _, m := range magic {
			if bytes.HasPrefix(head, []byte(m)) {
				return true
			}
		}
		return false
	}
}

// isText tells a text, which a reader reads as it is. What a program writes of
// messages, pictures and prints in the form of text is none.
func isText(head []byte) bool {
	for _, c := range head {
		if c >= 0xfe || c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' {
			return false
		}
	}
	if begins("From ", "%!", "<?xpacket", "<x:xmpmeta", "-----BEGIN")(head) {
		return false
	}
	lower := bytes.ToLower(head)
	for _, field := range []string{"received:", "return-path:", "message-id:", "mime-version:"} {
		if bytes.HasPrefix(lower, []byte(field)) || bytes.Contains(lower, []byte("\n"+field)) {
			return false
		}
	}
	return len(head) > 0
}

// copy writes a file's octets to w without their metadata, and notes what is
// found in them.
func (a *attachment) copy(w io.Writer, r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	head, _ := br.Peek(peekContent)
	if c, is := a.rw.o.Unwanted.lookAt(head); is {
		return a.found("", c)
	}
	head = head[:min(len(head), sniffed)]
	head = bytes.Clone(head)
	f := formatOf(head)
	if f.pack != nil {
		b, done, err := a.rw.spool(br)
		if err != nil {
			return err
		}
		defer done()
		return f.pack(a, w, b)
	}
	scan := &scanner{id: a.rw.id, w: w}
	if err := f.copy(a, scan, br); err != nil {
		return err
	}
	if scan.found && (f.shows || a.text || a.loose && isText(head)) {
		a.shown = true
	} else if scan.found {
		a.hidden = true
	}
	return nil
}

func (f *format) copy(a *attachment, w io.Writer, r *bufio.Reader) error {
	switch {
	case f.stream != nil:
		if err := f.stream(a, w, r); err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		return nil
	case f.whole != nil:
		b, done, err := a.rw.spool(r)
		if err != nil {
			return err
		}
		defer done()
		_, err = w.Write(f.whole(a, b))
		return err
	}
	_, err := io.Copy(w, r)
	return err
}

// stripped is a small file without its metadata; false if an address is left
// in it.
func (rw *rewriter) stripped(raw []byte) ([]byte, bool) {
	a := &attachment{rw: rw, left: maxInflated}
	var b bytes.Buffer
	err := a.copy(&b, bytes.NewReader(raw))
	return b.Bytes(), err == nil && !a.shown && !a.hidden && !a.sealed
}

// reads reports whether what a file visibly says matters.
func (a *attachment) reads() bool { return a.rw.o.Typed != TypedAllow }

// holds reports whether octets hold an address.
func (a *attachment) holds(b []byte) bool {
	s := &scanner{id: a.rw.id, w: io.Discard}
	s.Write(b)
	return s.found
}

// says notes an address in a text that readers see. Tags in it are no part
// of the text.
func (a *attachment) says(text string) {
	for _, m := range a.rw.id.find(text) {
		a.shown = a.shown || m.kind != matchDomain
	}
}

// within takes a file inside of this one through.
func (a *attachment) within(w io.Writer, r io.Reader) error {
	inner := &attachment{rw: a.rw, left: a.left, depth: a.depth + 1}
	err := inner.copy(w, r)
	a.left = inner.left
	a.unwanted = inner.unwanted
	a.shown, a.hidden, a.sealed = a.shown || inner.shown, a.hidden || inner.hidden, a.sealed || inner.sealed
	return err
}

// budget passes on what is unpacked, until there is too much of it.
type budget struct {
	r io.Reader
	a *attachment
}

func (b budget) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.a.left -= n; b.a.left < 0 {
		return n, errBomb
	}
	return n, err
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

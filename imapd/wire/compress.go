package wire

import (
	"compress/flate"
	"io"
	"sync"

	"github.com/emersion/go-imap/v2"
)

// deflated is a stream that is compressed in both directions (RFC 4978).
type deflated struct {
	r  *inflater
	to io.Writer
	w  *flate.Writer // nil: all is flushed
}

// compressors are for connections that write just now: one takes most of a
// megabyte. After a flush any other can go on, since it refers to nothing that
// was before.
var compressors = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for levels only that there aren't
	return w
}}

// Read implements io.Reader.
func (d *deflated) Read(p []byte) (int, error) { return d.r.Read(p) }

// Write implements io.Writer.
func (d *deflated) Write(p []byte) (int, error) {
	if d.w == nil {
		d.w = compressors.Get().(*flate.Writer)
		d.w.Reset(d.to)
	}
	return d.w.Write(p)
}

// flush writes what there is, and gives the compressor back.
func (d *deflated) flush() error {
	if d.w == nil {
		return nil
	}
	err := d.w.Flush()
	d.w.Reset(io.Discard)
	compressors.Put(d.w)
	d.w = nil
	return err
}

// compress answers COMPRESS DEFLATE.
func (c *conn) compress() (done, error) {
	c.r.sp()
	name := c.r.word()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if name != "DEFLATE" {
		return done{}, syntaxError("This server compresses by DEFLATE.")
	}
	if c.r.b.Buffered() > 0 { // what comes before the answer would be neither compressed nor not
		return done{}, &imap.Error{Type: imap.StatusResponseTypeBad, Text: "Wait for the answer to COMPRESS."}
	}
	c.status(imap.StatusResponseTypeOK, "", "DEFLATE from here on")
	if err := c.flush(); err != nil {
		return done{}, err
	}
	c.deflate = &deflated{r: newInflater(c.net), to: &patient{c, c.net}}
	c.wire(c.deflate)
	return done{}, errAnswered
}

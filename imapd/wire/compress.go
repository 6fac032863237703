package wire

import (
	"compress/flate"
	"io"

	"github.com/emersion/go-imap/v2"
)

// deflated is a stream that is compressed in both directions (RFC 4978). It
// costs a connection a few hundred kilobytes.
type deflated struct {
	r io.ReadCloser
	w *flate.Writer
}

// Read implements io.Reader.
func (d *deflated) Read(p []byte) (int, error) { return d.r.Read(p) }

// Write implements io.Writer.
func (d *deflated) Write(p []byte) (int, error) { return d.w.Write(p) }

func (d *deflated) flush() error { return d.w.Flush() }

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
	w, err := flate.NewWriter(&patient{c, c.net}, flate.BestSpeed)
	if err != nil {
		return done{}, err
	}
	c.deflate = &deflated{flate.NewReader(c.net), w}
	c.wire(c.deflate)
	return done{}, errAnswered
}

package smtpd

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/emersion/go-smtp"

	"github.com/stagedoor/stagedoor/relay/spool"
)

var (
	// errLongLine is final: the message would not get shorter lines by trying
	// again.
	errLongLine = &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: fmt.Sprintf("The message has a line of more than %d octets.", maxLine)}
	errBroken   = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "The message did not arrive as a whole. Please try again."}
)

// ReadMessage spools what the client sends in the DATA phase, up to limit
// octets. An error is a reply, unless it is the temporary file's: a client that
// goes away is not worth more than a debug line.
func ReadMessage(log *slog.Logger, r io.Reader, dir string, limit int64) (*spool.Message, error) {
	client := &source{r: r}
	msg, err := spool.Read(client, dir, limit)
	switch {
	case err == nil:
		return msg, nil
	case errors.Is(err, spool.ErrTooLarge), errors.Is(client.err, smtp.ErrDataTooLarge):
		return nil, smtp.ErrDataTooLarge
	case errors.Is(client.err, smtp.ErrTooLongLine):
		return nil, errLongLine
	case client.err != nil:
		log.Debug("a message did not arrive as a whole", "error", client.err)
		return nil, errBroken
	}
	return nil, fmt.Errorf("read the message: %w", err)
}

// source keeps the error that reading ended with.
type source struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

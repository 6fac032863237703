package scan

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Sizes of what passes between clamd and us, in octets.
const (
	clamChunk  = 64 << 10
	clamAnswer = 4 << 10
)

// clamav sends the message by INSTREAM (clamd(8)): chunks that begin with their
// length, the last of none; clamd answers with one line that ends in NUL.
func (s *Scanner) clamav(ctx context.Context, msg io.Reader) (Result, error) {
	network, address := "tcp", s.o.ClamAV
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = conn.Close() }()
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	sendErr := instream(conn, msg)
	// Where clamd has stopped reading, it has said why.
	line, err := bufio.NewReaderSize(io.LimitReader(conn, clamAnswer), clamAnswer).ReadString(0)
	if err != nil {
		if sendErr != nil {
			err = sendErr
		}
		return Result{}, fmt.Errorf("no answer: %w", err)
	}
	return clamVerdict(strings.TrimSpace(strings.TrimSuffix(line, "\x00")))
}

func instream(w io.Writer, msg io.Reader) error {
	if _, err := io.WriteString(w, "zINSTREAM\x00"); err != nil {
		return err
	}
	buf := make([]byte, 4+clamChunk)
	for {
		n, err := io.ReadFull(msg, buf[4:])
		if n > 0 {
			binary.BigEndian.PutUint32(buf, uint32(n))
			if _, err := w.Write(buf[:4+n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			_, err := w.Write([]byte{0, 0, 0, 0})
			return err
		} else if err != nil {
			return err
		}
	}
}

// clamVerdict reads "stream: OK", "stream: NAME FOUND" or an error.
func clamVerdict(line string) (Result, error) {
	said, ok := strings.CutPrefix(line, "stream: ")
	name, found := strings.CutSuffix(said, " FOUND")
	switch {
	case ok && said == "OK":
		return Result{}, nil
	case ok && found && name != "" && len(name) < 200:
		return Result{Verdict: Virus, Found: name}, nil
	case strings.HasPrefix(line, "INSTREAM size limit exceeded"):
		return Result{}, errors.New("the message is larger than its StreamMaxLength: set that to smtp.max_message_size at least")
	}
	return Result{}, errors.New("the answer is not that of clamd")
}
